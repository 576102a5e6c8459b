"""What the routes of both frameworks do: from a request to a use case, and back to JSON.

They take the request of either framework, since Mantlet reads both. The input was validated by the
guard, and the identity comes from the Authenticator.
"""

from dataclasses import dataclass
from typing import Any

from examples.reference.adapters.web import graphql, jsonrpc
from examples.reference.adapters.web.versions import Json, charge_json, order_json
from examples.reference.application.access import CLERK
from examples.reference.application.ports import Work
from examples.reference.application.shop import ALL_ORDERS, Shop, topic_of
from examples.reference.domain.orders import Order, OrderId, OrderNotFound, UserId

import mantlet
from mantlet.events import Events, Subscription

# Any: the request of a framework.
Request = Any


@dataclass(frozen=True)
class Controllers:
    """The web's way to the use cases, and to the clients that wait for events."""

    shop: Shop
    events: Events

    def list_orders(self, request: Request) -> Json:
        state = mantlet.state(request)
        query = state.validated.query
        with mantlet.uow(request) as work:
            orders = self._page(request, work, query.get("after"), query["limit"])
            return {"orders": [order_json(order, state.version) for order in orders]}

    def place_order(self, request: Request) -> Json:
        state = mantlet.state(request)
        with mantlet.uow(request) as work:
            order = self.shop.place(work, _user(request), state.validated.body["lines"])
            return order_json(order, state.version)

    def show_order(self, request: Request, order_id: str) -> Json:
        with mantlet.uow(request) as work:
            order = self._order(request, work, order_id, "read")
            return order_json(order, mantlet.state(request).version)

    def pay_order(self, request: Request, order_id: str) -> Json:
        with mantlet.uow(request) as work:
            charge = self.shop.pay(work, self._order(request, work, order_id, "pay"))
            return charge_json(charge, mantlet.state(request).version)

    def query(self, request: Request) -> Json:
        """Answer a query of GraphQL."""
        with mantlet.uow(request) as work:

            def orders(_info: object, first: int, after: str | None = None) -> list[Order]:
                return self._page(request, work, after, max(0, min(first, 100)))

            def order(_info: object, id: str) -> Order:  # as the schema names it
                return self._order(request, work, id, "read")

            body = mantlet.state(request).validated.body
            return graphql.execute(body, {"orders": orders, "order": order})

    def call(self, request: Request) -> Json | list[Json] | None:
        """Answer a call, or a batch of calls, of JSON-RPC."""
        with mantlet.uow(request) as work:

            def ship(order_id: str) -> None:
                self.shop.ship(work, self._order(request, work, order_id, "ship"))

            body = mantlet.state(request).validated.body
            return jsonrpc.answer(body, {"orders.ship": ship})

    def subscribe(self, request: Request) -> Subscription:
        """Subscribe to the client's own orders, or for a clerk to all, until the token expires."""
        identity = _identity(request)
        topic = ALL_ORDERS if CLERK in identity.roles else topic_of(_user(request))
        return self.events.subscribe(topic, until=identity.expires)

    def _page(self, request: Request, work: Work, after: str | None, limit: int) -> list[Order]:
        mantlet.authorize(request, "list")
        last = None if after is None else OrderId(after)
        return list(self.shop.page(work, _user(request), after=last, limit=limit))

    def _order(self, request: Request, work: Work, order_id: str, action: str) -> Order:
        """Return an order that the client may do this to; to all others there is no such order."""
        order = self.shop.find(work, OrderId(order_id))
        try:
            mantlet.authorize(request, action, order)
        except mantlet.Problem:
            raise OrderNotFound("There is no such order") from None
        return order


def _identity(request: Request) -> mantlet.Identity:
    identity = mantlet.state(request).identity
    if identity is None:
        raise mantlet.Problem(401)
    return identity


def _user(request: Request) -> UserId:
    return UserId(_identity(request).subject)
