"""docs/operations.md, "Memory per key": what the page says is measured."""

from __future__ import annotations

import gc
import re
import tracemalloc
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Quota, RateLimiter
from mantlet.ratelimit.stores.base import SlotRequest, Strikes, TokenRequest
from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.ratelimit.stores.memory import FallbackStore, MemoryStore
from mantlet.ratelimit.stores.redis.denial_cache import DenialCache
from mantlet.ratelimit.stores.redis.prefetch import PrefetchCache
from tests.docs.pages import DOCS
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

SECTION = (DOCS / "operations.md").read_text().partition("### Memory per key")[2]
TABLE = {
    cells[0].partition(",")[0].strip("` "): [
        list(map(int, re.findall(r"\d+", one))) for one in cells
    ]
    for line in re.findall(r"^\| (`.*) \|$", SECTION, re.MULTILINE)
    if (cells := line.split(" | "))
}
#: The columns of the table.
BUCKET, FIXED, SLIDING, MOVING = 1, 2, 3, 4
WINDOWS: dict[str | None, int] = {None: BUCKET, "fixed": FIXED, "moving": MOVING}
#: A hash table is emptiest, so that a key takes most, with one key more than two thirds of 2**12.
KEYS = 2_731
#: The server doubles its hash tables at powers of two.
ON_SERVER = 2_100
LONG = 10**12
QUOTA = Quota("100/hour")


def documented(pattern: str) -> int:
    """Return a number of the text."""
    (number,) = re.findall(pattern.replace("#", r"([\d,]+)"), SECTION.replace("\n", " "))
    return int(number.replace(",", ""))


def check(measured: float, said: float) -> None:
    """Check that a number is no less than what was measured, nor much more."""
    assert said / 2 < measured <= said


def addresses() -> Iterator[str]:
    """Yield addresses of clients."""
    for number in range(2**24):
        yield f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def traced(use: Callable[[str], object], count: int = KEYS) -> float:
    """Return the bytes of this process that each key takes.

    Args:
        use: called with each key.
        count: how many keys there are.
    """
    tracemalloc.start()
    try:
        for address in islice(addresses(), count):
            use(f"a1b2c3d4e5f6:{address}")
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return taken / count


# -- in memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", WINDOWS)
def test_a_key_in_memory(window: Any) -> None:
    """As a limiter keeps it, after one request; and after several."""
    said = TABLE["memory://"][WINDOWS[window]]
    taken = []
    for requests in (1, 5):
        limiter = RateLimiter(Quota("100/hour", window=window), max_keys=2 * KEYS)

        def use(key: str, limiter: RateLimiter = limiter, requests: int = requests) -> None:
            for _ in range(requests):
                limiter.check(key.partition(":")[2])

        use("warm:up")
        taken.append(traced(use))
    more = sum(said[1:])
    check(taken[0], said[0] + more)
    assert taken[1] - taken[0] <= 4 * more + 1


def test_a_sliding_window_is_two() -> None:
    """Of two periods."""
    limiter = RateLimiter(Quota("100/hour", window="sliding"), max_keys=2 * KEYS)
    limiter.check("up")
    check(
        2 * traced(lambda key: limiter.check(key.partition(":")[2])), TABLE["memory://"][SLIDING][0]
    )


def test_a_history_in_memory_and_a_slot() -> None:
    """In addition to the bucket, and while the request is in flight."""
    plain = MemoryStore(2 * KEYS)
    bucket = traced(lambda key: plain.take_one(key, QUOTA, 1))
    struck = MemoryStore(2 * KEYS)
    strikes = Strikes(9, LONG, LONG)
    history = traced(lambda key: struck.strike(TokenRequest(key, QUOTA), strikes)) - bucket
    check(history, documented("takes up to # bytes more in memory"))
    full = MemoryStore(2 * KEYS)
    slot = traced(lambda key: full.take([SlotRequest(key, 5, 1, f"{hash(key) & 2**64 - 1:016x}")]))
    check(slot, documented("concurrency limit takes # bytes"))


