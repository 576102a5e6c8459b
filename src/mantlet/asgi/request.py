"""The request over an ASGI scope."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from mantlet.body import HANDED_OVER, check_length
from mantlet.exceptions import ClientDisconnected
from mantlet.fields import LOWER_BYTES, FieldNames, bytes_field
from mantlet.headers import Headers
from mantlet.problem import BodyTooLarge
from mantlet.request import FIELDS, NO_HEADERS, STATE, Request, origin_path
from mantlet.types import AsgiMessage, Receive, Scope

__all__ = ["AsgiRequest"]


class ScopeHeaders(Headers):
    """The scope's header fields, looked up in a dict that is built at the first look.

    Args:
        fields: pairs of bytes with names in lower case, as the specification has them.
    """

    __slots__ = ("_fields", "_joined")

    def __init__(self, fields: Any) -> None:
        self._fields = fields
        self._joined: dict[bytes, bytes] = {}
        joined = self._joined
        for name, value in fields:
            joined[name] = joined[name] + b", " + value if name in joined else value

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a field's value, several values joined by a comma, or ``default``."""
        value = self._joined.get(name.lower().encode("latin-1", "replace"))
        return default if value is None else value.decode("latin-1")

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._fields)


class AsgiRequest(Request):
    """A lazy view over a scope.

    Attributes:
        receive: what the app receives from: the server's own as long as nothing was read.
        handed_over: whether the app has it.
    """

    __slots__ = ("_body", "_headers", "handed_over", "receive")

    waits = True

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.carrier = scope
        state = scope.get(STATE)
        if state is None:
            state = scope[STATE] = {}
            fields = None
        else:
            fields = scope.get(FIELDS)
        self.state = state
        self.owns_fields = fields is None
        self.answer_fields = {} if fields is None else fields
        self.receive = receive
        self.handed_over = False
        self._headers: ScopeHeaders | None = None
        self._body: _Body | None = None

    @property
    def method(self) -> str:
        """The method as sent, ``"GET"`` for a WebSocket handshake."""
        method: str = self.carrier.get("method", "GET")
        return method

    @property
    def path(self) -> str:
        """The whole path, decoded."""
        path: str = self.carrier["path"]
        return path

    @property
    def route_path(self) -> str:
        """The decoded path within the wrapped app."""
        path: str = self.carrier["path"]
        if not path.startswith("/"):
            path = origin_path(path)
        root: str | None = self.carrier.get("root_path")
        if root:
            root = root.rstrip("/")
            if path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
                return path[len(root) :] or "/"
        return path

    @property
    def raw_path(self) -> bytes:
        """The path as sent, percent-encoded, without the query."""
        raw: bytes | None = self.carrier.get("raw_path")
        return quote(self.path, errors="replace").encode("ascii") if raw is None else raw

    @property
    def query(self) -> bytes:
        """The query as sent."""
        query: bytes = self.carrier.get("query_string", b"")
        return query

    @property
    def headers(self) -> ScopeHeaders:
        """The request's header fields."""
        headers = self._headers
        if headers is None:
            headers = self._headers = ScopeHeaders(self.carrier["headers"])
        return headers

    def add_answer_field(self, name: str, value: str, *, alone: bool = False) -> None:
        """Add a header field to the answer, whoever will make it."""
        if value.isascii() and value.isprintable():  # nearly always, and a call less
            key, native = LOWER_BYTES[name], value.encode()
        else:
            key, native = bytes_field(name, value)
        fields = self.answer_fields
        if key in fields and not alone and fields[key][1] != native:
            native = fields[key][1] + b", " + native
        fields[key] = key, native

    def pick_headers(self, names: FieldNames) -> Mapping[str, str]:
        """Return the values of those header fields of ``names`` that are there."""
        wanted = names.lower
        for field in self.carrier["headers"]:
            if field[0] in wanted:
                found = {name: self.headers.get(name) for name in wanted.values()}
                return {name: value for name, value in found.items() if value is not None}
        return NO_HEADERS

    @property
    def scheme(self) -> str:
        """The scheme as the server says it."""
        scheme: str = self.carrier.get("scheme", "http")
        return scheme

    @property
    def client(self) -> str | None:
        """The peer's address, or None."""
        client = self.carrier.get("client")
        return (client[0] or None) if client else None

    async def body(self, limit: int) -> bytes:
        """Read the whole body, at most ``limit`` bytes of it; see `Request.body()`."""
        if self.handed_over:
            raise RuntimeError(HANDED_OVER)
        if self._body is None:
            check_length(self.headers.get("content-length"), limit)
            self._body = _Body(self.receive)
            self.receive = self._body.replay
        return await self._body.read(limit)


class _Body:
    """A body on its way from the server to the policies, and again to the app."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read = bytearray()
        self._complete = self._replayed = False

    async def read(self, limit: int) -> bytes:
        read = self._read
        while not self._complete and len(read) <= limit:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientDisconnected("the client went away while its body was read")
            read += message.get("body", b"")
            self._complete = not message.get("more_body", False)
        if len(read) > limit:
            raise BodyTooLarge(limit)
        return bytes(read)

    async def replay(self) -> AsgiMessage:
        """Hand the app first what was read, in one message, then what the server receives."""
        if self._replayed:
            return await self._receive()
        self._replayed = True
        body, self._read = bytes(self._read), bytearray()
        return {"type": "http.request", "body": body, "more_body": not self._complete}
