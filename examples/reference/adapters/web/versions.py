"""The differences between API versions: the contract, and the format of money."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml
from examples.reference.domain.orders import Cents, Charge, Order

# Any: JSON values.
Json = dict[str, Any]
_MONEY: Final[dict[str, Callable[[Cents], object]]] = {
    "1": lambda cents: f"{cents // 100}.{cents % 100:02}",
    "2": lambda cents: {"cents": cents, "currency": "EUR"},
}
#: The contracts, which are written by hand and enforced by the guard.
DOCUMENTS: Final[dict[str, Json]] = {
    version: yaml.safe_load(Path(__file__).with_name(f"orders-v{version}.yaml").read_text("utf-8"))
    for version in _MONEY
}


def order_json(order: Order, version: str) -> Json:
    """Return an order as clients see it: a field that is not named here is not sent."""
    money = _MONEY[version]
    lines = [
        {"item": line.item, "quantity": line.quantity, "price": money(line.price)}
        for line in order.lines
    ]
    return {"id": order.id, "status": order.status, "total": money(order.total), "lines": lines}


def charge_json(charge: Charge, version: str) -> Json:
    """Return a charge as clients see it."""
    return {"id": charge.id, "amount": _MONEY[version](charge.amount)}
