"""Databases' exceptions: the drivers' own classes, and what their codes make of them."""

from __future__ import annotations

import sqlite3
from importlib import import_module
from typing import TYPE_CHECKING, Any

import asyncpg
import django.db.utils
import mysql.connector
import peewee
import psycopg
import psycopg2.errors
import psycopg2.extensions
import pymongo.errors
import pymssql
import pymysql
import pytest
import redis
import sqlalchemy
import sqlalchemy.exc
import sqlalchemy.orm.exc
from sqlalchemy import orm
from sqlalchemy.pool import QueuePool

from mantlet import ErrorEnvelope
from mantlet.errors.database import database_problem
from tests.drive import Adapter, both_adapters
from tests.errors.test_mapping import raising

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "s3cr3t-row-4711"


def meaning(error: BaseException) -> tuple[int, str | None] | None:
    """Return the status and the Retry-After that an exception of a database gets."""
    problem = database_problem(error)
    return None if problem is None else (problem.status, problem.headers.get("Retry-After"))


CONFLICT, INVALID, FAULT = (409, None), (422, None), (500, None)
UNAVAILABLE, RETRY, TIMEOUT = (503, None), (503, "1"), (504, None)

#: PostgreSQL 17, appendix A: the code, the name of the condition, and what it is to a client.
SQLSTATES: list[tuple[str, str, tuple[int, str | None]]] = [
    ("23505", "UniqueViolation", CONFLICT),
    ("23503", "ForeignKeyViolation", CONFLICT),
    ("23P01", "ExclusionViolation", CONFLICT),
    ("23001", "RestrictViolation", CONFLICT),
    ("23502", "NotNullViolation", INVALID),
    ("23514", "CheckViolation", INVALID),
    ("22001", "StringDataRightTruncation", INVALID),
    ("22003", "NumericValueOutOfRange", INVALID),
    ("22P02", "InvalidTextRepresentation", INVALID),
    ("44000", "WithCheckOptionViolation", INVALID),
    ("40001", "SerializationFailure", RETRY),
    ("40P01", "DeadlockDetected", RETRY),
    ("55P03", "LockNotAvailable", RETRY),
    ("08006", "ConnectionFailure", UNAVAILABLE),
    ("53100", "DiskFull", UNAVAILABLE),
    ("53300", "TooManyConnections", UNAVAILABLE),
    ("57P01", "AdminShutdown", UNAVAILABLE),
    ("57P03", "CannotConnectNow", UNAVAILABLE),
    ("57014", "QueryCanceled", TIMEOUT),
    ("42601", "SyntaxError", FAULT),
    ("42P01", "UndefinedTable", FAULT),
    ("42501", "InsufficientPrivilege", FAULT),
    ("28P01", "InvalidPassword", FAULT),
    ("XX000", "InternalError_", FAULT),
]
by_sqlstate = pytest.mark.parametrize(
    ("code", "name", "expected"), SQLSTATES, ids=[name for _, name, _ in SQLSTATES]
)


@by_sqlstate
def test_psycopgs_classes(code: str, name: str, expected: tuple[int, str | None]) -> None:
    """They have their SQLSTATE."""
    error = getattr(psycopg.errors, name)(SECRET)
    assert error.sqlstate == code
    assert meaning(error) == expected


@by_sqlstate
def test_psycopg2s_classes(code: str, name: str, expected: tuple[int, str | None]) -> None:
    """They are given it by the server; else their name says it."""
    kind = getattr(psycopg2.errors, name)
    assert kind is psycopg2.errors.lookup(code)
    sent = kind(SECRET)
    sent.__setstate__({"pgcode": code})
    assert sent.pgcode == code
    assert meaning(sent) == expected
    if name != "InternalError_":  # whose name is not the condition's
        assert meaning(kind(SECRET)) == expected


@by_sqlstate
def test_asyncpgs_classes(code: str, name: str, expected: tuple[int, str | None]) -> None:
    """They have their SQLSTATE; the one for a code that they lack is that of its class."""
    error = asyncpg.exceptions.PostgresError.new({"C": code, "M": SECRET})
    assert meaning(error) == expected
    assert name


