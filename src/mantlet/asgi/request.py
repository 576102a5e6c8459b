"""The request over an ASGI scope."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from types import CoroutineType, GeneratorType, coroutine
from typing import Any, Final, TypeVar
from urllib.parse import quote

from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope
from mantlet._internal.coroutines import resume
from mantlet._internal.event_loop import checkpoint, now, run_for, run_in_thread, sleep
from mantlet.core.body import (
    BODY_HEADERS,
    CHUNK_SIZE,
    CONTENT_LENGTH,
    FRAMING_HEADERS,
    HANDED_OVER,
    UNREAD,
    BodyChunks,
    IncomingBody,
    SpooledBody,
    check_length,
)
from mantlet.core.context import current
from mantlet.core.problem import BodyTooLarge
from mantlet.core.request import Request, origin_path
from mantlet.core.state import KEY, State
from mantlet.exceptions import ClientDisconnected
from mantlet.http.header_name import HeaderName
from mantlet.http.headers import (
    DEFAULT_BYTES,
    LOWER_BYTES,
    MAX_LINES,
    MAX_SIZE,
    OVERSIZED,
    HeaderNames,
    Headers,
    bytes_header,
)
from mantlet.http.routing.root_paths import read_route_paths, remove_root

__all__ = ["AsgiRequest"]

T = TypeVar("T")


class ScopeHeaders(Headers):
    """The scope's headers, indexed at first use.

    Args:
        pairs: pairs of bytes with names in lower case, as the specification requires.
    """

    __slots__ = ("_index", "_pairs")

    def __init__(self, pairs: Any) -> None:
        self._pairs = pairs
        # By name: the value, or a list of the values of a repeated header.
        self._index: dict[bytes, Any] = {}
        index = self._index
        for name, value in pairs:
            if name not in index:
                index[name] = value
            elif type(index[name]) is list:
                index[name].append(value)
            else:
                index[name] = [index[name], value]

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a header's value, or ``default``; see `Headers.get()`."""
        value = self._index.get(name.lower().encode("latin-1", "replace"))
        if type(value) is bytes and len(value) <= MAX_SIZE:
            return value.decode("latin-1")  # the usual case
        return super().get(name, default)

    def getall(self, name: str) -> list[str]:
        """Return the value of each line of a header, in order."""
        found = self._index.get(name.lower().encode("latin-1", "replace"))
        if found is None:
            return []
        lines = found if type(found) is list else [found]
        if len(lines) > MAX_LINES or sum(map(len, lines)) > MAX_SIZE:
            return [OVERSIZED]
        return [line.decode("latin-1") for line in lines]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._pairs)


