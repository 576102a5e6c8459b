"""Orders and their rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, Self
from uuid import uuid4

Cents = int
OrderId = NewType("OrderId", str)
UserId = NewType("UserId", str)


class UnknownItem(Exception):
    """An item that the shop does not sell."""


class OrderNotFound(Exception):
    """The order does not exist, or the client may not see it."""


class WrongStatus(Exception):
    """The order's status does not allow this."""


class Status(StrEnum):
    """The progress of an order."""

    PLACED = "placed"
    PAID = "paid"
    SHIPPED = "shipped"


@dataclass(frozen=True)
class Line:
    """A quantity of an item, at the price when it was ordered."""

    item: str
    quantity: int
    price: Cents


@dataclass(frozen=True)
class Charge:
    """Money charged for an order."""

    order_id: OrderId
    amount: Cents
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(eq=False)
class Order:
    """An order of a customer. Its methods are the only way to change it."""

    customer: UserId
    lines: tuple[Line, ...]
    status: Status = Status.PLACED
    id: OrderId = field(default_factory=lambda: OrderId(uuid4().hex))

    @classmethod
    def place(
        cls, customer: UserId, wanted: Mapping[str, int], prices: Mapping[str, Cents]
    ) -> Self:
        """Order items at the shop's prices, never at prices from the customer.

        Raises:
            UnknownItem: the shop does not sell one of them.
        """
        for item in wanted:
            if item not in prices:
                raise UnknownItem(item)
        return cls(customer, tuple(Line(i, number, prices[i]) for i, number in wanted.items()))

    @property
    def total(self) -> Cents:
        """The total price of all lines."""
        return sum(line.quantity * line.price for line in self.lines)

    def pay(self) -> Charge:
        """Pay the total, once."""
        self._move(Status.PLACED, to=Status.PAID)
        return Charge(self.id, self.total)

    def ship(self) -> None:
        """Ship the order, which must be paid."""
        self._move(Status.PAID, to=Status.SHIPPED)

    def _move(self, status: Status, *, to: Status) -> None:
        if self.status is not status:
            raise WrongStatus(f"an order that is {self.status} can't become {to}")
        self.status = to
