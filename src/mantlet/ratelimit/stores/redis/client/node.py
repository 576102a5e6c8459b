"""The way to one server from one event loop."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from ssl import SSLContext
from typing import Any

from mantlet.ratelimit.stores.redis.client.address import Address
from mantlet.ratelimit.stores.redis.client.connection import Connection
from mantlet.ratelimit.stores.redis.client.errors import Lost, Outage, time_left
from mantlet.ratelimit.stores.redis.client.links import Greet, Link
from mantlet.ratelimit.stores.redis.client.turn import Turn

__all__ = ["Node"]


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
