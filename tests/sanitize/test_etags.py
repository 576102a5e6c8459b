"""Tags and lengths: they do not depend on the data, and clients can send them back."""

from __future__ import annotations

import gzip
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import flask
import pytest
from django.http import HttpResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer
from mantlet.sanitize import Leaks
from tests.drive import Adapter, Answer, Said, both_adapters, drive_asgi, drive_wsgi
from tests.integrations.django_site import django_site, lower_case
from tests.sanitize.streams import play_asgi, play_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from pathlib import Path

    from starlette.requests import Request as StarletteRequest

SECRET = "Xk29fjQmZ0-secret"
TAG = '"v1"'
BODIES = {
    "clean": (b'{"a": "word", "b": 1}', b"<p>hello</p>", b"hello"),
    "dirty": (
        f'{{"a": "<b>{SECRET}</b>", "password": "x"}}'.encode(),
        f"<p onclick=x>{SECRET}<script>1</script></p>".encode(),
        f"hello {SECRET}".encode(),
    ),
}
MEDIA = ("application/json", "text/html", "text/plain")
#: Every combination of the options that filter bodies.
OPTIONS: list[dict[str, Any]] = [
    {"escape_json": escapes, "leaks": leaks, "mask": mask, "html": html, "secrets": [SECRET]}
    for escapes, leaks, mask, html in product(
        (True, False),
        (None, Leaks(), Leaks("report")),
        ((), ("password",)),
        (None, {"* /": "ugc"}),
    )
]


def ids(options: dict[str, Any]) -> str:
    leaks = options["leaks"]
    names = [name for name in ("escape_json", "mask", "html") if options[name]]
    return "-".join([*names, leaks.action if leaks else "secrets"])


every_option = pytest.mark.parametrize("options", OPTIONS, ids=ids)
adapters = pytest.mark.parametrize("play", [play_asgi, play_wsgi], ids=["asgi", "wsgi"])


def versioned(body: bytes, media: str, tag: str = TAG, **fields: str) -> Any:
    """Return an app that compares tags as RFC 9110 has it: strongly and weakly."""

    def app(carrier: MutableMapping[str, Any]) -> Said:
        head = [("content-type", media), ("etag", tag)]
        head += [(name.replace("_", "-"), value) for name, value in fields.items()]
        asked = headers_of(carrier)
        if "if-match" in asked and tag not in asked["if-match"].split(", "):
            return 412, [], b""
        weak = [one.removeprefix("W/") for one in asked.get("if-none-match", "").split(", ")]
        if tag.removeprefix("W/") in weak:
            return 304, [("etag", tag)], b""
        if "if-match" in asked and method_of(carrier) == "PUT":
            return 204, [("etag", '"v2"')], b""
        length = [("content-length", str(len(body)))]
        return 200, [*head, *length], b"" if method_of(carrier) == "HEAD" else body

    return app


def tag_of(fields: list[tuple[str, str]]) -> str:
    return {name.lower(): value for name, value in fields}["etag"]


def headers_of(carrier: MutableMapping[str, Any]) -> dict[str, str]:
    if "headers" in carrier:
        return {name.decode(): value.decode() for name, value in carrier["headers"]}
    prefixed = ((key[5:], value) for key, value in carrier.items() if key.startswith("HTTP_"))
    return {name.lower().replace("_", "-"): value for name, value in prefixed}


def method_of(carrier: MutableMapping[str, Any]) -> str:
    method: str = carrier.get("method") or carrier["REQUEST_METHOD"]
    return method


@both_adapters
@every_option
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_tags_do_not_depend_on_the_data(
    adapter: Adapter, options: dict[str, Any], coding: str | None
) -> None:
    """A strong tag stays strong, with every combination of options, and every round trip works."""
    policy = OutputSanitizer(**options)
    for number, media in enumerate(MEDIA):
        for bodies in BODIES.values():
            body, fields = bodies[number], {}
            if coding:
                body, fields = gzip.compress(body, mtime=0), {"content_encoding": coding}
            app = adapter.wrap(versioned(body, media, **fields), policy)
            whole, head = adapter.drive(app), adapter.drive(app, "HEAD")
            assert whole.get("etag") == head.get("etag") == TAG
            assert whole.get("content-type") == head.get("content-type")
            assert head.get("content-length") in (None, whole.get("content-length"))
            for asked in (TAG, f"W/{TAG}", f'"x", {TAG}'):
                again = adapter.drive(app, headers=[("If-None-Match", asked)])
                assert again.status == 304
                assert again.get("etag") in (TAG, f"W/{TAG}")
            written = adapter.drive(app, "PUT", headers=[("If-Match", whole.get("etag") or "")])
            assert written.status == 204
            assert adapter.drive(app, "PUT", headers=[("If-Match", '"v0"')]).status == 412


