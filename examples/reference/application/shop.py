"""The use cases, each in one transaction. They don't depend on a framework, SQL or HTTP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from examples.reference.application.ports import Work
from examples.reference.domain.orders import Cents, Charge, Order, OrderId, OrderNotFound, UserId

from mantlet.events import Event

PRICES: Mapping[str, Cents] = {"lamp": 4_900, "sofa": 89_900, "vase": 1_250}
#: The topic of the events of all orders, for the staff.
ALL_ORDERS = "orders"


def topic_of(customer: UserId) -> str:
    """Return the topic of the events of one customer's orders."""
    return f"orders/{customer}"


@dataclass(frozen=True)
class Shop:
    """The use cases. ``push`` sends an event and its topics to the connected clients."""

    push: Callable[..., object]

    def find(self, work: Work, order_id: OrderId) -> Order:
        """Return an order of any customer: the caller has to check `access.may()`."""
        order = work.orders.get(order_id)
        if order is None:
            raise OrderNotFound("There is no such order")
        return order

    def page(
        self, work: Work, customer: UserId, *, after: OrderId | None, limit: int
    ) -> Sequence[Order]:
        """Return a page of a customer's own orders."""
        return work.orders.of_customer(customer, after=after, limit=limit)

    def place(self, work: Work, customer: UserId, wanted: Mapping[str, int]) -> Order:
        """Place an order."""
        order = Order.place(customer, wanted, PRICES)
        work.orders.add(order)
        self._announce(work, order)
        return order

    def pay(self, work: Work, order: Order) -> Charge:
        """Charge the customer for an order."""
        charge = order.pay()
        work.charges.add(charge)
        self._announce(work, order)
        return charge

    def ship(self, work: Work, order: Order) -> None:
        """Ship an order."""
        order.ship()
        self._announce(work, order)

    def _announce(self, work: Work, order: Order) -> None:
        event = Event(f"order.{order.status}", {"id": order.id, "status": str(order.status)})
        work.publish(event)
        work.after_commit(self.push, event, topic_of(order.customer), ALL_ORDERS)
