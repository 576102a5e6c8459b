"""Files and their parts: what a server sends by itself is searched and cleaned all the same."""

from __future__ import annotations

import gzip
import io
from functools import partial
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

import flask
import pytest
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route

import mantlet
from mantlet import OutputSanitizer
from mantlet.sanitize import Leaks
from tests.conformance.origin import Delivery, Resource
from tests.conformance.test_sanitizer_laws import Case
from tests.drive import Adapter, Answer, both_adapters, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from pathlib import Path

    from mantlet import Policy
    from mantlet._internal.asgi_types import Receive, Scope, Send

SECRET = "Xk29fjQmZ0-secret"
MASKED = "*" * len(SECRET)
EVIL = b"<p onclick=alert(1)>hi<script>alert(1)</script></p>"
SIZE = 400
TEXT = (b"a line of a log\n" * 10 + f"key={SECRET}; ".encode() + b"more text\n" * 40)[:SIZE]
CLEAN = TEXT.replace(SECRET.encode(), MASKED.encode())

Ask = "Callable[..., Answer]"


def ask_wrapped(
    file: Path, media: str, policy: Policy, method: str = "GET", **kwargs: Any
) -> Answer:
    """``wsgi.file_wrapper``, as WhiteNoise and Falcon use it."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        head = [("Content-Type", media), ("Content-Length", str(file.stat().st_size))]
        start_response("200 OK", [*head, *kwargs.get("fields", ())])
        return environ["wsgi.file_wrapper"](file.open("rb"))

    environ = {"wsgi.file_wrapper": FileWrapper}
    stack = mantlet.wsgi.wrap(app, policy, baseline=False)
    return drive_wsgi(stack, method, "/uploads/x", environ=environ)


def ask_asgi(
    kind: str, file: Path, media: str, policy: Policy, method: str = "GET", **kwargs: Any
) -> Answer:
    """An extension of ASGI by which the server reads a file."""
    fields = [(name.lower().encode(), value.encode()) for name, value in kwargs.get("fields", ())]
    length = str(file.stat().st_size).encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-type", media.encode()), (b"content-length", length), *fields]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        if kind == "http.response.pathsend":
            await send({"type": kind, "path": str(file)})
            return
        with file.open("rb") as opened:
            await send({"type": kind, "file": opened, "offset": 0})

    return drive(app, policy, method, extension=kind)


ask_pathsend = partial(ask_asgi, "http.response.pathsend")
ask_zerocopy = partial(ask_asgi, "http.response.zerocopysend")


def drive(app: Any, policy: Policy, method: str, *, extension: str) -> Answer:
    """Ask an app under a server with an extension; a file that it gets to send is all F."""
    got = mantlet.asgi.wrap(app, policy, baseline=False)

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        async def sends(message: Any) -> None:
            if message["type"] == extension:
                message = {"type": "http.response.body", "body": b"F" * SIZE}
            await send(message)

        await got(scope, receive, sends)

    return drive_asgi(server, method, "/uploads/x", scope={"extensions": {extension: {}}})


WAYS = {"wrapper": ask_wrapped, "pathsend": ask_pathsend, "zerocopysend": ask_zerocopy}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
SANDBOX = "script-src 'none'; sandbox"


@ways
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("media", ["image/svg+xml", "application/xml", "text/xsl", "*/*"])
def test_an_uploaded_document_that_is_no_html_runs_no_script(
    way: Any, media: str, method: str, tmp_path: Path
) -> None:
    """It is shown in a sandbox, whatever policy the app has given it; pictures are left alone."""
    file = tmp_path / "x"
    file.write_bytes(SVG.ljust(SIZE))
    policy = OutputSanitizer(html={"* /uploads/*": "ugc"}, scan_files=False)
    own = ("Content-Security-Policy", "default-src *")
    answer = way(file, media, policy, method, fields=[own])
    assert answer.getall("content-security-policy") == ["default-src *", SANDBOX]
    for left in ("image/png", "application/json", "text/plain"):
        assert way(file, left, policy, method).get("content-security-policy") is None
    elsewhere = OutputSanitizer(html={"* /comments/*": "ugc"})
    assert way(file, media, elsewhere, method).get("content-security-policy") is None


@both_adapters
@pytest.mark.parametrize(
    "types", [(), ("application/json", "image/svg+xml"), ("text/plain, text/xml",)], ids=len
)
def test_a_document_of_several_types_or_none_runs_no_script(
    adapter: Adapter, types: tuple[str, ...]
) -> None:
    """Browsers take the last type, or look at the content."""
    fields = [("content-type", media) for media in types]
    policy = OutputSanitizer(html={"* /": "ugc"}, headers=None)
    answer = adapter.drive(adapter.wrap(lambda _: (200, fields, SVG), policy))
    assert answer.get("content-security-policy") == SANDBOX


@both_adapters
def test_a_304_changes_no_header_that_keeps_scripts_out(adapter: Adapter) -> None:
    """A cache takes over its policy for the document that it has (RFC 9111, 3.2)."""
    fields = [("etag", '"1"'), ("content-security-policy", "default-src *")]
    policy = OutputSanitizer(html={"* /": "ugc"}, headers="api")
    answer = adapter.drive(adapter.wrap(lambda _: (304, fields, b""), policy))
    assert answer.get("etag") == '"1"'
    assert "content-security-policy" not in answer.names


@ways
@pytest.mark.parametrize(
    "media", ["text/html", "text/html; charset=utf-8", "application/xhtml+xml"]
)
def test_an_uploaded_page_is_cleaned(way: Any, media: str, tmp_path: Path) -> None:
    """On a route whose HTML is cleaned, a file is read, whatever else is left to the server."""
    file = tmp_path / "x.html"
    file.write_bytes(EVIL)
    each: tuple[dict[str, Any], ...] = (
        {},
        {"scan_files": False},
        {"leaks": None, "escape_json": False},
    )
    for options in each:
        policy = OutputSanitizer(html={"* /uploads/*": "ugc"}, **options)
        answer = way(file, media, policy)
        assert answer.error is None
        assert (answer.status, answer.body) == (200, b"<p>hi</p>")
        assert answer.get("content-length") in (None, str(len(answer.body)))


@ways
def test_a_page_that_is_too_large_to_be_cleaned_is_refused(way: Any, tmp_path: Path) -> None:
    """No more of the file than the limit is held."""
    file = tmp_path / "x.html"
    file.write_bytes(EVIL * 100)
    policy = OutputSanitizer(html={"* /uploads/*": "ugc"}, max_html_size=1000)
    answer = way(file, "text/html", policy)
    assert answer.status == 500
    assert b"script" not in answer.body


@ways
@pytest.mark.parametrize("name", ["X-Sendfile", "X-Accel-Redirect", "X-LIGHTTPD-send-file"])
def test_a_page_that_a_proxy_is_to_send_is_refused(way: Any, name: str, tmp_path: Path) -> None:
    """It would leave as it is."""
    file = tmp_path / "x.html"
    file.write_bytes(b"")
    policy = OutputSanitizer(html={"* /uploads/*": "ugc"})
    answer = way(file, "text/html", policy, fields=[(name, "/files/x.html")])
    assert answer.status == 500
    assert name.lower() not in answer.names


@ways
@pytest.mark.parametrize("media", ["text/plain", "text/html", "application/json", "text/x-log"])
def test_a_file_is_searched(way: Any, media: str, tmp_path: Path) -> None:
    """Of any type that is searched, and with the same length."""
    file = tmp_path / "x"
    file.write_bytes(TEXT)
    policy = OutputSanitizer(secrets=[SECRET], escape_json=False)
    answer = way(file, media, policy)
    assert (answer.status, answer.body) == (200, CLEAN)
    assert answer.get("content-length") == str(SIZE)


class Reads(mantlet.Policy):
    """Waits for the body."""

    async def on_response(self, request: mantlet.Request, response: mantlet.Response) -> None:
        await response.body(10_000)


class Filters(mantlet.Policy):
    """Filters the body."""

    def on_response(self, request: mantlet.Request, response: mantlet.Response) -> None:
        response.transform(lambda chunk, _more: chunk, keeps_length=True, keeps_etag=True)


@pytest.mark.parametrize("inner", [Reads, Filters])
@pytest.mark.parametrize("protocol", ["asgi", "wsgi"])
def test_a_file_that_another_policy_reads_is_searched(
    inner: type[mantlet.Policy], protocol: str
) -> None:
    """Also with ``scan_files=False``: the server does not send it by itself any more.

    So it is where the policies are nested, and the outer stack gets no file.
    """
    case = Case(
        Resource(TEXT),
        Delivery("file"),
        {},
        protocol=protocol,
    )
    sanitizer = OutputSanitizer(secrets=[SECRET], scan_files=False)
    assert case.ask(sanitizer).body == TEXT
    assert case.ask(sanitizer, inner()).body == CLEAN


@ways
def test_a_file_that_is_not_searched_is_left_to_the_server(way: Any, tmp_path: Path) -> None:
    """Videos and archives, and by option all files."""
    file = tmp_path / "x"
    file.write_bytes(TEXT)
    sent = TEXT if way is ask_wrapped else b"F" * SIZE
    for media in ("video/mp4", "application/zip", "application/octet-stream", "application/pdf"):
        assert way(file, media, OutputSanitizer(secrets=[SECRET])).body == sent
    policy = OutputSanitizer(secrets=[SECRET], scan_files=False)
    assert way(file, "text/plain", policy).body == sent


@ways
def test_a_compressed_file_that_is_clean_is_sent_as_it_was(way: Any, tmp_path: Path) -> None:
    """It is not compressed again for each request, as long as it can be held."""
    file = tmp_path / "x.js.gz"
    policy = OutputSanitizer(secrets=[SECRET])
    for text, same in ((b"let x = 1;\n" * 5000, True), (TEXT, False)):
        file.write_bytes(gzip.compress(text, mtime=0))
        fields = [("Content-Encoding", "gzip"), ("ETag", '"1"')]
        answer = way(file, "text/javascript", policy, fields=fields)
        assert gzip.decompress(answer.body) == text.replace(SECRET.encode(), MASKED.encode())
        assert (answer.body == file.read_bytes()) is same
        assert answer.get("etag") == '"1"'


# -- ranges ---------------------------------------------------------------------------------------


def flask_app(body: bytes, media: str, etag: bool | str = True) -> Any:
    """Return an app that sends a body by Werkzeug, with ranges."""
    app = flask.Flask("files")

    @app.get("/uploads/x")
    def file() -> Any:
        return flask.send_file(
            io.BytesIO(body), mimetype=media, conditional=True, etag=etag, download_name="x"
        )

    return app


@pytest.fixture(params=["flask", "starlette"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return how a file is asked for: of Werkzeug, and of Starlette."""

    def ask(body: bytes, media: str, policy: Policy, method: str = "GET", **fields: str) -> Answer:
        headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
        if request.param == "flask":
            app = flask_app(body, media, '"1"'.strip('"'))
            stack = mantlet.wsgi.wrap(app, policy, baseline=False)
            return drive_wsgi(stack, method, "/uploads/x", headers=headers)
        file = tmp_path / "x"
        file.write_bytes(body)

        async def endpoint(_request: Any) -> FileResponse:
            return FileResponse(file, media_type=media, headers={"etag": '"1"'})

        routes = [Route("/uploads/x", endpoint, methods=["GET", "HEAD"])]
        inner = Starlette(routes=routes)
        asgi = mantlet.asgi.wrap(inner, policy, baseline=False)
        return drive_asgi(asgi, method, "/uploads/x", headers=headers)

    return ask


