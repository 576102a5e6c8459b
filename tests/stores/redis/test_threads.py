"""Threads and processes: a pool of connections that is not shared across forks."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from mantlet._internal import coroutines as steps
from mantlet.stores.redis import RedisBackend
from tests.stores.redis.conftest import AMPLE

if TYPE_CHECKING:
    from typing import Any

    from tests.stores.redis.servers import Valkey


def ask(backend: RedisBackend, *parts: str | int) -> Any:
    """Call, and return the reply."""
    return steps.run_sync(
        backend.client(is_async=False).call(*parts, deadline=time.monotonic() + AMPLE)
    )


def in_threads(count: int, work: Any) -> None:
    """Run the same function in this many threads at once, and raise their errors."""
    raised: list[BaseException] = []
    together = threading.Barrier(count)

    def guarded() -> None:
        try:
            together.wait(AMPLE)
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_there_are_no_more_connections_than_threads(backend: RedisBackend, valkey: Valkey) -> None:
    """Each thread has one to itself during a call, and leaves it to the next."""

    def work() -> None:
        for number in range(50):
            assert ask(backend, "ECHO", number) == str(number).encode()
            ask(backend, "INCR", "key")

    in_threads(8, work)
    assert valkey.ask("GET", "key") == b"400"
    assert 1 <= len(valkey.clients()) <= 8
    assert int(valkey.info("stats")["total_connections_received"]) <= 8
    before = int(valkey.info("stats")["total_connections_received"])
    ask(backend, "PING")
    assert int(valkey.info("stats")["total_connections_received"]) == before


def test_the_connection_used_last_is_used_first(backend: RedisBackend) -> None:
    """So that the server can close those that are no longer needed."""
    in_threads(4, lambda: ask(backend, "EVAL", "return redis.call('PING')", 0))
    assert len({ask(backend, "CLIENT", "ID") for _ in range(20)}) == 1


def test_after_a_restart_no_thread_fails(own_valkey: Valkey) -> None:
    """However many connections are stale, each call meets at most one of them."""
    backend = RedisBackend(f"redis://{own_valkey.place}")
    in_threads(8, lambda: ask(backend, "EVAL", "return redis.call('PING')", 0))
    own_valkey.kill()
    own_valkey.start()
    for _ in range(8):
        assert ask(backend, "PING") == b"PONG"
    in_threads(8, lambda: ask(backend, "PING"))


def test_a_call_that_is_broken_off_leaves_no_reply_for_the_next(own_valkey: Valkey) -> None:
    """Such as by a signal that ends a request."""

    class BrokenOffError(BaseException):
        pass

    def break_off(*_: object) -> None:
        raise BrokenOffError

    backend = RedisBackend(f"redis://{own_valkey.place}")
    ask(backend, "PING")
    before = signal.signal(signal.SIGALRM, break_off)
    try:
        with own_valkey.paused():
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            with pytest.raises(BrokenOffError):
                ask(backend, "ECHO", "lost")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert ask(backend, "ECHO", "next") == b"next"


def test_a_client_that_nobody_has_any_more_is_closed(valkey: Valkey) -> None:
    """A WSGI app is not notified when it ends, so it could not close it."""
    ask(RedisBackend(f"redis://{valkey.place}"), "PING")
    gc.collect()
    valkey.wait_for_clients(0)


def test_a_closed_client_can_be_used_again(backend: RedisBackend, valkey: Valkey) -> None:
    """It makes new connections."""
    for _ in range(3):
        assert ask(backend, "PING") == b"PONG"
        steps.run_sync(backend.client(is_async=False).close())
        valkey.wait_for_clients(0)


FORK = """
import asyncio, os, sys, time, uvloop
from mantlet._internal.coroutines import run_sync
from mantlet.stores.redis import RedisBackend

uri, parent, child, end = sys.argv[1:]
backend = RedisBackend(uri)
def call():
    return backend.client(parent != "blocking").call("CLIENT", "ID", deadline=time.monotonic() + 5)

def fork():
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
    else:
        assert (run if child == "same" else asyncio.run)(call()) not in ids
        os._exit(0) if end == "abrupt" else sys.exit(0)

if parent == "blocking":
    run = run_sync
else:
    make = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[parent]
    run = asyncio.Runner(loop_factory=make).__enter__().run
ids = {run(call())}
try:
    for _ in range(2):
        fork()
        ids.add(run(call()))
    assert len(ids) == 1, ids
finally:
    if parent != "blocking":
        run.__self__.close()
"""


@pytest.mark.parametrize(
    ("parent", "child", "end"),
    [
        ("blocking", "same", "abrupt"),
        ("blocking", "same", "orderly"),
        ("asyncio", "new", "abrupt"),
        ("asyncio", "new", "orderly"),
        ("uvloop", "new", "abrupt"),
        ("uvloop", "same", "abrupt"),  # uvloop lets the child continue the parent's loop
    ],
)
def test_after_a_fork_the_child_has_connections_of_its_own(
    valkey: Valkey, parent: str, child: str, end: str
) -> None:
    """The child neither uses nor closes the parent's, even if it ends its loop."""
    uri = f"redis://{valkey.place}"
    done = subprocess.run(
        [sys.executable, "-c", FORK, uri, parent, child, end],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


QUIET = """
import asyncio, sys, time, uvloop
from mantlet._internal.coroutines import run_sync
from mantlet.stores.redis import RedisBackend

backend = RedisBackend(sys.argv[1])
def call(is_async):
    return backend.client(is_async).call("PING", deadline=time.monotonic() + 5)
for _ in range(3):
    assert run_sync(call(False)) == b"PONG"
    assert asyncio.run(call(True)) == b"PONG"
    assert uvloop.run(call(True)) == b"PONG"
"""


def test_a_process_that_ends_says_nothing_of_connections(valkey: Valkey) -> None:
    """With all warnings enabled, and nothing closed."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", QUIET, f"redis://{valkey.place}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
