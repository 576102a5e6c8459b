"""The stores that there are, each as its users have it, with a clock that the tests turn."""

from __future__ import annotations

from contextlib import contextmanager
from shutil import rmtree
from typing import TYPE_CHECKING

import pytest

from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.ratelimit.stores.memory import MemoryStore
from tests.ratelimit.stores.model import SECOND, Clock
from tests.ratelimit.stores.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

#: A time of day, for stores that go by it.
START = 1_750_000_000 * SECOND


@contextmanager
def memory(folder: Path) -> Iterator[Subject]:
    """In this process."""
    clock = Clock(START)
    yield Subject(MemoryStore(clock=clock), clock)


@contextmanager
def lmdb(folder: Path) -> Iterator[Subject]:
    """In a file."""
    clock = Clock(START)
    subject = Subject(LmdbStore(folder / "limits", clock=clock), clock, leases=True)
    subject.open()
    try:
        yield subject
    finally:
        subject.close()
        rmtree(folder)  # the file is large, and there is one for each example


#: Every store there is. A new one is one more entry: it gets an empty folder, and yields a store
#: that is open and empty.
STORES: dict[str, Callable[[Path], AbstractContextManager[Subject]]] = {
    "memory": memory,
    "lmdb": lmdb,
}


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Each store in turn, empty."""
    with request.param(tmp_path) as subject:
        yield subject


@pytest.fixture(scope="module", params=list(STORES.values()), ids=list(STORES))
def fresh(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], AbstractContextManager[Subject]]:
    """Return what makes each store in turn, an empty one for each example of a test."""
    return lambda: request.param(tmp_path_factory.mktemp("store"))
