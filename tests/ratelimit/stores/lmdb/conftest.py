"""Fixtures: a directory for a store, and its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mantlet.ratelimit.stores.lmdb import LmdbStore
from tests.ratelimit.stores.lmdb.worker import NOW
from tests.ratelimit.stores.model import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a directory that does not exist yet."""
    return tmp_path / "limits"


@pytest.fixture
def clock() -> Clock:
    """Return a clock that shows the same time as those of the workers."""
    return Clock(NOW)


@pytest.fixture
def open_store(path: Path, clock: Clock) -> Iterator[Callable[..., LmdbStore]]:
    """Return what opens a store on that directory."""
    opened: list[LmdbStore] = []

    def open_store(max_keys: int = 1_000_000) -> LmdbStore:
        opened.append(LmdbStore(path, max_keys=max_keys, clock=clock))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()
