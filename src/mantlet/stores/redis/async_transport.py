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
from mantlet.stores.redis.async_connection import AsyncConnection
from mantlet.stores.redis.patience import MIN_DELAY, patient_timeout
from mantlet.stores.redis.resp import ConnectionLost, ServerUnavailable
from mantlet.stores.redis.transport import (
    CommandChannel,
    HandshakeFunction,
    time_left,
)
from mantlet.stores.redis.uri import ServerAddress

__all__ = ["AsyncChannel", "AsyncTransport", "SingleFlight"]

T = TypeVar("T")

#: The outcome of a caller that gave up; it says nothing about the work itself.
_GAVE_UP = object()


class SingleFlight:
    """Work done by one coroutine at a time, whose outcome concurrent callers share.

    Args:
        name: names the work in errors.
    """

    __slots__ = ("_name", "_outcome")

    def __init__(self, name: str) -> None:
        self._name = name
        self._outcome: asyncio.Future[Any] | None = None

    async def run(self, work: Callable[[float], Awaitable[T]], deadline: float) -> T:
        """Do the work, or wait for the caller that is doing it.

        All callers share its outcome, including an error. If that caller is cancelled, or reaches
        its own deadline, the next caller does the work.

        Args:
            work: called with ``deadline``.
            deadline: by `time.monotonic()`.

        Raises:
            ServerUnavailable: another caller was still doing the work at the deadline.
        """
        while self._outcome is not None:
            try:
                async with patient_timeout(deadline - monotonic()):
                    outcome = await asyncio.shield(self._outcome)
            except TimeoutError:
                raise ServerUnavailable(f"{self._name} took too long") from None
            if isinstance(outcome, StoreError):
                raise copy(outcome)
            if outcome is not _GAVE_UP:
                return outcome  # type: ignore[no-any-return]  # the other caller's T
        self._outcome = shared = asyncio.get_running_loop().create_future()
        outcome = _GAVE_UP
        try:
            result = outcome = await work(deadline)
        except StoreError as error:
            if monotonic() < deadline:
                outcome = error
            raise
        finally:
            self._outcome = None
            shared.set_result(outcome)
        return result


