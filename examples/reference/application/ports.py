"""The interfaces that the use cases need, in their own terms. Adapters implement them."""

from collections.abc import Callable, Sequence
from typing import Protocol

from examples.reference.domain.orders import Charge, Order, OrderId, UserId

from mantlet.database import Repository
from mantlet.events import Event


class Orders(Repository[Order], Protocol):
    """All orders."""

    def of_customer(
        self, customer: UserId, *, after: OrderId | None, limit: int
    ) -> Sequence[Order]:
        """Return a page of a customer's orders, sorted by id."""


class Charges(Protocol):
    """All charges."""

    def add(self, charge: Charge) -> None:
        """Charge the money."""


class Work(Protocol):
    """One transaction, as a `mantlet.UnitOfWork` opens it for a request."""

    orders: Orders
    charges: Charges

    def publish(self, event: Event) -> None:
        """Publish an event to other systems, if this transaction is committed."""

    def after_commit(self, fn: Callable[..., object], *args: object) -> None:
        """Call a function, if this transaction is committed."""
