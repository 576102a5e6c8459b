"""Errors of real servers, as each of their drivers reports them, are masked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import mysql.connector
import psycopg
import psycopg2
import pymysql
import pytest
import redis

from tests.database_servers import mariadb, postgresql
from tests.sanitize.rules.test_error_messages import FORMS
from tests.sanitize.rules.test_rules import scanned
from tests.servers.server import HOST
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

#: What must not be read in any message. Each statement below names one.
INNER: Final = b"inner_"
POSTGRESQL: Final = (
    "SELECT * FROM inner_a",
    "SELECT inner_b FROM users",
    "SELECT u.inner_c FROM users u",
    'SELECT "inner_D" FROM users',
    "SELECT * FRM inner_e",
    "SELECT 'inner_f",
    "INSERT INTO users VALUES (1, 'inner_g')",
    "INSERT INTO users VALUES (2, 'inner_h')",
    "INSERT INTO users VALUES (2, 'inner_very_long_text')",
    "INSERT INTO inner_orders VALUES (1, 99)",
    "INSERT INTO users (inner_i) VALUES (1)",
    "SELECT 'inner_j'::int",
    "SELECT 'inner_k'::uuid",
    "SELECT id, name, count(*) FROM users AS inner_l",
    "SELECT id FROM users, users AS inner_m",
    "SELECT * FROM users WHERE inner_n.id = 1",
    "ALTER TABLE users DROP COLUMN inner_o",
    "CREATE TABLE inner_orders (id int)",
    "DROP ROLE inner_p",
    "SELECT * FROM users WHERE name = 1 AND inner_r",
    "SELECT '2020-13-01 inner_s'::date",
    "SET inner_t = 1",
    "SELECT pg_read_file('/inner_u')",
)
MARIADB: Final = (
    "SELECT inner_a FROM users",
    "SELECT * FROM inner_b",
    "SELECT * FRM inner_c",
    "SELECT u.inner_d FROM users u",
    "SELECT inner_e(1)",
    "INSERT INTO users VALUES (1, 'inner_f', 1)",
    "INSERT INTO users VALUES (2, 'inner_g', 1)",
    "INSERT INTO users VALUES (3, 'x', 'inner_h')",
    "INSERT INTO inner_orders VALUES (1, 99)",
    "ALTER TABLE users ADD inner_age int",
    "SELECT * FROM inner_i.users",
    "DROP TABLE inner_j",
    "CREATE TABLE inner_orders (id int)",
    "CALL inner_k()",
    "SELECT inner_age FROM users, users AS v",
    "INSERT INTO users (id) VALUES (4)",
)


@pytest.fixture(scope="module")
def postgresql_port() -> Iterator[int]:
    with postgresql(lambda port: psycopg2.connect(**_postgresql(port))) as port:
        with psycopg.connect(**_postgresql(port), autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE users (id int PRIMARY KEY, name varchar(9) UNIQUE NOT NULL);"
                "CREATE TABLE inner_orders"
                " (id int, user_id int CONSTRAINT inner_fk REFERENCES users);"
                "INSERT INTO users VALUES (1, 'inner_h')"
            )
        yield port


@pytest.fixture(scope="module")
def mariadb_port() -> Iterator[int]:
    with mariadb(lambda port: pymysql.connect(**_mariadb(port))) as port:
        connection = pymysql.connect(**_mariadb(port))
        for statement in (
            (
                "CREATE TABLE users (id int PRIMARY KEY, name varchar(9) UNIQUE NOT NULL,"
                " inner_age int NOT NULL)"
            ),
            (
                "CREATE TABLE inner_orders (id int, user_id int, FOREIGN KEY (user_id)"
                " REFERENCES users (id))"
            ),
            "INSERT INTO users VALUES (1, 'inner_g', 1)",
        ):
            connection.query(statement)
        connection.commit()
        connection.close()
        yield port


def _postgresql(port: int) -> dict[str, Any]:
    return {"host": HOST, "port": port, "user": "app", "dbname": "postgres"}


def _mariadb(port: int) -> dict[str, Any]:
    return {"host": HOST, "port": port, "user": "root", "database": "test"}


def error_of(connect: Callable[[], Any], statement: str) -> Exception:
    """Return the error of a statement, through a driver."""
    connection = connect()
    try:
        connection.cursor().execute(statement)
    except Exception as error:
        return error
    finally:
        connection.close()
    raise AssertionError(statement)


async def error_of_asyncpg(port: int, statement: str) -> Exception:
    connection = await asyncpg.connect(host=HOST, port=port, user="app", database="postgres")
    try:
        await connection.execute(statement)
    except Exception as error:
        return error
    finally:
        await connection.close()
    raise AssertionError(statement)


def assert_masked(error: Exception) -> None:
    """Check all forms of an error; an undefined function is named in front of its hint."""
    for media, write in FORMS.values():
        for text in (str(error), f"{type(error).__module__}.{type(error).__name__}: {error}"):
            out, told = scanned(write(text).encode(), media)
            assert told, text
            assert INNER not in out, out


@pytest.mark.parametrize("statement", POSTGRESQL)
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_an_error_of_postgresql_is_masked(
    driver: str, statement: str, postgresql_port: int
) -> None:
    """As text, in HTML and in JSON, with and without the name of the exception."""
    options = _postgresql(postgresql_port)
    if driver == "asyncpg":
        assert_masked(asyncio.run(error_of_asyncpg(postgresql_port, statement)))
    else:
        module = {"psycopg": psycopg, "psycopg2": psycopg2}[driver]
        assert_masked(error_of(lambda: module.connect(**options), statement))


@pytest.mark.parametrize("statement", MARIADB)
@pytest.mark.parametrize("driver", ["pymysql", "mysql.connector"])
def test_an_error_of_mariadb_is_masked(driver: str, statement: str, mariadb_port: int) -> None:
    """The same."""
    module = {"pymysql": pymysql, "mysql.connector": mysql.connector}[driver]
    assert_masked(error_of(lambda: module.connect(**_mariadb(mariadb_port)), statement))


def test_a_connection_that_fails_is_masked(postgresql_port: int, mariadb_port: int) -> None:
    """With the names of users and databases, and the addresses of servers."""
    for connect in (
        lambda: psycopg.connect(**{**_postgresql(postgresql_port), "user": "inner_user"}),
        lambda: psycopg2.connect(**{**_postgresql(postgresql_port), "dbname": "inner_base"}),
        lambda: pymysql.connect(
            **{**_mariadb(mariadb_port), "user": "inner_user", "password": "x"}
        ),
        lambda: pymysql.connect(**{**_mariadb(mariadb_port), "database": "inner_base"}),
    ):
        with pytest.raises(Exception, match="inner_") as raised:
            connect()
        assert_masked(raised.value)


def test_an_error_of_valkey_is_masked(tmp_path: Path) -> None:
    """Of a type, a command and an access list."""
    with Valkey(tmp_path) as server:
        server.ask("LPUSH", "a", "1")
        server.ask("ACL", "SETUSER", "limited", "on", ">pw", "+get", "~x")
        client = redis.Redis(host=HOST, port=server.port)
        limited = redis.Redis(host=HOST, port=server.port, username="limited", password="pw")
        for call in (
            lambda: client.get("a"),
            lambda: client.hset("a", "inner_field", "1"),
            lambda: limited.set("a", 1),
            lambda: limited.get("a"),
        ):
            with pytest.raises(redis.ResponseError) as raised:
                call()
            assert_masked(raised.value)
        client.close()
        limited.close()
