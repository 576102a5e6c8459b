"""Create the store that a URI names, and the fallback that replaces it during an outage."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from mantlet._internal.options import check_int, check_number
from mantlet._internal.server_settings import visible_workers
from mantlet._internal.user_warnings import warn_user
from mantlet.ratelimit.engine import LimitEngine, OutageAction
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.rules import RuleTable
from mantlet.ratelimit.stores.base import LocalStore, Store, redact_uri
from mantlet.ratelimit.stores.memory import FallbackStore, MemoryStore
from mantlet.ratelimit.stores.outages import OutageLog

if TYPE_CHECKING:
    from mantlet.ratelimit.window_fallback import FallbackWindows
    from mantlet.ratelimit.window_strategy import WindowLimiter

__all__ = ["StoreOptions", "create_engine", "create_store"]

#: The schemes of Redis and Valkey, without suffixes such as ``+unix`` or ``+cluster``.
_NETWORK_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
_MAX_KEYS = 100_000
_EXAMPLES = '"memory://", "lmdb:///var/lib/app/limits", "redis://localhost:6379" or "valkey://..."'


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """The options of `RateLimiter` that are about its store; see there for each."""

    max_keys: int | None
    clock: Callable[[], int] | None
    on_outage: OutageAction
    timeout: float
    prefetch: int | None
    workers: int | None

    def __post_init__(self) -> None:
        if self.on_outage not in ("local", "allow", "refuse"):
            raise ValueError(
                f'on_outage must be "local", "allow" or "refuse", not {self.on_outage!r}'
            )
        counts = (("max_keys", "clients"), ("prefetch", "tokens"), ("workers", "processes"))
        for option, unit in counts:
            value = getattr(self, option)
            if value is not None:
                check_int(option, value, unit=unit)
        check_number("timeout", self.timeout, least=0.001, most=60)
        if self.clock is not None and not callable(self.clock):
            raise TypeError(
                f"clock must be a function that returns nanoseconds, not {self.clock!r}"
            )


def create_engine(store: str | Store, table: RuleTable, options: StoreOptions) -> LimitEngine:
    """Create the engine that enforces limits, with its store, its windows and its fallback.

    Raises:
        TypeError: the store is neither a URI nor a `Store`, or an option does not apply to it.
        ValueError: the URI is malformed, or its scheme is unknown.
    """
    created: Any = store
    if isinstance(store, str):
        created = create_store(store, options)
        if created is None:
            if table.has_buckets or not table.windows:
                raise ValueError(
                    f"store must be a URI such as {_EXAMPLES}, not {redact_uri(store)}"
                )
            created = MemoryStore()  # never used: all limits are windows
    elif not isinstance(created, Store):
        shown = redact_uri(created) if isinstance(created, bytes) else repr(store)
        raise TypeError(f"store must be a URI such as {_EXAMPLES}, or a Store, not {shown}")
    elif (options.max_keys, options.clock, options.prefetch) != (None, None, None):
        raise TypeError("max_keys, clock and prefetch must be given to the Store itself")
    if table.has_bans and type(created).strike is Store.strike:
        raise TypeError(f"{type(created).__name__} has no strike() method, which Ban needs")
    max_keys = options.max_keys or _MAX_KEYS
    workers = options.workers or visible_workers()
    windows = fallback_windows = None
    if table.windows:
        uri = store if isinstance(store, str) else "memory://"
        windows, fallback_windows = _create_windows(
            uri, table.windows, max_keys, options.timeout, workers or 1
        )
        windows.name = getattr(created, "safe_uri", windows.name)
    clock = options.clock or monotonic_ns
    fallback = None
    if options.on_outage == "local":
        fallback = (FallbackStore(workers or 1, max_keys, clock), fallback_windows)
        if workers is None and (fallback_windows or not isinstance(created, LocalStore)):
            _warn_of_unknown_workers()
    outages = OutageLog(_consequence(options.on_outage, workers))
    return LimitEngine(
        created,
        windows,
        outages,
        fallback,
        clock,
        on_outage=options.on_outage,
        has_bans=table.has_bans,
    )


def _create_windows(
    uri: str, quotas: frozenset[Quota], max_keys: int, timeout: float, workers: int
) -> "tuple[WindowLimiter, FallbackWindows | None]":
    """Create the limiter that counts windows, and the fallback for a shared storage."""
    # Importing them is slow.
    from mantlet.ratelimit.window_fallback import FallbackWindows
    from mantlet.ratelimit.window_strategy import WindowLimiter

    windows = WindowLimiter(uri, max_keys=max_keys, timeout=timeout)
    for quota in quotas:
        windows.check(quota)
    return windows, None if windows.is_local else FallbackWindows(workers, max_keys, timeout)


def create_store(uri: str, options: StoreOptions) -> Store | None:
    """Create the store that a URI names; return None if the scheme is unknown.

    Raises:
        ImportError: the store's library is not installed; the message names the extra.
        TypeError: an option does not apply to this store.
        ValueError: the URI is malformed.
    """
    scheme = uri.partition("://")[0]
    max_keys = options.max_keys or _MAX_KEYS
    if scheme.partition("+")[0] in _NETWORK_SCHEMES:
        if options.clock is not None:
            raise TypeError("clock applies to stores on this host only; a server has its own clock")
        from mantlet.ratelimit.stores.redis.store import RedisStore  # an extra

        return RedisStore(
            uri, timeout=options.timeout, prefetch=options.prefetch, max_keys=max_keys
        )
    if options.prefetch is not None:
        raise TypeError("prefetch applies to stores on the network only, such as redis://")
    if scheme == "lmdb":
        from mantlet.ratelimit.stores.lmdb import open_lmdb  # an extra

        return open_lmdb(uri, max_keys=options.max_keys, clock=options.clock)
    if uri == "memory://":
        if options.workers is None:
            _warn_of_workers(visible_workers() or 1)
        return MemoryStore(max_keys, options.clock or monotonic_ns)
    return None


def _warn_of_workers(workers: int) -> None:
    if workers > 1:
        warn_user(
            f'each of {workers} workers counts on its own with store="memory://", so a client gets '
            f"up to {workers} times its quota; share the counts, such as with "
            f'store="lmdb:///var/lib/app/limits" or store="redis://localhost:6379"'
        )


def _warn_of_unknown_workers() -> None:
    warn_user(
        "the number of processes that share a quota is unknown, so each of them would enforce all "
        "of it while the store is unavailable; give the number, of all hosts together, such as "
        "RateLimiter(..., workers=8), or choose another on_outage"
    )


def _consequence(on_outage: OutageAction, workers: int | None) -> str:
    """Return what happens to requests during an outage, for the log."""
    if on_outage == "allow":
        return "requests are admitted uncounted (on_outage='allow')"
    if on_outage == "refuse":
        return "requests are refused with 503 (on_outage='refuse')"
    if workers is None:
        return "each process counts for itself, as if it were the only one (workers is not given)"
    return f"each process counts for itself, with its share of the quota (1/{workers})"