@pytest.mark.unmeasured
@pytest.mark.few_cases(8)
@adapters
@every_option
def test_tags_of_streams_do_not_depend_on_the_data(
    play: Callable[..., Any], options: dict[str, Any]
) -> None:
    """As those of whole bodies."""
    for media, number in (*zip(MEDIA, range(3), strict=True), ("application/x-ndjson", 0)):
        for bodies in BODIES.values():
            body = bodies[number]
            fields = [("content-type", media), ("etag", TAG)]
            got, _ = play(OutputSanitizer(**options), fields, [body[:7], body[7:]])
            assert tag_of(got) == TAG


@adapters
def test_a_body_that_is_compressed_again_in_pieces_has_a_weak_tag(play: Callable[..., Any]) -> None:
    """Always: its bytes differ with its pieces, though none of them was changed."""
    for body in BODIES["clean"][2], BODIES["dirty"][2]:
        data = gzip.compress(body * 20, mtime=0)
        fields = [("content-type", "text/plain"), ("etag", TAG), ("content-encoding", "gzip")]
        for chunks in ([data[:20], data[20:]], [data]):
            got, _ = play(OutputSanitizer(secrets=[SECRET]), fields, chunks, whole=True)
            assert tag_of(got) == f"W/{TAG}"
        weak = [(name, "W/" + value if name == "etag" else value) for name, value in fields]
        got, _ = play(OutputSanitizer(secrets=[SECRET]), weak, [data])
        assert tag_of(got) == f"W/{TAG}"


def compressing(**kwargs: Any) -> Any:
    """Return an app that compresses a stream, and knows only one form of its tag."""

    async def endpoint(request: StarletteRequest) -> Response:
        if "if-match" in request.headers:
            return Response(status_code=204 if request.headers["if-match"] == TAG else 412)
        if request.headers.get("if-none-match") == TAG:
            return Response(status_code=304, headers={"etag": TAG})
        return StreamingResponse(iter(["hello "] * 200), headers={"etag": TAG}, **kwargs)

    return Starlette(
        routes=[Route("/", endpoint, methods=["GET", "HEAD", "PUT"])],
        middleware=[Middleware(GZipMiddleware)],
    )


def test_a_weak_tag_can_be_sent_back() -> None:
    """Also to an app that compares texts: for a 304, and to write."""
    app = mantlet.asgi.wrap(
        compressing(media_type="text/plain"), OutputSanitizer(), ErrorEnvelope(), baseline=False
    )
    gzipped = ("Accept-Encoding", "gzip")
    first = drive_asgi(app, headers=[gzipped])
    assert first.get("content-encoding") == "gzip"
    tag = first.get("etag") or ""
    assert tag == f"W/{TAG}"
    assert drive_asgi(app, "HEAD", headers=[gzipped]).get("etag") == tag
    again = drive_asgi(app, headers=[gzipped, ("If-None-Match", tag)])
    assert (again.status, again.get("etag"), again.body) == (304, tag, b"")
    assert "content-encoding" not in again.names
    assert again.get("vary") == first.get("vary")
    assert drive_asgi(app, headers=[gzipped, ("If-None-Match", '"v0"')]).status == 200
    assert drive_asgi(app, "PUT", headers=[("If-Match", tag)]).status == 204
    assert drive_asgi(app, "PUT", headers=[("If-Match", f'{tag}, W/"W/"')]).status == 412
    assert drive_asgi(app, "PUT", headers=[("If-Match", '"v0"')]).status == 412


@both_adapters
def test_a_304_names_the_tag_that_the_client_has(adapter: Adapter) -> None:
    """The weak one of a compressed body, or the strong one."""
    app = adapter.wrap(versioned(b"hello", "text/plain"), OutputSanitizer())
    for asked, expected in ((f"W/{TAG}", f"W/{TAG}"), (TAG, TAG), (f'"x", {TAG}', TAG)):
        answer = adapter.drive(app, headers=[("If-None-Match", asked)])
        assert (answer.status, answer.get("etag")) == (304, expected)


@both_adapters
def test_digests_of_changed_bodies_are_not_sent(adapter: Adapter) -> None:
    """Those of bodies that stay are."""
    digests = {"content_md5": "x", "digest": "x", "content_digest": "x", "repr_digest": "x"}
    for bodies, kept in ((BODIES["clean"], True), (BODIES["dirty"], False)):
        for media, body in zip(MEDIA, bodies, strict=True):
            app = adapter.wrap(versioned(body, media, **digests), OutputSanitizer(secrets=[SECRET]))
            answer = adapter.drive(app)
            assert [name.replace("_", "-") in answer.names for name in digests] == [kept] * 4
            assert answer.get("etag") == TAG


