"""Commits that fail on PostgreSQL are never answered as successes, and leave nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import fastapi
import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

import mantlet
from mantlet import UnitOfWork, uow
from tests.database.ways import Item, Way, block, done
from tests.drive import Answer, drive_asgi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.database.ways import Raw, View

#: The way, and the driver of its sessions.
WAYS = (
    ("wsgi", "psycopg"),
    ("wsgi", "psycopg2"),
    ("asgi", "psycopg"),
    ("asgi-async", "psycopg"),
    ("asgi-async", "asyncpg"),
)

TABLES = """
CREATE TABLE parents (id INTEGER PRIMARY KEY);
CREATE TABLE children (
    name TEXT UNIQUE DEFERRABLE INITIALLY DEFERRED,
    parent INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE counters (name TEXT, value INTEGER);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE check_violation USING MESSAGE = 'refused'; END $$;
CREATE CONSTRAINT TRIGGER refusing AFTER INSERT ON counters DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.value < 0) EXECUTE FUNCTION refuse();
"""


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest, postgresql_dsn: str) -> Iterator[Way]:
    """Each way, with a schema of PostgreSQL."""
    name, driver = request.param
    made = Way(name, postgresql_dsn, (f"postgresql+{driver}",) * 2, plain="postgresql+psycopg")
    with made.plain.begin() as connection:
        connection.execute(text(TABLES))
    yield made
    made.dispose()


def running(*statements: str, status: int = 201) -> View:
    """Return a view that executes statements."""

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            for statement in statements:
                await done(work.session.execute(text(statement)))
        return status

    return view


def rows(way: Way, table: str) -> int:
    """Return how many rows a table has."""
    with way.plain.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


@pytest.mark.parametrize(
    ("statements", "status"),
    [
        (("INSERT INTO children VALUES ('a', 1)",), 409),
        (("INSERT INTO children VALUES ('a', NULL)",) * 2, 409),
        (("INSERT INTO counters VALUES ('a', -1)",), 422),
    ],
    ids=["foreign key", "unique", "check"],
)
def test_a_constraint_that_is_checked_by_the_commit(
    way: Way, statements: tuple[str, ...], status: int
) -> None:
    """The app has responded 201, and the client is told the truth."""
    answer = way.ask(running("INSERT INTO items (name) VALUES ('a')", *statements))
    assert answer.status == status
    assert answer.get("content-type") == "application/problem+json"
    assert way.count() == rows(way, "children") == rows(way, "counters") == 0
    assert way.ask(running("INSERT INTO items (name) VALUES ('a')")).status == 201
    assert way.count() == 1


@pytest.mark.unmeasured
def test_a_serialization_failure(way: Way) -> None:
    """Found by the commit: a 503 with Retry-After, since it may succeed again."""
    with way.plain.begin() as connection:
        connection.execute(text("INSERT INTO counters VALUES ('a', 1), ('b', 1)"))

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            await done(work.session.execute(text(_SERIALIZABLE)))
            await done(work.session.execute(text("SELECT sum(value) FROM counters")))
            with way.plain.begin() as other:  # which does the same, and is first
                other.execute(text(_SERIALIZABLE))
                other.execute(text("SELECT sum(value) FROM counters"))
                other.execute(text("UPDATE counters SET value = 2 WHERE name = 'a'"))
                update = text("UPDATE counters SET value = 2 WHERE name = 'b'")
                await done(work.session.execute(update))
        return 200

    answer = way.ask(view)
    assert (answer.status, answer.get("retry-after")) == (503, "1")
    with way.plain.connect() as connection:
        found = connection.execute(text("SELECT value FROM counters ORDER BY name")).scalars()
        assert list(found) == [2, 1]


_SERIALIZABLE = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"


@pytest.mark.parametrize("last", ["flush", "commit"])
def test_a_connection_that_is_killed(way: Way, last: str) -> None:
    """Before the work is flushed, or committed: a 503, and a new connection for the next one."""

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add(Item(name="a"))
            if last == "commit":
                await done(work.session.flush())
            pid = await done(work.session.scalar(select(text("pg_backend_pid()"))))
            with way.plain.begin() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
                gone = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
                while other.execute(gone, {"pid": pid}).scalar_one():
                    other.execute(text("SELECT pg_sleep(0.01)"))
                    other.execute(text("SELECT pg_stat_clear_snapshot()"))
        return 201

    assert way.ask(view).status == 503
    assert way.count() == 0
    assert way.ask(running("INSERT INTO items (name) VALUES ('a')")).status == 201
    assert way.count() == 1


def test_an_error_that_the_app_has_swallowed(way: Way) -> None:
    """PostgreSQL has aborted the transaction, and would answer COMMIT with ROLLBACK."""

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            await done(work.session.execute(text("INSERT INTO items (name) VALUES ('a')")))
            with pytest.raises(DBAPIError):
                await done(work.session.execute(text("SELECT 1 / 0")))
        return 201

    assert way.ask(view).status == 500
    assert way.count() == 0


def test_an_error_within_a_savepoint(way: Way) -> None:
    """The rest of the transaction goes on."""

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            await done(work.session.execute(text("INSERT INTO items (name) VALUES ('a')")))
            nested = await done(work.session.begin_nested())
            with pytest.raises(DBAPIError):
                await done(work.session.execute(text("SELECT 1 / 0")))
            await done(nested.rollback())
        return 201

    assert way.ask(view).status == 201
    assert way.count() == 1


# -- what is done by hand --------------------------------------------------------------------------


factory = sessionmaker()


def get_session() -> Iterator[Session]:
    """A dependency as it is often written: it commits after the response has been made."""
    with factory.begin() as session:
        yield session


def test_a_dependency_of_fastapi_and_a_unit_of_work(postgresql_dsn: str) -> None:
    """One answers 201 and then fails to commit; the other answers 409."""
    engine = create_engine(f"postgresql+psycopg://{postgresql_dsn}")
    with engine.begin() as connection:
        connection.execute(text(TABLES))
    factory.configure(bind=engine)
    insertion = text("INSERT INTO children VALUES ('a', 1)")

    app = fastapi.FastAPI()

    @app.post("/dependency", status_code=201)
    def by_dependency(
        session: Annotated[Session, fastapi.Depends(get_session)],
    ) -> dict[str, str]:
        session.execute(insertion)
        return {"state": "stored"}

    @app.post("/unit-of-work", status_code=201)
    def by_unit_of_work(request: fastapi.Request) -> dict[str, str]:
        with uow(request) as work:
            work.session.execute(insertion)
        return {"state": "stored"}

    wrapped = mantlet.wrap(app, UnitOfWork(factory))

    def ask(path: str) -> Answer:
        return drive_asgi(wrapped, "POST", path)

    assert (ask("/dependency").status, ask("/unit-of-work").status) == (201, 409)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM children")).scalar_one() == 0
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of a QueuePool
    engine.dispose()
