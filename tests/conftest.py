"""Settings, hooks and fixtures for all tests."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from flask.logging import default_handler

from mantlet._internal.log_throttle import LogThrottle
from mantlet.core import error_log
from tests.conformance import checkers
from tests.database_servers import postgresql
from tests.servers.server import HOST

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep captured output encodable: the text of an exception may hold lone surrogates."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(autouse=True)
def _checkers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the checkers from a test that breaks the rules on purpose."""
    lawful = request.node.get_closest_marker("breaks_rules") is None
    monkeypatch.setattr(checkers, "standing", lawful)


@pytest.fixture(autouse=True)
def _own_log_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a budget of its own for exceptions without an envelope."""
    monkeypatch.setattr(error_log, "_throttle", LogThrottle(error_log.log))


@pytest.fixture(autouse=True)
def _root_logger() -> Generator[None]:
    """Undo the default logging configuration of a framework, such as Litestar's, and filters."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    filtered = [one for one in (*handlers, logging.lastResort, default_handler) if one is not None]
    filters = [one.filters[:] for one in filtered]
    yield
    for handler, before in zip(filtered, filters, strict=True):
        handler.filters[:] = before
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[int]:
    """The port of a PostgreSQL server with the user ``app``; the test is skipped without one."""

    def connect(port: int) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=HOST, port=port, user="app", dbname="postgres")

    with postgresql(connect) as port:
        yield port


@pytest.fixture
def postgresql_dsn(postgresql_server: int) -> Iterator[str]:
    """The address of PostgreSQL for a new user with a schema of its own, dropped in the end."""
    name = f"test_{uuid4().hex}"
    options: dict[str, Any] = {"host": HOST, "port": postgresql_server, "user": "app"}
    with psycopg.connect(**options, dbname="postgres", autocommit=True) as connection:
        # The schema of a user's name is the first in the user's search path.
        connection.execute(f"CREATE ROLE {name} SUPERUSER LOGIN".encode())
        connection.execute(f"CREATE SCHEMA {name} AUTHORIZATION {name}".encode())
        yield f"{name}@{HOST}:{postgresql_server}/postgres"
        stop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
        connection.execute(stop, [name])
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())
        connection.execute(f"DROP ROLE {name}".encode())
