"""All stores, as users create them, with a clock that the tests control."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.ratelimit.stores.memory import MemoryStore
from mantlet.ratelimit.stores.redis import script_client
from mantlet.ratelimit.stores.redis.script import SCRIPT
from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.ratelimit.stores.model import SECOND, Clock
from tests.ratelimit.stores.subject import Subject
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from mantlet.ratelimit.stores.base import Remaining, SlotRequest, Strikes, TokenRequest

#: The time of day at which the clocks start.
START = 1_750_000_000 * SECOND


@contextmanager
def memory(folder: Path) -> Iterator[Subject]:
    """Yield a store in the memory of this process."""
    clock = Clock(START)
    yield Subject(MemoryStore(clock=clock), clock)


@contextmanager
def lmdb(folder: Path) -> Iterator[Subject]:
    """Yield a store in a file."""
    clock = Clock(START)
    subject = Subject(LmdbStore(folder / "limits", clock=clock), clock, leases=True)
    subject.open()
    try:
        yield subject
    finally:
        subject.close()
        rmtree(folder)  # the file is large, and there is one per example


class TurnedStore(RedisStore):
    """A store on a server that is given the time before each call, and called every time.

    Args:
        server: the server.
        clock: the time.
    """

    def __init__(self, server: Valkey, clock: Clock) -> None:
        super().__init__(f"redis://{server.place}", timeout=5)
        self._server = server
        self._clock = clock

    def _turn(self) -> None:
        seconds, nanoseconds = divmod(self._clock.now, SECOND)
        self._server.ask("HSET", "clock", "s", seconds, "u", nanoseconds // 1000)
        # Otherwise it would deny in place of the server, by its own clock.
        self._denials._denials.clear()

    def take(
        self, wanted: Sequence[TokenRequest | SlotRequest]
    ) -> Remaining | Awaitable[Remaining]:
        self._turn()
        return super().take(wanted)

    def peek(
        self, wanted: Sequence[TokenRequest | SlotRequest]
    ) -> Remaining | Awaitable[Remaining]:
        self._turn()
        return super().peek(wanted)

    def give_back(self, given: Sequence[TokenRequest | SlotRequest]) -> Awaitable[None] | None:
        self._turn()
        return super().give_back(given)

    def block(self, claims: Sequence[TokenRequest], nanoseconds: int) -> Awaitable[None] | None:
        self._turn()
        return super().block(claims, nanoseconds)

    def strike(self, claim: TokenRequest, strikes: Strikes) -> bool | Awaitable[bool]:
        self._turn()
        return super().strike(claim, strikes)

    def reset(self, keys: Sequence[str]) -> Awaitable[None] | None:
        self._turn()
        return super().reset(keys)


#: Closed at the end of the session.
_started = ExitStack()


@cache
def _server() -> Valkey:
    """Return a server, shared by all examples."""
    directory = _started.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))
    return _started.enter_context(Valkey(Path(directory)))


@pytest.fixture(scope="session", autouse=True)
def _end() -> Iterator[None]:
    with _started:
        yield


def _turned(script: str) -> str:
    """Return the script with the test's time, and with keys that outlast the test."""
    for own, ours in (("call('TIME')", "call('HMGET', 'clock', 's', 'u')"), *_LASTING):
        assert script.count(own) == 1, f"the script has no {own}"
        script = script.replace(own, ours)
    return script


#: Keys must outlast the test, in which years may pass within a second.
_LASTING = (
    ("'PX', milliseconds", "'PX', '3600000'"),
    ("call('PEXPIRE', key, milliseconds)", "call('PEXPIRE', key, '3600000')"),
)


@contextmanager
def valkey(folder: Path) -> Iterator[Subject]:
    """Yield a store on a server."""
    clock, server = Clock(START), _server()
    server.ask("FLUSHALL")
    script = _turned(SCRIPT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_client, "SCRIPT", script)
        subject = Subject(TurnedStore(server, clock), clock, grain=1000, leases=True)
        yield subject
        subject.close()


#: All stores. A new store needs one more entry: a function that gets an empty folder and yields an
#: open and empty store.
STORES: dict[str, Callable[[Path], AbstractContextManager[Subject]]] = {
    "memory": memory,
    "lmdb": lmdb,
    "valkey": valkey,
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
    """Return a function that creates an empty store for each example of a test."""
    return lambda: request.param(tmp_path_factory.mktemp("store"))
