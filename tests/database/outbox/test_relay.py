"""`relay_outbox()`: events are published at least once."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import NullPool, create_engine, event, insert
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from mantlet import StoreOutage
from mantlet.database import Outbox, relay_outbox
from mantlet.database.outbox_table import Claimed, claim
from mantlet.events.event import Event
from tests.servers.server import poll

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

from tests.database.outbox.tables import (
    Published,
    Sessions,
    column,
    make_available,
    on_two_databases,
    store,
    stored,
)

# -- publishing -----------------------------------------------------------------------------------


def test_events_are_published_in_the_order_of_insertion(sessions: Sessions, outbox: Outbox) -> None:
    """A batch at a time, and deleted."""
    store(sessions, outbox, *range(7))
    store(sessions, outbox, *range(7, 10))
    published = Published()
    handled = [relay_outbox(sessions, published, outbox=outbox, batch=4) for _ in range(4)]
    assert handled == [4, 4, 2, 0]
    assert published == list(range(10))
    assert stored(sessions, outbox) == []


def test_an_event_that_fails_is_tried_again_later(
    sessions: Sessions, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The others go on."""
    store(sessions, outbox, 1, 2, 3)
    published = Published(RuntimeError("no route"), bad=(2,))
    assert relay_outbox(sessions, published, outbox=outbox) == 3
    assert published == [1, 3]
    assert relay_outbox(sessions, published, outbox=outbox) == 0  # it pauses
    make_available(sessions, outbox)
    published.bad = ()
    assert relay_outbox(sessions, published, outbox=outbox) == 1
    assert published == [1, 3, 2]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("mantlet.database", logging.WARNING)
    assert "(order.placed) will be tried again in 1 s, attempt 1 failed" in record.getMessage()
    assert "RuntimeError: no route" in caplog.text


