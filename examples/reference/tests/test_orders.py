"""The port `Orders`, in the database and in memory: both pass the same tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from examples.reference.adapters.database import SqlOrders, connect, metadata
from examples.reference.application.ports import Orders
from examples.reference.domain.orders import Line, Order, OrderId, Status, UserId
from sqlalchemy.orm import Session

from mantlet.database import InMemoryRepository, InMemoryWork
from mantlet.testing import RepositoryContract


class InMemoryOrders(InMemoryRepository[Order]):
    """`Orders`, in memory."""

    def of_customer(
        self, customer: UserId, *, after: OrderId | None, limit: int
    ) -> Sequence[Order]:
        own = (order for order in self if order.customer == customer)
        return [order for order in own if after is None or order.id > after][:limit]


class TestOrders(RepositoryContract[Order]):
    versioned = True

    @pytest.fixture(autouse=True, params=["sql", "memory"])
    def _store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
        self.work = InMemoryWork(orders=InMemoryOrders()) if request.param == "memory" else None
        self.engine = connect(f"sqlite:///{tmp_path}/orders.db")
        metadata.create_all(self.engine)
        yield
        self.engine.dispose()

    @contextmanager
    def unit(self) -> Iterator[Orders]:
        if self.work is None:
            with Session(self.engine) as session, session.begin():
                yield SqlOrders(session)
        else:
            work = self.work.another()
            with work:
                yield work.orders
            work.commit()

    def make(self, number: int) -> Order:
        return Order(UserId("ann"), (Line("lamp", number, 1),), id=OrderId(f"{number:032}"))

    def change(self, entity: Order) -> None:
        entity.status = Status.PAID