def test_a_range_of_everything_is_the_whole_body(server: Any) -> None:
    """``bytes=0-`` turns no search off."""
    policy = OutputSanitizer(secrets=[SECRET])
    answer = server(TEXT, "text/plain", policy, Range="bytes=0-")
    assert (answer.status, answer.body) == (200, CLEAN)
    assert "content-range" not in answer.names
    answer = server(
        EVIL, "text/html", OutputSanitizer(html={"* /uploads/*": "ugc"}), Range="bytes=0-"
    )
    assert (answer.status, answer.body) == (200, b"<p>hi</p>")
    document = b'{"a": "<b>", "password": "x"}'
    answer = server(
        document, "application/json", OutputSanitizer(mask=["password"]), Range="bytes=0-"
    )
    assert (answer.status, answer.body) == (200, b'{"a": "\\u003cb\\u003e", "password": "***"}')


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
def test_a_beginning_is_searched(server: Any) -> None:
    """As preview bots ask for it; a secret that the end cuts is masked."""
    policy = OutputSanitizer(secrets=[SECRET])
    for end in range(1, SIZE):
        answer = server(TEXT, "text/plain", policy, Range=f"bytes=0-{end - 1}")
        assert answer.status == 206
        assert len(answer.body) == end == int(answer.get("content-length") or 0)
        expected = CLEAN[:end]
        held = len(answer.body) - len(answer.body.rstrip(b"*"))
        assert answer.body.rstrip(b"*") == expected[: end - held]


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
def test_no_ranges_make_up_a_secret(server: Any) -> None:
    """An attacker asks for every part of each size, and joins what comes."""
    policy = OutputSanitizer(secrets=[SECRET])
    begin = TEXT.index(SECRET.encode())
    for size in (1, 2, 5, 11, 16):
        got = b""
        for at in range(0, SIZE, size):
            answer = server(TEXT, "text/plain", policy, Range=f"bytes={at}-{at + size - 1}")
            assert answer.status in (206, 416)
            got += answer.body if answer.status == 206 else b"?" * size
        assert SECRET[:4].encode() not in got
        tail = server(TEXT, "text/plain", policy, Range=f"bytes=-{SIZE - begin - 2}")
        assert tail.status == 416
        assert tail.get("content-range") == f"bytes */{SIZE}"
    for ranges in ("bytes=0-165,160-200", "bytes=0-1,2-3,4-5", "bytes=170-"):
        answer = server(TEXT, "text/plain", policy, Range=ranges)
        assert SECRET[:4].encode() not in answer.body
        assert answer.status in (200, 206, 416)


