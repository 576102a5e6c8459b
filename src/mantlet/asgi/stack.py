"""The ASGI adapter: an app with its policies around it, itself an ASGI app."""

from asyncio import Lock
from collections.abc import Mapping, Sequence
from typing import Final

from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send
from mantlet.asgi.http import AsgiHttpExchange
from mantlet.asgi.request import AsgiRequest
from mantlet.asgi.websocket import WebSocketExchange, WebSocketRequest
from mantlet.core.policy import Policy
from mantlet.core.request import request_class
from mantlet.core.response_pipeline import CLOSED
from mantlet.core.stack import BaseStack
from mantlet.http.headers import replace_headers
from mantlet.integrations import find_root_paths, observe_exceptions

__all__ = ["Stack"]

#: The classes of requests by scope type.
_REQUESTS: Final[Mapping[str, type[AsgiRequest]]] = {
    "http": AsgiRequest,
    "websocket": WebSocketRequest,
}


class Stack(BaseStack[AsgiApp]):
    """An ASGI app with its policies around it; the outermost policy comes first.

    Scope types other than ``http``, ``websocket`` and ``lifespan`` pass through untouched. It is
    also a middleware class in Starlette's style::

        app.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter("100/minute")])

    Args:
        app: the app. Another stack fuses with this one.
        policies: the policies around it, the outermost first.

    Raises:
        TypeError: a policy is not a `Policy`.
    """

    #: The policies that `wrap()` added as the baseline.
    _baseline: tuple[Policy, ...] = ()

    def __init__(self, app: AsgiApp, policies: Sequence[Policy] = ()) -> None:
        super().__init__(app, policies)
        self._hears_errors = self._hooks.on_response[-1].has_error_hooks
        if self._hears_errors:
            observe_exceptions(self.app, self.policies)
        self._starting = Lock()

    async def __call__(  # noqa: C901, PLR0912, PLR0915  # each coroutine costs every request
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve one scope."""
        hooks = self._hooks
        kind = scope["type"]
        if hooks.is_idle:
            await hooks.app(scope, receive, send)
            return
        make_request = hooks.request_classes.get(kind)
        if make_request is None:
            if kind not in _REQUESTS:
                if kind == "lifespan" and (hooks.startup or hooks.shutdown):
                    await _Lifespan(self, receive, send).run(scope)
                else:
                    await hooks.app(scope, receive, send)
                return
            await self._start()
            make_request = hooks.request_classes[kind]
        request: AsgiRequest = make_request(scope, receive)
        result = hooks.run_request_hooks(request)
        if result is not None and result.waiting is not None:
            result = await hooks.resume_request_hooks(request, result)
        headers = request._own_headers
        if (
            result is None
            and hooks.is_inward_only
            and (kind == "http" or not (headers or hooks.on_message))
        ):
            request._handed_over = True
            try:
                if not headers:
                    await hooks.app(scope, request.receive, send)
                    return
                request.state._response_headers = headers
                await hooks.app(scope, request.receive, _sending_headers(send, headers))
            finally:
                if headers:
                    request.state._response_headers = None
                if request._cleanups is not None:
                    request._run_cleanups()
            return

        exchange = (AsgiHttpExchange if kind == "http" else WebSocketExchange)(
            hooks, request, send, result
        )
        failure = None
        try:
            try:
                if result is None:
                    await hooks.app(scope, exchange.hand_over(), exchange.send)
            except BaseException as raised:  # noqa: BLE001  # raised below if not answered
                # While it is being handled, which an outer stack looks at.
                failure = await exchange.conclude(raised)
            else:
                if (
                    exchange.phase is not CLOSED
                    or exchange.failure is not None
                    or exchange.holds_messages
                ):
                    failure = await exchange.conclude(None)
            if failure is not None:
                raise failure
        finally:
            if headers is not None:
                request.state._response_headers = None
            if hooks.on_finish[-1] or request._cleanups is not None:
                waiting = hooks.finish(request, result)
                if waiting is not None:
                    await waiting

    async def _start(self) -> None:
        """Run `startup` of the policies, once; other callers wait for it."""
        hooks = self._hooks
        async with self._starting:
            if not hooks.has_started:
                # Again, since apps are mounted and get handlers after an app has been wrapped.
                if self._hears_errors:
                    observe_exceptions(self.app, self.policies)
                classes = {
                    kind: request_class(base, find_root_paths(self.app, kind))
                    for kind, base in _REQUESTS.items()
                }
                await hooks.start()
                hooks.request_classes = classes


def _sending_headers(send: Send, headers: Mapping[bytes, tuple[bytes, bytes]]) -> Send:
    """Return a ``send`` that sets headers in the response, and changes nothing else."""

    async def sending(message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": replace_headers(message.get("headers", ()), headers)}
        await send(message)

    return sending


class _Lifespan:
    """The app's lifespan with the policies' own startup and shutdown.

    The policies start before the app's startup, and stop after its shutdown. A policy that cannot
    start fails the startup, as the app itself would.
    """

    def __init__(self, stack: Stack, receive: Receive, send: Send) -> None:
        self._stack = stack
        self._server_receive = receive
        self._server_send = send
        self._failure: Exception | None = None

    async def run(self, scope: Scope) -> None:
        """Run the app's lifespan; raise the exception of a policy."""
        try:
            await self._stack.app(scope, self.receive, self.send)
        except Exception:
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    async def receive(self) -> AsgiMessage:
        """Return the server's next event to the app."""
        event = await self._server_receive()
        if event["type"] == "lifespan.startup":
            try:
                await self._stack._start()
            except Exception as error:
                self._failure = error
                await self._server_send({"type": "lifespan.startup.failed", "message": ""})
                raise
        return event

    async def send(self, message: AsgiMessage) -> None:
        """Take the app's response to an event."""
        if self._failure is not None:
            return
        if message["type"].startswith("lifespan.shutdown."):
            try:
                await self._stack._hooks.stop()
            except Exception as error:
                self._failure = error
                await self._server_send({"type": "lifespan.shutdown.failed", "message": ""})
                raise
        await self._server_send(message)
