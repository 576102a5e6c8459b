"""Test a policy under both protocols, without a server or a framework.

`PolicyClient` puts policies around a small app and sends requests to it, as a server would. The
same test runs under WSGI and under ASGI::

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_a_long_target_is_refused(protocol: Protocol) -> None:
        client = PolicyClient(MaxUriLength(limit=10), protocol=protocol)
        assert client.get("/").status == 200
        assert client.get("/much-too-long").status == 414

The app is a function from an `AppRequest` to a response: a `mantlet.Reply`, text, bytes, or an
iterable of bytes for a streamed body. It may raise. Without one, the app responds ``200 OK``.

An exception that reaches the server is raised to the test. Requests are sent one at a time; for
load, time-outs and the behaviour of a real server, use one.
"""

import asyncio
import io
import json
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, get_args

from mantlet import asgi, wsgi
from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send
from mantlet._internal.coroutines import run_sync
from mantlet.core.lifecycle import without_startup
from mantlet.core.policy import Policy
from mantlet.core.response import Reply
from mantlet.core.state import State, state
from mantlet.http.headers import Headers

__all__ = [
    "PROTOCOLS",
    "AppRequest",
    "PolicyClient",
    "Protocol",
    "ReceivedHeaders",
    "ReceivedResponse",
    "WebSocketSession",
]

Protocol = Literal["wsgi", "asgi"]
#: Both protocols, to parametrize a test with.
PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)

#: Headers as a mapping, or as pairs where a name occurs more than once.
HeaderOption = Mapping[str, str] | Iterable[tuple[str, str]]
T = TypeVar("T")


class ReceivedHeaders(Headers):
    """Headers as they were received.

    Args:
        pairs: names and values, in order.
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def getall(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for other, value in self._pairs if other.lower() == name.lower()]


@dataclass(frozen=True)
class AppRequest:
    """A request as the app received it, with the changes that policies made.

    Attributes:
        method: the request method.
        path: the path, decoded, within the app.
        query: the query string, as it was sent.
        headers: the headers, by name without regard to case.
        body: the whole body.
        state: the exchange's `mantlet.State`.
    """

    method: str
    path: str
    query: str
    headers: ReceivedHeaders
    body: bytes
    state: State


#: A response of the app: whole, or the chunks of a body with the status 200.
AppResponse = Reply | str | bytes | Iterable[bytes]
App = Callable[[AppRequest], AppResponse]


@dataclass(frozen=True)
class ReceivedResponse:
    """A response as the client received it.

    Attributes:
        status: the status code.
        headers: the headers, by name without regard to case.
        chunks: the chunks of the body, in the order they were sent.
    """

    status: int
    headers: ReceivedHeaders
    chunks: tuple[bytes, ...] = ()

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The body as UTF-8; bytes that are not become U+FFFD."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body parsed as JSON.

        Raises:
            ValueError: the body is not JSON.
        """
        return json.loads(self.body)


@dataclass
class WebSocketSession:
    """The outcome of a WebSocket connection.

    Attributes:
        accepted: whether the handshake was accepted.
        messages: the messages that the client received.
        close_code: the code that the server closed the connection with; None if it did not.
        response: the response in place of an accepted handshake, where the server sent one.
    """

    accepted: bool = False
    messages: list[str | bytes] = field(default_factory=list)
    close_code: int | None = None
    response: ReceivedResponse | None = None


