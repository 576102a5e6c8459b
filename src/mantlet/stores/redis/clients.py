"""Clients that find the right server: a single one, a sentinels' master, or a cluster's nodes."""

from abc import abstractmethod
from binascii import crc_hqx
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any, Final, TypeVar

from mantlet._internal.options import check_number
from mantlet.stores.redis.async_transport import AsyncTransport
from mantlet.stores.redis.blocking_transport import BlockingTransport
from mantlet.stores.redis.resp import (
    ReplyError,
    ServerUnavailable,
    encode_command,
    error_code,
    error_from_reply,
)
from mantlet.stores.redis.transport import Handshake, RedisTransport, time_left
from mantlet.stores.redis.uri import (
    RedisCredentials,
    ServerAddress,
    make_address,
    parse_redis_uri,
)

__all__ = [
    "HASH_SLOTS",
    "ClusterClient",
    "DiscoveryNodes",
    "RedisBackend",
    "RedisClient",
    "SentinelClient",
    "SingleServerClient",
    "address_from_reply",
    "hash_slot",
]

T = TypeVar("T")

HASH_SLOTS: Final = 16384
#: How many servers one look-up asks. Each gets a share of the time.
_MAX_ASKED: Final = 3
#: How often one command may be redirected.
_MAX_REDIRECTS = 3
_ASKING = encode_command(("ASKING",))
#: The part of the timeout after which a silent connection is considered dead. A live server replies
#: in a small part of it; a call that times out sooner only abandons itself.
_PATIENCE: Final = 0.5


def hash_slot(key: bytes) -> int:
    """Return the hash slot of a key in a cluster.

    If there is text between the first ``{`` and the first ``}`` after it, only that text is hashed
    (Redis cluster specification, "Key distribution model" and "Hash tags").
    """
    start = key.find(b"{") + 1
    if start:
        end = key.find(b"}", start)
        if end > start:
            key = key[start:end]
    return crc_hqx(key, 0) % HASH_SLOTS


def address_from_reply(reply: Any, sender: ServerAddress) -> ServerAddress | None:
    """Return the address in a server's reply; None without a valid one.

    Args:
        reply: a list that starts with host and port. An empty host is the sender's own.
        sender: the server that sent the reply.
    """
    try:
        host, port = (reply[0] or b"?").decode("ascii"), int(reply[1])
    except (TypeError, ValueError, LookupError, AttributeError):
        return None
    return make_address(sender.host if host == "?" else host, port)


class RedisClient:
    """Sends commands to the right server.

    Args:
        transport: connections to the servers.
    """

    def __init__(self, transport: RedisTransport) -> None:
        self._transport = transport

    @abstractmethod
    # Any: the type of a reply depends on the command.
    async def call(
        self, *parts: bytes | str | int, key: bytes | None = None, deadline: float
    ) -> Any:
        """Send a command; return its reply.

        The command is sent again if the connection is lost before the reply, so it may be executed
        twice.

        Args:
            parts: the command and its arguments. Text is sent as UTF-8 and must not contain lone
                surrogates.
            key: the key that decides which node of a cluster is called.
            deadline: for the whole call, by `time.monotonic()`.

        Raises:
            ServerUnavailable: the server can't be used.
            CommandError: the server replied with an error.
        """
        raise NotImplementedError

    def owner_of(self, key: bytes) -> ServerAddress | None:
        """Return the node of a cluster that owns a key, if known; None outside of a cluster."""
        return None

    @abstractmethod
    async def masters(self, deadline: float) -> Sequence[ServerAddress]:
        """Return the servers that hold all keys between them.

        Raises:
            ServerUnavailable: they can't be found.
        """
        raise NotImplementedError

    async def call_many(
        self,
        address: ServerAddress,
        commands: Sequence[tuple[bytes | str | int, ...]],
        deadline: float,
    ) -> list[Any]:
        """Send commands to one server at once; return their replies.

        Raises:
            ServerUnavailable: the server can't be used.
            CommandError: the server replied with an error to one of them.
        """
        packed = b"".join(map(encode_command, commands))
        channel = self._transport.channel(address)
        replies = list(await channel.execute_many(packed, len(commands), deadline))
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise error_from_reply(reply, address)
        return replies

    async def close(self) -> None:
        """Close the connections; under asyncio, the running loop's. The next call reconnects."""
        await self._transport.close()


class SingleServerClient(RedisClient):
    """Calls a single server.

    Args:
        transport: connections to the server.
        address: the server.
    """

    def __init__(self, transport: RedisTransport, address: ServerAddress) -> None:
        super().__init__(transport)
        self._address = address

    async def call(
        self, *parts: bytes | str | int, key: bytes | None = None, deadline: float
    ) -> Any:
        """See `RedisClient.call()`."""
        channel = self._transport.channel(self._address)
        reply = await channel.execute(encode_command(parts), deadline)
        if isinstance(reply, ReplyError):
            raise error_from_reply(reply, self._address)
        return reply

    async def masters(self, deadline: float) -> Sequence[ServerAddress]:
        """See `RedisClient.masters()`."""
        return (self._address,)


