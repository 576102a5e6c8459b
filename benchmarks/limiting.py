"""The rate limiter alone: one decision of each store, many rules, many clients.

Besides LMDB, the workers of a host can share pyrate-limiter's SQLite bucket.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from random import Random
from socket import inet_ntoa
from tempfile import TemporaryDirectory
from typing import Any

from pyrate_limiter import Rate, RateItem, SQLiteBucket

import mantlet
from benchmarks import names
from benchmarks.method import Contender
from benchmarks.plain_apps import asgi_app
from benchmarks.stacks import GENEROUS
from benchmarks.traffic import SMALL, AsgiServer, Serve
from mantlet import Quota, RateLimiter, Rule
from mantlet.ratelimit.decision import BucketDecision
from mantlet.ratelimit.stores.base import LocalStore
from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.ratelimit.stores.memory import MemoryStore

RULES = (1, 10, 1000)
CLIENTS = (10, 1000, 100_000, 1_000_000)
_QUOTA = Quota(GENEROUS)


def _deciding(store: LocalStore) -> Callable[[], object]:
    """Return a function that makes one decision: whether there is a token, and how many remain."""
    key = "benchmark:203.0.113.7"

    def decide() -> bool:
        return BucketDecision("default", _QUOTA, store.take_one(key, _QUOTA, 1)).allowed

    assert decide()
    return decide


def sqlite(path: Path, burst: int, milliseconds: int) -> Callable[[], bool]:
    """Return a function that makes one decision of pyrate-limiter's shared bucket.

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
        server = AsgiServer(mantlet.wrap(app, limiter, baseline=False), SMALL)
        timed.append(Contender(f"{count:,} rule{'s' * (count > 1)}", server.serve))
    return timed


def clients() -> list[Contender]:
    """Return one decision in memory, among few and among many clients that come at random.

    Their addresses are made anew for each, as a server makes them; for the baseline, too.
    """
    order = Random(0)  # noqa: S311  # an order, not a secret
    timed = [Contender(names.BARE, _visiting(lambda _: None, range(CLIENTS[0])))]
    for count in CLIENTS:
        decide = _deciding_for(MemoryStore(max_keys=count))
        for number in range(count):
            decide(inet_ntoa(number.to_bytes(4)))
        visits = array("L", order.choices(range(count), k=min(count, 500_000)))
        timed.append(Contender(f"{count:,} clients", _visiting(decide, visits)))
    return timed


def _deciding_for(store: MemoryStore) -> Callable[[str], object]:
    quota = Quota("1/day", burst=1_000_000_000)

    def decide(address: str) -> BucketDecision:
        room = store.take_one("benchmark:" + address, quota, 1)
        return BucketDecision("default", quota, room)

    return decide


def _visiting(decide: Callable[[str], object], visits: Iterable[int]) -> Serve:
    numbers = cycle(visits)

    async def serve(count: int) -> None:
        for number in islice(numbers, count):
            decide(inet_ntoa(number.to_bytes(4)))

    return serve


def calling(name: str, call: Callable[[], Any]) -> Contender:
    """Return a function that calls another one repeatedly."""

    async def serve(count: int) -> None:
        for _ in range(count):
            call()

    return Contender(name, serve)
