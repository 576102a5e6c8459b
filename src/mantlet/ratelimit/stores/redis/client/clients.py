"""Who is asked: one server, or the one that sentinels say is the master."""

from abc import abstractmethod
from binascii import crc_hqx
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final, TypeVar

from mantlet._internal.options import check_number
from mantlet.ratelimit.stores.redis.client.async_transport import AsyncioTransport
from mantlet.ratelimit.stores.redis.client.blocking_transport import BlockingTransport
from mantlet.ratelimit.stores.redis.client.resp import (
    Outage,
    ReplyError,
    error_code,
    pack,
    refusal,
    time_left,
)
from mantlet.ratelimit.stores.redis.client.transport import Greeting, Transport
from mantlet.ratelimit.stores.redis.client.uri import Address, Login, host_address, parse

__all__ = [
    "Client",
    "ClusterClient",
    "Informants",
    "Remote",
    "SentinelClient",
    "SingleClient",
    "said_address",
    "slot_of",
]

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


#: How often one command may be sent elsewhere.
_REDIRECTS = 3
_ASKING = pack(("ASKING",))


class _Slots:
    """Who has which slot, as one node said it.

    Attributes:
        owners: for each slot.
        doubted: owners that have shown that they are none any more, or could not be asked.
    """

    def __init__(self) -> None:
        self.owners: list[Address | None] = [None] * SLOTS
        self.doubted: set[Address | None] = {None}


class ClusterClient(Client):
    """Asks the node that has a key's slot. Who has it is looked up again when it turns out wrong.

    Args:
        transport: connections to the nodes.
        addresses: where some of the nodes are.
    """

    def __init__(self, transport: Transport, addresses: tuple[Address, ...]) -> None:
        super().__init__(transport)
        self._informants = Informants(transport, addresses)
        self._slots = _Slots()

    async def call(
        self, *parts: bytes | str | int, key: bytes | None = None, expires: float
    ) -> Any:
        """See `Client.call()`. Without a key, some node is asked."""
        packed = pack(parts)
        slot = 0 if key is None else slot_of(key)
        slots = self._slots
        address = slots.owners[slot]
        if address in slots.doubted:
            slots = await self._transport.share("the look-up of slots", self._look_up, expires)
            address = slots.owners[slot]
        asking = False
        for _ in range(_REDIRECTS + 1):
            if address is None:
                raise Outage(f"no node of the cluster has the slot {slot}")
            try:
                node = self._transport.node(address)
                if asking:
                    _, reply = await node.ask_all(_ASKING + packed, 2, expires)
                else:
                    reply = await node.ask(packed, expires)
                if not isinstance(reply, ReplyError):
                    return reply
                said = error_code(reply)
                if said not in ("MOVED", "ASK"):
                    raise refusal(reply, address)
            except Outage:
                slots.doubted.add(address)
                self._informants.doubt(address)
                raise
            asking = said == "ASK"
            owner = _redirected(reply, address)
            if not asking:
                # For this slot we know now. What else this node had is looked up when it is needed.
                slots.owners[slot] = owner
                slots.doubted.add(address)
            address = owner
        raise Outage("the nodes of the cluster don't agree who has what")

    def node_of(self, key: bytes) -> Address | None:
        """See `Client.node_of()`."""
        return self._slots.owners[slot_of(key)]

    async def _look_up(self, expires: float) -> _Slots:
        self._slots = await self._informants.ask(("CLUSTER", "SLOTS"), _read, expires)
        self._informants.add(owner for owner in {*self._slots.owners} if owner is not None)
        return self._slots


def _read(speaker: Address, reply: Any) -> _Slots:
    """Read the reply of ``CLUSTER SLOTS``: lists of first slot, last slot, master, replicas."""
    slots = _Slots()
    try:
        for first, last, master, *_ in reply:
            if 0 <= first <= last < SLOTS:
                slots.owners[first : last + 1] = [said_address(master, speaker)] * (
                    last + 1 - first
                )
    except (TypeError, ValueError):
        raise Outage(f"{speaker} says nonsense of its cluster") from None
    return slots


def _redirected(error: ReplyError, speaker: Address) -> Address | None:
    """Read the error ``MOVED slot host:port``, or ``ASK``; no host means the speaker's."""
    host, _, port = str(error).rpartition(" ")[2].rpartition(":")
    return said_address((host.encode(), port), speaker)


#: The part of a deadline after which a connection that says nothing is taken for dead. One that
#: lives answers in a small part of it; a call whose time is up sooner takes only itself away.
_PATIENCE: Final = 0.5


class Remote:
    """A server, a cluster, or the master that sentinels know.

    No call takes longer than it may, but for one thing: where there is no event loop, nothing can
    stop the system's look-up of a host's name. An IP address needs none.

    Args:
        uri: see `mantlet.ratelimit.stores.redis.client.uri.parse()`.
        deadline: in seconds; how long a call may usually take. What a call may take is said with
            each.

    Attributes:
        safe_uri: the URI with its secrets hidden.
        deadline: as given.
        is_cluster: whether keys have slots.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: the URI can't be read, a file that it names can't, or the deadline is no time.
    """

    def __init__(self, uri: str, *, deadline: float = 0.05) -> None:
        check_number("deadline", deadline, least=0.001, most=3600)
        self._location = parse(uri)
        self.deadline = float(deadline)
        self.safe_uri = self._location.safe_uri
        self.is_cluster = self._location.topology == "cluster"
        self._blocking = self._client(waits=False)
        self._asyncio = self._client(waits=True)

    def bind(self, waits: bool) -> Client:
        """Return the client for one kind of face, always the same.

        Args:
            waits: True for event loops. With False, nothing that the client does ever suspends.
        """
        return self._asyncio if waits else self._blocking

    def _client(self, waits: bool) -> Client:
        place = self._location
        transport = self._transport(place.login, waits, place.db)
        if place.topology == "cluster":
            return ClusterClient(transport, place.addresses)
        if place.topology == "sentinel":
            sentinels = self._transport(place.sentinel_login, waits)
            return SentinelClient(transport, sentinels, place.addresses, place.service)
        return SingleClient(transport, place.addresses[0])

    def _transport(self, login: Login, waits: bool, db: int = 0) -> Transport:
        greet = Greeting(login, db, self._location.client_name)
        if waits:
            return AsyncioTransport(self._location.tls, greet, self.deadline * _PATIENCE)
        return BlockingTransport(self._location.tls, greet)

    def __repr__(self) -> str:
        return f"Remote({self.safe_uri!r})"
