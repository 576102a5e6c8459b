"""Run it from the repository's root: ``gunicorn examples.identity.flask_app:app``."""

from examples.identity.policies import ORDERS, POLICIES, own_orders
from flask import Flask, request
from flask.typing import ResponseReturnValue

import mantlet

app = Flask(__name__)
mantlet.install(app, *POLICIES)


@app.get("/health")
def health() -> ResponseReturnValue:
    return {"status": "ok"}


@app.get("/orders")
def list_orders() -> ResponseReturnValue:
    return own_orders(request)


@app.post("/orders")
def order() -> ResponseReturnValue:
    return {"ordered": request.get_json()["item"]}, 201


@app.get("/orders/<int:number>")
def show_order(number: int) -> ResponseReturnValue:
    found = ORDERS.get(number, {})
    mantlet.authorize(request, "read", found)
    return found
