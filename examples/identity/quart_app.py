"""Run it from the repository's root: ``hypercorn examples.identity.quart_app:app``."""

from examples.identity.policies import ORDERS, POLICIES, own_orders
from quart import Quart, request
from quart.typing import ResponseReturnValue

import mantlet

app = Quart(__name__)
mantlet.install(app, *POLICIES)


@app.get("/health")
async def health() -> ResponseReturnValue:
    return {"status": "ok"}


@app.get("/orders")
async def list_orders() -> ResponseReturnValue:
    return own_orders(request)


@app.post("/orders")
async def order() -> ResponseReturnValue:
    return {"ordered": (await request.get_json())["item"]}, 201


@app.get("/orders/<int:number>")
async def show_order(number: int) -> ResponseReturnValue:
    found = ORDERS.get(number, {})
    mantlet.authorize(request, "read", found)
    return found
