"""The interface between clients and transports, and the handshake on each new connection.

Everything above this interface is ``async def``. With the blocking transport none of it ever
suspends, so that `mantlet._internal.coroutines.run_sync()` can run it to completion.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Protocol, TypeVar

from mantlet.stores.redis.resp import (
    ReplyError,
    ServerUnavailable,
    encode_command,
    error_code,
    error_from_reply,
)
from mantlet.stores.redis.uri import RedisCredentials, ServerAddress

__all__ = ["CommandChannel", "Handshake", "HandshakeFunction", "RedisTransport", "time_left"]

T = TypeVar("T")


class CommandChannel:
    """Sends commands to one server: over one connection, or over connections made as needed.

    Attributes:
        address: the server.
    """

    address: ServerAddress

    async def execute(self, packed: bytes, deadline: float) -> Any:
        """Send a command; return its reply, which may be a `ReplyError`.

        Args:
            packed: the command, from `resp.encode_command()`.
            deadline: by `time.monotonic()`.

        Raises:
            ServerUnavailable: no reply arrived before the deadline, or none can arrive.
        """
        return (await self.execute_many(packed, 1, deadline))[0]

    @abstractmethod
    async def execute_many(self, packed: bytes, count: int, deadline: float) -> list[Any]:
        """Send several commands in one write; return their replies."""
        raise NotImplementedError


#: Performs the handshake on a new connection before a deadline.
HandshakeFunction = Callable[[CommandChannel, float], Awaitable[None]]


class RedisTransport(Protocol):
    """Connections to servers, opened as needed and kept open."""

    @abstractmethod
    def channel(self, address: ServerAddress) -> CommandChannel:
        """Return the channel to a server. This does not connect."""
        raise NotImplementedError

    @abstractmethod
    async def single_flight(
        self, name: str, work: Callable[[float], Awaitable[T]], deadline: float
    ) -> T:
        """Do work whose result concurrent callers may share.

        Args:
            name: identifies the work. A caller that arrives during the work may share its result.
            work: called with ``deadline``.
            deadline: by `time.monotonic()`.
        """
        raise NotImplementedError

    @abstractmethod
    async def close(self) -> None:
        """Close the connections; under asyncio, those of the running loop."""
        raise NotImplementedError


def time_left(deadline: float, address: ServerAddress) -> float:
    """Return the seconds until ``deadline``.

    Raises:
        ServerUnavailable: the deadline has passed.
    """
    left = deadline - monotonic()
    if left <= 0:
        raise ServerUnavailable(f"no time was left to call {address}")
    return left


class Handshake:
    """Requests RESP3, logs in and selects the database, in one write.

    If the server does not know ``HELLO`` (Redis before 6.0) or RESP3, the handshake is repeated in
    RESP2.

    Args:
        credentials: user name and password, if any.
        db: the database's number.
        client_name: shown in the server's ``CLIENT LIST``.
    """

    __slots__ = ("_no_hello_codes", "_resp2", "_resp3")

    def __init__(
        self, credentials: RedisCredentials, db: int = 0, client_name: str | None = None
    ) -> None:
        hello: list[str] = ["HELLO", "3"]
        resp2: list[tuple[str, ...]] = []
        if credentials.password is not None:
            hello += ["AUTH", credentials.username or "default", credentials.password]
            user = () if credentials.username is None else (credentials.username,)
            resp2.append(("AUTH", *user, credentials.password))
        if client_name is not None:
            hello += ["SETNAME", client_name]
            resp2.append(("CLIENT", "SETNAME", client_name))
        select: list[tuple[str, ...]] = [("SELECT", str(db))] if db else []
        self._resp3 = [tuple(hello), *select]
        self._resp2 = resp2 + select
        #: The errors of a server that does not know HELLO. Some servers reply NOAUTH to any command
        #: before a login; one that knows HELLO would reject the password that came with it instead.
        self._no_hello_codes = (
            {"ERR", "NOPROTO"} if credentials.password is None else {"ERR", "NOPROTO", "NOAUTH"}
        )

    async def __call__(self, channel: CommandChannel, deadline: float) -> None:
        """Perform the handshake on a new connection.

        Raises:
            CommandError: the server rejects the login, or another command.
            ServerUnavailable: the server can't be used.
        """
        replies = await _execute(channel, self._resp3, deadline)
        if isinstance(replies[0], ReplyError) and error_code(replies[0]) in self._no_hello_codes:
            replies = await _execute(channel, self._resp2, deadline)
            _check(channel, self._resp2, replies)
        else:
            _check(channel, self._resp3, replies)


async def _execute(
    channel: CommandChannel, commands: list[tuple[str, ...]], deadline: float
) -> list[Any]:
    if not commands:
        return []
    return await channel.execute_many(
        b"".join(encode_command(command) for command in commands), len(commands), deadline
    )


def _check(channel: CommandChannel, commands: list[tuple[str, ...]], replies: list[Any]) -> None:
    for command, reply in zip(commands, replies, strict=True):
        if isinstance(reply, ReplyError):
            raise error_from_reply(reply, channel.address, secret_command=command[0])
