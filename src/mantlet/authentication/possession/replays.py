"""`Replays`: each proof is accepted once, in all workers, by a store of the rate limiter.

A token bucket of one token, refilled within a window, admits a key exactly once in that window. A
store that is full forgets the buckets that it needs least, which would let a proof pass again. So
in a store on this host a second bucket, shared by all proofs, bounds how many are kept; when it is
empty, proofs are refused with 503 until the oldest have expired.
"""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final

from mantlet._internal.event_loop import is_on_loop
from mantlet._internal.options import check_int
from mantlet._internal.server_settings import visible_workers
from mantlet._internal.user_warnings import warn_user
from mantlet.authentication.errors import AuthenticationUnavailable
from mantlet.core.policy import HealthState
from mantlet.exceptions import StoreError, StoreOutage

if TYPE_CHECKING:
    from mantlet.ratelimit.stores.base import Remaining

__all__ = ["Replays"]

#: Parts of the keys, before the colon; see `mantlet.ratelimit.stores.base.TokenRequest`.
_PROOF: Final = "dpop:"
_TOTAL: Final = "dpop-total:"
#: The room of a store, in proofs that are kept: expired ones are removed two at a time, whenever a
#: new one is added, and a file keeps them for another minute.
_ROOM: Final = 8
#: Within a window a bucket may give what it holds, and as much again, which is refilled meanwhile.
_BURST_AND_REFILL: Final = 2
_EXAMPLES: Final = '"memory", "lmdb:///var/lib/app/proofs" or "redis://localhost:6379"'


class Replays:
    """The proofs that were used within a window.

    Args:
        store: ``"memory"``, or the URI of a store as `RateLimiter` has it.
        window: seconds in which a proof is accepted once.
        max_proofs: the most proofs that a store on this host keeps, at up to 600 bytes each with
            those that have expired.

    Attributes:
        place: where the proofs are: equal for all that use the same store.

    Raises:
        ImportError: the store's library is not installed; the message names the extra.
        TypeError: an option is of the wrong type.
        ValueError: the URI is malformed or unknown, or ``max_proofs`` is too small.
    """

    __slots__ = ("_each", "_is_local", "_stores", "_total", "place")

    def __init__(self, store: str, *, window: int, max_proofs: int) -> None:
        from mantlet.ratelimit.factory import StoreOptions, create_store  # seldom used
        from mantlet.ratelimit.quota import Quota
        from mantlet.ratelimit.stores.base import LocalStore, redact_uri
        from mantlet.ratelimit.stores.outages import OutageLog

        check_int("max_proofs", max_proofs, least=100, most=10_000_000, unit="proofs")
        if not isinstance(store, str):
            raise TypeError(f"store must be text such as {_EXAMPLES}, not {store!r}")
        is_memory = store in ("memory", "memory://")
        options = StoreOptions(
            max_keys=_ROOM * max_proofs,
            clock=None,
            on_outage="refuse",
            timeout=0.1,
            prefetch=None,
            workers=1,
        )
        created = create_store("memory://" if is_memory else store, options)
        if created is None:
            raise ValueError(f"store must be {_EXAMPLES}, not {redact_uri(store)}")
        workers = visible_workers() or 1
        if is_memory and workers > 1:
            warn_user(
                f"each of {workers} workers remembers the proofs of its own requests only, so that "
                f"a stolen one may be used once in each; share them, such as with "
                f'Dpop(store="lmdb:///var/lib/app/proofs")'
            )
        self.place: object = created if is_memory else store
        self._is_local = isinstance(created, LocalStore)
        self._each = Quota(f"1 per {window} seconds")
        self._total = Quota(f"{max_proofs // _BURST_AND_REFILL} per {window} seconds")
        outages = OutageLog("DPoP proofs are refused with 503")
        observed = created.observed(outages, None)
        self._stores = (observed.bind(False), observed.bind(True))

    def is_first(self, proof: str, *, is_async: bool) -> bool | Awaitable[bool]:
        """Note that a proof is used; return whether it was not used before.

        Args:
            proof: identifies it: text of bounded length.
            is_async: whether this is called on an event loop.

        Raises:
            AuthenticationUnavailable: the store does not respond, or is full.
        """
        from mantlet.ratelimit.stores.base import TokenRequest

        requests = [TokenRequest(_PROOF + proof, self._each)]
        if self._is_local:
            requests.append(TokenRequest(_TOTAL, self._total))
        try:
            remaining = self._stores[is_async].take(requests)
        except StoreOutage as error:
            raise _unavailable() from error
        return _is_first(remaining) if isinstance(remaining, list) else _wait_for(remaining)

    def startup(self) -> Awaitable[None] | None:
        """Open the store."""
        return self._stores[is_on_loop()].open()

    def shutdown(self) -> Awaitable[None] | None:
        """Close the store."""
        return self._stores[is_on_loop()].close()

    async def health(self) -> HealthState:
        """Return ``"ok"`` if the store responds, else ``"down"``."""
        from mantlet.ratelimit.stores.base import TokenRequest

        try:
            remaining = self._stores[is_on_loop()].peek([TokenRequest(_TOTAL, self._total)])
            if not isinstance(remaining, list):
                await remaining
        except StoreError:
            return "down"
        return "ok"


async def _wait_for(remaining: "Awaitable[Remaining]") -> bool:
    try:
        return _is_first(await remaining)
    except StoreOutage as error:
        raise _unavailable() from error


def _is_first(remaining: "Remaining") -> bool:
    if (remaining[0] or 0) < 0:
        return False
    if any((left or 0) < 0 for left in remaining[1:]):
        raise AuthenticationUnavailable(
            "as many DPoP proofs as the store may hold were used (max_proofs)", retry_after=1
        )
    return True


def _unavailable() -> AuthenticationUnavailable:
    return AuthenticationUnavailable("the store of used DPoP proofs is unavailable", retry_after=1)
