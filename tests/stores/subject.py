"""A record store that is called in the same way, whether it is on a loop or not."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import isawaitable
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from mantlet._internal import coroutines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from mantlet.stores.records import Record, RecordStore

__all__ = ["HOUR", "Subject", "increment"]

T = TypeVar("T")
HOUR = 3600.0


@dataclass
class Subject:
    """A store, with what is needed to test it.

    Attributes:
        store: an open store, bound to the way in which it is called.
        advance: lets seconds pass for the store.
        drive: runs a coroutine to its end: on an event loop if the store is bound to one.
        has_threads: whether the store may be called from several threads at once.
    """

    store: RecordStore
    advance: Callable[[float], None]
    drive: Callable[[Coroutine[Any, Any, Any]], Any] = coroutines.run_sync
    has_threads: bool = True

    def run(self, call: Callable[[], T | Awaitable[T]]) -> T:
        """Call a function, and wait for the result if necessary."""

        async def done() -> T:
            result = call()
            return await result if isawaitable(result) else result

        returned: T = self.drive(done())
        return returned

    def create(self, key: bytes, value: bytes, seconds: float = HOUR) -> Record | None:
        return self.run(lambda: self.store.create(key, value, seconds))

    def replace(self, key: bytes, old: bytes, value: bytes, seconds: float = HOUR) -> bool:
        return self.run(lambda: self.store.replace(key, old, value, seconds))

    def delete(self, key: bytes, old: bytes) -> bool:
        return self.run(lambda: self.store.delete(key, old))

    def value(self, key: bytes) -> bytes | None:
        """Return the value of a record, without leaving one where there was none."""
        found = self.create(key, b"probe", 60)
        if found is None:
            assert self.delete(key, b"probe")
            return None
        return found.value

    def age(self, key: bytes) -> float:
        """Return the age of a record that there is."""
        found = self.create(key, b"probe", 60)
        assert found is not None
        return found.age


def increment(subject: Subject, key: bytes) -> int:
    """Add one to the number that a record is; return how many tries that took."""
    for tries in count(1):
        found = subject.create(key, b"0")
        old = found.value if found else b"0"
        if subject.replace(key, old, b"%d" % (int(old) + 1)):
            return tries
    raise AssertionError
