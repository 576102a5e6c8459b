"""Who may do what to an order: one rule, asked by each way into the back end."""

from collections.abc import Collection

from examples.reference.domain.orders import Order, UserId

CLERK = "clerk"


def may(user: UserId, roles: Collection[str], action: str, order: Order | None) -> bool:
    """Decide whether a user may do something to an order; None stands for the user's own list."""
    if order is None:
        return action == "list"
    if CLERK in roles and action in {"read", "ship"}:
        return True
    return order.customer == user and action in {"read", "pay"}
