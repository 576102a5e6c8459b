"""The back end under Flask."""

from examples.reference.adapters.web.controllers import Controllers
from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

import mantlet
from mantlet.events import EVENT_STREAM_HEADERS, server_sent_events


def create_app(controllers: Controllers, policies: tuple[mantlet.Policy, ...]) -> Flask:
    """Return the app."""
    app = Flask(__name__, static_folder=None)

    @app.get("/orders")
    def list_orders() -> ResponseReturnValue:
        return controllers.list_orders(request)

    @app.post("/orders")
    def place_order() -> ResponseReturnValue:
        return controllers.place_order(request), 201

    @app.get("/orders/<order_id>")
    def show_order(order_id: str) -> ResponseReturnValue:
        return controllers.show_order(request, order_id)

    @app.post("/orders/<order_id>/payment")
    def pay_order(order_id: str) -> ResponseReturnValue:
        return controllers.pay_order(request, order_id), 201

    @app.post("/graphql")
    def query() -> ResponseReturnValue:
        return controllers.query(request)

    @app.post("/rpc")
    def call() -> ResponseReturnValue:
        answer = controllers.call(request)
        return ("", 204) if answer is None else answer

    @app.get("/events")
    def live() -> ResponseReturnValue:
        events = server_sent_events(controllers.subscribe(request))
        return Response(events, headers=dict(EVENT_STREAM_HEADERS))

    return mantlet.install(app, *policies)