def test_what_a_process_keeps_of_a_server() -> None:
    """The known state, refused clients, and prefetched tokens."""
    known = FallbackStore(2, 2 * KEYS, lambda: 1)
    denials = DenialCache(2 * KEYS)
    prefetched = PrefetchCache(10, 2 * KEYS)
    sizes = [
        (lambda key: known.learn([TokenRequest(key, QUOTA)], [5]), "known state, at # bytes"),
        (lambda key: denials.add([TokenRequest(key, QUOTA)], [-5], 1), "refused clients, at #;"),
        (lambda key: prefetched._plan(TokenRequest(key, QUOTA)), "prefetched tokens, at # "),
    ]
    for use, pattern in sizes:
        check(traced(use), documented(pattern))
    total = sum(documented(pattern) for _, pattern in sizes) * 100_000
    assert total == documented("So it takes # MB at most") * 1_000_000


# -- in a file ------------------------------------------------------------------------------------


def used(store: LmdbStore) -> int:
    """Return the bytes of the pages that hold the records."""
    found = store._environment.run(lambda transaction: transaction.stat())
    return int(found["psize"] * (found["branch_pages"] + found["leaf_pages"]))


def test_a_key_in_a_file(tmp_path: Path) -> None:
    """At first, in a flood, and with its history."""
    said = TABLE["lmdb://"][BUCKET][0]
    store = LmdbStore(tmp_path / "flood", max_keys=KEYS)
    for address in islice(addresses(), KEYS):
        store.take_one(f"a1b2c3d4e5f6:{address}", QUOTA, 1)
    check(used(store) / KEYS, said)
    for address in islice(addresses(), KEYS, 4 * KEYS):
        store.take_one(f"a1b2c3d4e5f6:{address}", QUOTA, 1)
    check(used(store) / KEYS, said)
    other = LmdbStore(tmp_path / "struck", max_keys=KEYS)
    for address in islice(addresses(), KEYS):
        request = TokenRequest(f"a1b2c3d4e5f6:{address}", QUOTA)
        other.strike(request, Strikes(9, LONG, LONG))
    more = documented("bytes more in memory, and # elsewhere")
    check(used(other) / KEYS, said + more + documented("plus # for each recent refusal"))


def test_the_file_has_the_size_of_the_page(tmp_path: Path) -> None:
    """Allocated in advance, and never more than the next doubling from the bound."""
    LmdbStore(tmp_path / "limits").close()
    (file,) = (tmp_path / "limits").glob("limits*.mdb")
    assert file.stat().st_size == documented("file has # MiB at first") << 20
    size, most = documented("file has # MiB at first") << 20, documented("until it has # bytes")
    while size < most * 1_000_000:
        size *= 2
    assert size == documented("which makes # MiB by default") << 20


# -- on a server ----------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [None, "fixed", "sliding", "moving"])
def test_a_key_on_a_server(tmp_path: Path, window: Any) -> None:
    """Of all memory that a new server uses; and by itself, as it says."""
    said = TABLE["redis://"][{**WINDOWS, "sliding": SLIDING}[window]]
    quota = Quota("100/hour", window=window)
    taken = []
    for requests in (1, 5):
        place = tmp_path / str(requests)
        place.mkdir()
        with Valkey(place) as server:
            limiter = RateLimiter(quota, store=f"redis://{server.place}", timeout=5, workers=1)
            limiter.check("up")
            before = int(server.info("memory")["used_memory"])
            for address in islice(addresses(), ON_SERVER):
                for _ in range(requests):
                    limiter.check(address)
            after = int(server.info("memory")["used_memory"])
            taken.append((after - before) / ON_SERVER * (2 if window == "sliding" else 1))
            key = server.ask("RANDOMKEY")
            assert server.ask("MEMORY", "USAGE", key) <= said[0] + requests * sum(said[1:])
            assert 0 < server.ask("TTL", key) <= 2 * 3600
    more = sum(said[1:])
    check(taken[0], said[0] + more)
    assert taken[1] <= said[0] + 5 * more
