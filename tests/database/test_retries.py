"""Requests that conflict with others are run again, where that is safe, and answered once."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, insert, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet
from mantlet import ErrorEnvelope, Policy, Request, Response, UnitOfWork, uow
from mantlet._internal.coroutines import run_sync
from tests.database.frameworks import NAMES, app_of
from tests.database.test_frameworks import way_of
from tests.database.ways import Item, Way, asgi_app, block, done
from tests.drive import Answer, ask_asgi, drive_wsgi, make_scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.database.ways import Raw, View

WAYS = (
    ("wsgi", "psycopg"),
    ("wsgi", "psycopg2"),
    ("asgi", "psycopg"),
    ("asgi-async", "psycopg"),
    ("asgi-async", "asyncpg"),
)
#: Another client's transaction, which is committed in the middle of the first attempt.
OTHERS = {
    "at a flush": ("UPDATE counters SET value = value + 1",),
    "at the commit": ("SELECT sum(value) FROM counters", "INSERT INTO counters VALUES (10)"),
}


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest, postgresql_dsn: str) -> Iterator[Way]:
    """Each way, with a schema of PostgreSQL whose transactions are serializable."""
    name, driver = request.param
    made = Way(name, postgresql_dsn, (f"postgresql+{driver}",) * 2, plain="postgresql+psycopg")
    with made.plain.begin() as connection:
        connection.execute(text("CREATE TABLE counters (value INTEGER)"))
        connection.execute(text("INSERT INTO counters VALUES (0)"))
        serializable = "ALTER ROLE CURRENT_USER SET default_transaction_isolation = 'serializable'"
        connection.execute(text(serializable))
    made.plain.dispose()  # for new connections
    yield made
    made.dispose()


def total(way: Way) -> int:
    """Return the sum of the counters."""
    with way.plain.connect() as connection:
        return int(connection.execute(text("SELECT sum(value) FROM counters")).scalar_one())


class Adds:
    """A view that adds one to what it has read; other clients are as quick as it is slow.

    Args:
        way: where.
        other: the statements of another client's transaction.
        conflicts: how many of the attempts conflict with it.
    """

    def __init__(self, way: Way, other: tuple[str, ...], conflicts: int = 1) -> None:
        self.way = way
        self.other = other
        self.conflicts = conflicts
        self.attempts = 0
        self.committed: list[int] = []

    async def __call__(self, raw: Raw) -> int:
        self.attempts += 1
        async with block(uow(raw)) as work:
            work.after_commit(self.committed.append, self.attempts)
            read = await done(work.session.execute(text("SELECT sum(value) FROM counters")))
            value = int(read.scalar_one())
            if self.attempts <= self.conflicts:
                with self.way.plain.begin() as connection:
                    for statement in self.other:
                        connection.execute(text(statement))
            if len(self.other) == 1:
                statement = "UPDATE counters SET value = :value"
            else:
                statement = "INSERT INTO counters VALUES (:value)"
            await done(work.session.execute(text(statement), {"value": value + 1}))
        return 200


class Notes(Policy):
    """Notes the responses that it sees."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def on_response(self, request: Request, response: Response) -> None:
        self.statuses.append(response.status)


def ask(way: Way, view: View, *outer: Policy, retries: int = 3, method: str = "PUT") -> Answer:
    """Send one request."""
    app = way.wrap(view, ErrorEnvelope(), *outer, UnitOfWork(way.factory, retries=retries))
    return way.drive(app, method, body=b"{}")