class AsyncChannel(CommandChannel):
    """One event loop's connection to a server, opened as needed.

    Args:
        address: the server.
        tls: None for a plain connection.
        handshake: performed on each new connection.
        patience: see `AsyncConnection`.
        on_connect: awaited as soon as there is a connection to close later.
    """

    def __init__(
        self,
        address: ServerAddress,
        tls: SSLContext | None,
        handshake: HandshakeFunction,
        patience: float,
        on_connect: Callable[[], Awaitable[None]],
    ) -> None:
        self.address = address
        self._tls = tls
        self._handshake = handshake
        self._patience = patience
        self._on_connect = on_connect
        self._connection: AsyncConnection | None = None
        self._connecting = SingleFlight(f"connecting to {address}")
        self._lookup: asyncio.Future[list[Any]] | None = None

    async def execute(self, packed: bytes, deadline: float, *, retry: bool = True) -> Any:
        """See `CommandChannel.execute()`. If the connection is lost, retry once on a new one."""
        connection = self._connection
        if connection is None or connection.is_closed:
            connection = await self._connecting.run(self._connect, deadline)
        try:
            return await connection.execute(packed, self._renewed(deadline))
        except ConnectionLost:
            if not retry:
                raise
        return await self.execute(packed, deadline, retry=False)

    async def execute_many(self, packed: bytes, count: int, deadline: float) -> list[Any]:
        """See `CommandChannel.execute_many()`."""
        connection = self._connection
        if connection is None or connection.is_closed:
            connection = await self._connecting.run(self._connect, deadline)
        return await connection.execute_many(packed, count, self._renewed(deadline))

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.abort()

    async def _connect(self, deadline: float) -> AsyncConnection:
        try:
            connection = await self._open(deadline)
        except TimeoutError:
            raise ServerUnavailable(f"{self.address} did not accept a connection in time") from None
        except OSError as error:
            raise ServerUnavailable(f"{self.address} can't be reached: {error}") from None
        try:
            await self._handshake(connection, self._renewed(deadline))
        except BaseException:
            connection.abort()
            raise
        await self._on_connect()
        self._connection = connection
        return connection

    def _renewed(self, deadline: float) -> float:
        """Return the deadline of the next step of a call.

        If the deadline has passed although the last step succeeded, something has blocked the loop.
        """
        now = monotonic()
        return deadline if now < deadline else now + self._patience

    async def _open(self, deadline: float) -> AsyncConnection:
        address = self.address
        loop = asyncio.get_running_loop()
        make = partial(AsyncConnection, address, loop, self._patience)
        async with patient_timeout(time_left(deadline, address)):
            if not address.port:
                return (await loop.create_unix_connection(make, address.host))[1]
            found = await self._resolve(loop)
        name = address.host if self._tls else None
        for left, (family, _, _, _, (host, port, *_)) in zip(
            range(len(found), 0, -1), found, strict=True
        ):
            try:
                # One of several addresses must not use up all the time.
                async with patient_timeout(max(deadline - monotonic(), MIN_DELAY) / left):
                    return (
                        await loop.create_connection(
                            make, host, port, family=family, ssl=self._tls, server_hostname=name
                        )
                    )[1]
            except OSError:
                if left == 1:
                    raise
        raise OSError("the host name has no address")

    async def _resolve(self, loop: asyncio.AbstractEventLoop) -> list[Any]:
        """Return the socket addresses of the server.

        The system looks a host name up in a thread of the loop's executor, and a look-up can't be
        stopped at the deadline. So only one runs at a time. Otherwise the look-ups of an outage
        would take up all threads.
        """
        look_up = partial(socket.getaddrinfo, *self.address, type=socket.SOCK_STREAM)
        try:
            return look_up(flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass
        if self._lookup is None or self._lookup.done():
            self._lookup = loop.run_in_executor(None, look_up)
        return await asyncio.shield(self._lookup)


class AsyncTransport:
    """The connections of each event loop to each server. Loops in several threads may share it.

    After a fork, the child neither uses nor closes the parent's connections: removing a socket from
    an inherited event loop could remove it from the parent's.

    Args:
        tls: None for plain connections.
        handshake: performed on each new connection.
        patience: see `AsyncConnection`.
    """

    def __init__(
        self, tls: SSLContext | None, handshake: HandshakeFunction, patience: float
    ) -> None:
        self.tls = tls
        self.handshake = handshake
        self.patience = patience
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopState] = WeakKeyDictionary()

    def channel(self, address: ServerAddress) -> AsyncChannel:
        """Return the running loop's channel to a server."""
        state = self._loop_state()
        return state.channels.get(address) or state.add_channel(address)

    async def single_flight(
        self, name: str, work: Callable[[float], Awaitable[T]], deadline: float
    ) -> T:
        """Do the work, or wait for the coroutine of this loop that is doing it."""
        flights = self._loop_state().flights
        return await flights.setdefault(name, SingleFlight(name)).run(work, deadline)

    async def close(self) -> None:
        """Close the connections of the running loop."""
        await self._loop_state().close()

    def forget_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop the state of an event loop."""
        self._loops.pop(loop, None)

    def _loop_state(self) -> "_LoopState":
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise StoreError(
                "a store on the network needs asyncio, and the server runs another event loop; "
                "run it with asyncio, or use an lmdb:// or memory:// store"
            ) from None
        state = self._loops.get(loop)
        if state is None or state.pid != os.getpid():
            state = self._add_loop(loop)
        return state

    def _add_loop(self, loop: asyncio.AbstractEventLoop) -> "_LoopState":
        # Connections refer to their loop, so a loop closed without notice would stay in memory.
        for reference in self._loops.keyrefs():
            other = reference()
            if other is not None and other.is_closed():
                self.forget_loop(other)
        state = self._loops[loop] = _LoopState(self)
        return state


class _LoopState:
    """The channels and shared work of one event loop in one process."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.pid = os.getpid()
        self.channels: dict[ServerAddress, AsyncChannel] = {}
        self.flights: dict[str, SingleFlight] = {}
        self._transport = transport
        self._closer: AsyncGenerator[None, None] | None = None

    def add_channel(self, address: ServerAddress) -> AsyncChannel:
        """Return a new channel to a server."""
        transport = self._transport
        channel = AsyncChannel(
            address, transport.tls, transport.handshake, transport.patience, self.close_with_loop
        )
        self.channels[address] = channel
        return channel

    async def close_with_loop(self) -> None:
        """Ensure that the connections are closed when the event loop ends.

        A loop that ends properly (`asyncio.run()`, `asyncio.Runner`, the servers) closes the
        asynchronous generators that were started in it; this is the only notification there is.
        """
        if self._closer is None:
            self._closer = self._close_on_exit()
            await anext(self._closer)

    async def _close_on_exit(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if self.pid == os.getpid():
                for channel in self.channels.values():
                    channel.close()
                self._transport.forget_loop(asyncio.get_running_loop())

    async def close(self) -> None:
        """Close the connections now."""
        if self._closer is not None:
            closer, self._closer = self._closer, None
            await closer.aclose()
