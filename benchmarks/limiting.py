"""The rate limiter alone: one decision of each store, many rules, many clients.

pyrate-limiter's SQLite bucket is what a host's workers can share besides LMDB.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from pyrate_limiter import Rate, RateItem, SQLiteBucket

import mantlet
from benchmarks import names
from benchmarks.apps import asgi_app
from benchmarks.method import Contender
from benchmarks.stacks import GENEROUS
from benchmarks.traffic import SMALL, AsgiServer, Serve
from mantlet import Quota, RateLimiter, Rule
from mantlet.ratelimit.decision import BucketDecision
from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.ratelimit.stores.memory import MemoryStore
from mantlet.ratelimit.stores.store import LocalStore

RULES = (1, 10, 1000)
CLIENTS = (10, 1000, 100_000, 1_000_000)
_QUOTA = Quota(GENEROUS)


def _deciding(store: LocalStore) -> Callable[[], object]:
    """Return what makes one decision: whether there is a token, and what is left."""
    key = "benchmark:203.0.113.7"

    def decide() -> bool:
        return BucketDecision("default", _QUOTA, store.take_one(key, _QUOTA, 1)).allowed

    assert decide()
    return decide


def sqlite(path: Path, burst: int, milliseconds: int) -> Callable[[], bool]:
    """Return what makes one decision of pyrate-limiter's bucket that processes share.

    It is asked without the limiter around it, which would wait for a token, and takes longer.
    """
    rates = [Rate(burst, milliseconds)]
    bucket = SQLiteBucket.init_from_file(rates, db_path=str(path), use_file_lock=True)
    return lambda: bucket.put(RateItem("203.0.113.7", bucket.now()))


@contextmanager
def decisions() -> Iterator[list[Contender]]:
    """Yield one decision of each store: no app, no request, no answer."""
    with TemporaryDirectory() as scratch:
        memory, lmdb = MemoryStore(), LmdbStore(Path(scratch) / "limits")
        yield [
            calling(names.BARE, lambda: None),
            calling(names.MEMORY, _deciding(memory)),
            calling(names.LMDB, _deciding(lmdb)),
            calling(names.SQLITE, sqlite(Path(scratch) / "limits.sqlite", 1_000_000_000, 1000)),
        ]
        lmdb.close()


def rules() -> list[Contender]:
    """Return a whole ASGI request under one rule of few and of many."""
    app = asgi_app(SMALL)
    timed = [Contender(names.BARE, AsgiServer(app, SMALL).serve)]
    for count in RULES:
        others = (Rule(f"GET /things{number}/{{kind}}", GENEROUS) for number in range(count - 1))
        limiter = RateLimiter(rules=[*others, Rule("POST /orders", GENEROUS)])
        server = AsgiServer(mantlet.wrap(app, limiter), SMALL)
        timed.append(Contender(f"{count:,} rule{'s' * (count > 1)}", server.serve))
    return timed


def clients() -> list[Contender]:
    """Return one decision in memory, among few and among many clients that come at random."""
    timed = [calling(names.BARE, lambda: None)]
    order = Random(0)  # noqa: S311  # an order, not a secret
    for count in CLIENTS:
        store, quota = MemoryStore(max_keys=count), Quota("1/day", burst=1_000_000_000)
        addresses = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(count)]
        for address in addresses:
            store.take_one("benchmark:" + address, quota, 1)
        assert len(store) == count
        visits = cycle(order.choices(addresses, k=min(count, 100_000)))
        timed.append(Contender(f"{count:,} clients", _visiting(store, quota, visits)))
    return timed


def _visiting(store: MemoryStore, quota: Quota, visits: Iterator[str]) -> Serve:
    async def serve(count: int) -> None:
        for _ in range(count):
            room = store.take_one("benchmark:" + next(visits), quota, 1)
            BucketDecision("default", quota, room)

    return serve


def calling(name: str, call: Callable[[], Any]) -> Contender:
    """Return what calls a function again and again."""

    async def serve(count: int) -> None:
        for _ in range(count):
            call()

    return Contender(name, serve)
