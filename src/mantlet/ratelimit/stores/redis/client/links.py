"""What is above a transport, and what a transport is: the seam between the two.

All above is ``async def``. With the blocking transport none of it ever suspends, so that
`mantlet._internal.coroutines.run()` takes it to its end.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from mantlet.ratelimit.stores.redis.client.address import Address

__all__ = ["Greet", "Link", "Transport"]

T = TypeVar("T")


class Link:
    """A connection to a server, or the way to one.

    Attributes:
        address: the server.
    """

    address: Address

    async def ask(self, packed: bytes, expires: float) -> Any:
        """Send a command; return its reply, which may be a `ReplyError`.

        Args:
            packed: as `wire.pack()` makes it.
            expires: until when, by `time.monotonic()`.

        Raises:
            Outage: there is no reply until then, or there never will be.
        """
        return (await self.ask_all(packed, 1, expires))[0]

    @abstractmethod
    async def ask_all(self, packed: bytes, count: int, expires: float) -> list[Any]:
        """Send several commands in one write; return their replies."""
        raise NotImplementedError


#: Says the first words on a new connection.
Greet = Callable[[Link, float], Awaitable[None]]


class Transport(Protocol):
    """Connections to servers, made where they are needed and kept."""

    @abstractmethod
    def node(self, address: Address) -> Link:
        """Return the way to a server. Nothing is connected by this."""
        raise NotImplementedError

    @abstractmethod
    async def share(self, name: str, work: Callable[[float], Awaitable[T]], expires: float) -> T:
        """Do what several callers may need at once.

        Args:
            name: of the work. Who comes while another does it may get the other's outcome.
            work: is given ``expires``.
            expires: until when, by `time.monotonic()`.
        """
        raise NotImplementedError

    @abstractmethod
    async def close(self) -> None:
        """Close the connections: under asyncio those of the running loop."""
        raise NotImplementedError