@pytest.mark.unmeasured
@pytest.mark.parametrize("other", OTHERS.values(), ids=list(OTHERS))
def test_a_conflict_is_answered_as_if_it_had_not_been(
    way: Way, other: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    view, notes = Adds(way, other), Notes()
    assert ask(way, view, notes).status == 200
    assert (view.attempts, view.committed, notes.statuses) == (2, [2], [200])
    assert total(way) == (2 if len(other) == 1 else 21)
    assert not caplog.records


@pytest.mark.unmeasured
def test_conflicts_that_do_not_end_are_answered_with_503(way: Way) -> None:
    view = Adds(way, OTHERS["at a flush"], conflicts=100)
    answer = ask(way, view, retries=2)
    assert (answer.status, answer.get("Retry-After")) == (503, "1")
    assert (view.attempts, view.committed, total(way)) == (3, [], 3)


@pytest.mark.unmeasured
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_method_that_is_not_idempotent_is_not_run_again(way: Way, method: str) -> None:
    view = Adds(way, OTHERS["at a flush"])
    assert ask(way, view, method=method).status == 503
    assert (view.attempts, total(way)) == (1, 1)


class Keyed(Policy):
    """Takes the key of a request, as `Idempotency` does."""

    def on_request(self, request: Request) -> None:
        vars(request.state)["idempotency"] = object()


@pytest.mark.unmeasured
def test_a_request_with_an_idempotency_key_is_run_again(way: Way) -> None:
    view = Adds(way, OTHERS["at a flush"])
    assert ask(way, view, Keyed(), method="POST").status == 200
    assert (view.attempts, total(way)) == (2, 2)


@pytest.mark.unmeasured
def test_without_the_option_nothing_is_run_again(way: Way) -> None:
    view = Adds(way, OTHERS["at a flush"])
    assert ask(way, view, retries=0).status == 503
    assert view.attempts == 1


def test_a_conflict_that_the_app_has_handled_is_not_run_again(way: Way) -> None:
    adds = Adds(way, OTHERS["at a flush"])

    async def view(raw: Raw) -> int:
        try:
            return await adds(raw)
        except Exception:
            await done(uow(raw).rollback())
            return 202

    assert ask(way, view).status == 202
    assert adds.attempts == 1


def test_a_conflict_that_the_app_answers_as_an_error_is_run_again(way: Way) -> None:
    adds = Adds(way, OTHERS["at a flush"])

    async def view(raw: Raw) -> int:
        try:
            return await adds(raw)
        except Exception:
            return 500

    assert ask(way, view).status == 200
    assert (adds.attempts, total(way)) == (2, 2)


def test_a_conflict_is_not_hidden_by_the_exceptions_that_it_leads_to(way: Way) -> None:
    adds = Adds(way, OTHERS["at a flush"])

    async def view(raw: Raw) -> int:
        with suppress(SQLAlchemyError):
            await adds(raw)
        if adds.attempts == 1:
            async with block(uow(raw)):
                raise ValueError("there is no result")
        return 200

    assert ask(way, view).status == 200
    assert (adds.attempts, total(way)) == (2, 2)


@pytest.mark.parametrize("commits", ["all", "a savepoint"])
def test_a_request_that_has_committed_by_itself_is_not_run_again(way: Way, commits: str) -> None:
    adds = Adds(way, OTHERS["at a flush"])

    async def view(raw: Raw) -> int:
        session = uow(raw).session
        savepoint = await done(session.begin_nested())
        await done(session.execute(text("INSERT INTO counters VALUES (0)")))
        await done((session if commits == "all" else savepoint).commit())
        return await adds(raw)

    assert ask(way, view).status == (503 if commits == "all" else 200)
    assert adds.attempts == (1 if commits == "all" else 2)


def test_a_conflict_that_is_not_run_again_is_logged(
    way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """By the framework, as there is no envelope: one outside of the unit of work."""
    if way.name != "wsgi":
        pytest.skip("Flask's views are WSGI")
    app = Flask("app")

    @app.put("/")
    def view() -> str:
        with way.plain.connect() as connection:
            connection.execute(text("SELECT sum(value) FROM counters"))
            with way.plain.begin() as other:
                other.execute(text("UPDATE counters SET value = value + 1"))
            connection.execute(text("UPDATE counters SET value = value + 1"))
        return "done"

    stack = mantlet.wrap(app, UnitOfWork(way.factory, retries=1), baseline=False)
    assert way.drive(stack, "PUT").status == 500
    assert [one.name for one in caplog.records] == ["app"]


def test_a_commit_that_may_have_succeeded_in_part_is_not_run_again(tmp_path: Path) -> None:
    """One database has committed, and the other one has not."""
    engines = [create_engine(f"sqlite:///{tmp_path}/{name}") for name in ("one", "two")]
    commits: list[Any] = []

    def fail_second(connection: Any) -> None:
        commits.append(connection)
        if len(commits) == 2:
            raise locked()

    for engine in engines:
        Item.metadata.create_all(engine)
        event.listen(engine, "commit", fail_second)
    attempts: list[int] = []

    def app(environ: Raw, start_response: Any) -> list[bytes]:
        attempts.append(1)
        with uow(environ) as work:
            for engine in engines:
                connection = work.session.connection(bind_arguments={"bind": engine})
                connection.execute(insert(Item), [{"name": "a"}])
        start_response("200 OK", [])
        return [b"ok"]

    unit = UnitOfWork(sessionmaker(), retries=3)
    stack = mantlet.wsgi.wrap(app, ErrorEnvelope(), unit, baseline=False)
    assert (drive_wsgi(stack, "PUT").status, len(attempts)) == (503, 1)
    for engine in engines:
        engine.dispose()


def test_what_follows_a_commit_is_not_run_again(tmp_path: Path) -> None:
    """A listener of the session's raises what would be a conflict."""
    engine = create_engine(f"sqlite:///{tmp_path}/database")
    Item.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    attempts: list[int] = []

    @event.listens_for(sessions, "after_commit")
    def fail(session: Any) -> None:
        raise locked()

    def app(environ: Raw, start_response: Any) -> list[bytes]:
        attempts.append(1)
        with uow(environ) as work:
            work.session.execute(insert(Item), [{"name": f"item {len(attempts)}"}])
        start_response("200 OK", [])
        return [b"ok"]

    unit = UnitOfWork(sessions, retries=3)
    stack = mantlet.wsgi.wrap(app, ErrorEnvelope(), unit, baseline=False)
    assert (drive_wsgi(stack, "PUT").status, len(attempts)) == (503, 1)
    engine.dispose()


def locked() -> sqlite3.OperationalError:
    """Return the exception of a database that another client has locked."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


def in_thread(view: View) -> View:
    """Return a view that runs in a thread, where it may wait for locks."""

    async def threaded(raw: Raw) -> int:
        return await asyncio.to_thread(run_sync, view(raw))

    return threaded


def test_parallel_increments_are_all_counted(way: Way) -> None:
    adds = Adds(way, ("",), conflicts=0)
    stack = way.wrap(adds, ErrorEnvelope(), UnitOfWork(way.factory, retries=10))
    count = 4

    async def send(app: Any) -> int | None:
        answer = Answer()
        message = {"type": "http.request", "body": b"", "more_body": False}
        await ask_asgi(app, make_scope("PUT"), [message], answer)
        return answer.status

    async def send_many() -> list[int | None]:
        view = adds if way.is_async else in_thread(adds)
        app: Any = mantlet.asgi.Stack(
            asgi_app(view), [ErrorEnvelope(), UnitOfWork(way.factory, retries=10)]
        )
        statuses: list[int | None] = []
        for _ in range(3):
            statuses += await asyncio.gather(*(send(app) for _ in range(count)))
        if way.is_async:
            await way.engine.dispose()
        return statuses

    if way.name == "wsgi":
        with ThreadPoolExecutor(count) as pool:
            sent = [pool.submit(way.drive, stack, "PUT") for _ in range(3 * count)]
            statuses = [one.result().status for one in sent]
    else:
        statuses = asyncio.run(send_many())
    assert statuses == [200] * 3 * count
    assert total(way) == 3 * count


# -- frameworks ------------------------------------------------------------------------------------


@pytest.mark.breaks_rules("Django sends fields in any case under ASGI")
# Django leaves the file of a request's body to the collector if ``send`` raises.
@pytest.mark.few_cases(5)
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.Spooled:ResourceWarning")
@pytest.mark.parametrize("envelope", [True, False], ids=["envelope", "bare"])
@pytest.mark.parametrize("name", NAMES)
def test_every_framework_is_run_again(
    name: str, envelope: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is locked in the first attempt, and free in the second."""
    way = way_of(name, tmp_path, "?timeout=0")
    lock = sqlite3.connect(tmp_path / "database", isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN IMMEDIATE")
    rollbacks: list[Any] = []

    @event.listens_for(getattr(way.engine, "sync_engine", way.engine), "rollback")
    def release(connection: Any) -> None:
        rollbacks.append(connection)
        if len(rollbacks) == 1:
            lock.execute("ROLLBACK")

    notes = Notes()
    policies = (ErrorEnvelope(), notes) if envelope else (notes,)
    with app_of(name) as app:
        unit = UnitOfWork(way.factory, retries=1)
        wrapped = mantlet.wrap(app, *policies, Keyed(), unit, baseline=False)
        answer = way.drive(way.disposing(wrapped) if way.is_async else wrapped, "POST", "/commit")
    assert (answer.status, answer.error, notes.statuses) == (201, None, [201])
    assert way.names() == ["before", "within"]
    assert rollbacks
    assert way.engine.pool.checkedout() == 0
    # Falcon writes its own record under ASGI, unless an envelope answers.
    logged = [one.name for one in caplog.records if one.levelname in ("ERROR", "CRITICAL")]
    assert logged == (["falcon"] if name == "falcon-asgi" and not envelope else [])
    way.dispose()
    lock.close()
    gc.collect()


@pytest.mark.parametrize("way", [("asgi", "psycopg")], ids="-".join, indirect=True)
def test_the_background_task_of_a_discarded_response_does_not_run(way: Way) -> None:
    happened: list[str] = []
    adds = Adds(way, OTHERS["at the commit"])

    async def view(request: Any) -> PlainTextResponse:
        await adds(request.scope)
        task = BackgroundTask(happened.append, f"after attempt {adds.attempts}")
        return PlainTextResponse("done", background=task)

    app = Starlette(routes=[Route("/", view, methods=["PUT"])])
    stack = mantlet.wrap(app, UnitOfWork(way.factory, retries=1), baseline=False)
    assert way.drive(stack, "PUT").status == 200
    assert happened == ["after attempt 2"]


@pytest.mark.parametrize("retries", [-1, 11, 1.5, True, "2"])
def test_the_option_is_checked(retries: Any, postgresql_dsn: str) -> None:
    made = Way("wsgi", postgresql_dsn, ("postgresql+psycopg",) * 2)
    with pytest.raises((TypeError, ValueError), match="retries must be"):
        UnitOfWork(made.factory, retries=retries)
    made.dispose()