@adapters
def test_no_digest_of_a_stream_is_sent(play: Callable[..., Any]) -> None:
    """It is searched after its headers have been sent."""
    fields = [("content-type", "text/plain"), ("repr-digest", "x"), ("x-a", "1")]
    got, _ = play(OutputSanitizer(secrets=[SECRET]), fields, [b"a", b"b"])
    assert "repr-digest" not in dict(got)
    got, _ = play(OutputSanitizer(leaks=None), fields, [b"a", b"b"])
    assert dict(got)["repr-digest"] == "x"


@both_adapters
def test_no_digest_of_a_part_or_of_a_304_is_sent(adapter: Adapter) -> None:
    """The part is masked at its end; a cache takes over that of a 304 for the body that it has."""
    digests = [("content-digest", "x"), ("repr-digest", "x"), ("x-a", "1"), ("etag", TAG)]
    part = [("content-range", "bytes 0-9/100"), ("content-type", "text/plain")]
    for policy in (OutputSanitizer(secrets=[SECRET]), OutputSanitizer(leaks=None, mask=["a"])):
        answer = adapter.drive(adapter.wrap(lambda _: (304, digests, b""), policy))
        assert [name for name in answer.names if name in dict(digests)] == ["x-a", "etag"]
    policy = OutputSanitizer(secrets=[SECRET])
    app = adapter.wrap(lambda _: (206, digests + part, b"0123456789"), policy)
    answer = adapter.drive(app)
    assert (answer.status, "repr-digest" in answer.names) == (206, False)
    assert "content-digest" not in answer.names


@pytest.mark.unmeasured
@adapters
@pytest.mark.parametrize("media", [None, "text/html"])
def test_the_tag_of_json_without_its_type_names_one_body(
    play: Callable[..., Any], media: str | None
) -> None:
    """However it is split into chunks, and whether its length is declared."""
    head = [("etag", TAG)] + ([("content-type", media)] if media else [])
    policy = OutputSanitizer(mask=["password"], secrets=[SECRET])
    lines = b'{"password": "<x>"}\n' * 3
    for body in (BODIES["dirty"][0], b"  " + BODIES["dirty"][0], b'["<b>", true]', b"[1] <", lines):
        sent = set()
        for fields in (head, [*head, ("content-length", str(len(body)))]):
            for at in range(len(body)):
                for whole in (True, False):
                    chunks = [body[:at], body[at:]] if at else [body]
                    got, out = play(policy, fields, chunks, whole=whole)
                    assert tag_of(got) == TAG
                    sent.add(b"".join(out))
                    length = dict(got).get("content-length")
                    assert length in (None, str(len(b"".join(out))))
        assert len(sent) == 1
        assert b"x>" not in sent.pop()


@both_adapters
def test_head_does_not_name_the_type_of_json_as_html(adapter: Adapter) -> None:
    """With ``json_as_html="fix"`` it depends on the content, which HEAD and a 304 do not have."""
    policy = OutputSanitizer(json_as_html="fix")
    for body in BODIES["clean"]:
        app = adapter.wrap(versioned(body, "text/html"), policy)
        whole, head = adapter.drive(app), adapter.drive(app, "HEAD")
        assert whole.get("content-type") == (
            "application/json" if body is BODIES["clean"][0] else "text/html"
        )
        assert "content-type" not in head.names
        assert whole.get("etag") == head.get("etag") == f"W/{TAG}"
        again = adapter.drive(app, headers=[("If-None-Match", f"W/{TAG}")])
        assert (again.status, again.get("etag")) == (304, f"W/{TAG}")
        assert adapter.drive(app, "PUT", headers=[("If-Match", f"W/{TAG}")]).status == 204