@by_sqlstate
def test_sqlalchemy_around_a_driver(code: str, name: str, expected: tuple[int, str | None]) -> None:
    """The wrapped exception says it."""
    inner = getattr(psycopg.errors, name)(SECRET)
    wrapped = sqlalchemy.exc.DBAPIError.instance(
        "INSERT INTO t VALUES (?)", (SECRET,), inner, psycopg.Error
    )
    assert isinstance(wrapped, sqlalchemy.exc.DBAPIError)
    assert meaning(wrapped) == expected
    assert code == inner.sqlstate


@by_sqlstate
def test_any_exception_with_a_sqlstate(
    code: str, name: str, expected: tuple[int, str | None]
) -> None:
    """Whichever driver it is from."""

    class ForeignError(Exception):
        sqlstate = code

    class OlderError(Exception):
        pgcode = code

    assert meaning(ForeignError(name)) == meaning(OlderError(name)) == expected


@pytest.mark.parametrize("code", [None, "", "2350", "235055", "23-05", 23505, b"23505", "HY000"])
def test_a_sqlstate_that_is_none_says_nothing(code: Any) -> None:
    """An exception that merely has an attribute of that name is no database's."""

    class AppError(Exception):
        sqlstate = code

    assert meaning(AppError()) is None


def test_drivers_of_postgresql_without_a_code() -> None:
    """A connection that fails has none."""
    assert meaning(psycopg.OperationalError(SECRET)) == UNAVAILABLE
    assert meaning(psycopg2.OperationalError(SECRET)) == UNAVAILABLE
    assert meaning(psycopg2.InterfaceError(SECRET)) == UNAVAILABLE
    assert meaning(psycopg.ProgrammingError(SECRET)) == FAULT
    assert meaning(asyncpg.InterfaceError(SECRET)) == UNAVAILABLE


# -- SQLite, for real -----------------------------------------------------------------------------

SCHEMA = """
    PRAGMA foreign_keys = ON;
    CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL CHECK (name <> ''));
    CREATE TABLE child (parent INTEGER REFERENCES parent);
    CREATE TABLE strict (value INTEGER) STRICT;
    INSERT INTO parent VALUES (1, 's3cr3t-row-4711');
"""
STATEMENTS = [
    ("INSERT INTO parent (name) VALUES ('s3cr3t-row-4711')", CONFLICT),
    ("INSERT INTO parent VALUES (1, 'other')", CONFLICT),
    ("INSERT INTO child VALUES (99)", CONFLICT),
    ("INSERT INTO parent (name) VALUES (NULL)", INVALID),
    ("INSERT INTO parent (name) VALUES ('')", INVALID),
    ("INSERT INTO strict VALUES ('s3cr3t-row-4711')", INVALID),
    ("INSERT INTO parent (id, name) VALUES ('s3cr3t-row-4711', 'x')", INVALID),
    ("SELECT zeroblob(2000000000)", INVALID),
    ("SELECT s3cr3t FROM parent", FAULT),
    ("SELEKT 1", FAULT),
]


@pytest.mark.parametrize(("statement", "expected"), STATEMENTS, ids=[s for s, _ in STATEMENTS])
@both_adapters
def test_sqlite(adapter: Adapter, statement: str, expected: tuple[int, str | None]) -> None:
    """Its extended result code says it, alone and under SQLAlchemy."""
    connection = sqlite3.connect(":memory:")
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: connection)
    connection.executescript(SCHEMA)
    with pytest.raises(sqlite3.Error) as alone:
        connection.execute(statement)
    with (
        pytest.raises(sqlalchemy.exc.DBAPIError) as wrapped,
        engine.connect() as session,
    ):
        session.execute(sqlalchemy.text(statement))
    engine.dispose()
    connection.close()
    for error in (alone.value, wrapped.value):
        assert meaning(error) == expected
        answer = adapter.drive(adapter.wrap(raising(error), ErrorEnvelope()))
        assert answer.status == expected[0]
        assert SECRET not in answer.text()
        assert "parent" not in answer.text()


def test_sqlite_that_is_busy_read_only_interrupted_or_not_there(tmp_path: Any) -> None:
    """What is not the statement's fault."""
    path = tmp_path / "database"
    first = sqlite3.connect(path, isolation_level=None, timeout=0)
    second = sqlite3.connect(path, isolation_level=None, timeout=0)
    first.execute("CREATE TABLE t (x)")
    first.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError) as busy:
        second.execute("INSERT INTO t VALUES (1)")
    assert meaning(busy.value) == RETRY
    first.execute("ROLLBACK")
    first.set_progress_handler(lambda: 1, 1)
    with pytest.raises(sqlite3.OperationalError) as interrupted:
        first.execute("WITH RECURSIVE n(i) AS (VALUES(1) UNION SELECT i+1 FROM n) SELECT * FROM n")
    assert meaning(interrupted.value) == TIMEOUT
    first.close()
    second.close()
    with pytest.raises(sqlite3.OperationalError) as missing:
        sqlite3.connect(tmp_path / "no" / "such" / "database")
    assert meaning(missing.value) == UNAVAILABLE


