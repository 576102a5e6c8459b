"""The use cases, without a database, a framework or a request."""

import pytest
from examples.reference.application.access import may
from examples.reference.application.shop import ALL_ORDERS, Shop
from examples.reference.domain.orders import Charge, Order, Status, UnknownItem, UserId, WrongStatus
from examples.reference.tests.test_orders import InMemoryOrders

from mantlet.database import InMemoryRepository, InMemoryWork
from mantlet.events import Event

ANN, BEN = UserId("ann"), UserId("ben")


def memory_work() -> InMemoryWork:
    return InMemoryWork(orders=InMemoryOrders(), charges=InMemoryRepository[Charge]())


class Pushed(list[tuple[str, tuple[str, ...]]]):
    """The events pushed to clients."""

    def __call__(self, event: Event, *topics: str) -> None:
        self.append((event.type, topics))


def test_an_order_is_placed_paid_and_shipped() -> None:
    pushed = Pushed()
    shop, work = Shop(pushed), memory_work()
    with work:
        order = shop.place(work, ANN, {"lamp": 2, "vase": 1})
        assert (order.status, order.total) == (Status.PLACED, 11_050)
        assert shop.pay(work, order).amount == 11_050
        shop.ship(work, order)
        assert shop.find(work, order.id).status is Status.SHIPPED
    assert pushed == []  # nothing is pushed before the commit
    work.commit()
    topics = ("orders/ann", ALL_ORDERS)
    assert pushed == [(f"order.{status}", topics) for status in ("placed", "paid", "shipped")]
    assert [event.type for event in work.events] == [kind for kind, _ in pushed]


def test_what_is_rolled_back_is_told_to_nobody() -> None:
    pushed, work = Pushed(), memory_work()
    shop = Shop(pushed)
    with pytest.raises(UnknownItem), work:
        shop.place(work, ANN, {"lamp": 1})
        shop.place(work, ANN, {"yacht": 1})
    work.rollback()
    assert not pushed
    assert not work.events
    assert not list(work.orders)


@pytest.mark.parametrize(
    ("history", "action"),
    [(["pay"], "pay"), ([], "ship"), (["pay", "ship"], "ship")],
    ids=["paid-pay", "placed-ship", "shipped-ship"],
)
def test_an_order_goes_one_way(history: list[str], action: str) -> None:
    order = Order.place(ANN, {"lamp": 1}, {"lamp": 1})
    for step in history:
        getattr(order, step)()
    with pytest.raises(WrongStatus):
        getattr(order, action)()


@pytest.mark.parametrize(
    ("user", "roles", "actions"),
    [(ANN, (), {"read", "pay"}), (BEN, (), set()), (BEN, ("clerk",), {"read", "ship"})],
    ids=["owner", "stranger", "clerk"],
)
def test_who_may_do_what(user: UserId, roles: tuple[str, ...], actions: set[str]) -> None:
    order = Order(ANN, ())
    known = ("read", "pay", "ship", "list", "delete")
    assert {action for action in known if may(user, roles, action, order)} == actions