@pytest.mark.unmeasured
def test_pauses_grow_until_an_event_is_set_aside(
    sessions: Sessions, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays in the table, for someone to look at, and is not tried again."""
    store(sessions, outbox, "poison")
    published = Published(RuntimeError(), bad=("poison",))
    for _ in range(4):
        assert relay_outbox(sessions, published, outbox=outbox, max_attempts=4) == 1
        make_available(sessions, outbox)
    assert relay_outbox(sessions, published, outbox=outbox, max_attempts=4) == 0
    outcomes = [record.getMessage().partition(") ")[2] for record in caplog.records]
    assert [outcome.partition(",")[0] for outcome in outcomes] == [
        *(f"will be tried again in {seconds} s" for seconds in (1, 2, 4)),
        "is set aside",
    ]
    assert caplog.records[-1].levelno == logging.ERROR
    assert stored(sessions, outbox) == ["poison"]
    assert column(sessions, outbox, "available_at") == [None]


def test_an_outage_ends_the_batch_and_counts_as_no_attempt(
    sessions: Sessions, outbox: Outbox
) -> None:
    """An hour without the broker sets no event aside."""
    store(sessions, outbox, 1, 2, 3)
    published = Published(StoreOutage("broker"), bad=(2,))
    for _ in range(3):
        with pytest.raises(StoreOutage):
            relay_outbox(sessions, published, outbox=outbox, max_attempts=2)
    assert published == [1]
    assert column(sessions, outbox, "attempts") == [0, 0]
    published.bad = ()
    assert relay_outbox(sessions, published, outbox=outbox) == 2
    assert published == [1, 2, 3]


def test_an_interrupted_relay_gives_its_events_back(sessions: Sessions, outbox: Outbox) -> None:
    """As it does when its process is told to stop."""
    store(sessions, outbox, 1, 2, 3)

    def publish(event: Event) -> None:
        if event.data == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        relay_outbox(sessions, publish, outbox=outbox)
    assert stored(sessions, outbox) == [2, 3]
    assert column(sessions, outbox, "attempts") == [0, 0]


def test_no_publication_begins_after_the_lease(
    sessions: Sessions, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another relay may have begun with the rest."""
    times = iter([0.0, 1.0, 59.0, 61.0])
    monkeypatch.setattr("mantlet.database.relay.monotonic", lambda: next(times))
    store(sessions, outbox, *range(5))
    published = Published()
    assert relay_outbox(sessions, published, outbox=outbox, lease=60) == 2
    assert published == [0, 1]
    assert stored(sessions, outbox) == [2, 3, 4]


def test_a_relay_that_has_lost_its_lease_changes_nothing_of_the_next_one(
    sessions: Sessions, outbox: Outbox
) -> None:
    """A failure that it reports too late does not let a third relay begin as well."""
    store(sessions, outbox, 1)
    published = Published()

    def fail_late(event: Event) -> None:
        make_available(sessions, outbox)
        with sessions.begin() as session:
            (next_one,) = claim(session, outbox.table, 10, 60)
        claims.append(next_one)
        raise RuntimeError

    claims: list[Claimed] = []
    assert relay_outbox(sessions, fail_late, outbox=outbox) == 1
    assert [one.attempts for one in claims] == [2]
    assert relay_outbox(sessions, published, outbox=outbox) == 0
    assert column(sessions, outbox, "attempts") == [2]


def test_a_transaction_that_commits_later_loses_no_event(
    sessions: Sessions, outbox: Outbox, url: str
) -> None:
    """Its position is lower than one that has been published already."""
    if url.startswith("sqlite"):
        return  # which has one writer at a time
    published = Published()
    with sessions.begin() as session:
        outbox.add(session, Event("a", "earlier"))
        session.flush()
        store(sessions, outbox, "later")
        assert relay_outbox(sessions, published, outbox=outbox) == 1
    assert relay_outbox(sessions, published, outbox=outbox) == 1
    assert published == ["later", "earlier"]


# -- several relays -------------------------------------------------------------------------------


@pytest.mark.few_cases(1)
def test_relays_at_once_share_the_events(sessions: Sessions, outbox: Outbox) -> None:
    """Each is published once, as long as no relay dies."""
    store(sessions, outbox, *range(300))
    published = Published()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while column(sessions, outbox, "id"):
                relay_outbox(sessions, published, outbox=outbox, batch=10)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Counter(published) == Counter(range(300))


#: A relay in a process of its own, which appends to a file, and at one event says so and waits.
RELAY = """
import sys, time
from pathlib import Path
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker
from mantlet._internal.log_throttle import LogThrottle
from mantlet.database import Outbox, relay, relay_outbox

url, path, last = sys.argv[1:]

def publish(event):
    with open(path, "a") as file:
        file.write(f"{event.data}\\n")
    if str(event.data) == last:
        print("waiting", flush=True)
        sys.stdin.read()

relay_outbox(sessionmaker(create_engine(url)), publish, outbox=Outbox(), lease=2)
"""


def start_relay(url: str, path: Path, last: int) -> subprocess.Popen[bytes]:
    """Start a relay, and return it when it waits in the middle of a batch."""
    process = subprocess.Popen(
        [sys.executable, "-c", RELAY, url, str(path), str(last)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    return process


def test_rows_that_are_no_events_keep_no_others_waiting(
    sessions: Sessions, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    """As another program has stored them; they fail as a publication does."""
    rows = [("t", "{"), ("t", "[" * 100_000), ("t\nevil", "1"), ("", "1")]
    with sessions.begin() as session:
        session.execute(
            insert(outbox.table), [{"id": "1", "type": kind, "data": data} for kind, data in rows]
        )
    store(sessions, outbox, 1)
    published = Published()
    relay_outbox(sessions, published, outbox=outbox, max_attempts=1)
    assert published == [1]
    assert column(sessions, outbox, "available_at") == [None] * 4
    assert not any("\n" in record.getMessage() for record in caplog.records)


def test_relays_at_once_on_sqlite_with_whole_transactions(tmp_path: Path, outbox: Outbox) -> None:
    """With a BEGIN before the first read, a write after another relay's is refused at once."""
    engine = create_engine(f"sqlite:///{tmp_path}/db", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "connect")
    def leave_begin_to_us(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    outbox.table.create(engine)
    sessions, published = sessionmaker(engine), Published()
    store(sessions, outbox, 1, 2)
    overtaken: list[int] = []

    @event.listens_for(engine, "before_cursor_execute")
    def overtake(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE") and not overtaken:
            overtaken.append(1)
            assert relay_outbox(sessions, published, outbox=outbox, batch=1) == 1

    assert relay_outbox(sessions, published, outbox=outbox, batch=1) == 1
    assert published == [1, 2]
    assert stored(sessions, outbox) == []


@pytest.mark.few_cases(1)
@pytest.mark.slow
def test_the_events_of_a_killed_relay_are_published_again(
    url: str, sessions: Sessions, outbox: Outbox, tmp_path: Path
) -> None:
    """None is lost, and the rest of its batch waits for the end of its lease alone."""
    store(sessions, outbox, *range(20))
    process = start_relay(url, tmp_path / "published", 7)
    store(sessions, outbox, 20)
    published = Published()
    assert relay_outbox(sessions, published, outbox=outbox) == 1
    assert published == [20]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "published").read_text().split() == [str(one) for one in range(8)]

    def is_done() -> bool:
        relay_outbox(sessions, published, outbox=outbox)
        return not stored(sessions, outbox)

    poll(is_done, "the events of the killed relay")
    assert published == [20, *range(20)]


@pytest.mark.few_cases(1)
@pytest.mark.slow
def test_an_event_that_kills_its_relays_is_set_aside_alone(
    url: str, sessions: Sessions, outbox: Outbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that were in a batch with it are published."""
    store(sessions, outbox, *range(5))
    for _ in range(2):
        process = start_relay(url, tmp_path / "published", 0)
        process.kill()
        process.communicate()
        make_available(sessions, outbox)
    published = Published()
    while relay_outbox(sessions, published, outbox=outbox, max_attempts=2):
        pass
    assert published == [1, 2, 3, 4]
    assert stored(sessions, outbox) == [0]
    assert "is set aside" in caplog.text


# -- async ----------------------------------------------------------------------------------------


@pytest.fixture
def async_sessions(url: str) -> async_sessionmaker[Any]:
    """Sessions with an async driver of the same database."""
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql+psycopg": "postgresql+asyncpg"}
    kind, _, rest = url.partition("://")
    return async_sessionmaker(create_async_engine(f"{drivers[kind]}://{rest}", poolclass=NullPool))


@on_two_databases
@pytest.mark.parametrize("is_async", [True, False], ids=["async-def", "def"])
def test_an_async_relay(
    sessions: Sessions,
    async_sessions: async_sessionmaker[Any],
    outbox: Outbox,
    is_async: bool,
) -> None:
    """Over async sessions, with a function of either kind, and an event that fails."""
    published = Published(RuntimeError(), bad=(2,))

    async def publish(event: Event) -> None:
        await asyncio.sleep(0)
        published(event)

    async def run() -> None:
        async with async_sessions.begin() as session:
            for number in range(5):
                outbox.add(session, Event("a", number))
        function: Callable[[Event], object] = publish if is_async else published
        assert await relay_outbox(async_sessions, function, outbox=outbox) == 5
        assert await relay_outbox(async_sessions, function, outbox=outbox) == 0

    asyncio.run(run())
    assert published == [0, 1, 3, 4]
    assert stored(sessions, outbox) == [2]


@on_two_databases
def test_a_cancelled_relay_gives_its_events_back(
    sessions: Sessions, async_sessions: async_sessionmaker[Any], outbox: Outbox
) -> None:
    """As when the app stops."""
    store(sessions, outbox, 1, 2, 3)

    async def run() -> None:
        is_waiting = asyncio.Event()

        async def publish(event: Event) -> None:
            if event.data == 2:
                is_waiting.set()
                await asyncio.Event().wait()

        relay = asyncio.ensure_future(relay_outbox(async_sessions, publish, outbox=outbox))
        await is_waiting.wait()
        relay.cancel()
        with pytest.raises(asyncio.CancelledError):
            await relay

    asyncio.run(run())
    assert stored(sessions, outbox) == [2, 3]
    assert column(sessions, outbox, "attempts") == [0, 0]


# -- options --------------------------------------------------------------------------------------


def test_an_async_function_needs_async_sessions(sessions: Sessions, outbox: Outbox) -> None:
    """Whichever way it is one; the event is still there."""
    store(sessions, outbox, 1)

    async def publish(event: Event) -> None:
        pass

    for function in (publish, lambda _event: asyncio.sleep(0)):
        with pytest.raises(TypeError, match="an async publish needs an async_sessionmaker"):
            relay_outbox(sessions, function, outbox=outbox)
    assert column(sessions, outbox, "attempts") == [0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"outbox": None}, TypeError, "must be the Outbox of the UnitOfWork"),
        ({"batch": 0}, ValueError, "batch must be from 1 to 1000"),
        ({"batch": 1001}, ValueError, "batch must be from 1 to 1000"),
        ({"max_attempts": 0}, ValueError, "max_attempts must be at least 1"),
        ({"lease": 0}, ValueError, "lease must be more than 0"),
        ({"lease": "60s"}, TypeError, "lease must be a number of seconds"),
        ({"publish": None}, TypeError, "publish must be callable"),
        ({"sessions": None}, TypeError, "sessions must be callable"),
    ],
)
def test_an_option_that_is_wrong(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """It is said what would be right."""
    given: dict[str, Any] = {
        "sessions": sessionmaker(),
        "publish": print,
        "outbox": Outbox(),
    } | options
    with pytest.raises(error, match=message):
        relay_outbox(given.pop("sessions"), given.pop("publish"), **given)


def test_a_database_whose_clock_is_unknown() -> None:
    """It is refused rather than asked in a way that may not work."""
    engine = create_engine("sqlite://")
    engine.dialect.name = "oracle"
    with pytest.raises(NotImplementedError, match="PostgreSQL, MySQL, MariaDB or SQLite"):
        relay_outbox(sessionmaker(engine), print, outbox=Outbox())
    engine.dispose()
