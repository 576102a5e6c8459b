"""The space that temporary files take is counted, bounded in all, and given back."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.core import temporary_files
from mantlet.core.body import SpooledBody
from mantlet.core.temporary_files import NoSpace, TemporarySpace

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_files, "_usage", temporary_files._Usage())


def test_the_space_of_all_is_bounded_and_what_one_gives_up_others_may_take() -> None:
    """Each by its own bound."""
    one, other, unbounded = TemporarySpace(disk=100), TemporarySpace(disk=50), TemporarySpace()
    one.reserve(60)
    unbounded.reserve(10)
    with pytest.raises(NoSpace) as caught:
        other.reserve(1)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "5")
    one.reserve(30)
    with pytest.raises(NoSpace):
        one.reserve(1)
    one.give_back(50)
    other.reserve(0)
    one.close()
    one.close()
    one.give_back(40)
    other.reserve(40)
    with pytest.raises(NoSpace):
        other.reserve(1)


def test_space_that_nobody_gives_up_is_free_once_nobody_refers_to_it() -> None:
    """A server may never end an exchange; its file is closed by then."""
    space = TemporarySpace(disk=100)
    space.reserve(100)
    del space
    TemporarySpace(disk=100).reserve(100)


def test_a_body_that_a_thread_fills_after_its_exchange_has_ended_takes_nothing() -> None:
    """A request was canceled while its new body was written in a thread."""
    body = SpooledBody(1, disk=100)
    body.write(b"x" * 60)
    body.close()
    unspilled = SpooledBody(1, disk=100)
    unspilled.close()
    for closed in (body, unspilled):
        with pytest.raises(ValueError, match="has ended"):
            closed.write(b"x" * 60)
        assert closed._file is None or closed._file.closed
    TemporarySpace(disk=100).reserve(100)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork()")
def test_a_forked_process_counts_its_own_files() -> None:
    """Those of its parent are closed there."""
    space = TemporarySpace(disk=100)
    space.reserve(100)
    child = os.fork()
    if not child:
        status = 1
        try:
            space.close()
            TemporarySpace(disk=100).reserve(100)
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_each_change_of_state_is_one_record(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many requests are refused, in part or whole."""
    now = 0.0
    monkeypatch.setattr(temporary_files, "monotonic", lambda: now)
    held = TemporarySpace(disk=100)
    held.reserve(90)
    for _ in range(20):
        space = TemporarySpace(disk=100)
        with pytest.raises(NoSpace):
            space.reserve(11)
        space.reserve(1)
        space.close()
        now += 2
    held.close()  # was made before the last refusal
    for _ in range(2):
        space = TemporarySpace(disk=100)
        space.reserve(1)
        space.close()
    records: list[Any] = caplog.records
    assert [(one.levelno, one.event) for one in records] == [
        (logging.ERROR, "no_space"),
        (logging.WARNING, "recovered"),
    ]
    assert "hold 90 bytes, of the 100 that BodyLimits(disk=) allows" in records[0].reason
    assert "after 40.0 s, in which 20 requests were refused" in records[1].getMessage()


@pytest.mark.parametrize(
    "reason", [OSError(5, "Input/output error"), OSError(122, "Disk quota exceeded")], ids=str
)
def test_whatever_the_disk_says_is_the_reason(
    reason: OSError, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, never in the response."""

    class Broken:
        def write(self, _data: object) -> int:
            raise reason

        def close(self) -> None:
            raise reason

    opened: Callable[..., Any] = lambda _self: Broken()  # noqa: E731
    body = SpooledBody(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TemporarySpace, "open", opened)
        with pytest.raises(NoSpace) as caught:
            body.write(b"xx")
    body.close()
    assert str(reason.strerror) in caplog.text
    assert str(reason.strerror) not in f"{caught.value.detail}"
