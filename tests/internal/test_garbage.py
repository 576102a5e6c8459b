"""Pausing the garbage collector."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from mantlet import SchemaGuard
from mantlet._internal.garbage import collection_paused
from tests.guard.openapi.building import document

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.enable()


def test_the_collector_is_off_meanwhile_and_on_again_after_errors() -> None:
    """Also where pauses are nested."""
    with pytest.raises(ZeroDivisionError), collection_paused():
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise ZeroDivisionError
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    """The app may have decided that."""
    gc.disable()
    with collection_paused():
        pass
    assert not gc.isenabled()


@pytest.mark.unmeasured
def test_a_document_is_read_without_collections() -> None:
    """Each would traverse all of its values again."""
    collections: list[str] = []

    def count(phase: str, _: dict[str, int]) -> None:
        collections.append(phase)

    many = {
        f"Schema{n}": {"type": "object", "properties": {"a": {"type": "string"}}}
        for n in range(10_000)
    }
    gc.collect()
    gc.callbacks.append(count)
    try:
        SchemaGuard(openapi=document(components={"schemas": many}))
    finally:
        gc.callbacks.remove(count)
    assert len(collections) < 10
    assert gc.isenabled()
