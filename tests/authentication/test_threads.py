"""Threads for providers: a few at a time, none left over, none inherited by a forked process."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mantlet.authentication.threads import Busy, ShortThreads

if TYPE_CHECKING:
    from concurrent.futures import Future


def names() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "mantlet-provider"]


def test_the_result_and_the_exception_of_a_function() -> None:
    threads = ShortThreads(1, 1)
    first = threads.submit(threading.get_ident)
    second: Future[object] = threads.submit(lambda: 1 / 0)
    assert first.result(30) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        second.result(30)
    assert not second.cancel()


def test_threads_and_waiting_functions_are_bounded() -> None:
    threads = ShortThreads(2, 3)
    gate = threading.Event()
    running = threading.Semaphore(0)

    def work(number: int) -> int:
        running.release()
        gate.wait(120)
        return number

    futures = [threads.submit(partial(work, number)) for number in range(5)]
    assert running.acquire(timeout=30)
    assert running.acquire(timeout=30)
    with pytest.raises(Busy):
        threads.submit(lambda: 5)
    assert len(names()) == 2
    gate.set()
    assert [future.result(30) for future in futures] == [0, 1, 2, 3, 4]
    assert threads.submit(lambda: 6).result(30) == 6


def test_the_first_function_is_the_first() -> None:
    threads = ShortThreads(1, 10)
    gate = threading.Event()
    order: list[int] = []
    threads.submit(lambda: gate.wait(120))
    futures = [threads.submit(partial(order.append, number)) for number in range(10)]
    gate.set()
    for future in futures:
        future.result(30)
    assert order == list(range(10))


def test_no_thread_is_left_when_there_is_nothing_to_do() -> None:
    threads = ShortThreads(4)
    assert threads.submit(lambda: threading.current_thread().daemon).result(30)
    for thread in threading.enumerate():
        if thread.name == "mantlet-provider":
            thread.join(120)
    assert not names()


def test_a_process_without_another_thread_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = ShortThreads(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(Busy):
            threads.submit(lambda: 1)
    assert threads.submit(lambda: 2).result(30) == 2  # it does not count as running


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    threads = ShortThreads(1)
    gate = threading.Event()
    held = threads.submit(lambda: gate.wait(120))
    child = os.fork()
    if not child:
        code = 1
        try:
            code = threads.submit(lambda: 7).result(30)
        finally:
            os._exit(code)
    gate.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert held.result(30)
