"""Connections for threads: a pool of sockets a server."""

import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from time import monotonic
from typing import Any, TypeVar
from weakref import finalize

from mantlet.ratelimit.stores.redis.client.resp import (
    MORE,
    NONSENSE,
    Lost,
    Outage,
    PushNotification,
    make_reader,
    time_left,
)
from mantlet.ratelimit.stores.redis.client.transport import Greet, Link
from mantlet.ratelimit.stores.redis.client.uri import Address

__all__ = ["BlockingTransport"]

T = TypeVar("T")

#: What is read at once, in bytes.
_CHUNK = 16384


class BlockingTransport:
    """Pools of sockets, one for each server. Threads may share it.

    Args:
        tls: None where there is none.
        greet: says the first words on each connection.
    """

    def __init__(self, tls: SSLContext | None, greet: Greet) -> None:
        self._tls = tls
        self._greet = greet
        self._nodes: dict[Address, _Node] = {}

    def node(self, address: Address) -> "_Node":
        """Return the pool of a server."""
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes.setdefault(address, _Node(address, self._tls, self._greet))
        return node

    async def share(self, name: str, work: Callable[[float], Awaitable[T]], expires: float) -> T:
        """Do the work. A thread does not wait for another one."""
        return await work(expires)

    async def close(self) -> None:
        """Close all connections that no thread is using."""
        for node in list(self._nodes.values()):
            _close_all(node.idle)


class _Node(Link):
    """A pool: as many connections as threads ask at once, the last one used is used first."""

    def __init__(self, address: Address, tls: SSLContext | None, greet: Greet) -> None:
        self.address = address
        self.idle: deque[_SocketLink] = deque()
        self._tls = tls
        self._greet = greet
        self._pid = os.getpid()
        # Nobody tells a WSGI app that it ends.
        finalize(self, _close_all, self.idle)

    async def ask_all(self, packed: bytes, count: int, expires: float) -> list[Any]:
        """See `Link.ask_all()`."""
        try:
            return await self._ask_once(packed, count, expires)
        except Lost:
            return await self._ask_once(packed, count, expires)

    async def _ask_once(self, packed: bytes, count: int, expires: float) -> list[Any]:
        link = self._pick() or await self._connect(expires)
        try:
            replies = await link.ask_all(packed, count, expires)
        except BaseException as error:
            link.close()
            if isinstance(error, Lost):
                _close_all(self.idle)  # the server has gone from these too
            raise
        self.idle.append(link)
        return replies

    def _pick(self) -> "_SocketLink | None":
        pid = os.getpid()
        if pid != self._pid:
            # They are the parent's. Closing one here takes only this process's hand off it.
            _close_all(self.idle)
            self._pid = pid
        try:
            return self.idle.pop()
        except IndexError:
            return None

    async def _connect(self, expires: float) -> "_SocketLink":
        try:
            opened = _open(self.address, self._tls, expires)
        except TimeoutError:
            raise Outage(f"{self.address} did not take a connection in time") from None
        except OSError as error:
            raise Outage(f"{self.address} can't be reached: {error}") from None
        link = _SocketLink(opened, self.address)
        try:
            await self._greet(link, expires)
        except BaseException:
            link.close()
            raise
        return link


class _SocketLink(Link):
    """One connection, used by one thread at a time."""

    def __init__(self, opened: socket.socket, address: Address) -> None:
        self.address = address
        self._socket = opened
        self._reader = make_reader()

    async def ask_all(self, packed: bytes, count: int, expires: float) -> list[Any]:
        """See `Link.ask_all()`."""
        try:
            self._socket.settimeout(time_left(expires, self.address))
            self._socket.sendall(packed)
            return [self._reply(expires) for _ in range(count)]
        except TimeoutError:
            raise Outage(f"{self.address} did not answer in time") from None
        except OSError as error:
            raise Lost(f"{self.address} closed the connection: {error}") from None
        except NONSENSE as error:
            raise Outage(f"{self.address} does not speak the protocol: {error}") from None

    def _reply(self, expires: float) -> Any:
        while (reply := self._reader.gets()) is MORE or isinstance(reply, PushNotification):
            if reply is MORE:
                # Anew each time, so that a server that drips does not get more of it.
                self._socket.settimeout(time_left(expires, self.address))
                received = self._socket.recv(_CHUNK)
                if not received:
                    raise ConnectionResetError("no more comes")
                self._reader.feed(received)
        return reply

    def close(self) -> None:
        self._socket.close()


def _close_all(links: deque[_SocketLink]) -> None:
    while True:
        try:
            links.pop().close()
        except IndexError:
            return


def _open(address: Address, tls: SSLContext | None, expires: float) -> socket.socket:
    """Return a connected socket.

    A name is looked up by the system, which no deadline stops.

    Raises:
        OSError: it can't be connected.
    """
    if not address.port:
        return _connected(socket.AF_UNIX, address.host, address, None, expires)
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    for left, (family, _, _, _, place) in zip(range(len(found), 0, -1), found, strict=True):
        # What one of several addresses takes must not be all the time that there is.
        until = monotonic() + time_left(expires, address) / left
        try:
            return _connected(family, place, address, tls, until)
        except OSError:
            if left == 1:
                raise
    raise OSError("the name has no address")


def _connected(
    family: int, place: Any, address: Address, tls: SSLContext | None, expires: float
) -> socket.socket:
    opened = socket.socket(family)
    try:
        opened.settimeout(time_left(expires, address))
        opened.connect(place)
        if not address.port:
            return opened
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            return opened
        opened.settimeout(time_left(expires, address))
        return tls.wrap_socket(opened, server_hostname=address.host)
    except BaseException:
        opened.close()
        raise
