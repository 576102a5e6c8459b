"""A process that uses a store in the way that its command line says; see `processes`.

Each says "ready" when it is, goes on when it is told a line, and says at its end what came of it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mantlet import Quota
from mantlet._internal import coroutines as steps
from mantlet.ratelimit.stores.base import Remaining, SlotRequest, TokenRequest
from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.ratelimit.processes import say, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINUTE = 60_000_000_000
#: Seconds. On a busy machine no call is to be an outage.
PATIENT = 30.0
#: Tasks that ask at once.
TASKS = 50


async def take(store: RedisStore, *wanted: TokenRequest | SlotRequest) -> Remaining:
    """Take, whether it has to be waited for or not."""
    rooms = store.take(wanted)
    return rooms if isinstance(rooms, list) else await rooms


async def admits(store: RedisStore, *wanted: TokenRequest | SlotRequest) -> bool:
    """Take all, or nothing; return which."""
    return all(room is not None and room >= 0 for room in await take(store, *wanted))


def claims(keys: int, times: int, burst: int) -> Iterator[TokenRequest]:
    """Return the claims of each of the keys, so often."""
    quota = Quota("1/year", burst=burst)
    return (TokenRequest(f"api:{key}", quota) for _ in range(times) for key in range(keys))


def spend(uri: str, keys: str, times: str, burst: str, prefetch: str = "0") -> int:
    """Take from so many keys, in a thread."""
    store = RedisStore(uri, timeout=PATIENT, prefetch=int(prefetch) or None)
    store.open()
    wait()
    wanted = claims(int(keys), int(times), int(burst))
    return sum(steps.run_sync(admits(store, claim)) for claim in wanted)


def spend_on_a_loop(uri: str, keys: str, times: str, burst: str, prefetch: str = "0") -> int:
    """Take from so many keys, in tasks of an event loop."""
    store = RedisStore(uri, timeout=PATIENT, prefetch=int(prefetch) or None).bind(is_async=True)

    async def work(wanted: Iterator[TokenRequest]) -> int:
        got = 0
        for claim in wanted:
            got += await admits(store, claim)
            await asyncio.sleep(0)  # as between requests: tokens at hand need no waiting
        return got

    async def main() -> int:
        opening = store.open()
        if opening is not None:
            await opening
        wait()
        wanted = claims(int(keys), int(times), int(burst))
        return sum(await asyncio.gather(*(work(wanted) for _ in range(TASKS))))

    return asyncio.run(main())


def sit(uri: str, directory: str, times: str, burst: str) -> int:
    """Take a token together with the only seat there is, and leave it again."""
    store = RedisStore(uri, timeout=PATIENT)
    seat, claim = Path(directory) / "seat", next(claims(1, 1, int(burst)))
    wait()
    taken = 0
    for time in range(int(times)):
        place = SlotRequest("seats:0", 1, MINUTE, f"{os.getpid():08x}{time:08x}")
        if steps.run_sync(admits(store, claim, place)):
            taken += 1
            seat.touch(exist_ok=False)  # which fails if somebody sits there
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
    """Work in a forked process; return its id, and the pipe with what it got."""
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
    """Take from a hot key, and stay with what is at hand."""
    store = RedisStore(uri, timeout=PATIENT, prefetch=int(prefetch))
    got = sum(steps.run_sync(admits(store, claim)) for claim in claims(1, int(times), int(burst)))
    wait()
    return got


COMMANDS: dict[str, Callable[..., int]] = {
    command.__name__: command for command in (fork, hold_some, sit, spend, spend_on_a_loop)
}


def main(uri: str, command: str, *arguments: str) -> None:
    """Do what the command line says."""
    say(COMMANDS[command](uri, *arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
