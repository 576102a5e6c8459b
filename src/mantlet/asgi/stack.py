"""The ASGI face: the app with its policies around it, itself an ASGI app."""

from asyncio import Lock

from mantlet.asgi.http import AsgiExchange, HttpExchange
from mantlet.asgi.lifespan import Lifespan
from mantlet.asgi.request import AsgiRequest
from mantlet.asgi.websocket import WebSocketExchange, WebSocketRequest
from mantlet.policy import Policy
from mantlet.stack import BaseStack
from mantlet.types import AsgiApp, Receive, Scope, Send

__all__ = ["Stack"]

_EXCHANGES: dict[str, tuple[type[AsgiRequest], type[AsgiExchange]]] = {
    "http": (AsgiRequest, HttpExchange),
    "websocket": (WebSocketRequest, WebSocketExchange),
}


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
        kinds = _EXCHANGES.get(scope["type"])
        if kinds is None:
            if scope["type"] == "lifespan" and (self.startup or self.shutdown):
                await Lifespan(self, receive, send).run(scope)
            else:
                await self.app(scope, receive, send)
            return
        if not self._started:
            await self.start()
        request = kinds[0](scope, receive)
        refusal = self.inward(request)
        if refusal is not None:
            if refusal.waiting is not None:
                refusal = await self.judge(request, refusal)
        elif self.inward_only:
            await self.app(scope, request.hand_over(), send)
            return
        await kinds[1](self, request, send, refusal).run()

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