@pytest.mark.parametrize("media", ["video/mp4", "application/pdf", "application/zip", "image/png"])
def test_types_that_are_not_searched_keep_their_ranges(server: Any, media: str) -> None:
    """A video is sought in, a download resumed, pages of a PDF are read; several at once too."""
    policy = OutputSanitizer(secrets=[SECRET], html={"* /uploads/*": "ugc"}, mask=["a"])
    answer = server(TEXT, media, policy, Range="bytes=100-199")
    assert (answer.status, answer.body) == (206, TEXT[100:200])
    assert answer.get("accept-ranges") == "bytes"
    answer = server(TEXT, media, policy, Range="bytes=100-199,300-310")
    assert TEXT[300:311] in answer.body or answer.status == 416  # Werkzeug sends one at most


def test_bytes_of_an_unknown_type_keep_their_ranges(server: Any) -> None:
    """Formats that are read by ranges, such as maps; what is whole in a part is masked."""
    data = bytes(range(256)) + TEXT
    policy = OutputSanitizer(secrets=[SECRET])
    for media in ("application/vnd.example.tables", "application/vnd.pmtiles"):
        answer = server(data, media, policy, Range="bytes=10-500")
        assert (answer.status, len(answer.body)) == (206, 491)
        assert SECRET.encode() not in answer.body
        answer = server(data, media, policy, Range="bytes=256-500")
        assert answer.status == 416  # it looks like text


