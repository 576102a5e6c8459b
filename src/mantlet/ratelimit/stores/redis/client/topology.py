"""Who is asked: one server, or the one that sentinels say is the master."""

from abc import abstractmethod
from binascii import crc_hqx
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final, TypeVar

from mantlet.ratelimit.stores.redis.client.address import Address, host_address
from mantlet.ratelimit.stores.redis.client.errors import Outage, refusal, time_left
from mantlet.ratelimit.stores.redis.client.links import Transport
from mantlet.ratelimit.stores.redis.client.wire import ReplyError, pack

__all__ = ["Client", "Informants", "SentinelClient", "SingleClient", "said_address", "slot_of"]

T = TypeVar("T")

SLOTS: Final = 16384
#: How many servers are asked in one look-up. Each has its share of the time.
_ASKED: Final = 3


def slot_of(key: bytes) -> int:
    """Return the slot of a key in a cluster.

    If there is something between the first ``{`` and the first ``}`` after it, that alone decides
    (Redis cluster specification, "Key distribution model" and "Hash tags").
    """
    start = key.find(b"{") + 1
    if start:
        end = key.find(b"}", start)
        if end > start:
            key = key[start:end]
    return crc_hqx(key, 0) % SLOTS


class Client:
    """Sends commands to where they belong.

    Args:
        transport: connections to the servers.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @abstractmethod
    # Any: what a command replies is the command's.
    async def call(
        self, *parts: bytes | str | int, key: bytes | None = None, expires: float
    ) -> Any:
        """Send a command; return its reply.

        It is sent a second time if the connection ends before the reply, so it may be carried out
        twice.

        Args:
            parts: the command and its arguments. Text is sent as UTF-8, which has no lone
                surrogates.
            key: the key that decides which node of a cluster is asked.
            expires: when it must be done, by `time.monotonic()`, with all that it takes.

        Raises:
            Outage: the server can't be used now.
            CommandError: it answered with an error.
        """
        raise NotImplementedError

    @staticmethod
    def slot_of(key: bytes) -> int:
        """See `slot_of()`."""
        return slot_of(key)

    def node_of(self, key: bytes) -> Address | None:
        """Return the node of a cluster that has a key, as far as is known; None elsewhere."""
        return None

    async def close(self) -> None:
        """Close the connections: under asyncio those of the running loop. A call makes new ones."""
        await self._transport.close()


class SingleClient(Client):
    """Asks one server.

    Args:
        transport: connections to it.
        address: where it is.
    """

    def __init__(self, transport: Transport, address: Address) -> None:
        super().__init__(transport)
        self._address = address

    async def call(
        self, *parts: bytes | str | int, key: bytes | None = None, expires: float
    ) -> Any:
        """See `Client.call()`."""
        reply = await self._transport.node(self._address).ask(pack(parts), expires)
        if isinstance(reply, ReplyError):
            raise refusal(reply, self._address)
        return reply


class Informants:
    """Servers that know where others are. Those that did not answer are asked last.

    Args:
        transport: connections to them.
        addresses: where they are.
    """

    def __init__(self, transport: Transport, addresses: tuple[Address, ...]) -> None:
        self._transport = transport
        self._given = addresses
        self._order = addresses

    def add(self, found: Iterable[Address]) -> None:
        """Take those that were found in place of those that were found before."""
        known = dict.fromkeys((*found, *self._given))
        self._order = (*(a for a in self._order if a in known), *known.keys() - {*self._order})

    def doubt(self, address: Address) -> None:
        """Ask this one last."""
        if address in self._order:
            self._order = (*(a for a in self._order if a != address), address)

    async def ask(
        self, command: tuple[str, ...], read: Callable[[Address, Any], T], expires: float
    ) -> T:
        """Ask one after another until one knows.

        Args:
            command: the question.
            read: reads the answer, or raises an `Outage` if there is nothing in it.
            expires: until when, by `time.monotonic()`.

        Raises:
            Outage: none knows.
            CommandError: one answered with an error.
        """
        asked = self._order[:_ASKED]
        for left, address in zip(range(len(asked), 0, -1), asked, strict=True):
            until = monotonic() + time_left(expires, address) / left
            try:
                reply = await self._transport.node(address).ask(pack(command), until)
                if isinstance(reply, ReplyError):
                    raise refusal(reply, address)
                return read(address, reply)
            except Outage:
                self.doubt(address)
                if left == 1:
                    raise
        raise Outage("there is nobody to ask")


class SentinelClient(Client):
    """Asks the server that sentinels say is the master, and them anew after an outage.

    Args:
        transport: connections to servers.
        sentinels: connections to sentinels.
        addresses: where the sentinels are.
        service: what they call the master.
    """

    def __init__(
        self,
        transport: Transport,
        sentinels: Transport,
        addresses: tuple[Address, ...],
        service: str,
    ) -> None:
        super().__init__(transport)
        self._sentinels = sentinels
        self._informants = Informants(sentinels, addresses)
        self._service = service
        self._master: Address | None = None

    async def call(
        self, *parts: bytes | str | int, key: bytes | None = None, expires: float
    ) -> Any:
        """See `Client.call()`."""
        packed = pack(parts)
        address = self._master
        if address is None:
            address = await self._sentinels.share(
                "the look-up of the master", self._look_up, expires
            )
        try:
            reply = await self._transport.node(address).ask(packed, expires)
            if isinstance(reply, ReplyError):
                raise refusal(reply, address)
        except Outage:
            # READONLY, for one: it was the master, and is a replica now.
            if self._master == address:
                self._master = None
            raise
        return reply

    async def _look_up(self, expires: float) -> Address:
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
        self._master = master = await self._informants.ask(command, self._read, expires)
        return master

    def _read(self, sentinel: Address, reply: Any) -> Address:
        found = said_address(reply, sentinel)
        if found is None:
            raise Outage(f"the sentinel {sentinel} knows no master of {self._service}")
        return found

    async def close(self) -> None:
        """See `Client.close()`."""
        await self._sentinels.close()
        await super().close()


def said_address(said: Any, speaker: Address) -> Address | None:
    """Return the address that a server said, or None if it said none.

    Args:
        said: a list that begins with host and port. No host means the speaker's own.
        speaker: the server.
    """
    try:
        host, port = (said[0] or b"?").decode("ascii"), int(said[1])
    except (TypeError, ValueError, LookupError, AttributeError):
        return None
    return host_address(speaker.host if host == "?" else host, port)
