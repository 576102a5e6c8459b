"""`SqlRecords`: a store of records in the app's own database, written in its transactions.

Times are taken from the database's clock, since the clocks of workers may differ. Create the table
by `SqlRecords.create_table()`, or by your migrations, which find it in ``records(metadata=...)``.
For PostgreSQL::

    CREATE TABLE idempotency_keys (
        key BYTEA PRIMARY KEY,
        value BYTEA NOT NULL,
        stored DOUBLE PRECISION NOT NULL,
        expires DOUBLE PRECISION NOT NULL
    );
    CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires);

Expired records are deleted while new ones are stored, a hundred at a time.
"""

from collections.abc import Awaitable, Callable
from copy import copy
from itertools import count
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Column,
    Double,
    Index,
    LargeBinary,
    MetaData,
    delete,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from mantlet._internal.event_loop import run_in_thread
from mantlet.database.clock import CLOCKS, Now
from mantlet.database.own_tables import own_table
from mantlet.database.sessions import SqlSessions
from mantlet.exceptions import StoreError, StoreOutage
from mantlet.stores.records import Record, RecordStore

__all__ = ["SqlRecords"]

T = TypeVar("T")

_KEY: Final = LargeBinary(64).with_variant(mysql.VARBINARY(64), "mysql", "mariadb")
_VALUE: Final = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
#: Every hundredth new record deletes at most a hundred expired ones.
_PURGE_EVERY: Final = 100
_PURGED: Final = 100
#: The maximum number of attempts to store a record while others store and delete the same one.
_ATTEMPTS: Final = 10


