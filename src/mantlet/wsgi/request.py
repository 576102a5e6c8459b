"""The request over a WSGI environ (PEP 3333)."""

from collections.abc import Iterator, Mapping
from io import BufferedReader, BytesIO, RawIOBase
from typing import Any, Protocol
from urllib.parse import quote

from mantlet.body import HANDED_OVER, check_length
from mantlet.fields import LOWER_TEXT, UNPREFIXED, FieldNames, check_value, environ_key
from mantlet.headers import Headers
from mantlet.problem import BodyTooLarge, MalformedRequest
from mantlet.request import FIELDS, NO_HEADERS, STATE, Request, origin_path

__all__ = ["WsgiRequest"]

Environ = dict[str, Any]

_READ = 64 * 1024


class Readable(Protocol):
    """What is needed of ``wsgi.input``."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to ``size`` bytes."""
        ...


class EnvironHeaders(Headers):
    """The environ's header fields.

    A server joins fields that came several times by a comma, and most drop names with an
    underscore, which could not be told from those with a hyphen.
    """

    __slots__ = ("_environ",)

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a field's value, or ``default``."""
        key = environ_key(name)
        if key in UNPREFIXED:
            # Some servers set the two to "" where the client sent none.
            return self._environ.get(key) or default
        return self._environ.get(key, default)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for key, value in self._environ.items():
            if key.startswith("HTTP_"):
                yield key[5:].replace("_", "-").lower(), value
            elif key in UNPREFIXED and value:
                yield UNPREFIXED[key], value


class WsgiRequest(Request):
    """A lazy view over an environ."""

    __slots__ = ("_body", "_handed_over", "environ")

    def __init__(self, environ: Environ) -> None:
        self.carrier = self.environ = environ
        state = environ.get(STATE)
        if state is None:
            state = environ[STATE] = {}
            fields = None
        else:
            fields = environ.get(FIELDS)
        self.state = state
        self.owns_fields = fields is None
        self.answer_fields = {} if fields is None else fields
        self._body: _Body | None = None
        self._handed_over = False

    @property
    def method(self) -> str:
        """The method as sent."""
        method: str = self.environ["REQUEST_METHOD"]
        return method

    @property
    def path(self) -> str:
        """The whole path, decoded."""
        return self._path().decode("utf-8", "replace")

    def _path(self) -> bytes:
        path: str = self.environ.get("SCRIPT_NAME", "") + self.environ.get("PATH_INFO", "")
        return path.encode("latin-1", "replace")

    @property
    def route_path(self) -> str:
        """The decoded path within the wrapped app."""
        info: str = self.environ.get("PATH_INFO", "")
        path = info.encode("latin-1", "replace").decode("utf-8", "replace")
        return path if path.startswith("/") else origin_path(path)

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
        return query.encode("latin-1", "replace")

    @property
    def headers(self) -> EnvironHeaders:
        """The request's header fields."""
        return EnvironHeaders(self.environ)

    def add_answer_field(self, name: str, value: str, *, alone: bool = False) -> None:
        """Add a header field to the answer, whoever will make it."""
        if not (value.isascii() and value.isprintable()):
            check_value(name, value)
        key, fields = LOWER_TEXT[name], self.answer_fields
        if key in fields and not alone and fields[key][1] != value:
            value = f"{fields[key][1]}, {value}"
        fields[key] = name, value

    def pick_headers(self, names: FieldNames) -> Mapping[str, str]:
        """Return the values of those header fields of ``names`` that are there."""
        environ = self.environ
        for key, _ in names.keys:
            if key in environ:
                return {name: environ[key] for key, name in names.keys if key in environ}
        return NO_HEADERS

    @property
    def scheme(self) -> str:
        """The scheme as the server says it."""
        scheme: str = self.environ.get("wsgi.url_scheme", "http")
        return scheme

    @property
    def client(self) -> str | None:
        """The peer's address, or None."""
        return self.environ.get("REMOTE_ADDR") or None

    async def body(self, limit: int) -> bytes:
        """Read the whole body, at most ``limit`` bytes of it; see `Request.body()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        if self._body is None:
            length = check_length(self.headers.get("content-length"), limit)
            if length is None and not self.environ.get("wsgi.input_terminated"):
                length = (
                    0  # without either, nothing may be read (PEP 3333, "Input and Error Streams")
                )
            self._body = _Body(self.environ["wsgi.input"], length)
        return self._body.read(limit)

    def hand_over(self) -> Environ:
        """Return the environ that the app is called with, its input as if nothing were read."""
        self._handed_over = True
        if self._body is not None:
            self.environ["wsgi.input"] = self._body.replay()
        return self.environ


class _Body:
    """A body on its way from ``wsgi.input`` to the policies, and again to the app."""

    def __init__(self, stream: Readable, length: int | None) -> None:
        self._stream = stream
        self._left = length
        self._read = bytearray()
        self._complete = length == 0

    def read(self, limit: int) -> bytes:
        while not self._complete and len(self._read) <= limit:
            left = self._left
            chunk = self._stream.read(_READ if left is None else min(_READ, left))
            self._read += chunk
            if left is None:
                self._complete = not chunk
            elif not chunk:
                raise MalformedRequest("The request body is shorter than its Content-Length.")
            else:
                self._left = left - len(chunk)
                self._complete = self._left == 0
        if len(self._read) > limit:
            raise BodyTooLarge(limit)
        return bytes(self._read)

    def replay(self) -> Readable:
        if self._complete:
            return BytesIO(self._read)
        return BufferedReader(_Rejoined(bytes(self._read), self._stream, self._left))


class _Rejoined(RawIOBase):
    """What was read of a stream, then the rest of it, never past its length."""

    def __init__(self, start: bytes, stream: Readable, left: int | None) -> None:
        self._start = BytesIO(start)
        self._stream = stream
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        chunk = self._start.read(size)
        if not chunk and self._left != 0:
            chunk = self._stream.read(size if self._left is None else min(size, self._left))
            if self._left is not None:
                self._left -= len(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)