# -- drivers' own classes, as they make them of a server's answer ---------------------------------


def mysql_errors(number: int) -> list[BaseException]:
    """Return what the drivers of MySQL make of a server's number."""
    connector = mysql.connector.errors.get_mysql_exception(number, SECRET, "HY000")
    with pytest.raises(pymysql.err.MySQLError) as py:
        pymysql.err.raise_mysql_exception(
            b"\xff" + number.to_bytes(2, "little") + b"#HY000" + SECRET.encode()
        )
    return [connector, py.value]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1062, CONFLICT),
        (1586, CONFLICT),
        (1451, CONFLICT),
        (1452, CONFLICT),
        (1048, INVALID),
        (1364, INVALID),
        (1406, INVALID),
        (1264, INVALID),
        (3819, INVALID),
        (4025, INVALID),
        (1213, RETRY),
        (1205, RETRY),
        (1040, UNAVAILABLE),
        (2006, UNAVAILABLE),
        (2013, UNAVAILABLE),
        (1969, TIMEOUT),
        (3024, TIMEOUT),
        (1064, FAULT),
        (1146, FAULT),
        (1142, FAULT),
    ],
)
def test_mysql(number: int, expected: tuple[int, str | None]) -> None:
    """By the server's number, under both drivers, alone and wrapped."""
    for error in mysql_errors(number):
        assert meaning(error) == expected
        wrapped = sqlalchemy.exc.DBAPIError("SELECT 1", (), error)
        assert meaning(wrapped) == expected


def oracle_error(text: str, number: int = 0) -> BaseException:
    """Return what oracledb makes of a server's message."""
    made = import_module("oracledb.errors")._Error(text, code=number)
    kind: type[BaseException] = made.exc_type
    return kind(made)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, CONFLICT),
        (2291, CONFLICT),
        (2292, CONFLICT),
        (1400, INVALID),
        (2290, INVALID),
        (12899, INVALID),
        (60, RETRY),
        (8177, RETRY),
        (54, RETRY),
        (3113, UNAVAILABLE),
        (12541, UNAVAILABLE),
        (1653, UNAVAILABLE),
        (1013, TIMEOUT),
        (942, FAULT),
        (900, FAULT),
    ],
)
def test_oracle(number: int, expected: tuple[int, str | None]) -> None:
    """By the server's number."""
    assert meaning(oracle_error(f"ORA-{number:05}: {SECRET}", number)) == expected


def test_oracles_driver_by_its_own_codes() -> None:
    """A call that timed out, a connection that was closed."""
    assert meaning(oracle_error("DPY-4024: call timeout of 1 ms exceeded")) == TIMEOUT
    assert meaning(oracle_error("DPY-4011: the database closed the connection")) == UNAVAILABLE


class PyodbcError(Exception):
    """pyodbc's shape of an error: SQLSTATE first, then the driver's text (pyodbc, "Exceptions").

    The real one needs the system's ODBC manager to be loaded.
    """


PyodbcError.__module__ = "pyodbc"
ODBC = "[{}] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]s3cr3t. ({}) (SQLExecDirectW)"


