"""The body that the app gets from the guard: decoded, with its length, or untouched."""

from __future__ import annotations

import gzip
import json
import tempfile
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from mantlet import Policy
from mantlet.guard import BodyLimits, Contract, File, RouteOptions, SchemaGuard
from mantlet.guard.bodies.forms import FormFields, MultipartForm
from mantlet.http.media_types import read_media_type
from tests.drive import Adapter, both_adapters
from tests.guard.asking import FORM, JSON, Guarded, faults
from tests.uploads import App, upload

if TYPE_CHECKING:
    from tests.drive import Fields


class Item(BaseModel):
    """A small body."""

    name: str
    count: int = 1


CONTRACTS: dict[str, Any] = {
    "POST /items": Item,
    "POST /none": Contract(),
    "POST /lines": Contract(lines=Item),
    "POST /sequence": Contract(lines=Item),
    "POST /form": Contract(form=Item),
    "POST /upload": Contract(form=Item, files={"photo": File(max_size="20 MB", many=True)}),
}
GZIP = ("Content-Encoding", "gzip")
CODED = gzip.compress(b'{"name": "a"}', mtime=0)
PARTS = ("Content-Type", "multipart/form-data; boundary=b")
UPLOAD = (
    b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n%s\r\n'
    b'--b\r\nContent-Disposition: form-data; name="photo"; filename="x.txt"\r\n'
    b"Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n--b--\r\n"
)


def header(app: Guarded, name: str) -> str | None:
    """Return a header of the last request that has reached an app."""
    carrier = app.carriers[-1]
    if app.adapter.name == "asgi":
        return dict(carrier["headers"]).get(name.encode(), b"").decode() or None
    key = name.upper().replace("-", "_")
    value = carrier.get(key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}")
    return None if value is None else str(value)


# -- what stays as it is --------------------------------------------------------------------------

UNTOUCHED: dict[str, tuple[str, Fields, dict[str, Any]]] = {
    "an undeclared body": ("/none", JSON, {"allow": ["body"]}),
    "an undeclared media type": (
        "/items",
        [("Content-Type", "a/b")],
        {"allow": ["media_type"]},
    ),
    "an undeclared path": ("/other", JSON, {"allow": ["path"]}),
    "not in the sample": ("/items", JSON, {"sample_rate": 0}),
    "off": ("/items", JSON, {"mode": "off"}),
    "off for the route": ("/items", JSON, {"routes": {"* /items": RouteOptions(mode="off")}}),
    "report": ("/items", JSON, {"mode": "report"}),
    "report, canonical": ("/items", JSON, {"mode": "report", "forward": "canonical"}),
    "report for the route": (
        "/items",
        JSON,
        {"routes": {"* /items": RouteOptions(mode="report")}, "forward": "canonical"},
    ),
    "report by pattern": ("/items", JSON, {"mode": {"* /items": "report"}}),
    "report of lines": ("/lines", [("Content-Type", "application/x-ndjson")], {"mode": "report"}),
    "report of lines for the route": (
        "/lines",
        [("Content-Type", "application/x-ndjson")],
        {"routes": {"* /lines": RouteOptions(mode="report")}, "forward": "canonical"},
    ),
}


@both_adapters
@pytest.mark.parametrize("case", UNTOUCHED)
def test_what_is_not_validated_stays_as_it_is(adapter: Adapter, case: str) -> None:
    """A guard that decides nothing about a body changes nothing of it."""
    target, headers, options = UNTOUCHED[case]
    app = Guarded(adapter, CONTRACTS, **options)
    assert app.ask("POST", target, body=CODED, headers=[*headers, GZIP]).status == 200
    assert app.bodies == [CODED]
    assert header(app, "content-encoding") == "gzip"
    assert header(app, "content-length") == str(len(CODED))


@both_adapters
@pytest.mark.parametrize("coding", ["compress", "aes128gcm", "gzip, gzip, gzip", "snappy"])
def test_a_coding_that_is_not_supported_is_refused(adapter: Adapter, coding: str) -> None:
    """RFC 9110, 15.5.16."""
    app = Guarded(adapter, CONTRACTS)
    headers = [*JSON, ("Content-Encoding", coding)]
    answer = app.ask("POST", "/items", body=CODED, headers=headers)
    assert (answer.status, app.bodies) == (415, [])
    assert faults(answer) == [("header", "/Content-Encoding", "unknown_coding")]
    assert answer.get("accept-encoding") == "gzip, deflate, br, zstd"


@both_adapters
@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "chunked, gzip", "chunked, chunked"])
def test_a_transfer_coding_is_refused(adapter: Adapter, coding: str) -> None:
    """Servers that hand it on have not decoded it (RFC 9112, 6.1), and nobody behind them does."""
    app = App()
    for path, kind in (("/items", JSON), ("/upload", [PARTS]), ("/none", [])):
        stack = app.behind(adapter, SchemaGuard(CONTRACTS))
        headers = [*kind, ("Transfer-Encoding", coding)]
        answer = _upload(adapter, stack, path, [b'{"name": "a"}'], headers)
        assert answer.status == 400
    assert app.calls == 0


