"""An origin server of one resource: conditional requests, ranges, codings, and ways to send it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import tempfile
import zlib
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from wsgiref.util import FileWrapper

import brotli

from tests.conformance.checkers import check_asgi, check_wsgi
from tests.drive import Answer, drive_asgi, make_environ
from tests.drive import ask_wsgi as drive_wsgi
from tests.zstandard import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Fields = list[tuple[str, str]]

MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Mon, 07 Nov 1994 08:49:37 GMT"
_PATHSEND = "http.response.pathsend"
_ZEROCOPY = "http.response.zerocopysend"
_BOUNDARY = "bcdb"


@dataclass(frozen=True)
class Resource:
    """What there is to get.

    Attributes:
        body: its content, before it is coded.
        types: its media types: none, one or several headers.
        coding: its content coding.
        tag: its ``ETag``.
        describes: whether it has true digests.
        has_ranges: whether parts of it may be asked for.
        status: of a response with all of it.
    """

    body: bytes = b"hello"
    types: tuple[str, ...] = ("text/plain",)
    coding: str | None = None
    tag: str | None = '"v1"'
    describes: bool = False
    has_ranges: bool = True
    status: int = 200

    @property
    def coded(self) -> bytes:
        """The bytes that are sent."""
        return encode(self.body, self.coding)


@dataclass(frozen=True)
class Delivery:
    """How it is sent: at once, in chunks, or as a file that the server reads."""

    way: Literal["whole", "chunks", "file", "zerocopy"] = "whole"
    cuts: tuple[int, ...] = ()
    has_length: bool = True

    def chunks(self, body: bytes) -> list[bytes]:
        """Return the chunks of a body."""
        if self.way == "whole":
            return [body]
        at = sorted({cut % (len(body) + 1) for cut in self.cuts})
        edges = [0, *at, len(body)]
        return [body[one:two] for one, two in pairwise(edges)]


#: Each with a function to compress and one to decompress.
_CODINGS: dict[str | None, tuple[Any, Any]] = {
    "gzip": (partial(gzip.compress, mtime=0), gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "br": (brotli.compress, brotli.decompress),
    "zstd": (zstd.compress, zstd.decompress),
}


@cache
def encode(body: bytes, coding: str | None) -> bytes:
    """Return a body in a coding; the same in an unknown one."""
    for name in coding.split(", ") if coding else ():
        body = _CODINGS[name][0](body) if name in _CODINGS else body
    return body


def decode(body: bytes, coding: str | None) -> bytes:
    """Return what a client makes of a body."""
    for name in reversed(coding.split(", ")) if coding else ():
        body = _CODINGS[name][1](body) if name in _CODINGS else body
    return body


def digest(body: bytes) -> str:
    """Return a digest of a body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def md5(body: bytes) -> str:
    """Return a digest of a body (RFC 1864)."""
    return base64.b64encode(hashlib.md5(body).digest()).decode()


# -- what is answered ------------------------------------------------------------------------------


def answer(resource: Resource, asked: dict[str, str], method: str) -> tuple[int, Fields, bytes]:
    """Answer a request as RFC 9110, 13.2.2 and 14.2 have it."""
    body, tag = resource.coded, resource.tag
    fields: Fields = [("vary", "accept-encoding"), ("last-modified", MODIFIED)]
    fields += [("etag", tag)] if tag else []
    asked = asked if resource.status == 200 else {}
    match = asked.get("if-match")
    if match is not None and match != "*" and not _has_tag(match, tag, weakly=False):
        return 412, [("content-type", "text/plain")], b"another version"
    if "if-none-match" in asked:
        if asked["if-none-match"] == "*" or _has_tag(asked["if-none-match"], tag, weakly=True):
            return 304, _not_modified(resource, fields), b""
    elif "if-modified-since" in asked:
        return 304, _not_modified(resource, fields), b""
    content = [("content-type", kind) for kind in resource.types]
    if resource.coding:
        fields.append(("content-encoding", resource.coding))
    if resource.describes:
        fields += [("repr-digest", digest(body)), ("digest", digest(body))]
    if resource.has_ranges:
        fields.append(("accept-ranges", "bytes"))
        parts = _ranges(asked.get("range", ""), len(body)) if method == "GET" else []
        condition = asked.get("if-range")
        fits = condition in (None, MODIFIED) or (
            tag is not None and _has_tag(condition or "", tag, weakly=False)
        )
        if parts and fits:
            return _partial(resource, fields, content, parts)
    if resource.describes:
        fields += [("content-digest", digest(body)), ("content-md5", md5(body))]
    return resource.status, fields + content, body


def _not_modified(resource: Resource, fields: Fields) -> Fields:
    """Return the headers of a 304, more of them than there need be, as some apps send them."""
    more = [("content-type", kind) for kind in resource.types]
    if resource.describes:
        more.append(("repr-digest", digest(resource.coded)))
    return fields + more


