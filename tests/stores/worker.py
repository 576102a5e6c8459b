"""A process that uses records as its command line says; see `tests.stores.processes`.

Each prints "ready" when it is, continues when it reads a line, and prints its result at the end.
"""

from __future__ import annotations

import asyncio
import os
import sys
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from mantlet.stores.factory import create_record_store
from mantlet.stores.lmdb import LmdbRecords, environment
from tests.stores.processes import say, wait
from tests.stores.subject import Subject, increment

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet.stores.lmdb.environment import Transaction
    from mantlet.stores.records import RecordStore


def create(store: RecordStore, keys: str, me: str) -> int:
    """Create records that all processes want to create; return how many were created."""
    subject = Subject(store, advance)
    wait()
    return sum(subject.create(b"%d" % n, me.encode()) is None for n in range(int(keys)))


def create_on_a_loop(store: RecordStore, keys: str, me: str) -> int:
    """Create records from many tasks at once."""
    bound = store.bind(is_async=True)

    async def one(number: int) -> bool:
        found: Any = bound.create(b"%d" % number, me.encode(), 3600)
        return (await found if isawaitable(found) else found) is None

    async def main() -> int:
        wait()
        return sum(await asyncio.gather(*(one(number) for number in range(int(keys)))))

    return asyncio.run(main())


def count(store: RecordStore, times: str) -> int:
    """Add to a number by comparing and exchanging; return how many tries that took."""
    subject = Subject(store, advance)
    wait()
    return sum(increment(subject, b"count") for _ in range(int(times)))


def write_forever(store: RecordStore, me: str) -> None:
    """Say each number once it is stored, until killed."""
    subject = Subject(store, advance)
    wait()
    for number in range(1_000_000):
        key, value = f"{me} {number}".encode(), b"%d" % number
        assert subject.create(key, b"begun") is None
        assert subject.replace(key, b"begun", value * 100)
        say(number)


def fork(store: RecordStore, children: str, keys: str) -> int:
    """Create records here, and in processes forked from this one."""
    subject = Subject(store, advance)
    subject.create(b"before", b"")
    wait()
    forked = []
    for _ in range(int(children)):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                created = sum(subject.create(b"%d" % n, b"child") is None for n in range(int(keys)))
                os.write(writing, str(created).encode())
            finally:
                os._exit(0)
        os.close(writing)
        forked.append((child, reading))
    created = sum(subject.create(b"%d" % n, b"parent") is None for n in range(int(keys)))
    for child, reading in forked:
        created += int(os.read(reading, 100))
        os.close(reading)
        os.waitpid(child, 0)
    return created


def stay_inside(store: RecordStore) -> None:
    """Store a record, and stay in the transaction."""
    assert isinstance(store, LmdbRecords)

    def work(transaction: Transaction) -> None:
        state = store._state(transaction)
        store._put(transaction, state, bytes(24), b"value", 3600)
        wait()

    store._run(work)


def advance(seconds: float) -> None:
    """Time passes by itself here."""
    raise NotImplementedError


COMMANDS: dict[str, Callable[..., object]] = {
    command.__name__: command
    for command in (count, create, create_on_a_loop, fork, stay_inside, write_forever)
}


def main(uri: str, command: str, *arguments: str) -> None:
    """Run the command."""
    environment.MIN_SIZE = 1 << 20
    store = create_record_store(uri, name="test")
    store.open()
    say(COMMANDS[command](store, *arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
