"""`PolicyClient`: send requests through policies to a small app, under both protocols."""

import asyncio
import io
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, get_args

from mantlet import asgi, wsgi
from mantlet._internal.asgi_types import Receive, Scope, Send
from mantlet._internal.coroutines import run_sync
from mantlet.core.lifecycle import without_startup
from mantlet.core.policy import Policy
from mantlet.core.response import Reply
from mantlet.core.state import state
from mantlet.testing.received import (
    AppRequest,
    ReceivedHeaders,
    ReceivedResponse,
    WebSocketSession,
)
from mantlet.testing.server import connect, request_asgi, request_wsgi

__all__ = ["PROTOCOLS", "PolicyClient", "Protocol"]

Protocol = Literal["wsgi", "asgi"]
"""The name of a protocol."""
PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)
"""Both protocols, to parametrize a test with."""

#: Headers as a mapping, or as pairs where a name occurs more than once.
HeaderOption = Mapping[str, str] | Iterable[tuple[str, str]]
T = TypeVar("T")

#: A response of the app: a complete one, or the chunks of a body with the status code 200.
AppResponse = Reply | str | bytes | Iterable[bytes]
App = Callable[[AppRequest], AppResponse]


class PolicyClient:
    """Send requests through policies to an app.

    As a context manager it runs the policies' `startup` hooks on entry and `shutdown` on exit.
    Otherwise the first request runs `startup`, as with ``startup="lazy"``, and nothing runs
    `shutdown`.

    Args:
        policies: the policies, the outermost first.
        app: the app. By default every request gets ``200 OK`` with the body ``ok``.
        protocol: ``"wsgi"`` or ``"asgi"``.
        baseline: whether to add the baseline, as `mantlet.wrap()` does.
        client: the peer's address.

    Attributes:
        requests: the requests that the app received, in order.

    Raises:
        TypeError: an argument is not a `Policy`.
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
            target: the path, and optionally ``?`` and a query.
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
            return self._run(request_asgi(self._stack, scope, sent))
        return request_wsgi(self._stack, self._environ(method, path, query, pairs, sent))

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
            target: the path, and optionally ``?`` and a query.
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
        return self._run(connect(self._stack, scope, messages))

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
