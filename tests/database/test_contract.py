"""The repositories pass the contract: in memory, on SQLite and on PostgreSQL, sync and async."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import MetaData, NullPool, create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from mantlet.database import AsyncInMemoryWork, InMemoryWork
from mantlet.testing import RepositoryContract
from tests.database.orders import (
    AsyncInMemoryOrders,
    AsyncSqlOrders,
    AsyncSqlSeats,
    Base,
    InMemoryOrders,
    InMemorySeats,
    Order,
    Seat,
    SqlOrders,
    SqlSeats,
    metadata,
    order,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from mantlet.database import AsyncRepository, Repository


class OrderContract(RepositoryContract[Order]):
    """For orders: their keys are made by the database."""

    versioned = True

    def make(self, number: int) -> Order:
        return order(number)

    def change(self, entity: Order) -> None:
        entity.user = "grace"


class SeatContract(RepositoryContract[Seat]):
    """For seats: a plain class, whose key has two parts."""

    key = ("row", "number")

    def make(self, number: int) -> Seat:
        return Seat("ab"[number % 2], number)

    def change(self, entity: Seat) -> None:
        entity.taken_by = "grace"


# -- in memory ------------------------------------------------------------------------------------


class TestInMemoryOrders(OrderContract):
    @pytest.fixture(autouse=True)
    def _work(self) -> None:
        self.work = InMemoryWork(orders=InMemoryOrders())

    @contextmanager
    def unit(self) -> Iterator[Repository[Order]]:
        work = self.work.another()
        with work:
            yield work.orders
        work.commit()


class TestAsyncInMemoryOrders(OrderContract):
    @pytest.fixture(autouse=True)
    def _work(self) -> None:
        self.work = AsyncInMemoryWork(orders=AsyncInMemoryOrders())

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[AsyncRepository[Order]]:
        work = self.work.another()
        async with work:
            yield work.orders
        await work.commit()


class TestInMemorySeats(SeatContract):
    versioned = True

    @pytest.fixture(autouse=True)
    def _work(self) -> None:
        self.work = InMemoryWork(seats=InMemorySeats())

    @contextmanager
    def unit(self) -> Iterator[Repository[Seat]]:
        work = self.work.another()
        with work:
            yield work.seats
        work.commit()


# -- in a database --------------------------------------------------------------------------------


class OnSqlite:
    """Tables in a new file."""

    metadata: MetaData

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        engine = create_engine(f"sqlite:///{tmp_path}/db", poolclass=NullPool)
        self.metadata.create_all(engine)
        self.sessions = sessionmaker(engine)
        self.async_sessions = async_sessionmaker(
            create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/db", poolclass=NullPool)
        )


class OnPostgresql:
    """Tables in a new database."""

    metadata: MetaData

    @pytest.fixture(autouse=True)
    def _database(self, postgresql_dsn: str) -> None:
        engine = create_engine(f"postgresql+psycopg://{postgresql_dsn}", poolclass=NullPool)
        self.metadata.create_all(engine)
        self.sessions = sessionmaker(engine)
        self.async_sessions = async_sessionmaker(
            create_async_engine(f"postgresql+asyncpg://{postgresql_dsn}", poolclass=NullPool)
        )


class Sync:
    """Repositories over sessions."""

    repository: Any
    sessions: sessionmaker[Any]

    @contextmanager
    def unit(self) -> Iterator[Any]:
        with self.sessions.begin() as session:
            yield self.repository(session)


class Async:
    """Repositories over async sessions."""

    repository: Any
    async_sessions: async_sessionmaker[Any]

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Any]:
        async with self.async_sessions.begin() as session:
            yield self.repository(session)


class TestSqlOrdersOnSqlite(Sync, OnSqlite, OrderContract):
    repository, metadata = SqlOrders, Base.metadata


class TestAsyncSqlOrdersOnSqlite(Async, OnSqlite, OrderContract):
    repository, metadata = AsyncSqlOrders, Base.metadata


class TestSqlSeatsOnSqlite(Sync, OnSqlite, SeatContract):
    repository, metadata = SqlSeats, metadata


class TestAsyncSqlSeatsOnSqlite(Async, OnSqlite, SeatContract):
    repository, metadata = AsyncSqlSeats, metadata


@pytest.mark.slow
class TestSqlOrdersOnPostgresql(Sync, OnPostgresql, OrderContract):
    repository, metadata = SqlOrders, Base.metadata


@pytest.mark.slow
class TestAsyncSqlOrdersOnPostgresql(Async, OnPostgresql, OrderContract):
    repository, metadata = AsyncSqlOrders, Base.metadata


@pytest.mark.slow
class TestSqlSeatsOnPostgresql(Sync, OnPostgresql, SeatContract):
    repository, metadata = SqlSeats, metadata


@pytest.mark.slow
class TestAsyncSqlSeatsOnPostgresql(Async, OnPostgresql, SeatContract):
    repository, metadata = AsyncSqlSeats, metadata