class PolicyClient:
    """Send requests through policies to an app.

    As a context manager it runs the policies' `startup` at its beginning and `shutdown` at its
    end. Otherwise the first request runs `startup`, as with ``startup="lazy"``, and nothing runs
    `shutdown`.

    Args:
        policies: the policies, the outermost first.
        app: the app; without one, every request gets ``200 OK`` with the body ``ok``.
        protocol: ``"wsgi"`` or ``"asgi"``.
        baseline: whether to add the baseline, as `mantlet.wrap()` does.
        client: the peer's address.

    Attributes:
        requests: the requests that the app received, in order.

    Raises:
        TypeError: one of the policies is not a `Policy`.
        ValueError: the protocol is unknown.
    """

    def __init__(
        self,
        *policies: Policy,
        app: App | None = None,
        protocol: Protocol = "asgi",
        baseline: bool = False,
        client: str = "192.0.2.1",
    ) -> None:
        if protocol not in PROTOCOLS:
            raise ValueError(f'protocol must be "wsgi" or "asgi", not {protocol!r}')
        self.requests: list[AppRequest] = []
        self._app: App = app or (lambda _request: "ok")
        self._client = client
        self._stack: asgi.Stack | wsgi.Stack
        with without_startup():  # both protocols alike
            if protocol == "asgi":
                self._stack = asgi.wrap(self._asgi_app, *policies, baseline=baseline)
            else:
                self._stack = wsgi.wrap(self._wsgi_app, *policies, baseline=baseline)
        self._runner: asyncio.Runner | None = None

    # -- requests ---------------------------------------------------------------------------------

    def request(
        self, method: str, target: str, *, headers: HeaderOption = (), body: bytes | str = b""
    ) -> ReceivedResponse:
        """Send a request, and return the response.

        Args:
            method: the request method.
            target: the path, and a query after a ``?``.
            headers: the headers. ``Host`` and ``Content-Length`` are added.
            body: the body; text is sent as UTF-8.

        Raises:
            BaseException: an exception reached the server.
        """
        path, _, query = target.partition("?")
        sent = body.encode() if isinstance(body, str) else body
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {name.lower() for name, _ in pairs}
        if "host" not in names:
            pairs.append(("Host", "testserver"))
        if sent and not names & {"content-length", "transfer-encoding"}:
            pairs.append(("Content-Length", str(len(sent))))
        if isinstance(self._stack, asgi.Stack):
            scope = self._scope("http", path, query, pairs) | {"method": method}
            return self._run(_request_asgi(self._stack, scope, sent))
        return _request_wsgi(self._stack, self._environ(method, path, query, pairs, sent))

    def get(self, target: str, *, headers: HeaderOption = ()) -> ReceivedResponse:
        """Send a GET request."""
        return self.request("GET", target, headers=headers)

    def post(
        self, target: str, *, body: bytes | str = b"", headers: HeaderOption = ()
    ) -> ReceivedResponse:
        """Send a POST request."""
        return self.request("POST", target, headers=headers, body=body)

    def websocket(
        self, target: str, messages: Iterable[str | bytes] = (), *, headers: HeaderOption = ()
    ) -> WebSocketSession:
        """Open a WebSocket, send messages, and close it; the app sends each message back.

        Args:
            target: the path, and a query after a ``?``.
            messages: the client's messages.
            headers: the headers of the handshake.

        Raises:
            TypeError: the client's protocol is WSGI, which has no WebSockets.
            BaseException: an exception reached the server.
        """
        if not isinstance(self._stack, asgi.Stack):
            raise TypeError('a WebSocket needs a PolicyClient with protocol="asgi"')
        path, _, query = target.partition("?")
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        scope = self._scope("websocket", path, query, [("Host", "testserver"), *pairs])
        scope |= {"scheme": "ws", "subprotocols": []}
        return self._run(_connect(self._stack, scope, messages))

    # -- startup and shutdown ---------------------------------------------------------------------

    def __enter__(self) -> Self:
        if isinstance(self._stack, asgi.Stack):
            self._runner = asyncio.Runner()
            try:
                self._runner.run(self._stack._lifecycle.start())
            except BaseException:
                self._runner.close()
                raise
        else:
            run_sync(self._stack._lifecycle.start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._runner is None or not isinstance(self._stack, asgi.Stack):
            run_sync(self._stack._stop())
            return
        try:
            self._runner.run(self._stack._stop())
        finally:
            self._runner.close()
            self._runner = None

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(coroutine) if self._runner is None else self._runner.run(coroutine)

    # -- the app under both protocols -------------------------------------------------------------

    def _respond(self, request: AppRequest) -> tuple[Reply, Iterable[bytes]]:
        self.requests.append(request)
        response = self._app(request)
        if isinstance(response, str | bytes):
            response = Reply(200, body=response)
        if isinstance(response, Reply):
            return response, [response.body]
        return Reply(200, [("Content-Type", "application/octet-stream")]), response

    async def _asgi_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (event := await receive())["type"] == "websocket.receive":
                await send({**event, "type": "websocket.send"})
            return
        body = b""
        more = True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        reply, chunks = self._respond(
            AppRequest(scope["method"], path, query, ReceivedHeaders(pairs), body, state(scope))
        )
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        pairs = [
            (name.removeprefix("HTTP_").replace("_", "-").title(), value)
            for name, value in environ.items()
            if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
        ]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        query = environ["QUERY_STRING"]
        reply, chunks = self._respond(
            AppRequest(
                environ["REQUEST_METHOD"], path, query, ReceivedHeaders(pairs), body, state(environ)
            )
        )
        start_response(f"{reply.status} Status", list(reply.headers))
        return iter(chunks)

    # -- the server's side ------------------------------------------------------------------------

    def _scope(
        self, kind: str, path: str, query: str, pairs: Iterable[tuple[str, str]]
    ) -> dict[str, Any]:
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
            "client": (self._client, 50000),
            "server": ("testserver", 80),
        }

    def _environ(
        self, method: str, path: str, query: str, pairs: Iterable[tuple[str, str]], body: bytes
    ) -> dict[str, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self._client,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in pairs:
            key = name.upper().replace("-", "_")
            key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
            separator = "; " if key == "HTTP_COOKIE" else ", "
            environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
        return environ


def _request_wsgi(stack: wsgi.Stack, environ: dict[str, Any]) -> ReceivedResponse:
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if head and exc_info is None:
            raise AssertionError("start_response() was called twice without exc_info")
        head[:] = [int(status[:3]), headers]
        return chunks.append

    chunks: list[bytes] = []
    result = stack(environ, start_response)
    try:
        chunks.extend(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    return ReceivedResponse(head[0], ReceivedHeaders(head[1]), tuple(filter(None, chunks)))


async def _request_asgi(stack: asgi.Stack, scope: Scope, body: bytes) -> ReceivedResponse:
    events: list[AsgiMessage] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[AsgiMessage] = []
    complete = asyncio.Event()

    async def receive() -> AsgiMessage:
        if events:
            return events.pop()
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            complete.set()

    await stack(scope, receive, send)
    return _received("http.response", sent)


def _received(prefix: str, sent: list[AsgiMessage]) -> ReceivedResponse:
    starts = [message for message in sent if message["type"] == f"{prefix}.start"]
    bodies = [message for message in sent if message["type"] == f"{prefix}.body"]
    if len(starts) != 1:
        raise AssertionError(f"expected one {prefix}.start message, not {len(starts)}")
    pairs = _decoded(starts[0].get("headers", ()))
    chunks = tuple(bytes(message["body"]) for message in bodies if message.get("body"))
    return ReceivedResponse(starts[0]["status"], ReceivedHeaders(pairs), chunks)


def _decoded(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]


async def _connect(
    stack: asgi.Stack, scope: Scope, messages: Iterable[str | bytes]
) -> WebSocketSession:
    session = WebSocketSession()
    events: list[AsgiMessage] = [{"type": "websocket.connect"}]
    events += (
        {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}
        for message in messages
    )
    sent: list[AsgiMessage] = []
    coming = iter(events)

    async def receive() -> AsgiMessage:
        code = 1000 if session.close_code is None else session.close_code
        return next(coming, {"type": "websocket.disconnect", "code": code})

    async def send(message: AsgiMessage) -> None:
        kind = message["type"]
        sent.append(message)
        if kind == "websocket.accept":
            session.accepted = True
        elif kind == "websocket.close":
            session.close_code = message.get("code", 1000)
        elif kind == "websocket.send":
            text = message.get("text")
            session.messages.append(message["bytes"] if text is None else text)

    scope["extensions"] = {"websocket.http.response": {}}
    await stack(scope, receive, send)
    if any(message["type"] == "websocket.http.response.start" for message in sent):
        session.response = _received("websocket.http.response", sent)
    return session