def _partial(
    resource: Resource, fields: Fields, content: Fields, parts: list[tuple[int, int]]
) -> tuple[int, Fields, bytes]:
    body = resource.coded
    if len(parts) == 1:
        first, last = parts[0]
        part = body[first : last + 1]
        fields = [*fields, ("content-range", f"bytes {first}-{last}/{len(body)}"), *content]
        fields += [("content-digest", digest(part))] if resource.describes else []
        return 206, fields, part
    whole = b""
    for first, last in parts:
        head = "".join(f"{name}: {value}\r\n" for name, value in content)
        head += f"content-range: bytes {first}-{last}/{len(body)}\r\n"
        whole += f"--{_BOUNDARY}\r\n{head}\r\n".encode() + body[first : last + 1] + b"\r\n"
    whole += f"--{_BOUNDARY}--\r\n".encode()
    return 206, [*fields, ("content-type", f"multipart/byteranges; boundary={_BOUNDARY}")], whole


def _ranges(value: str, size: int) -> list[tuple[int, int]]:
    found = re.fullmatch(r"bytes=([0-9,-]+)", value)
    parts = []
    for part in found[1].split(",") if found else ():
        first, _, last = part.partition("-")
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start <= end:
            parts.append((start, end))
    return parts


def _has_tag(value: str, tag: str | None, *, weakly: bool) -> bool:
    if tag is None:
        return False
    tags = [one.strip() for one in value.split(",")]
    if weakly:
        return tag.removeprefix("W/") in [one.removeprefix("W/") for one in tags]
    return not tag.startswith("W/") and tag in tags


# -- how it is sent --------------------------------------------------------------------------------


@cache
def file_of(body: bytes) -> Path:
    """Return a file with a body, which lives as long as the tests run."""
    path = Path(_folder().name, hashlib.sha256(body).hexdigest())
    path.write_bytes(body)
    return path


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _fields_of(delivery: Delivery, status: int, fields: Fields, body: bytes) -> Fields:
    has_length = delivery.has_length and status != 304
    return fields + ([("content-length", str(len(body)))] if has_length else [])


def asgi_origin(resource: Resource, delivery: Delivery) -> ASGIApp:
    """Return an ASGI app that sends a resource."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, fields, body = answer(resource, asked, scope["method"])
        fields = _fields_of(delivery, status, fields, body)
        raw = [(name.encode(), value.encode()) for name, value in fields]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        if scope["method"] == "HEAD":
            body = b""
        way = delivery.way if status != 304 and body else "whole"
        if way == "file":
            await send({"type": _PATHSEND, "path": str(file_of(body))})
        elif way == "zerocopy":
            with file_of(body).open("rb") as file:
                await send({"type": _ZEROCOPY, "file": file, "offset": 0, "count": len(body)})
        else:
            for chunk in () if way == "whole" else delivery.chunks(body):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            rest = body if way == "whole" else b""
            await send({"type": "http.response.body", "body": rest, "more_body": False})

    return app


def wsgi_origin(resource: Resource, delivery: Delivery) -> Any:
    """Return a WSGI app that sends a resource."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        asked = {
            key[5:].lower().replace("_", "-"): value
            for key, value in environ.items()
            if key.startswith("HTTP_")
        }
        method = environ["REQUEST_METHOD"]
        status, fields, body = answer(resource, asked, method)
        fields = _fields_of(delivery, status, fields, body)
        start_response(f"{status} Status", fields)
        if method == "HEAD":
            body = b""
        if status != 304 and body:
            if delivery.way in ("file", "zerocopy"):
                return environ["wsgi.file_wrapper"](io.BytesIO(body))
            if delivery.way == "chunks":
                return iter(delivery.chunks(body))
        return [body]

    return app


# -- a server --------------------------------------------------------------------------------------


def ask_asgi(
    make: Callable[[ASGIApp], ASGIApp],
    resource: Resource,
    delivery: Delivery,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
) -> Answer:
    """Ask an origin in a stack, under an ASGI server that sends files."""
    app = check_asgi(make(check_asgi(asgi_origin(resource, delivery))))

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        async def sends(message: Message) -> None:
            for event in _as_body(message):
                await send(event)

        await app(scope, receive, sends)

    extensions: dict[str, Any] = {_PATHSEND: {}, _ZEROCOPY: {}}
    return drive_asgi(server, method, "/x", headers=headers, scope={"extensions": extensions})


def _as_body(message: Message) -> Iterator[Message]:
    if message["type"] == _PATHSEND:
        yield {"type": "http.response.body", "body": Path(message["path"]).read_bytes()}
    elif message["type"] == _ZEROCOPY:
        message["file"].seek(0)
        body = message["file"].read()
        yield {
            "type": "http.response.body",
            "body": body,
            "more_body": message.get("more_body", False),
        }
    else:
        yield message


def ask_wsgi(
    make: Callable[[Any], Any],
    resource: Resource,
    delivery: Delivery,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
) -> Answer:
    """Ask an origin in a stack, under a WSGI server that sends files."""
    # No checker stands around the origin: it would hide what kind of body it returns.
    app = check_wsgi(make(wsgi_origin(resource, delivery)), cut=True)
    got = Answer()
    wrapper = {"wsgi.file_wrapper": FileWrapper}
    environ = make_environ(method, "/x", headers=headers, environ=wrapper)
    try:
        drive_wsgi(app, environ, got)
    except Exception as error:  # for the test to look at
        got.error = error
    return got