@pytest.mark.parametrize(
    ("number", "state", "expected"),
    [
        (2627, "23000", CONFLICT),
        (2601, "23000", CONFLICT),
        (547, "23000", CONFLICT),
        (515, "23000", INVALID),
        (8152, "22001", INVALID),
        (1205, "40001", RETRY),
        (40501, "08S01", UNAVAILABLE),
        (0, "HYT00", TIMEOUT),
        (102, "42000", FAULT),
    ],
)
def test_sql_server(number: int, state: str, expected: tuple[int, str | None]) -> None:
    """By the server's number under pymssql, by SQLSTATE and number under ODBC."""
    assert meaning(PyodbcError(state, ODBC.format(state, number))) == expected
    if number:
        assert meaning(pymssql.DatabaseError(number, SECRET.encode())) == expected
        assert meaning(pymssql.DatabaseError((number, SECRET.encode()))) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (pymongo.errors.DuplicateKeyError(SECRET, 11000), CONFLICT),
        (
            pymongo.errors.BulkWriteError({"writeErrors": [{"code": 11000, "errmsg": SECRET}]}),
            CONFLICT,
        ),
        (pymongo.errors.WriteError(SECRET, 121), INVALID),
        (pymongo.errors.DocumentTooLarge(SECRET), INVALID),
        (pymongo.errors.OperationFailure(SECRET, 112), RETRY),
        (pymongo.errors.ServerSelectionTimeoutError(SECRET), UNAVAILABLE),
        (pymongo.errors.AutoReconnect(SECRET), UNAVAILABLE),
        (pymongo.errors.NotPrimaryError(SECRET), UNAVAILABLE),
        (pymongo.errors.WaitQueueTimeoutError(SECRET), UNAVAILABLE),
        (pymongo.errors.ExecutionTimeout(SECRET, 50), TIMEOUT),
        (pymongo.errors.WTimeoutError(SECRET, 64), TIMEOUT),
        (pymongo.errors.OperationFailure(SECRET, 13), FAULT),
        (pymongo.errors.ConfigurationError(SECRET), FAULT),
        (redis.ConnectionError(SECRET), UNAVAILABLE),
        (redis.BusyLoadingError(SECRET), UNAVAILABLE),
        (redis.exceptions.MaxConnectionsError(SECRET), UNAVAILABLE),
        (redis.ReadOnlyError(SECRET), UNAVAILABLE),
        (redis.OutOfMemoryError(SECRET), UNAVAILABLE),
        (redis.TimeoutError(SECRET), TIMEOUT),
        (redis.WatchError(SECRET), RETRY),
        (redis.ResponseError(SECRET), FAULT),
        (redis.AuthenticationError(SECRET), FAULT),
        (sqlalchemy.orm.exc.StaleDataError(SECRET), CONFLICT),
        (sqlalchemy.exc.DisconnectionError(SECRET), UNAVAILABLE),
        (sqlalchemy.exc.InvalidRequestError(SECRET), FAULT),
        (sqlalchemy.exc.IntegrityError(SECRET, {}, Exception(SECRET)), CONFLICT),
        (sqlalchemy.exc.DataError(SECRET, {}, Exception(SECRET)), INVALID),
        (sqlalchemy.exc.OperationalError(SECRET, {}, Exception(SECRET)), UNAVAILABLE),
        (sqlalchemy.exc.ProgrammingError(SECRET, {}, Exception(SECRET)), FAULT),
        (
            sqlalchemy.exc.ProgrammingError(
                SECRET, {}, Exception(SECRET), connection_invalidated=True
            ),
            UNAVAILABLE,
        ),
    ],
    ids=repr,
)
def test_what_has_a_class_alone(error: BaseException, expected: tuple[int, str | None]) -> None:
    """Where there is no code, or only one of the class's own."""
    assert meaning(error) == expected


def test_a_pool_that_is_exhausted() -> None:
    """SQLAlchemy's own TimeoutError is of resources, not of a statement."""
    engine = sqlalchemy.create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0
    )
    with engine.connect(), pytest.raises(sqlalchemy.exc.TimeoutError) as exhausted:
        engine.connect()
    engine.dispose()
    assert meaning(exhausted.value) == UNAVAILABLE


