"""Records in the app's database: one of several workers changes each, and times are its own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Table,
    create_engine,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import NullPool, StaticPool
from sqlalchemy.schema import CreateTable

from mantlet import ErrorEnvelope, Idempotency, Problem, StoreError, StoreOutage, UnitOfWork, uow
from mantlet.database import records as records_module
from mantlet.database.clock import Now
from mantlet.stores.records import Record
from tests.database.test_unit_of_work import Noting
from tests.database.ways import Item, block, done
from tests.servers.server import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mantlet import Response
    from mantlet.database.records import SqlRecords
    from tests.database.ways import Raw, Way

KINDS = ("wsgi", "thread", "async")


class Store:
    """A store, whose methods are awaited where they have to be.

    Args:
        kind: under WSGI, under ASGI with a Session, or with an AsyncSession.
        url: the address of the database after its scheme.
        schemes: for a session that is not awaited and for one that is.
    """

    def __init__(self, kind: str, url: str, schemes: tuple[str, str]) -> None:
        self.plain = create_engine(f"{schemes[0]}://{url}", poolclass=NullPool)
        factory: Any = sessionmaker(self.plain)
        if kind == "async":
            engine = create_async_engine(f"{schemes[1]}://{url}", poolclass=NullPool)
            factory = async_sessionmaker(engine)
        self.uow = UnitOfWork(factory)
        made = self.uow.records()
        made.create_table(self.plain)
        self.records = made.bind(kind != "wsgi")

    def __getattr__(self, name: str) -> Any:
        return lambda *args: asyncio.run(done(getattr(self.records, name)(*args)))

    def expire(self) -> None:
        """Let the time of every record be over."""
        with self.plain.begin() as connection:
            connection.execute(update(self.records.table).values(expires=Now() - 1))

    def rows(self) -> int:
        """Return how many rows there are."""
        with self.plain.connect() as connection:
            found = connection.execute(select(func.count()).select_from(self.records.table))
            return found.scalar_one()


@pytest.fixture(
    params=[f"{database}-{kind}" for database in ("sqlite", "postgresql") for kind in KINDS]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of session, with each database."""
    database, _, kind = request.param.partition("-")
    if database == "sqlite":
        yield Store(kind, f"/{tmp_path}/database", ("sqlite", "sqlite+aiosqlite"))
    else:
        dsn = request.getfixturevalue("postgresql_dsn")
        yield Store(kind, dsn, ("postgresql+psycopg", "postgresql+asyncpg"))


def test_a_record(store: Store) -> None:
    """It is created once, replaced and deleted by whoever names its value."""
    assert store.open() is None
    assert store.create(b"key", b"one", 60) is None
    found = store.create(b"key", b"two", 60)
    assert isinstance(found, Record)
    assert found.value == b"one"
    assert 0 <= found.age < 60
    assert store.replace(b"key", b"two", b"three", 60) is False
    assert store.replace(b"other", b"one", b"three", 60) is False
    assert store.replace(b"key", b"one", b"three\x00\xff", 60) is True
    assert store.create(b"key", b"two", 60).value == b"three\x00\xff"
    assert store.delete(b"key", b"one") is False
    assert store.delete(b"key", b"three\x00\xff") is True
    assert store.create(b"key", b"two", 60) is None


def test_a_record_that_has_expired_is_gone(store: Store) -> None:
    """It can be created again, and not replaced."""
    store.create(b"key", b"one", 60)
    store.expire()
    assert store.replace(b"key", b"one", b"two", 60) is False
    assert store.create(b"key", b"two", 60) is None
    assert store.create(b"key", b"three", 60).value == b"two"
    assert store.create(b"short", b"one", 0) is None
    assert store.create(b"short", b"two", 0) is None