@pytest.mark.parametrize("range_", ["bytes=5-", "bytes=-20", "bytes=0-20", "bytes=0-1,5-9"])
def test_no_part_of_a_page_is_sent_uncleaned(server: Any, range_: str) -> None:
    """On a route whose HTML is cleaned."""
    each: tuple[dict[str, Any], ...] = ({}, {"leaks": None, "escape_json": False})
    for options in each:
        policy = OutputSanitizer(html={"* /uploads/*": "ugc"}, **options)
        answer = server(EVIL, "text/html", policy, Range=range_)
        assert answer.status == 416
        assert b"alert" not in answer.body


@pytest.mark.parametrize("range_", ["bytes=5-", "bytes=0-20", "bytes=-5"])
def test_no_part_of_json_is_sent_unmasked(server: Any, range_: str) -> None:
    """Nor unescaped."""
    document = b'{"password": "hunter2", "a": "<b>"}'
    each: tuple[dict[str, Any], ...] = (
        {"mask": ["password"], "leaks": None, "escape_json": False},
        {},
    )
    for options in each:
        answer = server(document, "application/json", OutputSanitizer(**options), Range=range_)
        assert answer.status == 416


@pytest.mark.parametrize("range_", ["bytes=5-", "bytes=0-20", "bytes=-5"])
@pytest.mark.parametrize("options", [{"mask": ["password"]}, {"json_as_html": "fix"}], ids=str)
def test_no_part_of_json_as_html_is_sent_unmasked(
    server: Any, range_: str, options: dict[str, Any]
) -> None:
    """A part does not tell that it is one of JSON."""
    document = b'{"password": "hunter2", "a": "<b>"}'
    answer = server(document, "text/html", OutputSanitizer(**options), Range=range_)
    assert answer.status == 416
    assert server(document, "text/html", OutputSanitizer(), Range="bytes=0-20").status == 206


