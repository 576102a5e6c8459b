"""Who is asked in a cluster: the node that has the key's slot."""

from typing import Any

from mantlet.ratelimit.stores.redis.client.address import Address
from mantlet.ratelimit.stores.redis.client.errors import Outage, error_code, refusal
from mantlet.ratelimit.stores.redis.client.links import Transport
from mantlet.ratelimit.stores.redis.client.topology import (
    SLOTS,
    Client,
    Informants,
    said_address,
    slot_of,
)
from mantlet.ratelimit.stores.redis.client.wire import ReplyError, pack

__all__ = ["ClusterClient"]

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
