"""The request over an ASGI scope."""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope
from mantlet.core.body import (
    CONTENT_LENGTH,
    HANDED_OVER,
    NO_FIELDS,
    PIECE,
    Chunks,
    Incoming,
    check_length,
)
from mantlet.core.problem import BodyTooLarge
from mantlet.core.request import NO_HEADERS, Request, origin_path
from mantlet.core.state import KEY, State
from mantlet.exceptions import ClientDisconnected
from mantlet.http.headers import LOWER_BYTES, FieldNames, Headers, bytes_field

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
    """

    __slots__ = ("_body", "_headers", "receive")

    is_async = True

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.raw = scope
        state = scope.get(KEY)
        if state is None:
            state = scope[KEY] = State()
            headers = None
        else:
            headers = state._response_headers
        self.state = state
        self._owns_response_headers = headers is None
        self._response_headers = {} if headers is None else headers
        self.receive = receive
        self._handed_over = False
        self._cleanups = None
        self._headers: ScopeHeaders | None = None
        self._body: AsgiBody | None = None

    @property
    def method(self) -> str:
        """The method as sent, ``"GET"`` for a WebSocket handshake."""
        method: str = self.raw.get("method", "GET")
        return method

    @property
    def path(self) -> str:
        """The whole path, decoded."""
        path: str = self.raw["path"]
        return path

    @property
    def route_path(self) -> str:
        """The decoded path within the wrapped app."""
        path: str = self.raw["path"]
        if not path.startswith("/"):
            path = origin_path(path)
        root: str | None = self.raw.get("root_path")
        if root:
            root = root.rstrip("/")
            if path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
                return path[len(root) :] or "/"
        return path

    @property
    def raw_path(self) -> bytes:
        """The path as sent, percent-encoded, without the query."""
        raw: bytes | None = self.raw.get("raw_path")
        return quote(self.path, errors="replace").encode("ascii") if raw is None else raw

    @property
    def query(self) -> bytes:
        """The query as sent."""
        query: bytes = self.raw.get("query_string", b"")
        return query

    @property
    def headers(self) -> ScopeHeaders:
        """The request's header fields."""
        headers = self._headers
        if headers is None:
            headers = self._headers = ScopeHeaders(self.raw["headers"])
        return headers

    def add_response_header(self, name: str, value: str, *, alone: bool = False) -> None:
        """Add a header field to the answer, whoever will make it."""
        if value.isascii() and value.isprintable():  # nearly always, and a call less
            key, native = LOWER_BYTES[name], value.encode()
        else:
            key, native = bytes_field(name, value)
        fields = self._response_headers
        if key in fields and not alone and fields[key][1] != native:
            native = fields[key][1] + b", " + native
        fields[key] = key, native

    def get_headers(self, names: FieldNames) -> Mapping[str, str]:
        """Return the values of those header fields of ``names`` that are there."""
        wanted = names.lower
        found: dict[str, str] | None = None
        for key, value in self.raw["headers"]:
            if key in wanted:
                name, text = wanted[key], value.decode("latin-1")
                if found is None:
                    found = {name: text}
                else:
                    found[name] = f"{found[name]}, {text}" if name in found else text
        return NO_HEADERS if found is None else found

    @property
    def scheme(self) -> str:
        """The scheme as the server says it."""
        scheme: str = self.raw.get("scheme", "http")
        return scheme

    @property
    def client(self) -> str | None:
        """The peer's address, or None."""
        client = self.raw.get("client")
        return (client[0] or None) if client else None

    async def body(self, limit: int, fields: Mapping[str, str] | None = None) -> bytes:
        """Read the whole body, at most ``limit`` bytes of it; see `Request.body()`."""
        body = self.incoming(limit, fields)
        while not body.complete:
            message = await body.receive()
            chunk = message.get("body")
            if type(chunk) is bytes and not (body.size or message.get("more_body")):
                body.all_in_one(chunk)  # as it mostly is, and quicker
            else:
                body.take(message, sys.maxsize)
            if body.size > limit:
                raise BodyTooLarge(limit)
        return body.whole()

    def chunks(self, limit: int, *, memory: int) -> AsyncIterator[bytes]:
        """Read the body piece by piece; see `Request.chunks()`."""
        return Chunks(self, limit, memory)

    def incoming(self, limit: int, fields: Mapping[str, str] | None = None) -> "AsgiBody":
        """Return the body, which begins to be read here.

        Args:
            limit: in bytes.
            fields: as `body()` has them.

        Raises:
            BodyTooLarge: it is larger than ``limit``, as far as that is known.
            MalformedRequest: its Content-Length is no number.
            RuntimeError: the request has been handed to the app already.
        """
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        body = self._body
        if body is None:
            body = self._body = AsgiBody(self.receive, self._declared(limit, fields))
            self.receive = body.replay
        else:
            body.expect(limit)
        return body

    def _declared(self, limit: int, fields: Mapping[str, str] | None) -> int | None:
        declared: str | None = None
        if fields is not None:
            declared = fields.get(CONTENT_LENGTH)
        else:
            for name, value in self.raw["headers"]:
                if name == b"content-length":
                    declared = value.decode("latin-1") if declared is None else "twice"
        if declared is None:
            return None
        if len(declared) < 20 and declared.isdecimal() and declared.isascii():
            length = int(declared)  # nearly always, and a call less
            if length <= limit:
                return length
        return check_length(declared, limit)

    def replace_body(self, body: bytes, *, content_type: str | None = None) -> None:
        """Have the app get another body; see `Request.replace_body()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        new = [bytes_field("content-length", str(len(body)))]
        dropped = _REPLACED
        if content_type is not None:
            new.append(bytes_field("content-type", content_type))
            dropped = _REPLACED_TYPED
        self.raw["headers"] = [
            *(pair for pair in self.raw["headers"] if pair[0] not in dropped),
            *new,
        ]
        self._headers = None
        receive = self.receive
        if self._body is not None:
            receive = self._body.receive
            self._body.close()
        self._body = AsgiBody(_behind(receive))
        self._body.add(body, len(body))
        self._body.complete = True
        self.receive = self._body.replay

    def replace_path(self, path: str) -> None:
        """Have the app get another path; see `Request.replace_path()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        carrier = self.raw
        root = (carrier.get("root_path") or "").rstrip("/")
        # An app takes it off whatever begins with it, a path from a server without it included.
        if any(f"{whole}/".startswith(f"{root}/") for whole in (carrier["path"], path)):
            path = root + path
        carrier["path"] = path
        if "raw_path" in carrier:
            carrier["raw_path"] = quote(path).encode("ascii")


_REPLACED: Final = frozenset(LOWER_BYTES[name] for name in NO_FIELDS)
_REPLACED_TYPED: Final = _REPLACED | {b"content-type"}


def _behind(receive: Receive) -> Receive:
    """Return a ``receive`` that leaves out what is still to come of a body that was replaced."""

    async def behind() -> AsgiMessage:
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return message

    return behind


class AsgiBody(Incoming):
    """A body on its way from the server to the policies, and again to the app.

    Attributes:
        receive: what the server receives.
    """

    _replayed: int | None = 0

    def __init__(self, receive: Receive, declared: int | None = None) -> None:
        self.receive = receive
        self.declared = declared

    async def pull(self, limit: int, memory: int) -> bytes:
        """Receive the next piece, and keep it; see `Incoming.pull()`."""
        return self.take(await self.receive(), memory)

    def all_in_one(self, chunk: bytes) -> None:
        """Keep a piece that is the whole body."""
        self._head = chunk
        self.size = len(chunk)
        self.complete = True

    def take(self, message: AsgiMessage, memory: int) -> bytes:
        """Keep a piece, and return it.

        Raises:
            ClientDisconnected: it is none.
        """
        if message["type"] != "http.request":
            raise ClientDisconnected("the client went away while its body was read")
        chunk = message.get("body", b"")
        if type(chunk) is not bytes:
            chunk = bytes(chunk)
        if not self.size and len(chunk) <= memory:  # as it mostly is, and a call less
            self._head = chunk
            self.size = len(chunk)
        else:
            self.add(chunk, memory)
        if not message.get("more_body", False):
            self.complete = True
        return chunk

    async def replay(self) -> AsgiMessage:
        """Hand the app first what was read, in pieces, then what the server receives."""
        start = self._replayed
        if start is None:
            return await self.receive()
        if self.closed:  # the exchange has ended
            return {"type": "http.disconnect"}
        piece = self._head
        if self._file is None and type(piece) is bytes:  # in one, as it mostly is
            self._replayed = None
            self._head = b""
            return {"type": "http.request", "body": piece, "more_body": not self.complete}
        piece = self.read(start, PIECE)
        start += len(piece)
        more = start < self.size
        if more:
            self._replayed = start
        else:
            self._replayed = None
            self.close()
        return {"type": "http.request", "body": piece, "more_body": more or not self.complete}
