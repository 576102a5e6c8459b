"""The lifespan of an app with policies, which start before the app and stop after it."""

from collections.abc import Awaitable, Callable

from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send
from mantlet.exceptions import StartupError

__all__ = ["Lifespan"]


class Lifespan:
    """Runs the app's lifespan, and starts and stops the policies around it.

    A policy that can't start fails the startup, as the app itself would. If the app does not
    support the lifespan protocol, as Django's does not, the policies start and stop all the same.

    Args:
        app: the app.
        start: starts the policies.
        stop: stops the policies.
        receive: the server's ``receive``.
        send: the server's ``send``.
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
        #: Whether the app has received an event or sent a message: it supports the protocol.
        self._is_used = False
        self._failure: Exception | None = None

    async def run(self, scope: Scope) -> None:
        """Run the lifespan to its end.

        Raises:
            StartupError: a policy can't start.
            Exception: the app's, or that of a policy that failed to stop.
        """
        self._startup = await self._server_receive()
        try:
            await self._start_policies()
        except StartupError as error:
            # Under Hypercorn this call raises an exception, which has to reach the server.
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
        """Return the server's next event; the app's ``receive``."""
        self._is_used = True
        event, self._startup = self._startup, None
        return event or await self._server_receive()

    async def send(self, message: AsgiMessage) -> None:
        """Pass the app's response to an event on to the server; the app's ``send``."""
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
            text = f"A policy failed to stop: {type(error).__qualname__}"
            await self._server_send({"type": "lifespan.shutdown.failed", "message": text})
            raise
