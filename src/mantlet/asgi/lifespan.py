"""The lifespan passes through, and the policies' own start and stop go along with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send
    from mantlet.asgi.stack import Stack

__all__ = ["Lifespan"]


class Lifespan:
    """One lifespan through a stack that has something to start or stop.

    The policies start before the app hears of the startup, and stop after it has stopped. A policy
    that can't start fails the startup, as the app itself would.
    """

    def __init__(self, stack: Stack, receive: Receive, send: Send) -> None:
        self._stack = stack
        self._receive = receive
        self._send = send
        self._failure: Exception | None = None

    async def run(self, scope: Scope) -> None:
        """Run the app's lifespan; raise what a policy raised in it."""
        try:
            await self._stack.app(scope, self.receive, self.send)
        except Exception:
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    async def receive(self) -> AsgiMessage:
        """Hand the app the server's next event."""
        event = await self._receive()
        if event["type"] == "lifespan.startup":
            try:
                await self._stack.start()
            except Exception as error:
                self._failure = error
                await self._send({"type": "lifespan.startup.failed", "message": ""})
                raise
        return event

    async def send(self, message: AsgiMessage) -> None:
        """Take the app's answer to an event."""
        if self._failure is not None:
            return
        if message["type"].startswith("lifespan.shutdown."):
            try:
                await self._stack.stop()
            except Exception as error:
                self._failure = error
                await self._send({"type": "lifespan.shutdown.failed", "message": ""})
                raise
        await self._send(message)