def test_sqlalchemys_mapper() -> None:
    """An insert by the ORM, whose exceptions are raised at the flush."""

    class Base(orm.DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "user"
        name: orm.Mapped[str] = orm.mapped_column(primary_key=True)

    engine = sqlalchemy.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.execute(sqlalchemy.insert(User).values(name=SECRET))
        session.add(User(name=SECRET))
        with pytest.raises(sqlalchemy.exc.IntegrityError) as twice:
            session.commit()
    engine.dispose()
    assert meaning(twice.value) == CONFLICT


def wrapped_by(kind: type[BaseException], inner: BaseException) -> BaseException:
    """Raise a wrapper as frameworks do: from the driver's exception."""
    try:
        raise kind(*inner.args) from inner
    except kind as error:
        return error


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: psycopg.errors.UniqueViolation(SECRET), CONFLICT),
        (lambda: psycopg.errors.NotNullViolation(SECRET), INVALID),
        (lambda: psycopg.errors.DeadlockDetected(SECRET), RETRY),
        (lambda: psycopg.errors.QueryCanceled(SECRET), TIMEOUT),
        (lambda: psycopg.errors.SyntaxError(SECRET), FAULT),
    ],
    ids=["unique", "not null", "deadlock", "timeout", "syntax"],
)
@pytest.mark.parametrize(
    "wrapper",
    [
        django.db.utils.DatabaseError,
        django.db.utils.IntegrityError,
        django.db.utils.OperationalError,
        peewee.DatabaseError,
        peewee.IntegrityError,
    ],
    ids=lambda kind: f"{kind.__module__}.{kind.__name__}",
)
def test_wrappers_say_what_they_wrap(
    wrapper: type[BaseException],
    make: Callable[[], BaseException],
    expected: tuple[int, str | None],
) -> None:
    """Whatever their own class is."""
    assert meaning(wrapped_by(wrapper, make())) == expected


def test_wrappers_without_what_they_wrap_go_by_their_class() -> None:
    """As they are raised in tests, and by database backends of others."""
    for module in (django.db.utils, peewee):
        assert meaning(module.IntegrityError(SECRET)) == CONFLICT
        assert meaning(module.DataError(SECRET)) == INVALID
        assert meaning(module.OperationalError(SECRET)) == UNAVAILABLE
        assert meaning(module.InterfaceError(SECRET)) == UNAVAILABLE
        assert meaning(module.ProgrammingError(SECRET)) == FAULT


def test_peewee_for_real() -> None:
    """It raises its own exception while it handles the driver's."""
    database = peewee.SqliteDatabase(":memory:")

    class Person(peewee.Model):
        name = peewee.CharField(unique=True, null=False)

        class Meta:
            database = None

    Person._meta.set_database(database)
    database.create_tables([Person])
    Person.create(name=SECRET)
    with pytest.raises(peewee.IntegrityError) as twice:
        Person.create(name=SECRET)
    with pytest.raises(peewee.IntegrityError) as missing:
        Person.create(name=None)
    database.close()
    assert meaning(twice.value) == CONFLICT
    assert meaning(missing.value) == INVALID


def test_wrappers_within_each_other_end() -> None:
    """Also when they go round in a circle."""
    first = sqlalchemy.exc.IntegrityError(SECRET, {}, Exception())
    second = sqlalchemy.exc.OperationalError(SECRET, {}, first)
    first.orig = second
    assert meaning(first) in (CONFLICT, UNAVAILABLE)


class IntegrityError(Exception):
    """An app's own exception of that name."""


@pytest.mark.parametrize(
    "error",
    [IntegrityError(), ConnectionError(), TimeoutError(), ValueError()],
    ids=repr,
)
def test_what_is_no_databases_is_left_alone(error: BaseException) -> None:
    """A name alone says nothing."""
    assert meaning(error) is None


@both_adapters
@pytest.mark.parametrize(
    "make",
    [
        lambda: sqlalchemy.exc.IntegrityError(
            f"INSERT INTO users VALUES ('{SECRET}')",
            (SECRET,),
            psycopg.errors.UniqueViolation(f"Key (email)=({SECRET}) already exists."),
        ),
        lambda: psycopg.errors.DeadlockDetected(f"row {SECRET}"),
        lambda: pymongo.errors.DuplicateKeyError(SECRET, 11000, {"keyValue": {"x": SECRET}}),
        lambda: redis.ConnectionError(f"Error 111 connecting to {SECRET}:6379"),
    ],
    ids=["sqlalchemy", "psycopg", "pymongo", "redis"],
)
@pytest.mark.parametrize("details", [False, True])
def test_no_value_of_a_database_gets_out(
    adapter: Adapter, make: Callable[[], BaseException], details: bool
) -> None:
    """Not in any form of answer, nor with any option."""
    stack = adapter.wrap(raising(make()), ErrorEnvelope(expose_details=details, convert="always"))
    for accept in ("application/json", "application/problem+xml", "text/html", "text/plain"):
        answer = adapter.drive(stack, headers=[("Accept", accept)])
        assert answer.status in (409, 503)
        told = answer.text()
        for needle in (SECRET, "INSERT", "email", ":6379", "deadlock", "Violation"):
            assert needle not in told
