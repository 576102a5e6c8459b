"""The ASGI adapter: an app with its policies around it, itself an ASGI app."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send
from mantlet._internal.event_loop import LoopLocks
from mantlet.asgi.http import AsgiHttpRequest
from mantlet.asgi.lifespan import Lifespan
from mantlet.asgi.websocket import WebSocketRequest
from mantlet.core.lifecycle import Startup
from mantlet.core.policy import Policy
from mantlet.core.request import Request, request_class
from mantlet.core.rerun import Discarded
from mantlet.core.stack import BaseStack
from mantlet.http.headers import DeclaredNames, replace_headers
from mantlet.integrations import find_root_paths, observe_exceptions, report_routes

__all__ = ["Stack"]

#: The classes of requests by scope type.
_REQUESTS: Final[Mapping[str, type[AsgiHttpRequest | WebSocketRequest]]] = {
    "http": AsgiHttpRequest,
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
        startup: see `mantlet.wrap()`.

    Raises:
        TypeError: a policy is not a `Policy`.
        ValueError: ``startup`` is unknown.
    """

    #: The policies that `wrap()` added as the baseline.
    _baseline: tuple[Policy, ...] = ()

    def __init__(
        self,
        app: AsgiApp,
        policies: Sequence[Policy] = (),
        *,
        startup: Startup = "eager",
        _started: Sequence[Policy] = (),
    ) -> None:
        super().__init__(app, policies, startup=startup, started=_started, hold=LoopLocks())
        self._observe_exceptions()
        report_routes(self.app, self.policies)

    async def __call__(  # noqa: C901, PLR0912, PLR0915  # each coroutine costs every request
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve one scope."""
        hooks = self._hooks
        kind = scope["type"]
        make_request = hooks.request_classes.get(kind)
        if make_request is None:
            if hooks.is_idle:
                await hooks.app(scope, receive, send)
                return
            if kind not in _REQUESTS:
                if kind == "lifespan" and self._lifecycle.is_needed:
                    await Lifespan(self.app, self._start, self._stop, receive, send).run(scope)
                else:
                    await hooks.app(scope, receive, send)
                return
            hooks = self._current_hooks(self._request_classes)
            make_request = hooks.request_classes[kind]
        request: AsgiHttpRequest | WebSocketRequest = make_request(scope, receive)
        result = hooks.run_request_hooks(request) if hooks.has_request_hooks else None
        if result is not None and result.waiting is not None:
            result = await hooks.resume_request_hooks(request, result)
        headers = request._own_headers
        if (
            hooks.is_inward_only
            and result is None
            and (kind == "http" or not (headers or hooks.on_message or request._deadline))
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

        request._begin(hooks, send, result)
        failure = None
        try:
            if result is None:
                request._handed_over = True
                watches = hooks.has_error_hooks or kind != "http"
                app_receive = request._receive if watches else request.receive
                try:
                    await hooks.app(scope, app_receive, request._send)
                except BaseException as raised:  # noqa: BLE001  # raised below if not answered
                    # While it is being handled, which an outer stack looks at.
                    failure = await request._conclude(raised)
                else:
                    if not (request._is_sent or request._is_over()):
                        failure = await request._conclude(None)
            else:
                failure = await request._reply(result)
            if failure is not None:
                if isinstance(failure, Discarded) and isinstance(request, AsgiHttpRequest):
                    failure, result = await request._run_again(failure, result)
                    if failure is None:
                        return
                raise failure
        finally:
            if request._exchange is not None:
                request._end()
            if headers is not None:
                request.state._response_headers = None
            if result is None and request._cleanups is None:  # the usual case, one call shorter
                finish = hooks.on_finish[-1]
                waiting = None if finish is None else finish(request)
            else:
                waiting = hooks.finish(request, result)
            if waiting is not None:
                await waiting

    async def _start(self) -> None:
        """Start the policies, before the app."""
        self._observe_exceptions()
        if self._startup == "eager":
            await self._lifecycle.start()

    def _observe_exceptions(self) -> None:
        if self._hooks.has_error_hooks:
            observe_exceptions(self.app, self.policies)

    def _request_classes(self, declared: DeclaredNames | None) -> dict[str, type[Request]]:
        # Again, since apps are mounted and get handlers after an app has been wrapped.
        self._observe_exceptions()
        report_routes(self.app, self.policies)
        return {
            kind: request_class(
                base, find_root_paths(self.app, kind), self._seen_lifecycle, declared
            )
            for kind, base in _REQUESTS.items()
        }


def _sending_headers(send: Send, headers: Mapping[bytes, tuple[bytes, bytes]]) -> Send:
    """Return a ``send`` that sets headers in the response, and changes nothing else."""

    def sending(message: AsgiMessage) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message = {**message, "headers": replace_headers(message.get("headers", ()), headers)}
        return send(message)

    return sending
