"""What tests of stores with an asyncio client need."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

#: For the asyncio clients of Redis and Memcached, which close nothing when their loop ends.
careless = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.fixture
def careless_client() -> Iterator[None]:
    """Let the connections that a client leaves open at a loop's end be collected in the test."""
    yield
    gc.collect()
