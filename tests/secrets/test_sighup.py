"""A SIGHUP reaches each loader of a process, also after a fork that reset its handler."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mantlet.secrets import Environment, Secret, SecretLoader, SecretModel

OLD, NEW = "old-kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w"


class App(SecretModel):
    token: Secret[str]


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Restore the handler after each test."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def make(environ: dict[str, str]) -> SecretLoader[App]:
    """Return a loader that reads nothing again by itself."""
    source = Environment(environ)
    return SecretLoader(App, sources=[source], reload_on_sighup=True, poll_interval=1e9)


def in_worker(work: Callable[[], bool]) -> bool:
    """Return what work returns in the main thread of a process that resets its signals first."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return status == 0


def test_a_worker_reloads_and_handles_the_signal_from_its_first_use() -> None:
    """As gunicorn's do with ``--preload``: the parent has the old values."""
    environ = {"TOKEN": OLD}
    first, second = make(environ), make(environ)

    def work() -> bool:
        environ["TOKEN"] = NEW
        found = [first.current.token.reveal(), second.current.token.reveal()]
        environ["TOKEN"] = OLD
        os.kill(os.getpid(), signal.SIGHUP)
        found += [first.current.token.reveal(), second.current.token.reveal()]
        return found == [NEW, NEW, OLD, OLD]

    assert in_worker(work)
    assert first.current.token.reveal() == OLD


def test_a_worker_whose_requests_run_in_threads_reloads() -> None:
    """A thread can't set a handler, so the signal ends the worker; its successor reloads."""
    environ = {"TOKEN": OLD}
    loader = make(environ)

    def work() -> bool:
        environ["TOKEN"] = NEW
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(getattr, loader, "current").result().token.reveal()
        return found == NEW and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL

    assert in_worker(work)


def test_a_worker_keeps_a_handler_of_its_own() -> None:
    """The server's, or the app's, that was set after the fork."""
    heard: list[int] = []
    environ = {"TOKEN": OLD}
    loader = make(environ)

    def work() -> bool:
        signal.signal(signal.SIGHUP, lambda number, _frame: heard.append(number))
        environ["TOKEN"] = NEW
        found = loader.current.token.reveal()
        os.kill(os.getpid(), signal.SIGHUP)
        return found == NEW and heard == [signal.SIGHUP]

    assert in_worker(work)


def test_handlers_that_call_each_other_are_called_once() -> None:
    """One of the app's before the loaders, and another between them that calls the former one."""
    heard: list[str] = []
    environ = {"TOKEN": OLD}
    signal.signal(signal.SIGHUP, lambda *_: heard.append("before"))
    first = make(environ)
    loaders_own: Any = signal.getsignal(signal.SIGHUP)

    def between(number: int, frame: Any) -> None:
        heard.append("between")
        loaders_own(number, frame)

    signal.signal(signal.SIGHUP, between)
    second, third = make(environ), make(environ)
    environ["TOKEN"] = NEW
    os.kill(os.getpid(), signal.SIGHUP)
    assert heard == ["between", "before"]
    assert {one.current.token.reveal() for one in (first, second, third)} == {NEW}


def test_another_thread_is_refused_in_plain_words() -> None:
    """Python only sets signal handlers in the main thread."""
    with (
        ThreadPoolExecutor(1, thread_name_prefix="starter") as pool,
        pytest.raises(ValueError, match=r"made in the main thread, not in 'starter_0'"),
    ):
        pool.submit(make, {"TOKEN": OLD}).result()
