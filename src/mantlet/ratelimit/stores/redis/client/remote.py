"""`Remote`: a Redis or a Valkey that a URI names, before anything is connected."""

from typing import Final

from mantlet._internal.options import check_number
from mantlet.ratelimit.stores.redis.client.aio import AsyncioTransport
from mantlet.ratelimit.stores.redis.client.blocking import BlockingTransport
from mantlet.ratelimit.stores.redis.client.cluster import ClusterClient
from mantlet.ratelimit.stores.redis.client.greeting import Greeting
from mantlet.ratelimit.stores.redis.client.links import Transport
from mantlet.ratelimit.stores.redis.client.topology import Client, SentinelClient, SingleClient
from mantlet.ratelimit.stores.redis.client.uri import Login, parse

__all__ = ["Client", "Remote"]

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
