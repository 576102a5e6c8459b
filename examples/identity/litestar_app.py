"""Run it from the repository's root: ``uvicorn examples.identity.litestar_app:app``."""

from typing import Any

from examples.identity.policies import ORDERS, POLICIES, Order, own_orders
from litestar import Litestar, Request, get, post

import mantlet


@get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@get("/orders")
async def list_orders(request: Request[Any, Any, Any]) -> list[Order]:
    return own_orders(request)


@post("/orders")
async def order(data: dict[str, str]) -> dict[str, str]:
    return {"ordered": data["item"]}


@get("/orders/{number:int}")
async def show_order(request: Request[Any, Any, Any], number: int) -> Order:
    found = ORDERS.get(number, {})
    mantlet.authorize(request, "read", found)
    return found


app = mantlet.wrap(Litestar([health, list_orders, order, show_order]), *POLICIES)
