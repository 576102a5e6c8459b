"""A process that uses a store as its command line says; see `processes`.

Each prints "ready" when it is, continues when it reads a line, and prints its result at the end.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mantlet import Quota
from mantlet._internal import coroutines as steps
from mantlet.ratelimit.stores.base import Remaining, SlotRequest, Strikes, TokenRequest
from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.stores.processes import say, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINUTE = 60_000_000_000
#: Seconds. Long enough that no call is an outage, even on a busy machine.
PATIENT = 30.0
#: Concurrent tasks.
TASKS = 50


async def take(store: RedisStore, *wanted: TokenRequest | SlotRequest) -> Remaining:
    """Take, and wait for the result if necessary."""
    rooms = store.take(wanted)
    return rooms if isinstance(rooms, list) else await rooms


async def admits(store: RedisStore, *wanted: TokenRequest | SlotRequest) -> bool:
    """Take everything, or nothing; return whether it was taken."""
    return all(room is not None and room >= 0 for room in await take(store, *wanted))


def claims(keys: int, times: int, burst: int) -> Iterator[TokenRequest]:
    """Return this many token requests for each of the keys."""
    quota = Quota("1/year", burst=burst)
    return (TokenRequest(f"api:{key}", quota) for _ in range(times) for key in range(keys))


def spend(uri: str, keys: str, times: str, burst: str, prefetch: str = "0") -> int:
    """Take from this many keys, in a thread."""
    store = RedisStore(uri, timeout=PATIENT, prefetch=int(prefetch) or None)
    store.open()
    wait()
    wanted = claims(int(keys), int(times), int(burst))
    return sum(steps.run_sync(admits(store, claim)) for claim in wanted)


def spend_on_a_loop(uri: str, keys: str, times: str, burst: str, prefetch: str = "0") -> int:
    """Take from this many keys, in tasks of an event loop."""
    store = RedisStore(uri, timeout=PATIENT, prefetch=int(prefetch) or None).bind(is_async=True)

    async def work(wanted: Iterator[TokenRequest]) -> int:
        got = 0
        for claim in wanted:
            got += await admits(store, claim)
            await asyncio.sleep(0)  # as between requests: prefetched tokens need no waiting
        return got

    async def main() -> int:
        opening = store.open()
        if opening is not None:
            await opening
        wait()
        wanted = claims(int(keys), int(times), int(burst))
        return sum(await asyncio.gather(*(work(wanted) for _ in range(TASKS))))

    return asyncio.run(main())


def strike(uri: str, times: str, after: str) -> int:
    """Record refusals; return how many of them banned the key."""
    store = RedisStore(uri, timeout=PATIENT)
    strikes = Strikes(int(after), 10 * MINUTE, 10 * MINUTE)
    wait()
    return sum(bool(store.strike(next(claims(1, 1, 5)), strikes)) for _ in range(int(times)))


def sit(uri: str, directory: str, times: str, burst: str) -> int:
    """Take a token together with the only seat, and leave it again."""
    store = RedisStore(uri, timeout=PATIENT)
    seat, claim = Path(directory) / "seat", next(claims(1, 1, int(burst)))
    wait()
    taken = 0
    for time in range(int(times)):
        place = SlotRequest("seats:0", 1, MINUTE, f"{os.getpid():08x}{time:08x}")
        if steps.run_sync(admits(store, claim, place)):
            taken += 1
            seat.touch(exist_ok=False)  # fails if the seat is taken
            seat.unlink()
            store.give_back((place,))
    return taken


def fork(uri: str, children: str, times: str, burst: str) -> int:
    """Take from one key before a fork and after it, here and in each of the children."""
    store = RedisStore(uri, timeout=PATIENT)
    wait()

    def some() -> int:
        wanted = claims(1, int(times), int(burst))
        return sum(steps.run_sync(admits(store, claim)) for claim in wanted)

    got = some()
    forked = [_in_child(some) for _ in range(int(children))]
    got += some()
    for child, reading in forked:
        got += int(os.read(reading, 100))
        assert os.waitpid(child, 0)[1] == 0
    return got


def _in_child(work: Callable[[], int]) -> tuple[int, int]:
    """Run a function in a forked process; return its id, and the pipe with its result."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    status = 1
    try:
        os.write(writing, str(work()).encode())
        status = 0
    finally:
        os._exit(status)


def hold_some(uri: str, times: str, burst: str, prefetch: str) -> int:
    """Take from a busy key, and stay with prefetched tokens."""
    store = RedisStore(uri, timeout=PATIENT, prefetch=int(prefetch))
    got = sum(steps.run_sync(admits(store, claim)) for claim in claims(1, int(times), int(burst)))
    wait()
    return got


COMMANDS: dict[str, Callable[..., int]] = {
    command.__name__: command for command in (fork, hold_some, sit, spend, spend_on_a_loop, strike)
}


def main(uri: str, command: str, *arguments: str) -> None:
    """Do what the command line says."""
    say(COMMANDS[command](uri, *arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