class AsgiRequest(Request):
    """A lazy view over a scope.

    Attributes:
        receive: the app's ``receive``: the server's own as long as nothing was read.
    """

    __slots__ = ("_body", "_headers", "_path", "_root", "receive")

    #: What `headers` returns; not set before it is asked for.
    _headers: ScopeHeaders | None

    is_async = True
    method_key = "method"

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.raw = scope
        # Apps that mount others change these two.
        self._path: str = scope.get("path", "")
        self._root: str | None = scope.get("root_path")
        state = scope.get(KEY)
        # The usual case, without a call: no adapter, and no exchange around this one.
        if state is None and current.get() is None and "wsgi_environ" not in scope:
            state = scope[KEY] = State()
            self._own_headers = self._response_headers = {}
        else:
            state = self._join_exchange(state)
        self.state = state
        self.receive = receive
        self._handed_over = False
        self._cleanups = self._local = self._declared = None
        self._body: AsgiBody | None = None

    @property
    def method(self) -> str:
        """The method as sent, ``"GET"`` for a WebSocket handshake."""
        method: str = self.raw.get("method", "GET")
        return method

    @property
    def path(self) -> str:
        """The whole path, decoded."""
        return self._path

    @property
    def route_path(self) -> str:
        """The path as the app's own routes have it."""
        if self._sets_root_paths:
            return self.route_paths[0]
        path = self._path
        if not path.startswith("/"):
            path = origin_path(path)
        return remove_root(path, self._root) if self._root else path

    @property
    def route_paths(self) -> tuple[str, ...]:
        """Every path that the app may take the request's path for."""
        path, root = self._path, self._root
        if not root and path.startswith("/") and "/." not in path and not self._sets_root_paths:
            return (path,)  # the usual case
        apps = self._root_paths
        if not path.startswith("/"):
            return read_route_paths(origin_path(path), root or "", apps, path)
        return read_route_paths(path, root or "", apps)

    @property
    def literal_path(self) -> str | None:
        """The path if it was sent without escapes; see `Request.literal_path`."""
        if self._root or self._sets_root_paths:
            return None
        path, raw = self._path, self.raw.get("raw_path")
        return path if raw is None or (path.isascii() and path.encode() == raw) else None

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
        """The request's headers."""
        headers: ScopeHeaders | None = getattr(self, "_headers", None)
        if headers is None:
            headers = self._headers = ScopeHeaders(self.raw["headers"])
        return headers

    def add_response_header(
        self, name: str, value: str, *, replace: bool = False, unless_set: bool = False
    ) -> None:
        """Add a header to the response; see `Request.add_response_header()`."""
        if value.isascii() and value.isprintable():  # the usual case, without a call
            key, native = LOWER_BYTES[name], value.encode()
        else:
            key, native = bytes_header(name, value)
        headers = self._response_headers
        if key in headers and not replace and headers[key][1] != native:
            native = headers[key][1] + b", " + native
        headers[DEFAULT_BYTES[name] if unless_set else key] = key, native

    def _add_header(self, name: HeaderName, value: str) -> None:
        header = name.lower, value.encode()
        if self._response_headers.setdefault(name.bytes_key, header) is not header:
            self.add_response_header(name.text, value, unless_set=name.unless_set)

    def get_headers(self, names: HeaderNames) -> dict[str, str]:
        """Return the values of those headers of ``names`` that are present."""
        wanted = names.lower
        found: dict[str, str] = {}
        for key, value in self.raw["headers"]:
            if key in wanted:
                name = wanted[key]
                if name in found:
                    return self._join(names)
                found[name] = value.decode("latin-1") if len(value) <= MAX_SIZE else OVERSIZED
        return found

    def _join(self, names: HeaderNames) -> dict[str, str]:
        """Return the result of `get_headers()` where a header is repeated."""
        found = ((name, self.headers.get(name)) for name in names.lower.values())
        return {name: value for name, value in found if value is not None}

    @property
    def scheme(self) -> str:
        """The scheme as the server reports it."""
        scheme: str = self.raw.get("scheme", "http")
        return scheme

    @property
    def client(self) -> str | None:
        """The peer's address, or None."""
        client = self.raw.get("client")
        return (client[0] or None) if client else None

    async def body(self, limit: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Read the whole body, at most ``limit`` bytes of it; see `Request.body()`."""
        body = self.incoming(limit, headers)
        if not body.complete:
            await body.receive_rest(limit)
        return body.whole()

    def body_eagerly(
        self, limit: int, headers: Mapping[str, str] | None = None
    ) -> bytes | Awaitable[bytes]:
        """Read the whole body; see `Request.body_eagerly()`."""
        body = self.incoming(limit, headers)
        if not body.complete:
            receiving = body.receive_rest(limit)
            for waiting in receiving:  # it seldom waits: the server mostly has the body
                return _whole_later(body, resume(receiving, waiting))
        return body.whole()

    def chunks(
        self, limit: int, *, memory: int, directory: str | None = None, disk: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read the body in chunks; see `Request.chunks()`."""
        return BodyChunks(self, limit, memory, directory, disk)

    def incoming(self, limit: int, headers: Mapping[str, str] | None = None) -> "AsgiBody":
        """Return the body, to be read.

        Args:
            limit: in bytes.
            headers: as for `body()`.

        Raises:
            BodyTooLarge: it is known to be larger than ``limit``.
            MalformedRequest: its Content-Length is not a number.
            RuntimeError: the app has the request already.
        """
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        body = self._body
        if body is None:
            declared = self._content_length() if headers is None else headers.get(CONTENT_LENGTH)
            body = AsgiBody()
            if declared is not None:
                body.declared = check_length(declared, limit)
            body.receive = self.receive
            self._body = body
            self.receive = body.replay
        else:
            body.expect(limit)
        return body

    def _content_length(self) -> str | None:
        """Return the ``Content-Length``, whatever its size; an invalid one if it came twice."""
        declared = None
        for name, value in self.raw["headers"]:
            if name == b"content-length":
                declared = value.decode("latin-1") if declared is None else "twice"
        return declared

    async def checkpoint(self) -> None:
        """Let the event loop go on with other tasks."""
        await checkpoint()

    # Any: the arguments of any function.
    async def run_in_thread(self, fn: Callable[..., T], *args: Any) -> T:
        """Call a function in a thread of the event loop's pool."""
        return await run_in_thread(fn, *args)

    async def pause(self, seconds: float) -> None:
        """Wait for some seconds; see `Request.pause()`."""
        end = now() + seconds
        if self._has_no_body():
            # Nothing but the end of the connection can come, so a ``receive`` that is cancelled
            # when the time is over loses nothing.
            await run_for(seconds, self._await_disconnect)
        await sleep(end - now())

    async def _await_disconnect(self) -> None:
        """Wait until the client has gone, or sends a body after all."""
        body = self.incoming(sys.maxsize)
        while not body.complete and not body.size:
            await body.pull(sys.maxsize, sys.maxsize)
        if body.complete and (await body.receive())["type"] == "http.disconnect":
            raise ClientDisconnected("the client disconnected while it was delayed")

    def _has_no_body(self) -> bool:
        """Return whether the request says that it has no body (RFC 9112, 6.3)."""
        declared = self.get_headers(_BODY_LENGTH)
        if "Transfer-Encoding" in declared:
            return False
        length = declared.get("Content-Length")
        # HTTP/2 and 3 need no length for a body, so there the method decides.
        return length == "0" if length is not None else self.method in ("GET", "HEAD", "DELETE")

    def replace_body(self, body: bytes | SpooledBody, *, content_type: str | None = None) -> None:
        """Have the app get another body; see `Request.replace_body()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        kind = [] if content_type is None else [bytes_header("content-type", content_type)]
        receive = self.receive if self._body is None else self._body.receive
        new = AsgiBody()
        new.receive = _skip_body(receive)
        new.complete = True
        length = bytes_header("content-length", str(new.fill(body)))
        self._describe_body(_REPLACED_WITH_TYPE if kind else _REPLACED, [length, *kind])
        if new.spilled:
            self.add_cleanup(new.close)
        if self._body is not None:
            self._body.close()
        self._body = new
        self.receive = new.replay

    def _restore_body(self, body: bytes) -> None:
        """Give the policies and the app the body again; see `Request._restore_body()`."""
        scope = self.raw
        self._path = scope.get("path", "")
        self._root = scope.get("root_path")
        self._headers = None
        new = AsgiBody()
        new.receive = self.receive if self._body is None else self._body.receive
        new.complete = True
        new.fill(body)
        self._body = new
        self.receive = new.replay

    def set_content_length(self) -> None:
        """Give the app the length of a body that was read; see `Request.set_content_length()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        if self._body is None or not self._body.complete:
            raise RuntimeError(UNREAD)
        length = bytes_header("content-length", str(self._body.size))
        self._describe_body(_FRAMING, [length])

    def _describe_body(self, dropped: frozenset[bytes], headers: list[tuple[bytes, bytes]]) -> None:
        """Replace headers that describe the body; the server's own list stays as it is."""
        kept = [pair for pair in self.raw["headers"] if pair[0] not in dropped]
        self.raw["headers"] = kept + headers
        self._headers = self._declared = None

    def replace_header(self, name: str, value: str | None) -> None:
        """Give the app another value of a header; see `Request.replace_header()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        if value is None:
            key = LOWER_BYTES[name]
            self.raw["headers"] = [pair for pair in self.raw["headers"] if pair[0] != key]
            self._headers = self._declared = None
            return
        if value.isascii() and value.isprintable():  # the usual case, without a call
            header = LOWER_BYTES[name], value.encode()
        else:
            header = bytes_header(name, value)
        scope = self.raw
        headers = scope["headers"]
        if header[0] in dict(headers):
            headers = [pair for pair in headers if pair[0] != header[0]]
        scope["headers"] = [*headers, header]  # the server's own list stays as it is
        self._headers = self._declared = None

    def _add_to_both(self, name: HeaderName, value: str) -> None:
        header = name.lower, value.encode()
        scope = self.raw
        scope["headers"] = [*scope["headers"], header]
        self._headers = None
        if self._declared is not None:
            self._declared[name.text] = value
        if self._response_headers.setdefault(name.bytes_key, header) is not header:
            self.add_response_header(name.text, value, unless_set=name.unless_set)

    def replace_path(self, path: str) -> None:
        """Have the app get another path; see `Request.replace_path()`."""
        if self._handed_over:
            raise RuntimeError(HANDED_OVER)
        scope = self.raw
        apps = self._root_paths
        root = "" if apps.is_literal else (apps.own or self._root or "").rstrip("/")
        # Apps remove it from any path that begins with it, also where the server left it out.
        if root and any(f"{whole}/".startswith(f"{root}/") for whole in (self._path, path)):
            path = root + path
        scope["path"] = self._path = path
        if "raw_path" in scope:
            scope["raw_path"] = quote(path).encode("ascii")


_BODY_LENGTH: Final = HeaderNames("Content-Length", "Transfer-Encoding")
_FRAMING: Final = frozenset(LOWER_BYTES[name] for name in FRAMING_HEADERS)
_REPLACED: Final = frozenset(LOWER_BYTES[name] for name in BODY_HEADERS)
_REPLACED_WITH_TYPE: Final = _REPLACED | {b"content-type"}


async def _whole_later(body: "AsgiBody", receiving: Awaitable[None]) -> bytes:
    await receiving
    return body.whole()


def _skip_body(receive: Receive) -> Receive:
    """Return a ``receive`` that skips the rest of a body that was replaced."""

    async def skipping() -> AsgiMessage:
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return message

    return skipping


class AsgiBody(IncomingBody):
    """A body on its way from the server to the policies, and again to the app.

    Attributes:
        receive: the server's ``receive``; set by who makes the object.
    """

    receive: Receive
    _replayed: int | None = 0

    @coroutine
    def receive_rest(self, limit: int) -> Generator[Any, Any, None]:
        """Receive and keep the rest of the body; to be awaited, or iterated over until it waits.

        A generator without a result, since its end takes no exception, as that of a coroutine does.

        Raises:
            BodyTooLarge: the body is larger than ``limit``.
            ClientDisconnected: the client disconnected.
        """
        while True:
            steps: Any = self.receive()
            if type(steps) is not CoroutineType and type(steps) is not GeneratorType:
                steps = steps.__await__()  # a server's own object, which need not be iterable
            message = yield from steps
            chunk = message.get("body")
            if type(chunk) is bytes and not message.get("more_body") and not self.size:
                self._head = chunk  # the usual case: the whole body
                self.size = size = len(chunk)
                self.complete = True
            else:
                self.take(message, sys.maxsize)
                size = self.size
            if size > limit:
                raise BodyTooLarge(limit)
            if self.complete:
                return

    async def pull(self, limit: int, memory: int) -> bytes:
        """Receive the next chunk, and keep it; see `IncomingBody.pull()`."""
        return self.take(await self.receive(), memory)

    def take(self, message: AsgiMessage, memory: int) -> bytes:
        """Keep a chunk, and return it.

        Raises:
            ClientDisconnected: the message is not a part of the body.
        """
        if message["type"] != "http.request":
            raise ClientDisconnected("the client disconnected while its body was read")
        chunk = message.get("body", b"")
        if type(chunk) is not bytes:
            chunk = bytes(chunk)
        if not message.get("more_body"):
            self.complete = True
        if not self.size and len(chunk) <= memory:  # the usual case, without a call
            self._head = chunk
            self.size = len(chunk)
        else:
            self.add(chunk, memory)
        return chunk

    async def replay(self) -> AsgiMessage:
        """Return the bytes that were read, in chunks, then the server's messages."""
        start = self._replayed
        if start is None:
            return await self.receive()
        if self.closed:  # the exchange has ended
            return {"type": "http.disconnect"}
        chunk = self._head
        if self._file is None and type(chunk) is bytes:  # the usual case: in one chunk
            self._replayed = None
            self._head = b""
            return {"type": "http.request", "body": chunk, "more_body": not self.complete}
        chunk = self.read(start, CHUNK_SIZE)
        start += len(chunk)
        more = start < self.size
        if more:
            self._replayed = start
        else:
            self._replayed = None
            self.close()
        return {"type": "http.request", "body": chunk, "more_body": more or not self.complete}
