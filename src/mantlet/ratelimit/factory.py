"""From a store's URI to the store, and to what takes its place while it can't be used."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns
from typing import Any, Literal

from mantlet._internal.options import check_int, check_number
from mantlet.ratelimit.book import Book
from mantlet.ratelimit.engine import Counter
from mantlet.ratelimit.fallback import Fallback
from mantlet.ratelimit.stores.memory import MemoryStore
from mantlet.ratelimit.stores.store import Store, hidden

__all__ = ["Outage", "StoreOptions", "open_counter"]

Outage = Literal["local", "allow", "refuse"]

#: How the schemes of Redis and Valkey begin; what may follow is ``s``, ``+unix``, ``+cluster``, ...
_REMOTE = ("redis", "rediss", "valkey", "valkeys", "unix")
_MAX_KEYS = 100_000
_RIGHT = '"memory://", "lmdb:///var/lib/app/limits", "redis://localhost:6379" or "valkey://..."'


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a store is used; see `RateLimiter` for each."""

    max_keys: int | None
    clock: Callable[[], int] | None
    on_outage: Outage
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


def open_counter(store: str | Store, book: Book, options: StoreOptions) -> Counter:
    """Return the counter that asks a store for what a book's limits need."""
    opened: Any = store
    if isinstance(store, str):
        opened = _open(store, options)
        if opened is None:
            if book.buckets or not book.windows:
                raise ValueError(f"store must be such as {_RIGHT}, not {hidden(store)}")
            opened = MemoryStore()  # never asked: all there is are windows
    elif not isinstance(opened, Store):
        shown = hidden(opened) if isinstance(opened, bytes) else repr(store)
        raise TypeError(f"store must be a URI such as {_RIGHT}, or a Store, not {shown}")
    elif (options.max_keys, options.clock, options.prefetch) != (None, None, None):
        raise TypeError("max_keys, clock and prefetch belong to the store where one is given")
    limit = options.max_keys or _MAX_KEYS
    windows = None
    if book.windows:
        from mantlet.ratelimit.window_strategy import Windows  # noqa: PLC0415  # for windows alone

        uri = store if isinstance(store, str) else "memory://"
        windows = Windows(uri, max_keys=limit, deadline=options.timeout)
    if options.on_outage != "local":
        return Counter(opened, windows, None)
    from mantlet.ratelimit.window_strategy import Windows  # noqa: PLC0415  # for windows alone

    workers = options.workers or _configured_workers()
    fallback = Fallback(workers, limit, options.clock or monotonic_ns)
    spare = Windows("memory://", max_keys=limit, deadline=options.timeout)
    return Counter(opened, windows, (fallback, spare))


def _open(uri: str, options: StoreOptions) -> Store | None:
    """Return the store that a URI names; None where its scheme is none of ours."""
    scheme = uri.partition("://")[0]
    remote = scheme.partition("+")[0] in _REMOTE
    limit = options.max_keys or _MAX_KEYS
    if remote:
        if options.clock is not None:
            raise TypeError("clock is for the stores of this host; a server has its own")
        from mantlet.ratelimit.stores.redis.store import RedisStore  # noqa: PLC0415  # an extra

        return RedisStore(uri, deadline=options.timeout, lease=options.prefetch, max_keys=limit)
    if options.prefetch is not None:
        raise TypeError("prefetch is for a store on the network, such as redis:// or valkey://")
    if scheme == "lmdb":
        from mantlet.ratelimit.stores.lmdb import open_lmdb  # noqa: PLC0415  # an extra

        return open_lmdb(uri, max_keys=options.max_keys, clock=options.clock)
    if uri == "memory://":
        return MemoryStore(limit, options.clock or monotonic_ns)
    return None


def _configured_workers() -> int:
    """Return the number of workers that gunicorn, uvicorn and hosting platforms are told."""
    said = os.environ.get("WEB_CONCURRENCY", "")
    return int(said) if said.isascii() and said.isdigit() and 0 < int(said[:6]) <= 10_000 else 1
