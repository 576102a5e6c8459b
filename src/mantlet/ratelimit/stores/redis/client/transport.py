"""What is above a transport, and what a transport is: the seam between the two.

All above is ``async def``. With the blocking transport none of it ever suspends, so that
`mantlet._internal.coroutines.run()` takes it to its end.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from mantlet.ratelimit.stores.redis.client.resp import ReplyError, error_code, pack, refusal
from mantlet.ratelimit.stores.redis.client.uri import Address, Login

__all__ = [
    "Greet",
    "Greeting",
    "Link",
    "Transport",
]

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


class Greeting:
    """Ask for RESP3, log in and select the database, in one write.

    A server that does not know ``HELLO`` (as Redis before 6.0) or RESP3 is asked again, in RESP2.

    Args:
        login: user name and password, if any.
        db: the database's number.
        client_name: shown in the server's ``CLIENT LIST``.
    """

    __slots__ = ("_modern", "_old", "_unknown")

    def __init__(self, login: Login, db: int = 0, client_name: str | None = None) -> None:
        hello: list[str] = ["HELLO", "3"]
        old: list[tuple[str, ...]] = []
        if login.password is not None:
            hello += ["AUTH", login.username or "default", login.password]
            user = () if login.username is None else (login.username,)
            old.append(("AUTH", *user, login.password))
        if client_name is not None:
            hello += ["SETNAME", client_name]
            old.append(("CLIENT", "SETNAME", client_name))
        select: list[tuple[str, ...]] = [("SELECT", str(db))] if db else []
        self._modern = [tuple(hello), *select]
        self._old = old + select
        #: What says that the server does not know HELLO. Some want a password before they say more;
        #: one that knows it would say that the password that came with it is wrong.
        self._unknown = (
            {"ERR", "NOPROTO"} if login.password is None else {"ERR", "NOPROTO", "NOAUTH"}
        )

    async def __call__(self, link: Link, expires: float) -> None:
        """Say them.

        Raises:
            CommandError: the server does not let us in.
            Outage: it can't be used now.
        """
        replies = await _say(link, self._modern, expires)
        if isinstance(replies[0], ReplyError) and error_code(replies[0]) in self._unknown:
            replies = await _say(link, self._old, expires)
            _check(link, self._old, replies)
        else:
            _check(link, self._modern, replies)


async def _say(link: Link, commands: list[tuple[str, ...]], expires: float) -> list[Any]:
    if not commands:
        return []
    return await link.ask_all(
        b"".join(pack(command) for command in commands), len(commands), expires
    )


def _check(link: Link, commands: list[tuple[str, ...]], replies: list[Any]) -> None:
    for command, reply in zip(commands, replies, strict=True):
        if isinstance(reply, ReplyError):
            raise refusal(reply, link.address, secret_step=command[0])
