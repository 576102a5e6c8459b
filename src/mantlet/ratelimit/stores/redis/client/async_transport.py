"""Connections for event loops: one for each loop and server."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from copy import copy
from functools import partial
from ssl import SSLContext
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from mantlet.exceptions import StoreError
from mantlet.ratelimit.stores.redis.client.async_connection import Connection
from mantlet.ratelimit.stores.redis.client.resp import Lost, Outage, time_left
from mantlet.ratelimit.stores.redis.client.transport import Greet, Link
from mantlet.ratelimit.stores.redis.client.uri import Address

__all__ = [
    "AsyncioTransport",
    "Node",
    "Turn",
]


T = TypeVar("T")

#: The outcome of one that gave up: it says nothing about the work.
_GAVE_UP = object()


class Turn:
    """Work that one coroutine at a time does, and the others wait for.

    Args:
        name: of the work, for errors.
    """

    __slots__ = ("_name", "_outcome")

    def __init__(self, name: str) -> None:
        self._name = name
        self._outcome: asyncio.Future[Any] | None = None

    async def take(self, work: Callable[[float], Awaitable[T]], expires: float) -> T:
        """Do the work, or wait for whoever is at it.

        The outcome is everyone's, also if it is an error. One that is cancelled, or whose own time
        is up, leaves the work to the next.

        Args:
            work: is given ``expires``.
            expires: until when, by `time.monotonic()`.

        Raises:
            Outage: someone else is still at it.
        """
        while self._outcome is not None:
            try:
                async with asyncio.timeout(expires - monotonic()):
                    outcome = await asyncio.shield(self._outcome)
            except TimeoutError:
                raise Outage(f"{self._name} took too long") from None
            if isinstance(outcome, StoreError):
                raise copy(outcome)
            if outcome is not _GAVE_UP:
                return outcome  # type: ignore[no-any-return]  # what the other's work returned
        self._outcome = told = asyncio.get_running_loop().create_future()
        outcome = _GAVE_UP
        try:
            result = outcome = await work(expires)
        except StoreError as error:
            if monotonic() < expires:
                outcome = error
            raise
        finally:
            self._outcome = None
            told.set_result(outcome)
        return result


class Node(Link):
    """A connection to a server, made when it is needed.

    Args:
        address: the server.
        tls: None where there is none.
        greet: says the first words on each connection.
        patience: see `Connection`.
        settle: awaited as soon as there is something to close.
    """

    def __init__(
        self,
        address: Address,
        tls: SSLContext | None,
        greet: Greet,
        patience: float,
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        self.address = address
        self._tls = tls
        self._greet = greet
        self._patience = patience
        self._settle = settle
        self._connection: Connection | None = None
        self._turn = Turn(f"a connection to {address}")
        self._found: asyncio.Future[list[Any]] | None = None

    async def ask(self, packed: bytes, expires: float, *, again: bool = True) -> Any:
        """See `Link.ask()`. One whose connection ends is asked once more, on another."""
        connection = self._connection
        if connection is None or connection.lost:
            connection = await self._turn.take(self._connect, expires)
        try:
            return await connection.ask(packed, expires)
        except Lost:
            if not again:
                raise
        return await self.ask(packed, expires, again=False)

    async def ask_all(self, packed: bytes, count: int, expires: float) -> list[Any]:
        """See `Link.ask_all()`."""
        connection = self._connection
        if connection is None or connection.lost:
            connection = await self._turn.take(self._connect, expires)
        return await connection.ask_all(packed, count, expires)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.abort()

    async def _connect(self, expires: float) -> Connection:
        try:
            connection = await self._open(expires)
        except TimeoutError:
            raise Outage(f"{self.address} did not take a connection in time") from None
        except OSError as error:
            raise Outage(f"{self.address} can't be reached: {error}") from None
        try:
            await self._greet(connection, expires)
        except BaseException:
            connection.abort()
            raise
        await self._settle()
        self._connection = connection
        return connection

    async def _open(self, expires: float) -> Connection:
        address = self.address
        loop = asyncio.get_running_loop()
        make = partial(Connection, address, loop, self._patience)
        async with asyncio.timeout(time_left(expires, address)):
            if not address.port:
                return (await loop.create_unix_connection(make, address.host))[1]
            places = await self._places(loop)
        name = address.host if self._tls else None
        for left, (family, _, _, _, (host, port, *_)) in zip(
            range(len(places), 0, -1), places, strict=True
        ):
            try:
                # What one of several addresses takes must not be all the time that there is.
                async with asyncio.timeout(time_left(expires, address) / left):
                    return (
                        await loop.create_connection(
                            make, host, port, family=family, ssl=self._tls, server_hostname=name
                        )
                    )[1]
            except OSError:
                if left == 1:
                    raise
        raise OSError("the name has no address")

    async def _places(self, loop: asyncio.AbstractEventLoop) -> list[Any]:
        """Return the socket addresses of the server.

        A name is looked up by the system, in a thread of the loop's. No deadline stops that, so
        there is one look-up at a time: else those of an outage would take all of its threads.
        """
        look_up = partial(socket.getaddrinfo, *self.address, type=socket.SOCK_STREAM)
        try:
            return look_up(flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass
        if self._found is None or self._found.done():
            self._found = loop.run_in_executor(None, look_up)
        return await asyncio.shield(self._found)


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
