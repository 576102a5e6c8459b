"""The ASGI face: the app with its policies around it, itself an ASGI app."""

from asyncio import Lock

from mantlet.asgi.http import HttpExchange
from mantlet.asgi.lifespan import Lifespan
from mantlet.asgi.request import AsgiRequest
from mantlet.asgi.websocket import WebSocketExchange
from mantlet.policy import Policy
from mantlet.stack import BaseStack
from mantlet.types import AsgiApp, Receive, Scope, Send

__all__ = ["Stack"]


class WebSocketRequest(AsgiRequest):
    """A WebSocket handshake as policies see it."""

    __slots__ = ()

    protocol = "websocket"


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
        self._started = not self.startup
        self._starting = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        kind = scope["type"]
        if kind == "http":
            if not self._started:
                await self.start()
            request = AsgiRequest(scope, receive)
            refusal = await self.inward(request) if self.on_request else None
            if refusal is None and self.inward_only:
                await self.app(scope, request.hand_over(), send)
            else:
                await HttpExchange(self, request, send, refusal).run()
        elif kind == "websocket":
            if not self._started:
                await self.start()
            request = WebSocketRequest(scope, receive)
            refusal = await self.inward(request) if self.on_request else None
            if refusal is None and self.inward_only:
                await self.app(scope, request.hand_over(), send)
            else:
                await WebSocketExchange(self, request, send, refusal).run()
        elif kind == "lifespan" and (self.startup or self.shutdown):
            await Lifespan(self, receive, send).run(scope)
        else:
            await self.app(scope, receive, send)

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
