"""Outboxes in real databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymysql
import pytest
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.orm import sessionmaker

from mantlet._internal.log_throttle import LogThrottle
from mantlet.database import Outbox, relay
from tests.database_servers import mariadb
from tests.servers.server import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.database.outbox.tables import Sessions


@pytest.fixture(scope="module")
def mariadb_port() -> Iterator[int]:
    """The port of a MariaDB server with the database ``test``."""
    with mariadb(lambda port: pymysql.connect(host=HOST, port=port, user="root")) as port:
        yield port


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("mariadb", marks=pytest.mark.slow),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/db"
    if request.param == "postgresql":
        return f"postgresql+psycopg://{request.getfixturevalue('postgresql_dsn')}"
    return f"mariadb+pymysql://root@{HOST}:{request.getfixturevalue('mariadb_port')}/test"


@pytest.fixture(autouse=True)
def _own_log_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a budget of its own."""
    monkeypatch.setattr(relay, "_throttle", LogThrottle(relay._log))


@pytest.fixture
def outbox() -> Outbox:
    """A table in a ``MetaData`` of its own."""
    return Outbox()


@pytest.fixture
def engine(url: str, outbox: Outbox) -> Engine:
    """An engine for a database that has the table, and no events."""
    engine = create_engine(url, poolclass=NullPool)
    outbox.table.drop(engine, checkfirst=True)
    outbox.table.create(engine)
    return engine


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    """Sessions of that database."""
    return sessionmaker(engine)