def test_expired_records_are_deleted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While others are stored, some at a time."""
    monkeypatch.setattr(records_module, "_PURGED", 3)
    for number in range(5):
        store.create(b"old%d" % number, b"", 60)
    store.expire()
    monkeypatch.setattr(records_module, "_PURGE_EVERY", 1)
    for expected in (3, 2, 3):
        store.create(b"new%d" % expected, b"", 60)
        if expected == 3:
            break
        assert store.rows() == expected
    assert store.rows() <= 4
    store.create(b"last", b"", 60)
    assert store.create(b"new3", b"", 60) is not None


@pytest.mark.parametrize("size", [0, 1, 64])
def test_keys_and_values_of_any_bytes(store: Store, size: int) -> None:
    """Nothing of them is text."""
    key, value = b"\x00\xff'\"%"[:size] or b"k", b"\x00'\\\xff" * 50_000 * size
    assert store.create(key, value, 60) is None
    assert store.create(key, b"", 60).value == value


def test_one_of_many_creates_it(store: Store) -> None:
    """And one replaces it."""

    def at_once(name: str, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        if store.records._sessions.is_async:

            async def call() -> list[Any]:
                method = getattr(store.records, name)
                return await asyncio.gather(*(done(method(*args)) for args in calls))

            return asyncio.run(call())
        ready = threading.Barrier(len(calls))

        def call_when_ready(args: tuple[Any, ...]) -> Any:
            ready.wait()
            return getattr(store, name)(*args)

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(call_when_ready, calls))

    found = at_once("create", [(b"key", b"%d" % number, 60) for number in range(8)])
    assert found.count(None) == 1
    old = b"%d" % found.index(None)
    assert {record.value for record in found if record is not None} == {old}
    calls = [(b"key", old, b"new%d" % number, 60) for number in range(8)]
    assert at_once("replace", calls).count(True) == 1


def test_a_missing_table(store: Store) -> None:
    """The app does not start without it."""
    other = store.uow.records("missing").bind(store.records._waits)
    with pytest.raises(StoreError, match=r"there is no table missing: call create_table\(engine\)"):
        asyncio.run(done(other.open()))
    with pytest.raises(StoreOutage):
        asyncio.run(done(other.create(b"key", b"", 1)))
    if store.records._sessions.is_async:
        with pytest.raises(TypeError, match="not under WSGI"):
            other.bind(False)


def test_an_outage() -> None:
    """It is a StoreOutage, whatever the database says."""
    factory = sessionmaker(create_engine(f"postgresql+psycopg://app@{HOST}:1/test"))
    records = UnitOfWork(factory).records()
    for call in (
        records.open,
        lambda: records.create(b"key", b"", 1),
        lambda: records.replace(b"key", b"", b"", 1),
        lambda: records.delete(b"key", b""),
    ):
        with pytest.raises(StoreOutage):
            call()


def test_a_database_of_another_kind() -> None:
    """It is refused where the app starts."""
    records = UnitOfWork(sessionmaker()).records()
    connection: Any = type("", (), {"dialect": type("", (), {"name": "oracle"})})
    with pytest.raises(StoreError, match="oracle has no records: use postgresql, sqlite"):
        records._open(connection)


def test_a_table_among_those_of_the_app() -> None:
    """Migrations find it there; `create_table()` makes no other."""
    metadata = MetaData()
    Table("orders", metadata, Column("id", Integer))
    engine = create_engine("sqlite://", poolclass=StaticPool)
    records, same = (UnitOfWork(sessionmaker(engine)).records(metadata=metadata) for _ in range(2))
    assert records.table is same.table is metadata.tables["idempotency_keys"]
    for _ in range(2):
        records.create_table(engine)
    assert inspect(engine).get_table_names() == ["idempotency_keys"]
    assert records.create(b"key", b"a", 60) is None
    engine.dispose()
    with pytest.raises(ValueError, match="another table named 'orders' already"):
        UnitOfWork(sessionmaker()).records("orders", metadata=metadata)
    wrong: Any = engine
    with pytest.raises(TypeError, match=r"metadata must be a MetaData such as Base\.metadata"):
        UnitOfWork(sessionmaker()).records(metadata=wrong)


def test_a_table_in_a_schema() -> None:
    """It is looked for there."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.execute(text("ATTACH DATABASE ':memory:' AS shop"))
    for _ in range(2):
        metadata = MetaData(schema="shop")
        records = UnitOfWork(sessionmaker(engine)).records(metadata=metadata)
        records.create_table(engine)
        records.open()
    engine.dispose()


