"""A process that uses a store as its command line says; see `processes`.

Each prints "ready" when it is, continues when it reads a line, and prints its result at the end.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from mantlet import Quota
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.stores.base import SlotRequest, Strikes, TokenRequest
from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.ratelimit.stores.lmdb.records import bucket_key, encode_bucket
from mantlet.stores.lmdb import environment
from tests.ratelimit.stores.model import MINUTE, SECOND, Clock
from tests.stores.processes import say, wait

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb

#: The time at which all clocks start, and nearly all of them stay.
NOW = 1_000_000 * SECOND
BURST = 2000
YEARLY = Quota("1/year", burst=BURST)


def admitted(store: LmdbStore, keys: range, times: int = 1, quota: Quota = YEARLY) -> int:
    """Take from each of the keys several times; return how many requests were granted."""
    return sum(store.take_one(f"api:{key}", quota, 1) >= 0 for _ in range(times) for key in keys)


def spend(store: LmdbStore, keys: str, times: str, burst: str) -> int:
    """Take from this many keys."""
    wait()
    return admitted(store, range(int(keys)), int(times), Quota("1/year", burst=int(burst)))


def fill(store: LmdbStore, first: str, count: str) -> int:
    """Take from keys that no other process takes from."""
    wait()
    return admitted(store, range(int(first), int(first) + int(count)))


def strike(store: LmdbStore, times: str, after: str) -> int:
    """Record refusals; return how many of them banned the key."""
    wait()
    strikes = Strikes(int(after), MINUTE, MINUTE)
    claim = TokenRequest("api:0", YEARLY)
    return sum(store.strike(claim, strikes) for _ in range(int(times)))


def sit(store: LmdbStore, times: str) -> int:
    """Take a token together with the only seat, and leave it again."""
    seat = store._environment._directory.path.with_name("seat")
    wait()
    taken = 0
    for time in range(int(times)):
        place = SlotRequest("seats:0", 1, MINUTE, f"{os.getpid():08x}{time:08x}")
        rooms = store.take((TokenRequest("api:0", YEARLY), place))
        if min(room for room in rooms if room is not None) >= 0:
            taken += 1
            seat.touch(exist_ok=False)  # fails if the seat is taken
            seat.unlink()
            store.give_back((place,))
    return taken


def fork(store: LmdbStore, threads: str, children: str) -> int:
    """Take from one key in threads, in processes forked meanwhile, and in those forked there."""
    wait()
    counts: list[int] = []

    def count() -> None:
        counts.append(admitted(store, range(1), 400))

    running = [Thread(target=count) for _ in range(int(threads))]
    for thread in running:
        thread.start()
    count()
    forked = [in_child(store, deeper=True) for _ in range(int(children))]
    for thread in running:
        thread.join()
    return sum(counts) + sum(map(result_of, forked))


def in_child(store: LmdbStore, *, deeper: bool) -> tuple[int, int]:
    """Fork a process that takes from the key; return its id, and the pipe with its result."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    status = 1
    try:
        got = admitted(store, range(1), 200)
        if deeper:
            got += result_of(in_child(store, deeper=False))
            got += admitted(store, range(1), 200)
        os.write(writing, str(got).encode())
        status = 0
    finally:
        os._exit(status)


def result_of(forked: tuple[int, int]) -> int:
    """Return a child's result."""
    child, reading = forked
    got = os.read(reading, 100)
    os.close(reading)
    assert os.waitpid(child, 0)[1] == 0
    return int(got)


def stay_inside(store: LmdbStore) -> None:
    """Empty a bucket, add others, and stay in the transaction."""

    def work(transaction: lmdb.Transaction[bytes]) -> None:
        for key in range(1000):
            transaction.put(bucket_key(f"api:{key}"), encode_bucket(2 * NOW, YEARLY))
        wait()

    store._environment.run(work)


def stay_reading(store: LmdbStore) -> None:
    """Read, as LMDB's own tools do, which keeps others from reusing the pages they free."""
    admitted(store, range(1))
    opened = store._environment.opened
    assert opened is not None
    with opened.begin():
        wait()


def stay_in_the_directory(store: LmdbStore) -> None:
    """Keep others from opening the file."""
    with store._environment._directory.exclusive():
        wait()


def stay_seated(store: LmdbStore) -> None:
    """Take the only slot, and die with it."""
    store.take((SlotRequest("seats:0", 1, MINUTE, "0" * 16),))
    wait()


def stay_open(store: LmdbStore, clock: Clock) -> int:
    """Take from a key, and once more two seconds later."""
    admitted(store, range(1))
    wait()
    clock.now += 2 * SECOND
    return admitted(store, range(1))


def run_out_of_space(store: LmdbStore) -> int:
    """Take from new keys until the disk is full; then from the first ones again."""
    wait()
    resource.setrlimit(resource.RLIMIT_FSIZE, (environment.MIN_SIZE, resource.RLIM_INFINITY))
    known = admitted(store, range(100))
    try:
        admitted(store, range(100, 1_000_000))
    except StoreOutage:
        return known + admitted(store, range(100))
    return 0


def fill_disk(store: LmdbStore, first: str) -> int:
    """Take from new keys until the disk is full, from known ones, and from new ones once it is not.

    Returns:
        How many known keys, and how many of the new ones, could be counted: 100 of each.
    """
    wait()
    start = int(first)
    known = admitted(store, range(start, start + 100))
    with suppress(StoreOutage):
        admitted(store, range(start + 100, start + 1_000_000))
    known = admitted(store, range(start, start + 100))
    wait()
    return known + admitted(store, range(start + 1_000_000, start + 1_000_100))


COMMANDS: dict[str, Callable[..., object]] = {
    command.__name__: command
    for command in (
        fill,
        fill_disk,
        fork,
        run_out_of_space,
        sit,
        spend,
        stay_in_the_directory,
        stay_inside,
        stay_open,
        stay_reading,
        stay_seated,
        strike,
    )
}


def main(path: str, command: str, *arguments: str) -> None:
    """Run the command."""
    environment.MIN_SIZE = 1 << 20  # a file of this size is full sooner
    clock = Clock(NOW)
    more = (clock,) if command == "stay_open" else ()
    say(COMMANDS[command](LmdbStore(path, clock=clock), *arguments, *more))


if __name__ == "__main__":
    main(*sys.argv[1:])
