"""The application's ports, implemented with a database. All SQL of the back end is here."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import sqlalchemy as sa
from examples.reference.domain.orders import Charge, Line, Order, OrderId, Status, UserId
from sqlalchemy.orm import Session, registry

from mantlet.database import Outbox, SqlRepository

metadata: Final = sa.MetaData()


class _Lines(sa.TypeDecorator[tuple[Line, ...]]):
    """The lines of an order, which are only ever read and written as a whole."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return [[line.item, line.quantity, line.price] for line in value]

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return tuple(Line(*line) for line in value)


orders: Final = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("customer", sa.String(255), nullable=False, index=True),
    sa.Column("status", sa.Enum(Status, native_enum=False, length=20), nullable=False),
    sa.Column("lines", _Lines, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
)
charges: Final = sa.Table(
    "charges",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("order_id", sa.ForeignKey(orders.c.id), nullable=False, unique=True),
    sa.Column("amount", sa.Integer, nullable=False),
)
outbox: Final = Outbox(metadata=metadata)
# The mapping is here, so the domain's class stays plain. If two requests change an order at once,
# the second one finds another revision, and gets a 409.
registry().map_imperatively(Order, orders, version_id_col=orders.c.revision)


class SqlOrders(SqlRepository[Order]):
    """`Orders`, in a table."""

    def of_customer(
        self, customer: UserId, *, after: OrderId | None, limit: int
    ) -> Sequence[Order]:
        query = sa.select(Order).where(orders.c.customer == customer).order_by(orders.c.id)
        if after is not None:
            query = query.where(orders.c.id > after)
        return self.session.scalars(query.limit(limit)).all()


class SqlCharges:
    """`Charges`, in a table, as our own ledger. For payment providers, see the docs page."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, charge: Charge) -> None:
        self._session.execute(sa.insert(charges).values(asdict(charge)))


def connect(url: str) -> sa.Engine:
    """Return an engine. On SQLite, writers wait for each other."""
    options = {"connect_args": {"timeout": 30}} if url.startswith("sqlite") else {}
    return sa.create_engine(url, pool_pre_ping=True, **options)
