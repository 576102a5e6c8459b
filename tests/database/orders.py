"""One domain for the tests of repositories, mapped in two ways, and kept in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Column, ForeignKey, Integer, MetaData, Numeric, String, Table, select
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry, relationship

from mantlet.database import (
    AsyncInMemoryRepository,
    AsyncRepository,
    AsyncSqlRepository,
    InMemoryRepository,
    Repository,
    SqlRepository,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

# -- a declarative entity, with a key of the database's and a version -----------------------------


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    sku: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column("user_name")
    number: Mapped[str | None] = mapped_column(unique=True)
    total: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0))
    is_open: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(nullable=False)
    lines: Mapped[list[Line]] = relationship(lazy="selectin", cascade="all, delete-orphan")
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # as SQLAlchemy writes it


class Orders(Repository[Order], Protocol):
    """The port: a question of the domain."""

    def open_for(self, user: str) -> Sequence[Order]: ...


class SqlOrders(SqlRepository[Order]):
    def open_for(self, user: str) -> Sequence[Order]:
        return self.session.scalars(select(Order).filter_by(user=user, is_open=True)).all()


class InMemoryOrders(InMemoryRepository[Order]):
    unique = ("number",)

    def open_for(self, user: str) -> Sequence[Order]:
        return [order for order in self if order.user == user and order.is_open]


class AsyncOrders(AsyncRepository[Order], Protocol):
    """The same port for async use cases."""

    def open_for(self, user: str) -> Awaitable[Sequence[Order]]: ...


class AsyncSqlOrders(AsyncSqlRepository[Order]):
    async def open_for(self, user: str) -> Sequence[Order]:
        found = await self.session.scalars(select(Order).filter_by(user=user, is_open=True))
        return found.all()


class AsyncInMemoryOrders(AsyncInMemoryRepository[Order]):
    unique = ("number",)

    async def open_for(self, user: str) -> Sequence[Order]:
        return [order for order in self if order.user == user and order.is_open]


def order(number: int) -> Order:
    """Return a new order with two lines."""
    lines = [Line(sku=f"a-{number}"), Line(sku=f"b-{number}")]
    return Order(user="ada", number=f"n-{number}", total=Decimal(number), is_open=True, lines=lines)


# -- a plain class of the domain, with a key of two parts, mapped imperatively ---------------------


@dataclass(eq=False)
class Seat:
    """A seat in a row of a hall, which knows nothing of databases."""

    row: str
    number: int
    taken_by: str | None = None
    notes: str = field(default="", repr=False)


metadata = MetaData()
registry(metadata=metadata).map_imperatively(
    Seat,
    Table(
        "seats",
        metadata,
        Column("row", String(10), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("taken_by", String(100)),
        Column("notes", String(100), nullable=False),
    ),
)


class SqlSeats(SqlRepository[Seat]):
    pass


class AsyncSqlSeats(AsyncSqlRepository[Seat]):
    pass


class InMemorySeats(InMemoryRepository[Seat]):
    key = ("row", "number")