def test_no_digest_of_a_filtered_body_is_in_the_trailers() -> None:
    """Those of a body that is not filtered stay (RFC 9530, 3)."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        fields = [(b"content-type", b"text/plain"), (b"trailer", b"repr-digest")]
        head = {"type": "http.response.start", "status": 200, "headers": fields, "trailers": True}
        await send(head)
        await send({"type": "http.response.body", "body": SECRET.encode()})
        trailers = [(b"Repr-Digest", b"x"), (b"x-a", b"1")]
        await send({"type": "http.response.trailers", "headers": trailers})

    def names(policy: OutputSanitizer) -> list[bytes]:
        sent: list[Any] = []

        async def server(scope: Any, receive: Any, send: Any) -> None:
            async def keep(message: Any) -> None:
                sent.append(message)
                if message["type"] != "http.response.trailers":
                    await send(message)

            await mantlet.asgi.Stack(app, [policy])(scope, receive, keep)

        drive_asgi(server, scope={"extensions": {"http.response.trailers": {}}})
        return [name for name, _ in sent[-1]["headers"]]

    assert names(OutputSanitizer(secrets=[SECRET])) == [b"x-a"]
    assert names(OutputSanitizer(leaks=None)) == [b"Repr-Digest", b"x-a"]
    assert names(OutputSanitizer(secrets=[SECRET], mode="report")) == [b"Repr-Digest", b"x-a"]


# -- frameworks -----------------------------------------------------------------------------------


def flask_app(body: str, media: str) -> Any:
    app = flask.Flask("tags")

    @app.route("/", methods=["GET", "PUT"])
    def page() -> Any:
        response = flask.make_response(body if flask.request.method != "PUT" else "")
        response.content_type = media
        response.set_etag("v1")
        return response.make_conditional(flask.request)

    return app


@pytest.mark.unmeasured
@pytest.mark.few_cases(8)
@every_option
def test_flask_s_conditional_responses(options: dict[str, Any]) -> None:
    """Werkzeug's own tags come back to it."""
    for number, media in enumerate(MEDIA):
        for bodies in BODIES.values():
            app = mantlet.wsgi.wrap(
                flask_app(bodies[number].decode(), media), OutputSanitizer(**options)
            )
            round_trip(lambda *args, app=app, **kwargs: drive_wsgi(app, *args, **kwargs))
            tag = drive_wsgi(app).get("etag") or ""
            assert drive_wsgi(app, headers=[("If-Match", tag)]).status == 200
            assert drive_wsgi(app, headers=[("If-Match", '"v0"')]).status == 412


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@pytest.mark.parametrize("protocol", ["asgi", "wsgi"])
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
def test_django_s_conditional_get_middleware(protocol: str, gzipped: bool) -> None:
    """Its tags are hashes of the body; its GZipMiddleware makes them weak."""
    middleware = ["django.middleware.http.ConditionalGetMiddleware"]
    if gzipped:
        middleware.insert(0, "django.middleware.gzip.GZipMiddleware")
    for options in OPTIONS:
        for number, media in enumerate(MEDIA):
            body = BODIES["dirty"][number] + b" " * 300
            response = partial(HttpResponse, body, content_type=media)
            with django_site(
                protocol,
                index=lambda _request: response(),  # noqa: B023  # called within the loop
                middleware=tuple(middleware),
            ) as site:
                policy = OutputSanitizer(**options)
                app: Any
                if protocol == "asgi":
                    app = mantlet.asgi.wrap(lower_case(site), policy)
                    round_trip(
                        lambda *args, app=app, **kw: drive_asgi(app, *args, **kw), tags_heads=False
                    )
                else:
                    app = mantlet.wsgi.wrap(site, policy)
                    round_trip(
                        lambda *args, app=app, **kw: drive_wsgi(app, *args, **kw), tags_heads=False
                    )


@pytest.mark.few_cases(8)
@every_option
def test_starlette_s_static_files(options: dict[str, Any], tmp_path: Path) -> None:
    """Tags of the files' times and sizes."""
    for number, name in enumerate(("x.json", "x.html", "x.txt")):
        (tmp_path / name).write_bytes(BODIES["dirty"][number])
        inner = Starlette(routes=[Mount("/", StaticFiles(directory=tmp_path))])
        app = mantlet.asgi.wrap(inner, OutputSanitizer(**options))
        round_trip(
            lambda method="GET", name=name, app=app, **kwargs: drive_asgi(
                app, method, f"/{name}", **kwargs
            )
        )


def round_trip(ask: Callable[..., Answer], *, tags_heads: bool = True) -> None:
    """Ask for a resource, for its head, and again with its tag."""
    accept = [("Accept-Encoding", "gzip")]
    first, head = ask(headers=accept), ask("HEAD", headers=accept)
    assert first.status == head.status == 200
    tag = first.get("etag")
    assert tag
    assert head.get("etag") == (tag if tags_heads else None)
    assert head.get("content-type") == first.get("content-type")
    assert head.get("content-length") in (None, first.get("content-length"))
    for asked in (tag, f"W/{tag.removeprefix('W/')}"):
        again = ask(headers=[*accept, ("If-None-Match", asked)])
        assert (again.status, again.body) == (304, b"")
        assert (again.get("etag") or tag).removeprefix("W/") == tag.removeprefix("W/")
    assert ask(headers=[*accept, ("If-None-Match", '"v0"')]).status == 200
