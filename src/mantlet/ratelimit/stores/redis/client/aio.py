"""Connections for event loops: one for each loop and server."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from ssl import SSLContext
from typing import TypeVar
from weakref import WeakKeyDictionary

from mantlet.ratelimit.stores.redis.client.address import Address
from mantlet.ratelimit.stores.redis.client.links import Greet
from mantlet.ratelimit.stores.redis.client.node import Node
from mantlet.ratelimit.stores.redis.client.turn import Turn

__all__ = ["AsyncioTransport"]

T = TypeVar("T")


class AsyncioTransport:
    """Connections of each event loop to each server. Loops in several threads may share it.

    After a fork nothing of the parent's is used in the child, and nothing ended either: to take a
    socket out of an inherited loop could take it out of the parent's.

    Args:
        tls: None where there is none.
        greet: says the first words on each connection.
        patience: see `Connection`.
    """

    def __init__(self, tls: SSLContext | None, greet: Greet, patience: float) -> None:
        self.tls = tls
        self.greet = greet
        self.patience = patience
        self._homes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Home] = WeakKeyDictionary()

    def node(self, address: Address) -> Node:
        """Return the running loop's way to a server."""
        home = self._home()
        return home.nodes.get(address) or home.add(address)

    async def share(self, name: str, work: Callable[[float], Awaitable[T]], expires: float) -> T:
        """Do the work, or wait for whoever in this loop is at it."""
        return await self._home().turns.setdefault(name, Turn(name)).take(work, expires)

    async def close(self) -> None:
        """Close the connections of the running loop."""
        await self._home().close()

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Forget a loop."""
        self._homes.pop(loop, None)

    def _home(self) -> "_Home":
        loop = asyncio.get_running_loop()
        home = self._homes.get(loop)
        if home is None or home.pid != os.getpid():
            home = self._enter(loop)
        return home

    def _enter(self, loop: asyncio.AbstractEventLoop) -> "_Home":
        # Connections refer to their loop, so one that was closed without a word would stay.
        for known in self._homes.keyrefs():
            other = known()
            if other is not None and other.is_closed():
                self.leave(other)
        home = self._homes[loop] = _Home(self)
        return home


class _Home:
    """What belongs to one event loop in one process."""

    def __init__(self, transport: AsyncioTransport) -> None:
        self.pid = os.getpid()
        self.nodes: dict[Address, Node] = {}
        self.turns: dict[str, Turn] = {}
        self._transport = transport
        self._end: AsyncGenerator[None, None] | None = None

    def add(self, address: Address) -> Node:
        """Return a way to a server."""
        transport = self._transport
        node = Node(address, transport.tls, transport.greet, transport.patience, self.settle)
        self.nodes[address] = node
        return node

    async def settle(self) -> None:
        """See to it that the connections are closed when the loop ends.

        A loop that ends in order (`asyncio.run()`, `asyncio.Runner`, the servers) closes the
        asynchronous generators that were begun in it, and that is the one end that it tells of.
        """
        if self._end is None:
            self._end = self._until_the_end()
            await anext(self._end)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if self.pid == os.getpid():
                for node in self.nodes.values():
                    node.close()
                self._transport.leave(asyncio.get_running_loop())

    async def close(self) -> None:
        """Close the connections now."""
        if self._end is not None:
            end, self._end = self._end, None
            await end.aclose()
