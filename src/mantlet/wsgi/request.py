"""The request over a WSGI environ (PEP 3333)."""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from io import BufferedReader, BytesIO, RawIOBase
from typing import Any, Final, Protocol
from urllib.parse import quote

from mantlet.core.body import (
    BODY_HEADERS,
    CHUNK_SIZE,
    FRAMING_HEADERS,
    HANDED_OVER,
    UNREAD,
    BodyChunks,
    IncomingBody,
    SpooledBody,
    check_length,
)
from mantlet.core.context import current
from mantlet.core.problem import BodyTooLarge, Problem
from mantlet.core.request import Request, origin_path
from mantlet.core.state import KEY, State
from mantlet.exceptions import ClientDisconnected
from mantlet.http.header_name import HeaderName
from mantlet.http.headers import (
    DEFAULT_TEXT,
    ENVIRON_KEYS,
    LOWER_TEXT,
    MAX_SIZE,
    OVERSIZED,
    UNPREFIXED,
    HeaderNames,
    Headers,
    check_value,
    environ_key,
)
from mantlet.http.routing.root_paths import read_route_paths

__all__ = ["WsgiRequest"]

Environ = dict[str, Any]


_GONE: Final = "the client disconnected while its body was read"


class Readable(Protocol):
    """The part of ``wsgi.input`` that is used here."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to ``size`` bytes."""
        ...


class WatchedInput:
    """A server's ``wsgi.input`` whose failures are those of a client that has disconnected."""

    __slots__ = ("_watched",)

    def __init__(self, stream: Any) -> None:
        self._watched = stream

    def read(self, *size: int) -> bytes:
        """Read bytes; see PEP 3333, "Input and Error Streams"."""
        try:
            data: bytes = self._watched.read(*size)
        except OSError as error:
            raise ClientDisconnected(_GONE) from error
        return data

    def readline(self, *size: int) -> bytes:
        """Read a line."""
        try:
            line: bytes = self._watched.readline(*size)
        except OSError as error:
            raise ClientDisconnected(_GONE) from error
        return line

    def readlines(self, *hint: int) -> list[bytes]:
        """Read all lines."""
        try:
            lines: list[bytes] = self._watched.readlines(*hint)
        except OSError as error:
            raise ClientDisconnected(_GONE) from error
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    # What a server's own stream has beside these is its own.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)


class EnvironHeaders(Headers):
    """The environ's headers.

    Servers join repeated headers by a comma, and most drop names with an underscore, which look
    like those with a hyphen.
    """

    __slots__ = ("_environ",)

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def getall(self, name: str) -> list[str]:
        """Return a list with the header's value, or an empty one."""
        key = environ_key(name)
        value: str | None = self._environ.get(key)
        # Some servers set these two to "" where the client sent none.
        if value is None or (not value and key in UNPREFIXED):
            return []
        return [value if len(value) <= MAX_SIZE else OVERSIZED]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for key, value in self._environ.items():
            if key.startswith("HTTP_"):
                if key[5:] in UNPREFIXED:  # "Content_Type", or the server's own copy
                    continue
                yield key[5:].replace("_", "-").lower(), value
            elif key in UNPREFIXED and value:
                yield UNPREFIXED[key], value