class DiscoveryNodes:
    """Servers that know the addresses of others. Those that failed are asked last.

    Args:
        transport: connections to these servers.
        addresses: of these servers.
    """

    def __init__(self, transport: RedisTransport, addresses: tuple[ServerAddress, ...]) -> None:
        self._transport = transport
        self._configured = addresses
        self._order = addresses

    def replace(self, found: Iterable[ServerAddress]) -> None:
        """Replace the servers discovered earlier; the configured ones stay."""
        known = dict.fromkeys((*found, *self._configured))
        self._order = (*(a for a in self._order if a in known), *known.keys() - {*self._order})

    def move_to_end(self, address: ServerAddress) -> None:
        """Ask this server last."""
        if address in self._order:
            self._order = (*(a for a in self._order if a != address), address)

    async def ask(
        self,
        command: tuple[str, ...],
        parse: Callable[[ServerAddress, Any], T],
        deadline: float,
    ) -> T:
        """Ask one server after another until one gives a usable reply.

        Args:
            command: the command to send.
            parse: parses a reply, or raises `ServerUnavailable` if it is of no use.
            deadline: by `time.monotonic()`.

        Raises:
            ServerUnavailable: no server gave a usable reply.
            CommandError: a server replied with an error.
        """
        asked = self._order[:_MAX_ASKED]
        for left, address in zip(range(len(asked), 0, -1), asked, strict=True):
            until = monotonic() + time_left(deadline, address) / left
            try:
                channel = self._transport.channel(address)
                reply = await channel.execute(encode_command(command), until)
                if isinstance(reply, ReplyError):
                    raise error_from_reply(reply, address)
                return parse(address, reply)
            except ServerUnavailable:
                self.move_to_end(address)
                if left == 1:
                    raise
        raise ServerUnavailable("no server is configured")


class SentinelClient(RedisClient):
    """Calls the master that sentinels report, and asks them again after an outage.

    Args:
        transport: connections to servers.
        sentinels: connections to sentinels.
        addresses: of the sentinels.
        service: the sentinels' name of the master.
    """

    def __init__(
        self,
        transport: RedisTransport,
        sentinels: RedisTransport,
        addresses: tuple[ServerAddress, ...],
        service: str,
    ) -> None:
        super().__init__(transport)
        self._sentinels = sentinels
        self._nodes = DiscoveryNodes(sentinels, addresses)
        self._service = service
        self._master: ServerAddress | None = None

    async def call(
        self, *parts: bytes | str | int, key: bytes | None = None, deadline: float
    ) -> Any:
        """See `RedisClient.call()`."""
        packed = encode_command(parts)
        address = self._master
        if address is None:
            address = await self._sentinels.single_flight(
                "the look-up of the master", self._look_up, deadline
            )
        try:
            reply = await self._transport.channel(address).execute(packed, deadline)
            if isinstance(reply, ReplyError):
                raise error_from_reply(reply, address)
        except ServerUnavailable:
            # For example READONLY: the former master is a replica now.
            if self._master == address:
                self._master = None
            raise
        return reply

    async def masters(self, deadline: float) -> Sequence[ServerAddress]:
        """See `RedisClient.masters()`."""
        return (await self._look_up(deadline),)

    async def _look_up(self, deadline: float) -> ServerAddress:
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
        self._master = master = await self._nodes.ask(command, self._parse, deadline)
        return master

    def _parse(self, sentinel: ServerAddress, reply: Any) -> ServerAddress:
        found = address_from_reply(reply, sentinel)
        if found is None:
            raise ServerUnavailable(f"the sentinel {sentinel} knows no master of {self._service}")
        return found

    async def close(self) -> None:
        """See `RedisClient.close()`."""
        await self._sentinels.close()
        await super().close()


class _SlotMap:
    """The owner of each hash slot, as one node reported it.

    Attributes:
        owners: the owner of each slot.
        suspects: owners that turned out not to own a slot, or could not be called.
    """

    def __init__(self) -> None:
        self.owners: list[ServerAddress | None] = [None] * HASH_SLOTS
        self.suspects: set[ServerAddress | None] = {None}