AMBIGUOUS = {
    "two headers": ["application/json", "application/x-www-form-urlencoded"],
    "the same twice": ["application/json", "application/json"],
    "a comma": ["application/json, application/x-www-form-urlencoded"],
    "two charsets": ["application/json; charset=utf-8; charset=utf-16"],
    "another charset": ["application/json; charset=utf-16"],
    "a parameter": ["application/json; boundary=b"],
    "no end": ["application/json;"],
    "two boundaries": ["multipart/form-data; boundary=b; boundary=c"],
    "a continued boundary": ["multipart/form-data; boundary*0=b; boundary=b"],
    "a charset of a form": ["application/x-www-form-urlencoded; charset=utf-7"],
    "an escaped quote": ['application/json; charset="utf\\-8"'],
}


@both_adapters
@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_body_of_an_ambiguous_type_is_refused(adapter: Adapter, case: str) -> None:
    """Readers take one or the other part of it."""
    contracts = {"POST /": Contract(body=Item)} | {
        f"POST /{name}": CONTRACTS[f"POST /{name}"] for name in ("form", "upload")
    }
    app = Guarded(adapter, contracts)
    headers = [("Content-Type", value) for value in AMBIGUOUS[case]]
    for target in ("/", "/form", "/upload"):
        for body in (b'{"name": "a"}', b"name=a", UPLOAD % (b"a", b"b")):
            assert app.ask("POST", target, body=body, headers=headers).status == 415
    assert not app.carriers


# -- lengths --------------------------------------------------------------------------------------


@both_adapters
def test_a_body_without_a_length_gets_one(adapter: Adapter) -> None:
    """Frameworks that find none take it for empty; digests of the same bytes stay."""
    app = App()
    headers = [*JSON, ("Transfer-Encoding", "chunked"), ("Digest", "sha-256=x")]
    stack = app.behind(adapter, SchemaGuard(CONTRACTS))
    body = b'{"name": "a"}'
    answer = _upload(adapter, stack, "/items", [body[:5], body[5:]], headers)
    assert answer.status == 200
    assert app.body == body
    assert app.fields["content-length"] == str(len(body))
    assert app.fields["digest"] == "sha-256=x"
    assert "transfer-encoding" not in app.fields


def _upload(adapter: Adapter, stack: Any, path: str, body: list[bytes], headers: Fields) -> Any:
    """Send a body without a length to a path."""

    def at_path(app: Any) -> Any:
        if adapter.name == "asgi":

            async def asgi(scope: Any, receive: Any, send: Any) -> None:
                await app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

            return asgi

        def wsgi(environ: Any, start_response: Any) -> Any:
            return app({**environ, "PATH_INFO": path}, start_response)

        return wsgi

    return upload(adapter, at_path(stack), body, headers=headers)


@both_adapters
def test_a_request_whose_length_is_true_is_left_alone(adapter: Adapter) -> None:
    """Header for header."""
    app = Guarded(adapter, CONTRACTS)
    headers = [*JSON, ("X-A", "1")]
    assert app.ask("POST", "/items", body=b'{"name": "a"}', headers=headers).status == 200
    if adapter.name == "asgi":
        names = [name for name, _ in app.carriers[0]["headers"]]
        assert names == [b"content-type", b"x-a", b"content-length"]


def test_a_length_that_is_not_true_is_replaced() -> None:
    """Some gateways pass events on whose body differs from the length in the headers."""
    asgi = both_adapters.args[1][0]
    app = Guarded(asgi, CONTRACTS)
    headers = [*JSON, ("Content-Length", "5")]
    answer = app.ask("POST", "/items", body=b'{"name": "a"}', headers=headers, length=False)
    assert answer.status == 200
    assert header(app, "content-length") == "13"


