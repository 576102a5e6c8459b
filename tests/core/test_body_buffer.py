"""Bytes that are kept to be read again, in memory and in a file."""

from __future__ import annotations

from errno import ENOSPC
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.core.body import BodyBuffer
from mantlet.core.temporary_files import NoSpace, TemporarySpace


@given(
    st.lists(
        st.one_of(
            st.tuples(st.binary(max_size=9), st.integers(0, 30)),
            st.tuples(st.integers(0, 40), st.integers(1, 40)),
        ),
        max_size=20,
    )
)
def test_what_was_added_can_be_read_anywhere_at_any_time(steps: list[tuple[Any, int]]) -> None:
    """However adding and reading take turns, and wherever memory ends."""
    spool, kept = BodyBuffer(), b""
    try:
        for step, number in steps:
            if isinstance(step, bytes):
                spool.add(step, number)
                kept += step
            else:
                got = spool.read(step, number)
                assert kept[step : step + number].startswith(got)
                assert bool(got) is (step < len(kept))
            assert spool.size == len(kept)
        assert spool.whole() == kept
    finally:
        spool.close()


class _SmallFile(BytesIO):
    """A file with space for some bytes."""

    def __init__(self, space: int) -> None:
        super().__init__()
        self.space = space

    def write(self, data: Any) -> int:
        left = self.space - self.tell()
        if left <= 0:
            raise OSError(ENOSPC, "No space left on device")
        return super().write(data[:left])


@given(
    st.lists(st.binary(max_size=9), max_size=9),
    st.integers(0, 20),
    st.integers(0, 30),
    st.integers(0, 60),
)
def test_nothing_is_lost_when_there_is_no_space(
    chunks: list[bytes], memory: int, space: int, disk: int
) -> None:
    """The chunk that found none is kept as well, and no more is taken after it."""
    spool, kept = BodyBuffer(), b""
    spool.disk = disk
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TemporarySpace, "open", lambda _self: _SmallFile(space))
        for chunk in chunks:
            kept += chunk
            try:
                spool.add(chunk, memory)
            except NoSpace:
                break
            assert len(kept) <= memory + min(space, disk)
    assert spool.size == len(kept)
    for start in range(len(kept)):
        got = spool.read(start, 5)
        assert got
        assert kept[start : start + 5].startswith(got)
    assert spool.whole() == kept
    if spool.refused is not None:
        with pytest.raises(NoSpace):
            spool.add(b"x", memory=0)
        assert spool.whole() == kept
    spool.close()


def test_a_file_is_made_only_for_what_does_not_fit() -> None:
    """And everything behind that goes there, so that the order stays."""
    spool = BodyBuffer()
    spool.add(b"12345", 5)
    before = spool.spilled
    spool.add(b"6", 5)
    assert (before, spool.spilled) == (False, True)
    spool.add(b"7", 100)
    assert spool.whole() == b"1234567"
    assert spool.read(5, 10) == b"67"
    spool.close()


def test_nothing_is_given_back_once_it_is_closed() -> None:
    """Neither from memory nor from the file, and never as if there were nothing."""
    for memory in (0, 100):
        spool = BodyBuffer()
        spool.add(b"12345", memory)
        spool.close()
        spool.close()
        with pytest.raises(ValueError, match="gone"):
            spool.read(0, 5)
        with pytest.raises(ValueError, match="gone"):
            spool.whole()


def test_a_whole_that_is_in_memory_is_there_once() -> None:
    """The same object each time, and the very object where one piece was all."""
    spool, piece = BodyBuffer(), b"x" * 1000
    spool.add(piece, 10_000)
    assert spool.whole() is piece
    spool.add(b"y", 10_000)
    assert spool.whole() is spool.whole()
    assert spool.whole() == piece + b"y"