class SqlRecords(RecordStore):
    """Records in a table of PostgreSQL, SQLite, MySQL or MariaDB; see `UnitOfWork.records()`.

    Args:
        sessions: the source of sessions.
        name: the name of the table.
        metadata: the metadata of the table; by default a separate one.

    Attributes:
        table: the table.
        metadata: its metadata.
        is_transactional: True: callers may use `replace_in()`.
    """

    is_transactional = True

    def __init__(self, sessions: SqlSessions, name: str, metadata: MetaData | None = None) -> None:
        self._sessions = sessions
        self._waits = False
        self._created = count(1)
        self.table = own_table(
            metadata,
            name,
            "records",
            Column("key", _KEY, primary_key=True),
            Column("value", _VALUE, nullable=False),
            Column("stored", Double, nullable=False),
            Column("expires", Double, nullable=False),
            Index(f"{name}_expires", "expires"),
        )
        self.metadata = self.table.metadata

    # Any: an Engine or an AsyncEngine, and None or an awaitable.
    def create_table(self, engine: Any) -> Any:
        """Create the table unless it exists. With an ``AsyncEngine``, await the result.

        Args:
            engine: an ``Engine`` or an ``AsyncEngine``.
        """
        if hasattr(engine, "sync_engine"):
            return self._create_table_later(engine)
        return self.table.create(engine, checkfirst=True)

    async def _create_table_later(self, engine: Any) -> None:
        async with engine.begin() as connection:
            await connection.run_sync(self.table.create, checkfirst=True)

    # -- RecordStore ------------------------------------------------------------------------------

    def bind(self, is_async: bool) -> "SqlRecords":
        """Return the store, bound for use by a protocol adapter.

        Raises:
            TypeError: the sessions are async, which needs an event loop.
        """
        if self._sessions.is_async and not is_async:
            raise TypeError("records of an async_sessionmaker need an event loop: not under WSGI")
        bound = copy(self)
        bound._waits = is_async
        return bound

    def open(self) -> Awaitable[None] | None:
        """Check that the table exists.

        Raises:
            StoreError: the table is missing, or the database is not supported.
        """
        return self._run(self._open)

    def create(
        self, key: bytes, value: bytes, seconds: float
    ) -> Record | Awaitable[Record | None] | None:
        """Store a record unless it exists; see `RecordStore.create()`."""
        return self._run(self._create, key, value, seconds)

    def replace(
        self, key: bytes, old: bytes, value: bytes, seconds: float
    ) -> bool | Awaitable[bool]:
        """Replace a record's value if it is still the old one; see `RecordStore.replace()`."""
        return self._run(self._execute, self._replacement(key, old, value, seconds))

    def delete(self, key: bytes, old: bytes) -> bool | Awaitable[bool]:
        """Delete a record if its value is still the old one; see `RecordStore.delete()`."""
        columns = self.table.c
        found = (columns.key == key) & (columns.value == old)
        return self._run(self._execute, delete(self.table).where(found))

    # Any: a Session or an AsyncSession, and None or an awaitable.
    def replace_in(self, session: Any, key: bytes, old: bytes, value: bytes, seconds: float) -> Any:
        """Replace a record's value within the transaction of a session.

        Args:
            session: a ``Session``; or an ``AsyncSession``, for which the result is an awaitable.
            key: the key of the record, as in `replace()`.
            old: the value that the record must have.
            value: the new value.
            seconds: how long to keep the record.

        Returns:
            Whether the record was replaced. If not, the transaction must not be committed.
        """
        statement = self._replacement(key, old, value, seconds)
        if self._sessions.is_async:
            return session.run_sync(_execute_in, statement)
        return _execute_in(session, statement)

    # -- within a session -------------------------------------------------------------------------

    # Any: the arguments of a method that gets a connection.
    def _run(self, fn: Callable[..., T], *args: Any) -> T | Awaitable[T]:
        if self._sessions.is_async:
            return self._run_awaited(fn, *args)
        if self._waits:
            return run_in_thread(self._run_in_place, fn, *args)
        return self._run_in_place(fn, *args)

    def _run_in_place(self, fn: Callable[..., T], *args: Any) -> T:
        with self._sessions.open() as session:
            return _call(session, fn, *args)

    async def _run_awaited(self, fn: Callable[..., T], *args: Any) -> T:
        async with self._sessions.open() as session:
            result: T = await session.run_sync(_call, fn, *args)
            return result

    def _open(self, connection: Connection) -> None:
        name = self.table.name
        if connection.dialect.name not in CLOCKS:
            raise StoreError(f"{connection.dialect.name} has no records: use {', '.join(CLOCKS)}")
        if not inspect(connection).has_table(name, self.table.schema):
            raise StoreError(f"there is no table {name}: call create_table(engine) of the records")

    def _create(
        self, connection: Connection, key: bytes, value: bytes, seconds: float
    ) -> Record | None:
        columns = self.table.c
        values = {"key": key, "value": value, "stored": Now(), "expires": Now() + seconds}
        addition = self._insertion(connection.dialect.name).values(values)
        addition = addition.execution_options(preserve_rowcount=True)
        age = (Now() - columns.stored).label("age")
        found = select(columns.value, age, columns.expires > Now()).where(columns.key == key)
        expired = (columns.key == key) & (columns.expires <= Now())
        for _ in range(_ATTEMPTS):
            if connection.execute(addition).rowcount == 1:
                if not next(self._created) % _PURGE_EVERY:
                    self._purge(connection)
                return None
            row = connection.execute(found).one_or_none()
            if row is not None and row[2]:
                return Record(bytes(row[0]), max(0.0, float(row[1])))
            connection.execute(delete(self.table).where(expired))
        raise StoreOutage(f"a record of {self.table.name} is stored and deleted all the time")

    # Any: each dialect has its own Insert.
    def _insertion(self, dialect: str) -> Any:
        """Return an INSERT that does nothing if the key exists."""
        if dialect == "postgresql":
            return postgresql.insert(self.table).on_conflict_do_nothing()
        if dialect == "sqlite":
            return sqlite.insert(self.table).on_conflict_do_nothing()
        return insert(self.table).prefix_with("IGNORE")

    def _replacement(self, key: bytes, old: bytes, value: bytes, seconds: float) -> Any:
        columns = self.table.c
        found = (columns.key == key) & (columns.value == old) & (columns.expires > Now())
        values = {"value": value, "stored": Now(), "expires": Now() + seconds}
        return update(self.table).where(found).values(values)

    def _execute(self, connection: Connection, statement: Any) -> bool:
        return connection.execute(statement).rowcount == 1

    def _purge(self, connection: Connection) -> None:
        """Delete some records that have expired."""
        columns = self.table.c
        has_expired = columns.expires <= Now()
        keys = connection.execute(select(columns.key).where(has_expired).limit(_PURGED)).scalars()
        for key in keys.all():  # one by one, so workers can't deadlock
            connection.execute(delete(self.table).where((columns.key == key) & has_expired))


def _call(session: Session, fn: Callable[..., T], *args: Any) -> T:
    """Call a function with a connection on which each statement is a transaction.

    So each statement sees all committed records, regardless of the app's isolation level.
    """
    options = {"isolation_level": "AUTOCOMMIT"}
    try:
        return fn(session.connection(execution_options=options), *args)
    except SQLAlchemyError as error:
        raise StoreOutage("the database of the records is unavailable") from error


def _execute_in(session: Session, statement: Any) -> bool:
    result: Any = session.execute(statement)  # a CursorResult, since it is an UPDATE
    is_replaced: bool = result.rowcount == 1
    return is_replaced