class WsgiRequest(Request):
    """A lazy view over an environ."""

    __slots__ = ("_body", "_info", "_script", "environ")

    method_key = "REQUEST_METHOD"

    def __init__(self, environ: Environ) -> None:
        self.raw = self.environ = environ
        # Apps that mount others change these two.
        self._info: str = environ.get("PATH_INFO", "")
        self._script: str = environ.get("SCRIPT_NAME", "")
        state = environ.get(KEY)
        # The usual case, without a call: no adapter, and no exchange around this one.
        if state is None and current.get() is None and "asgi.scope" not in environ:
            state = environ[KEY] = State()
            self._own_headers = self._response_headers = {}
        else:
            state = self._join_exchange(state)
        self.state = state
        self._body: WsgiBody | None = None
        self._cleanups = self._local = self._declared = None
        self._handed_over = False

    @property
    def method(self) -> str:
        """The method as sent."""
        method: str = self.environ["REQUEST_METHOD"]
        return method

    @property
    def path(self) -> str:
        """The whole path, decoded."""
        return _decoded(self._script + self._info)

    def _path(self) -> bytes:
        return (self._script + self._info).encode("latin-1", "replace")

    @property
    def route_path(self) -> str:
        """The path as the app's own routes have it."""
        if self._sets_root_paths:
            return self.route_paths[0]
        path = _decoded(self._info)
        return path if path.startswith("/") else origin_path(path)

    @property
    def route_paths(self) -> tuple[str, ...]:
        """Every path that the app may take the request's path for."""
        path = _decoded(self._info)
        if path.startswith("/") and "/." not in path and not self._sets_root_paths:
            return (path,)  # the usual case
        root, apps = "", self._root_paths
        if not path.startswith("/"):
            return read_route_paths(origin_path(path), root, apps, path)
        if apps.own or apps.inner:  # an ASGI app in an adapter, which puts the two together again
            root = _decoded(self._script)
            path = root + path
        return read_route_paths(path, root, apps)

    @property
    def literal_path(self) -> str | None:
        """The path if it was sent without escapes; see `Request.literal_path`."""
        if self._script or self._sets_root_paths:
            return None
        path, environ = self._info, self.environ
        uri: str | None = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        is_sent = path.isascii() if uri is None else uri.partition("?")[0] == path
        return path if is_sent else None

    @property
    def raw_path(self) -> bytes:
        """The path as sent, percent-encoded, without the query."""
        uri: str | None = self.environ.get("RAW_URI") or self.environ.get("REQUEST_URI")
        if uri is None:
            return quote(self._path()).encode("ascii")
        path = uri.partition("?")[0]
        if "://" in path and not path.startswith("/"):  # absolute form (RFC 9112, 3.2.2)
            path = "/" + path.partition("://")[2].partition("/")[2]
        return path.encode("latin-1", "replace")

    @property
    def query(self) -> bytes:
        """The query as sent."""
        query: str = self.environ.get("QUERY_STRING", "")
        return query.encode("latin-1", "replace") if query else b""

    @property
    def headers(self) -> EnvironHeaders:
        """The request's headers."""
        return EnvironHeaders(self.environ)

    def add_response_header(
        self, name: str, value: str, *, replace: bool = False, unless_set: bool = False
    ) -> None:
        """Add a header to the response; see `Request.add_response_header()`."""
        if not (value.isascii() and value.isprintable()):
            check_value(name, value)
        key, headers = LOWER_TEXT[name], self._response_headers
        if key in headers and not replace and headers[key][1] != value:
            value = f"{headers[key][1]}, {value}"
        headers[DEFAULT_TEXT[name] if unless_set else key] = name, value

    def _add_header(self, name: HeaderName, value: str) -> None:
        header = name.text, value
        if self._response_headers.setdefault(name.text_key, header) is not header:
            self.add_response_header(name.text, value, unless_set=name.unless_set)

    def get_headers(self, names: HeaderNames) -> dict[str, str]:
        """Return the values of those headers of ``names`` that are present."""
        environ, wanted = self.environ, names.keys
        found: dict[str, str] = {}
        for key in filter(environ.__contains__, wanted):
            text = environ[key]
            found[wanted[key]] = text if len(text) <= MAX_SIZE else OVERSIZED
        return found

    @property
    def scheme(self) -> str:
        """The scheme as the server reports it."""
        scheme: str = self.environ.get("wsgi.url_scheme", "http")
        return scheme

    @property
    def client(self) -> str | None:
        """The peer's address, or None."""
        return self.environ.get("REMOTE_ADDR") or None

    async def body(self, limit: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Read the whole body, at most ``limit`` bytes of it; see `Request.body()`."""
        return self.body_eagerly(limit)

    def body_eagerly(self, limit: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Read the whole body; see `Request.body_eagerly()`."""
        body = self.incoming(limit)
        while not body.complete:
            body.read_chunk(limit, sys.maxsize)
            if body.size > limit:
                raise BodyTooLarge(limit)
        return body.whole()

    def chunks(
        self, limit: int, *, memory: int, directory: str | None = None, disk: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read the body in chunks; see `Request.chunks()`."""
        return BodyChunks(self, limit, memory, directory, disk)

    def incoming(self, limit: int) -> "WsgiBody":
        """Return the body, to be read.

        Raises:
            BodyTooLarge: it is known to be larger than ``limit``.
            MalformedRequest: its Content-Length is not a number.
            Problem: it is chunked, and the server does not tell where it ends (411).
            RuntimeError: the app has the request already.
        """
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        body = self._body
        if body is None:
            environ = self.environ
            length = check_length(environ.get("CONTENT_LENGTH") or None, limit)
            if length is None and not environ.get("wsgi.input_terminated"):
                # Without either, nothing may be read (PEP 3333, "Input and Error Streams").
                if "HTTP_TRANSFER_ENCODING" in environ:  # though there is a body
                    raise Problem(411, detail="The request body needs a Content-Length.")
                length = 0
            body = self._body = WsgiBody()
            body.stream = environ["wsgi.input"]
            body.declared = body.left = length
            body.complete = length == 0
        else:
            body.expect(limit)
        return body

    def replace_body(self, body: bytes | SpooledBody, *, content_type: str | None = None) -> None:
        """Have the app get another body; see `Request.replace_body()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        self._declared = None
        environ = self.environ
        if content_type is not None:
            environ["CONTENT_TYPE"] = check_value("Content-Type", content_type)
            environ.pop("HTTP_CONTENT_TYPE", None)
        for key in _REPLACED:
            environ.pop(key, None)
        new = WsgiBody()
        new.complete = True
        environ["CONTENT_LENGTH"] = str(new.fill(body))
        if new.spilled:
            self.add_cleanup(new.close)
        if self._body is not None:
            self._body.close()
        self._body = new

    def _restore_body(self, body: bytes) -> None:
        """Give the policies and the app the body again; see `Request._restore_body()`."""
        environ = self.environ
        self._info = environ.get("PATH_INFO", "")
        self._script = environ.get("SCRIPT_NAME", "")
        new = self._body = WsgiBody()
        new.complete = True
        new.fill(body)

    def set_content_length(self) -> None:
        """Give the app the length of a body that was read; see `Request.set_content_length()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        if self._body is None or not self._body.complete:
            raise RuntimeError(UNREAD)
        self._declared = None
        for key in _FRAMING:
            self.environ.pop(key, None)
        self.environ["CONTENT_LENGTH"] = str(self._body.size)

    def replace_header(self, name: str, value: str | None) -> None:
        """Give the app another value of a header; see `Request.replace_header()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        self._declared = None
        if value is None:
            self.environ.pop(ENVIRON_KEYS[name], None)
            return
        if not (value.isascii() and value.isprintable()):
            check_value(name, value)
        self.environ[ENVIRON_KEYS[name]] = value

    def _add_to_both(self, name: HeaderName, value: str) -> None:
        self.environ[name.environ_key] = value
        if self._declared is not None:
            self._declared[name.text] = value
        header = name.text, value
        if self._response_headers.setdefault(name.text_key, header) is not header:
            self.add_response_header(name.text, value, unless_set=name.unless_set)

    def replace_path(self, path: str) -> None:
        """Have the app get another path; see `Request.replace_path()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        environ = self.environ
        environ["PATH_INFO"] = self._info = path.encode().decode("latin-1")
        target = quote(self._path())
        if environ.get("QUERY_STRING"):
            target += f"?{environ['QUERY_STRING']}"
        for key in ("RAW_URI", "REQUEST_URI"):
            if key in environ:
                environ[key] = target

    def hand_over(self, *, watches: bool) -> Environ:
        """Return the environ for the app, with the body as if nothing had been read.

        Args:
            watches: whether a failure of the unread body is to be known as a disconnect.
        """
        self._handed_over = True
        environ = self.environ
        if self._body is not None:
            environ["wsgi.input"] = self._body.replay()
            self._body = None  # it is the app's now
        elif watches and (environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ):
            environ["wsgi.input"] = WatchedInput(environ["wsgi.input"])
        return environ


def _decoded(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


# Some servers set the length under a second name.
_FRAMING: Final = ("HTTP_CONTENT_LENGTH", *(environ_key(name) for name in FRAMING_HEADERS))
_REPLACED: Final = ("HTTP_CONTENT_LENGTH", *(environ_key(name) for name in BODY_HEADERS))


class WsgiBody(IncomingBody):
    """A body on its way from ``wsgi.input`` to the policies, and again to the app.

    Attributes:
        stream: the server's ``wsgi.input``; set by who makes the object.
        left: bytes that are still to be read, where known.
    """

    stream: Readable
    left: int | None = 0

    async def pull(self, limit: int, memory: int) -> bytes:
        """Read the next chunk, and keep it; see `IncomingBody.pull()`."""
        return self.read_chunk(limit, memory)

    def read_chunk(self, limit: int, memory: int) -> bytes:
        """Read the next chunk, and keep it; see `IncomingBody.pull()`."""
        if self.left is None:
            chunk = self.read_rest(min(CHUNK_SIZE, limit + 1 - self.size))
            self.complete = not chunk
        else:  # a length within the limit
            chunk = self.read_rest(CHUNK_SIZE)
            if not chunk:
                raise ClientDisconnected(_GONE)
            self.complete = not self.left
        if not self.size and len(chunk) <= memory:  # the usual case, without a call
            self._head = chunk
            self.size = len(chunk)
        else:
            self.add(chunk, memory)
        return chunk

    def replay(self) -> Readable:
        """Return the app's ``wsgi.input``: first the bytes that were read, then the rest."""
        if self.complete and self._file is None:
            return BytesIO(self.whole())
        return BufferedReader(_ReplayedInput(self))

    def read_rest(self, most: int) -> bytes:
        """Read the unread part, never past the body's length."""
        left = self.left
        try:
            chunk = self.stream.read(most if left is None or most < left else left)
        except OSError as error:
            raise ClientDisconnected(_GONE) from error
        if left is not None:
            self.left = left - len(chunk)
        return chunk


class _ReplayedInput(RawIOBase):
    """Reads the part of a body that was read already, then the rest of it."""

    def __init__(self, body: WsgiBody) -> None:
        self._body = body
        self._position: int | None = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._next(min(len(buffer), CHUNK_SIZE))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def readall(self) -> bytes:
        whole = BytesIO()  # which gives up its bytes without a copy
        while chunk := self._next(CHUNK_SIZE):
            whole.write(chunk)
        return whole.getvalue()

    def _next(self, most: int) -> bytes:
        body, chunk = self._body, b""
        if self._position is not None:
            chunk = body.read(self._position, most)
            self._position += len(chunk)
            if self._position >= body.size:
                self._position = None
                body.close()
        if not chunk and not body.complete and body.left != 0:
            chunk = body.read_rest(most)
        return chunk