class ClusterClient(RedisClient):
    """Calls the node that owns a key's slot, and looks owners up again when they have changed.

    Args:
        transport: connections to the nodes.
        addresses: of some of the nodes.
    """

    def __init__(self, transport: RedisTransport, addresses: tuple[ServerAddress, ...]) -> None:
        super().__init__(transport)
        self._nodes = DiscoveryNodes(transport, addresses)
        self._slot_map = _SlotMap()

    async def call(
        self, *parts: bytes | str | int, key: bytes | None = None, deadline: float
    ) -> Any:
        """See `RedisClient.call()`. Without a key, any node is called."""
        packed = encode_command(parts)
        slot = 0 if key is None else hash_slot(key)
        slot_map = self._slot_map
        address = slot_map.owners[slot]
        if address in slot_map.suspects:
            slot_map = await self._transport.single_flight(
                "the look-up of slots", self._look_up, deadline
            )
            address = slot_map.owners[slot]
        asking = False
        for _ in range(_MAX_REDIRECTS + 1):
            if address is None:
                raise ServerUnavailable(f"no node of the cluster owns slot {slot}")
            try:
                channel = self._transport.channel(address)
                if asking:
                    _, reply = await channel.execute_many(_ASKING + packed, 2, deadline)
                else:
                    reply = await channel.execute(packed, deadline)
                if not isinstance(reply, ReplyError):
                    return reply
                code = error_code(reply)
                if code not in ("MOVED", "ASK"):
                    raise error_from_reply(reply, address)
            except ServerUnavailable:
                slot_map.suspects.add(address)
                self._nodes.move_to_end(address)
                raise
            asking = code == "ASK"
            owner = _parse_redirect(reply, address)
            if not asking:
                # The owner of this slot is known now; the node's other slots are looked up on use.
                slot_map.owners[slot] = owner
                slot_map.suspects.add(address)
            address = owner
        raise ServerUnavailable(f"the nodes of the cluster disagree about the owner of slot {slot}")

    def owner_of(self, key: bytes) -> ServerAddress | None:
        """See `RedisClient.owner_of()`."""
        return self._slot_map.owners[hash_slot(key)]

    async def masters(self, deadline: float) -> Sequence[ServerAddress]:
        """See `RedisClient.masters()`."""
        slot_map = await self._transport.single_flight(
            "the look-up of slots", self._look_up, deadline
        )
        return [owner for owner in dict.fromkeys(slot_map.owners) if owner is not None]

    async def _look_up(self, deadline: float) -> _SlotMap:
        self._slot_map = await self._nodes.ask(("CLUSTER", "SLOTS"), _parse_slots, deadline)
        self._nodes.replace(owner for owner in {*self._slot_map.owners} if owner is not None)
        return self._slot_map


def _parse_slots(sender: ServerAddress, reply: Any) -> _SlotMap:
    """Parse the reply of ``CLUSTER SLOTS``: lists of first slot, last slot, master, replicas."""
    slot_map = _SlotMap()
    try:
        for first, last, master, *_ in reply:
            if 0 <= first <= last < HASH_SLOTS:
                owner = address_from_reply(master, sender)
                slot_map.owners[first : last + 1] = [owner] * (last + 1 - first)
    except (TypeError, ValueError):
        raise ServerUnavailable(f"{sender} sent an invalid reply to CLUSTER SLOTS") from None
    return slot_map


def _parse_redirect(error: ReplyError, sender: ServerAddress) -> ServerAddress | None:
    """Parse the error ``MOVED slot host:port`` or ``ASK``; an empty host is the sender's own."""
    host, _, port = str(error).rpartition(" ")[2].rpartition(":")
    return address_from_reply((host.encode(), port), sender)


class RedisBackend:
    """The server, the cluster, or the sentinels that a URI names, with a client of each kind.

    No call exceeds its deadline, with one exception: without an event loop, the system's look-up of
    a host name can't be stopped. An IP address needs no look-up.

    Args:
        uri: see `mantlet.stores.redis.uri.parse_redis_uri()`.
        timeout: of a typical call, in seconds. The deadline of a call is given with the call.

    Attributes:
        safe_uri: the URI with its secrets hidden.
        timeout: as given.
        is_cluster: whether keys have slots.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: the URI is malformed, a file that it names can't be read, or the timeout is out
            of range.
    """

    def __init__(self, uri: str, *, timeout: float = 0.05) -> None:
        self._uri = parse_redis_uri(uri)
        self.timeout = float(check_number("timeout", timeout, least=0.001, most=3600))
        self.safe_uri = self._uri.safe_uri
        self.is_cluster = self._uri.topology == "cluster"
        self._blocking_client = self._create_client(is_async=False)
        self._async_client = self._create_client(is_async=True)

    def client(self, is_async: bool) -> RedisClient:
        """Return the client for event loops, or the one for threads, which never suspends."""
        return self._async_client if is_async else self._blocking_client

    def _create_client(self, is_async: bool) -> RedisClient:
        uri = self._uri
        transport = self._create_transport(uri.credentials, is_async, uri.db)
        if uri.topology == "cluster":
            return ClusterClient(transport, uri.addresses)
        if uri.topology == "sentinel":
            sentinels = self._create_transport(uri.sentinel_credentials, is_async)
            return SentinelClient(transport, sentinels, uri.addresses, uri.service)
        return SingleServerClient(transport, uri.addresses[0])

    def _create_transport(
        self, credentials: RedisCredentials, is_async: bool, db: int = 0
    ) -> RedisTransport:
        handshake = Handshake(credentials, db, self._uri.client_name)
        if is_async:
            return AsyncTransport(self._uri.tls, handshake, self.timeout * _PATIENCE)
        return BlockingTransport(self._uri.tls, handshake)

    def __repr__(self) -> str:
        return f"RedisBackend({self.safe_uri!r})"