def test_the_app_says_that_there_are_no_ranges_of_text(server: Any) -> None:
    """So that download managers do not ask for any; HEAD says the same."""
    policy = OutputSanitizer(secrets=[SECRET])
    for method in ("GET", "HEAD"):
        assert server(TEXT, "text/plain", policy, method).get("accept-ranges") == "none"
        assert server(TEXT, "video/mp4", policy, method).get("accept-ranges") == "bytes"
    off = OutputSanitizer(leaks=None, escape_json=False)
    answer = server(TEXT, "text/plain", off, Range="bytes=100-199")
    assert (answer.status, answer.body) == (206, TEXT[100:200])
    assert answer.get("accept-ranges") == "bytes"


def test_reported_leaks_leave_a_beginning_as_it_is(server: Any) -> None:
    """`Leaks("report")` changes nothing, also at the end."""
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks("report"))
    end = TEXT.index(SECRET.encode()) + 5
    answer = server(TEXT, "text/plain", policy, Range=f"bytes=0-{end - 1}")
    assert (answer.status, answer.body) == (206, TEXT[:end])


def test_a_range_that_does_not_exist_is_the_app_s_own_answer(server: Any) -> None:
    """Its 416 passes."""
    policy = OutputSanitizer(secrets=[SECRET])
    answer = server(TEXT, "text/plain", policy, Range="bytes=9999-")
    assert answer.status == 416
    assert answer.get("content-type") != "application/problem+json"


NAMES = {
    "/data.json": False,
    "/static/app.JS": False,
    "/logs/today.log": False,
    "/a.b/page.html": False,
    "/video.mp4": True,
    "/archive.tar.gz": True,
    "/download": True,
    "/v1.0/download": True,
    "/.env": False,
}


@pytest.mark.parametrize("path", NAMES)
@both_adapters
def test_a_text_file_is_sent_whole(adapter: Adapter, path: str) -> None:
    """The app does not get the range; that of any other file it does."""
    seen: list[tuple[str | None, str | None]] = []

    def app(carrier: Any) -> Any:
        if "headers" in carrier:
            fields = {name.decode(): value.decode() for name, value in carrier["headers"]}
            seen.append((fields.get("range"), fields.get("if-range")))
        else:
            seen.append((carrier.get("HTTP_RANGE"), carrier.get("HTTP_IF_RANGE")))
        return 200, [("content-type", "text/plain")], b"whole"

    headers = [("Range", "bytes=5-"), ("If-Range", '"a"'), ("Accept", "*/*")]
    for policy in (OutputSanitizer(secrets=[SECRET]), OutputSanitizer(mode="report")):
        stack = adapter.wrap(app, policy)
        assert adapter.drive(stack, path=path, headers=headers).status == 200
    kept = ("bytes=5-", '"a"')
    assert seen == [kept if NAMES[path] else (None, None), kept]
