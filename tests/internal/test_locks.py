"""A lock is free in a child process, whoever held it."""

import os
import warnings
from collections.abc import Callable
from threading import Event, Thread

import pytest

from mantlet._internal.locks import ForkSafeLock


def in_child(work: Callable[[], bool]) -> bool:
    """Return what work returns in a forked process, which may take 10 seconds."""
    with warnings.catch_warnings():
        # From Python 3.12 on it warns of what is tested here: that there are threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 2
        try:
            done: list[bool] = []
            worker = Thread(target=lambda: done.append(work()), daemon=True)
            worker.start()
            worker.join(120)
            code = 0 if done == [True] else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def test_one_thread_holds_it_at_a_time() -> None:
    """Others wait, or do without."""
    lock = ForkSafeLock()
    with lock.hold() as first, lock.hold(waits=False) as second:
        assert (first, second, lock.locked()) == (True, False, True)
    assert not lock.locked()


@pytest.mark.parametrize("is_held", [True, False])
def test_it_is_free_in_a_child(is_held: bool) -> None:
    """Who is to know is told, if a thread held it that is not there any more."""
    told: list[str] = []
    lock = ForkSafeLock(lambda: told.append("forked"))
    release, holding = Event(), Event()

    def hold() -> None:
        with lock.hold():
            holding.set()
            release.wait()

    def free() -> bool:
        with lock.hold() as held:
            return held and told == ["forked"] * is_held

    thread = Thread(target=hold)
    try:
        if is_held:
            thread.start()
            holding.wait()
        assert in_child(free)
        assert lock.locked() is is_held
    finally:
        release.set()
        if is_held:
            thread.join()
    assert told == []


def test_who_forks_while_holding_it_goes_on_in_the_child() -> None:
    """It lets go of the one that it held, and others can be had."""
    lock = ForkSafeLock()

    def again() -> bool:
        with lock.hold(waits=False) as held:
            return held

    with lock.hold():
        assert in_child(again)