def test_tables_of_async_engines(tmp_path: Path) -> None:
    """They are awaited."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/database", poolclass=NullPool)
    records = UnitOfWork(async_sessionmaker(engine)).records().bind(True)

    async def run() -> None:
        await records.create_table(engine)
        await done(records.open())

    asyncio.run(run())


# -- in the transaction of a unit of work ----------------------------------------------------------


class Recording(Noting):
    """A policy that replaces a record before the commit."""

    def __init__(self, records: SqlRecords, old: bytes) -> None:
        super().__init__()
        self.records, self.old = records, old

    def note(self, session: Any, response: Response) -> Any:
        """Store the status."""
        value = b"%d" % response.status
        return self._check(self.records.replace_in(session, b"key", self.old, value, 60))

    async def _check(self, replaced: Any) -> None:
        if not await done(replaced):
            raise Problem(409, detail="taken over", headers={"Retry-After": "1"})


def test_a_record_and_the_data_of_one_transaction(way: Way) -> None:
    """Both or neither."""
    policy = UnitOfWork(way.factory)
    plain = UnitOfWork(sessionmaker(way.plain)).records()
    plain.create_table(way.plain)
    records = policy.records()
    assert plain.create(b"key", b"started", 60) is None

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add(Item(name="a"))
        return 201

    # Another request has taken over.
    answer = way.ask(view, policy, ErrorEnvelope(), Recording(records, b"other"))
    assert (answer.status, answer.get("retry-after")) == (409, "1")
    assert (way.count(), plain.create(b"key", b"", 1)[0]) == (0, b"started")  # type: ignore[index]
    assert way.ask(view, policy, ErrorEnvelope(), Recording(records, b"started")).status == 201
    assert (way.count(), plain.create(b"key", b"", 1)[0]) == (1, b"201")  # type: ignore[index]
    # The commit fails, with the record in it.
    assert way.ask(view, policy, ErrorEnvelope(), Recording(records, b"201")).status == 409
    assert (way.count(), plain.create(b"key", b"", 1)[0]) == (1, b"201")  # type: ignore[index]


def test_a_payment_and_its_repeat(way: Way) -> None:
    """With sessions of either kind: charged once, and the repeat gets the response."""
    policy = UnitOfWork(way.factory)
    policy.records().create_table(way.plain)

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add(Item(name=f"charge {way.count()}"))
        return 201

    app = way.wrap(view, ErrorEnvelope(), Idempotency(store=policy.records()), policy)
    first, second = (
        way.drive(app, "POST", headers=[("Idempotency-Key", "key")], body=b"{}") for _ in range(2)
    )
    assert (first.status, second.status, way.count()) == (201, 201, 1)
    assert (first.get("idempotency-replayed"), second.get("idempotency-replayed")) == (None, "true")


def test_an_async_session_under_wsgi(tmp_path: Path) -> None:
    """The app does not start, and the error says why."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/database")
    policy = Idempotency(store=UnitOfWork(async_sessionmaker(engine)).records())
    with pytest.raises(TypeError, match="not under WSGI"):
        policy.startup()


def test_the_words_of_mysql() -> None:
    """Its keys need a length, its values may be long, and its clock is its own."""
    dialect = mysql.dialect()
    records = UnitOfWork(sessionmaker()).records()
    made = str(CreateTable(records.table).compile(dialect=dialect))
    assert "`key` VARBINARY(64) NOT NULL" in made
    assert "value LONGBLOB NOT NULL" in made
    insertion = records._insertion("mysql").values(key=b"", stored=Now())
    assert str(insertion.compile(dialect=dialect)).startswith("INSERT IGNORE INTO idempotency_keys")
    assert "UNIX_TIMESTAMP() + MICROSECOND(NOW(6)) / 1e6" in str(insertion.compile(dialect=dialect))
