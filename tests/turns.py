"""One exchange on an event loop beside a task that counts how often the loop goes round."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.drive import make_scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send


@dataclass
class Turns:
    """What became of an exchange, and how often the event loop went on meanwhile.

    Attributes:
        count: how many turns of the loop another task had.
        messages: what the server was sent.
    """

    count: int = 0
    messages: list[AsgiMessage] = field(default_factory=list)

    @property
    def chunks(self) -> list[bytes]:
        """The body, as it was sent."""
        bodies = (m for m in self.messages if m["type"] == "http.response.body")
        return [message.get("body", b"") for message in bodies]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    @property
    def status(self) -> int:
        """The status."""
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers, the names in lower case."""
        return {name.lower(): value for name, value in self.messages[0]["headers"]}


def app_of(chunks: Sequence[bytes], media: str, *headers: tuple[bytes, bytes]) -> AsgiApp:
    """Return an app that sends a body in chunks; with its length, if it is one."""
    raw = [(b"content-type", media.encode()), *headers]
    if len(chunks) == 1:
        raw.append((b"content-length", b"%d" % len(chunks[0])))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        for chunk in chunks[:-1]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": chunks[-1]})

    return app


async def count_turns(app: AsgiApp, path: str = "/", **scope: Any) -> Turns:
    """Run one exchange; the server never waits, so that all turns are the stack's and the app's."""
    turns = Turns()

    async def count() -> None:
        while True:
            await asyncio.sleep(0)
            turns.count += 1

    async def receive() -> AsgiMessage:
        return {"type": "http.request", "body": b""}

    async def send(message: AsgiMessage) -> None:
        turns.messages.append(message)

    other = asyncio.create_task(count())
    await asyncio.sleep(0)
    turns.count = 0
    try:
        await app(make_scope("GET", path, scope=scope), receive, send)
    finally:
        other.cancel()
    return turns


def take_turns(app: AsgiApp, path: str = "/", **scope: Any) -> Turns:
    """`count_turns()` on a loop of its own."""
    return asyncio.run(count_turns(app, path, **scope))
