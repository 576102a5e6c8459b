"""Run it from the repository's root: ``uvicorn examples.identity.fastapi_app:app``."""

from examples.identity.policies import ORDERS, POLICIES, Order, own_orders
from fastapi import FastAPI, Request
from pydantic import BaseModel

import mantlet

app = FastAPI()
mantlet.install(app, *POLICIES)


class NewOrder(BaseModel):
    """The body of ``POST /orders``."""

    item: str


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/orders")
async def list_orders(request: Request) -> list[Order]:
    return own_orders(request)


@app.post("/orders", status_code=201)
async def order(new: NewOrder) -> dict[str, str]:
    return {"ordered": new.item}


@app.get("/orders/{number}")
async def show_order(request: Request, number: int) -> Order:
    found = ORDERS.get(number, {})
    mantlet.authorize(request, "read", found)
    return found
