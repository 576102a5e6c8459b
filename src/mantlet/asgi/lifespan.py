"""The lifespan of an app with policies: they start before it, and stop after it."""

from collections.abc import Awaitable, Callable

from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send
from mantlet.exceptions import StartupError

__all__ = ["Lifespan"]


class Lifespan:
    """The app's lifespan with the policies' own startup and shutdown.

    A policy that can't start fails the startup, as the app itself would. An app that has no
    lifespan, such as Django's, gets none, and the policies have theirs nevertheless.

    Args:
        app: the app.
        start: starts the policies.
        stop: stops the policies.
        receive: the server's.
        send: the server's.
    """

    def __init__(
        self,
        app: AsgiApp,
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
        receive: Receive,
        send: Send,
    ) -> None:
        self._app = app
        self._start_policies = start
        self._stop_policies = stop
        self._server_receive = receive
        self._server_send = send
        self._startup: AsgiMessage | None = None
        #: Whether the app has taken an event, or sent a message.
        self._is_used = False
        self._failure: Exception | None = None

    async def run(self, scope: Scope) -> None:
        """Run the app's lifespan; raise the exception of a policy."""
        self._startup = await self._server_receive()
        try:
            await self._start_policies()
        except StartupError as error:
            # Hypercorn raises an exception of its own, which has to reach it.
            await self._server_send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        try:
            await self._app(scope, self.receive, self.send)
        except Exception:
            if self._failure is None and self._is_used:
                raise
        if self._failure is not None:
            raise self._failure
        if not self._is_used:
            await self._serve_without_app()

    async def receive(self) -> AsgiMessage:
        """Return the server's next event to the app."""
        self._is_used = True
        event, self._startup = self._startup, None
        return event or await self._server_receive()

    async def send(self, message: AsgiMessage) -> None:
        """Take the app's response to an event."""
        self._is_used = True
        if self._failure is not None:
            return
        if message["type"].startswith("lifespan.shutdown."):
            try:
                await self._stop()
            except Exception as error:
                self._failure = error
                raise
        await self._server_send(message)

    async def _serve_without_app(self) -> None:
        await self._server_send({"type": "lifespan.startup.complete"})
        await self._server_receive()
        await self._stop()
        await self._server_send({"type": "lifespan.shutdown.complete"})

    async def _stop(self) -> None:
        try:
            await self._stop_policies()
        except Exception as error:
            text = f"A policy can't stop: {type(error).__qualname__}"
            await self._server_send({"type": "lifespan.shutdown.failed", "message": text})
            raise
