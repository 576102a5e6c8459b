"""Connections for threads: a pool of sockets for each server."""

import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from time import monotonic
from typing import Any, TypeVar
from weakref import finalize

from mantlet.stores.redis.resp import (
    INCOMPLETE,
    PROTOCOL_ERRORS,
    ConnectionLost,
    PushNotification,
    ServerUnavailable,
    make_reader,
)
from mantlet.stores.redis.transport import (
    CommandChannel,
    HandshakeFunction,
    time_left,
)
from mantlet.stores.redis.uri import ServerAddress

__all__ = ["BlockingTransport"]

T = TypeVar("T")

#: How many bytes are read at once.
_CHUNK = 16384
#: Minimum seconds for a server to reply, even if this thread was kept from running for too long.
_GRACE = 0.005


class BlockingTransport:
    """Pools of sockets, one for each server. Threads may share it.

    Args:
        tls: None for plain connections.
        handshake: performed on each new connection.
    """

    def __init__(self, tls: SSLContext | None, handshake: HandshakeFunction) -> None:
        self._tls = tls
        self._handshake = handshake
        self._pools: dict[ServerAddress, _ConnectionPool] = {}

    def channel(self, address: ServerAddress) -> "_ConnectionPool":
        """Return the pool of a server."""
        pool = self._pools.get(address)
        if pool is None:
            new = _ConnectionPool(address, self._tls, self._handshake)
            pool = self._pools.setdefault(address, new)
        return pool

    async def single_flight(
        self, name: str, work: Callable[[float], Awaitable[T]], deadline: float
    ) -> T:
        """Do the work. Threads do not wait for each other."""
        return await work(deadline)

    async def close(self) -> None:
        """Close all connections that no thread is using."""
        for pool in list(self._pools.values()):
            _close_all(pool.idle)


class _ConnectionPool(CommandChannel):
    """As many connections as there are concurrent callers; the last one used is reused first."""

    def __init__(
        self, address: ServerAddress, tls: SSLContext | None, handshake: HandshakeFunction
    ) -> None:
        self.address = address
        self.idle: deque[_SocketConnection] = deque()
        self._tls = tls
        self._handshake = handshake
        self._pid = os.getpid()
        # A WSGI app is not notified when it ends.
        finalize(self, _close_all, self.idle)

    async def execute_many(self, packed: bytes, count: int, deadline: float) -> list[Any]:
        """See `CommandChannel.execute_many()`."""
        try:
            return await self._try(packed, count, deadline)
        except ConnectionLost:
            return await self._try(packed, count, deadline)

    async def _try(self, packed: bytes, count: int, deadline: float) -> list[Any]:
        connection = self._take_idle() or await self._connect(deadline)
        try:
            replies = await connection.execute_many(packed, count, deadline)
        except BaseException as error:
            connection.close()
            if isinstance(error, ConnectionLost):
                _close_all(self.idle)  # the server has closed these too
            raise
        self.idle.append(connection)
        return replies

    def _take_idle(self) -> "_SocketConnection | None":
        pid = os.getpid()
        if pid != self._pid:
            # They belong to the parent process. Closing them here does not disconnect the parent.
            _close_all(self.idle)
            self._pid = pid
        try:
            return self.idle.pop()
        except IndexError:
            return None

    async def _connect(self, deadline: float) -> "_SocketConnection":
        try:
            opened = _open(self.address, self._tls, deadline)
        except TimeoutError:
            raise ServerUnavailable(f"{self.address} did not accept a connection in time") from None
        except OSError as error:
            raise ServerUnavailable(f"{self.address} can't be reached: {error}") from None
        connection = _SocketConnection(opened, self.address)
        try:
            await self._handshake(connection, deadline)
        except BaseException:
            connection.close()
            raise
        return connection


class _SocketConnection(CommandChannel):
    """One connection, used by one thread at a time."""

    def __init__(self, opened: socket.socket, address: ServerAddress) -> None:
        self.address = address
        self._socket = opened
        self._reader = make_reader()

    async def execute_many(self, packed: bytes, count: int, deadline: float) -> list[Any]:
        """See `CommandChannel.execute_many()`."""
        try:
            self._socket.settimeout(max(deadline - monotonic(), _GRACE))
            self._socket.sendall(packed)
            return [self._read_reply(deadline) for _ in range(count)]
        except TimeoutError:
            raise ServerUnavailable(f"{self.address} did not reply in time") from None
        except OSError as error:
            raise ConnectionLost(f"{self.address} closed the connection: {error}") from None
        except PROTOCOL_ERRORS as error:
            raise ServerUnavailable(f"{self.address} sent an invalid reply: {error}") from None

    def _read_reply(self, deadline: float) -> Any:
        is_late = False
        while (reply := self._reader.gets()) is INCOMPLETE or isinstance(reply, PushNotification):
            if reply is INCOMPLETE:
                # Set again for each read, so that a server that drips bytes gets no extra time.
                left = deadline - monotonic()
                if left <= 0:
                    if is_late:
                        raise TimeoutError
                    # Other threads may have run for a while: a reply that is there is not late.
                    is_late, left = True, _GRACE
                self._socket.settimeout(left)
                received = self._socket.recv(_CHUNK)
                if not received:
                    raise ConnectionResetError("end of stream")
                self._reader.feed(received)
        return reply

    def close(self) -> None:
        self._socket.close()


def _close_all(connections: deque[_SocketConnection]) -> None:
    while True:
        try:
            connections.pop().close()
        except IndexError:
            return


def _open(address: ServerAddress, tls: SSLContext | None, deadline: float) -> socket.socket:
    """Return a connected socket.

    The system's look-up of a host name is not bounded by the deadline.

    Raises:
        OSError: the connection failed.
    """
    if not address.port:
        return _connected(socket.AF_UNIX, address.host, address, None, deadline)
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    for left, (family, _, _, _, target) in zip(range(len(found), 0, -1), found, strict=True):
        # One of several addresses must not use up all the time.
        until = monotonic() + time_left(deadline, address) / left
        try:
            return _connected(family, target, address, tls, until)
        except OSError:
            if left == 1:
                raise
    raise OSError("the host name has no address")


def _connected(
    family: int, target: Any, address: ServerAddress, tls: SSLContext | None, deadline: float
) -> socket.socket:
    opened = socket.socket(family)
    try:
        opened.settimeout(time_left(deadline, address))
        opened.connect(target)
        if not address.port:
            return opened
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            return opened
        opened.settimeout(max(deadline - monotonic(), _GRACE))
        return tls.wrap_socket(opened, server_hostname=address.host)
    except BaseException:
        opened.close()
        raise
