"""`LimitedSocket`: a socket for `http.client`, with limits on the time and the size of a response.

A timeout of a socket is for each call, and each single byte may be in time. Here one deadline is
for all of them.
"""

import socket
from collections.abc import Callable
from io import BufferedReader, RawIOBase
from typing import Any

__all__ = ["LimitedSocket"]


class LimitedSocket:
    """The part of a socket that `http.client` uses.

    Args:
        sock: the connected socket.
        remaining: returns the seconds that are left, more than 0; raises an exception if none are.
        max_size: the most bytes that are received.
        too_large: returns the exception for more than that.
    """

    def __init__(
        self,
        sock: socket.socket,
        remaining: Callable[[], float],
        *,
        max_size: int,
        too_large: Callable[[], Exception],
    ) -> None:
        self._sock = sock
        self._remaining = remaining
        self._max_size = max_size
        self._too_large = too_large

    def sendall(self, data: bytes) -> None:
        """Send bytes."""
        self._sock.settimeout(self._remaining())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> BufferedReader:
        """Return the received bytes as a stream."""
        return BufferedReader(
            _LimitedStream(self._sock, self._remaining, self._max_size, self._too_large)
        )

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class _LimitedStream(RawIOBase):
    def __init__(
        self,
        sock: socket.socket,
        remaining: Callable[[], float],
        max_size: int,
        too_large: Callable[[], Exception],
    ) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._remaining = remaining
        self._room = max_size
        self._too_large = too_large

    def readable(self) -> bool:
        return True

    # Any: a writable buffer.
    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._remaining())
        count = self._raw.readinto(buffer)
        self._room -= count or 0
        if self._room < 0:
            raise self._too_large()
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
