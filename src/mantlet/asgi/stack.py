"""The ASGI face: the app with its policies around it, itself an ASGI app."""

from asyncio import Lock

from mantlet._internal.asgi_types import AsgiApp, Receive, Scope, Send
from mantlet.asgi.http import HttpExchange, sending_fields
from mantlet.asgi.lifespan import Lifespan
from mantlet.asgi.request import AsgiRequest
from mantlet.asgi.websocket import WebSocketExchange, WebSocketRequest
from mantlet.core.policy import Policy
from mantlet.core.response_pipeline import CLOSED
from mantlet.core.stack import BaseStack
from mantlet.integrations import observe_exceptions

__all__ = ["Stack"]


class Stack(BaseStack[AsgiApp]):
    """An ASGI app with its policies around it; the outermost policy comes first.

    Scope types other than ``http``, ``websocket`` and ``lifespan`` pass through untouched.

    Args:
        app: the app. Another stack fuses with this one.
        policies: what goes around it.

    Raises:
        TypeError: one of the policies is none.
    """

    def __init__(self, app: AsgiApp, *policies: Policy) -> None:
        super().__init__(app, *policies)
        if self.outward[-1].hears_errors:
            observe_exceptions(self.app)
        self._started = not self.startup
        self._starting = Lock()

    # In one piece, since each further coroutine costs every request more than the branches here.
    async def __call__(  # noqa: C901, PLR0912
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve one scope."""
        kind = scope["type"]
        if self.idle:
            await self.app(scope, receive, send)
            return
        if kind == "http":
            request = AsgiRequest(scope, receive)
        elif kind == "websocket":
            request = WebSocketRequest(scope, receive)
        elif kind == "lifespan" and (self.startup or self.shutdown):
            await Lifespan(self, receive, send).run(scope)
            return
        else:
            await self.app(scope, receive, send)
            return

        if not self._started:
            await self.start()
        refusal = self.inward(request)
        if refusal is not None and refusal.waiting is not None:
            refusal = await self.judge(request, refusal)
        fields = request._response_headers if request._owns_response_headers else None
        if (
            refusal is None
            and self.inward_only
            and (kind == "http" or not (fields or self.on_message))
        ):
            request._handed_over = True
            try:
                if not fields:
                    await self.app(scope, request.receive, send)
                    return
                request.state._response_headers = fields
                await self.app(scope, request.receive, sending_fields(send, fields))
            finally:
                if fields:
                    request.state._response_headers = None
                if request._cleanups is not None:
                    request._run_cleanups()
            return

        exchange = (HttpExchange if kind == "http" else WebSocketExchange)(
            self, request, send, refusal
        )
        error = None
        try:
            if refusal is None:
                try:
                    await self.app(scope, exchange.hand_over(), exchange.send)
                except BaseException as raised:  # noqa: BLE001  # raised below if not answered
                    error = raised
            if error is not None or exchange.phase != CLOSED or exchange.failure is not None:
                await exchange.conclude(error)
        finally:
            if request._owns_response_headers:
                request.state._response_headers = None
            if self.on_finish[-1] or request._cleanups is not None:
                waiting = self.finish(request, refusal)
                if waiting is not None:
                    await waiting

    async def start(self) -> None:
        """Run the policies' `startup`, once; others wait for it."""
        async with self._starting:
            if not self._started:
                await self.start_policies()
                self._started = True

    async def stop(self) -> None:
        """Run the policies' `shutdown`; a later lifespan starts them anew."""
        self._started = not self.startup
        await self.stop_policies()