# -- large bodies ---------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("forward", ["original", "canonical"])
def test_a_large_decoded_body_is_in_a_file(
    adapter: Adapter, forward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond ``memory``; the files are closed at the end of the exchange, also of a refused one."""
    files: list[Any] = []
    for name in ("TemporaryFile", "SpooledTemporaryFile"):
        made = getattr(tempfile, name)

        def opened(*args: Any, made: Any = made, **options: Any) -> Any:
            files.append(made(*args, **options))
            return files[-1]

        monkeypatch.setattr(tempfile, name, opened)
    content = bytes(range(1, 256)) * 40_000  # 10 MB
    for value, status in ((b"a", 200), (b"a\r\n--bx", 400)):
        body = gzip.compress(UPLOAD % (value, content), 1, mtime=0)
        limits = BodyLimits(body="20 MB", memory="64 KiB", ratio=10_000)
        app = App()
        guard = SchemaGuard(CONTRACTS, limits=limits, forward=forward)
        stack = app.behind(adapter, guard)
        tracemalloc.start()
        try:
            answer = _upload(adapter, stack, "/upload", [body], [PARTS, GZIP])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert answer.status == status
        assert app.calls == (status == 200)
        if app.calls:
            assert content in app.body
            assert app.fields["content-length"] == str(len(app.body))
            assert files
        assert all(file.closed for file in files)
        # The app of the test holds the whole body, in pieces and joined.
        assert peak < 4_000_000 + 3 * len(app.body)


# -- canonical ------------------------------------------------------------------------------------


@both_adapters
def test_a_canonical_body_of_lines(adapter: Adapter) -> None:
    """Serialized from the values, in the framing that came."""
    app = Guarded(adapter, CONTRACTS, forward="canonical")
    headers = [("Content-Type", "application/x-ndjson")]
    app.ask("POST", "/lines", body=b'\n{"name" : "\\u0061"}\r\n{"name":"b"}', headers=headers)
    assert app.bodies == [b'{"name":"a","count":1}\n{"name":"b","count":1}\n']
    app.ask(
        "POST",
        "/lines",
        body=b'\x1e\x1e{"name" : "a"}\n',
        headers=[("Content-Type", "application/json-seq")],
    )
    assert app.bodies[1:] == [b'\x1e{"name":"a","count":1}\n']


@both_adapters
def test_a_canonical_multipart_form(adapter: Adapter) -> None:
    """It has another boundary, and of each part only what was validated."""
    app = Guarded(adapter, CONTRACTS, forward="canonical")
    body = UPLOAD % (b"\xc3\xa9", b"hello")
    assert app.ask("POST", "/upload", body=body, headers=[PARTS]).status == 200
    (got,) = app.bodies
    media = read_media_type(header(app, "content-type") or "")
    assert media is not None
    boundary = media.get("boundary") or ""
    assert len(boundary) == 40
    assert got.decode() == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\n\u00e9\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="count"\r\n\r\n1\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="x.txt"\r\n'
        f"Content-Type: text/plain\r\n\r\nhello\r\n--{boundary}--\r\n"
    )
    assert header(app, "content-length") == str(len(got))
    app.ask("POST", "/upload", body=body, headers=[PARTS])
    assert boundary.encode() not in app.bodies[1]


@both_adapters
def test_inner_policies_see_the_decoded_body(adapter: Adapter) -> None:
    """A policy inside of the guard, as the app."""
    seen: list[Any] = []

    class Sees(Policy):
        async def on_request(self, request: Any) -> None:
            seen.append((await request.body(1000), request.headers.get("content-encoding")))
            seen.append([chunk async for chunk in request.chunks(1000, memory=1)])

    app = App()
    stack = app.behind(adapter, SchemaGuard(CONTRACTS, limits=BodyLimits(memory=1)), Sees())
    body = b'{"name": "a"}\n{"name": "b"}\n'
    headers = [("Content-Type", "application/x-ndjson"), GZIP]
    answer = _upload(adapter, stack, "/lines", [gzip.compress(body)], headers)
    assert answer.status == 200
    assert seen == [(body, None), [body]]
    assert app.body == body


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(
    fields=st.lists(st.tuples(st.sampled_from(["a", "b", "list", "json"]), TEXTS), max_size=5),
    files=st.lists(st.tuples(st.sampled_from(["f", "g.txt", "\u00e9 x"]), st.binary()), max_size=3),
    blobs=st.booleans(),
)
@settings(max_examples=100)
def test_a_canonical_form_is_read_as_the_same_form(
    fields: list[tuple[str, str]], files: list[tuple[str, bytes]], blobs: bool
) -> None:
    """Whatever its fields and files hold, by the same parser."""
    form = MultipartForm(
        FormFields(arrays=["a", "b", "list", "json"], json={"json": json.loads}),
        {"file": File(many=True, required=False, min_size=0)},
        None,
        BodyLimits(),
    )
    boundary = "0123456789" * 5
    blob = '; filename="blob"\r\nContent-Type: application/json' if blobs else ""
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        f"{blob if name == 'json' else ''}\r\n\r\n"
        f"{json.dumps(text) if name == 'json' else text}\r\n".encode()
        for name, text in fields
    ) + b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"'
        "\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in files
    )
    text = f"multipart/form-data; boundary={boundary}"
    read, again = [], b""
    for _ in range(2):
        media = read_media_type(text)
        assert media is not None
        parse = form.start(media)
        parse.feed(again or body + f"--{boundary}--\r\n".encode())
        value = parse.finish()
        found: Any = value.files["file"]
        read.append((value.value, [(one.name, one.content_type, one.read()) for one in found]))
        for one in found:
            one.file.seek(0)
        pieces: list[bytes] = []
        text = parse.dump(value, pieces.append)
        again = b"".join(pieces)
        assert again.count(b'filename="blob"') == sum(name == "json" for name, _ in fields) * blobs
        parse.close()
    assert read[0] == read[1]


def test_forms_are_canonical_in_both_media_types() -> None:
    """A form of a model, urlencoded, has its defaults."""
    for adapter in both_adapters.args[1]:
        app = Guarded(adapter, CONTRACTS, forward="canonical")
        app.ask("POST", "/form", body=b"name=%61+b", headers=FORM)
        assert app.bodies == [b"name=a+b&count=1"]
