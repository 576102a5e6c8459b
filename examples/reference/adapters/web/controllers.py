"""The handlers for the routes of both frameworks: from requests to use cases to JSON.

They accept the request of either framework, since Mantlet can read both. The guard has validated
the input, and the Authenticator provides the identity.
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
    """Call the use cases for web requests, and subscribe clients to events."""

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
        """Execute a GraphQL query."""
        with mantlet.uow(request) as work:

            def orders(_info: object, first: int, after: str | None = None) -> list[Order]:
                return self._page(request, work, after, max(0, min(first, 100)))

            def order(_info: object, id: str) -> Order:  # the schema's name
                return self._order(request, work, id, "read")

            body = mantlet.state(request).validated.body
            return graphql.execute(body, {"orders": orders, "order": order})

    def call(self, request: Request) -> Json | list[Json] | None:
        """Execute a JSON-RPC call or batch."""
        with mantlet.uow(request) as work:

            def ship(order_id: str) -> None:
                self.shop.ship(work, self._order(request, work, order_id, "ship"))

            body = mantlet.state(request).validated.body
            return jsonrpc.answer(body, {"orders.ship": ship})

    def subscribe(self, request: Request) -> Subscription:
        """Subscribe a customer to their orders, or a clerk to all, until the token expires."""
        identity = _identity(request)
        topic = ALL_ORDERS if CLERK in identity.roles else topic_of(_user(request))
        return self.events.subscribe(topic, until=identity.expires)

    def _page(self, request: Request, work: Work, after: str | None, limit: int) -> list[Order]:
        mantlet.authorize(request, "list")
        last = None if after is None else OrderId(after)
        return list(self.shop.page(work, _user(request), after=last, limit=limit))

    def _order(self, request: Request, work: Work, order_id: str, action: str) -> Order:
        """Return an order if the client may do this to it; otherwise act as if it did not exist."""
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
