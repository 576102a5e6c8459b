"""Access to orders: one rule, used by all interfaces of the back end."""

from collections.abc import Collection

from examples.reference.domain.orders import Order, UserId

CLERK = "clerk"


def may(user: UserId, roles: Collection[str], action: str, order: Order | None) -> bool:
    """Decide whether a user may do this to an order; None means their own list of orders."""
    if order is None:
        return action == "list"
    if CLERK in roles and action in {"read", "ship"}:
        return True
    return order.customer == user and action in {"read", "pay"}
