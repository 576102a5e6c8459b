"""The back end under FastAPI."""

from asyncio import TaskGroup

from examples.reference.adapters.web.controllers import Controllers
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse

import mantlet
from mantlet.events import forward


def create_app(controllers: Controllers, policies: tuple[mantlet.Policy, ...]) -> FastAPI:
    """Return the app. Its views are plain functions, since they block on the database."""
    app = FastAPI(openapi_url=None)  # the contract is written by hand

    @app.get("/orders")
    def list_orders(request: Request) -> Response:
        return JSONResponse(controllers.list_orders(request))

    @app.post("/orders")
    def place_order(request: Request) -> Response:
        return JSONResponse(controllers.place_order(request), 201)

    @app.get("/orders/{order_id}")
    def show_order(request: Request, order_id: str) -> Response:
        return JSONResponse(controllers.show_order(request, order_id))

    @app.post("/orders/{order_id}/payment")
    def pay_order(request: Request, order_id: str) -> Response:
        return JSONResponse(controllers.pay_order(request, order_id), 201)

    @app.post("/graphql")
    def query(request: Request) -> Response:
        return JSONResponse(controllers.query(request))

    @app.post("/rpc")
    def call(request: Request) -> Response:
        answer = controllers.call(request)
        return Response(status_code=204) if answer is None else JSONResponse(answer)

    @app.websocket("/events")
    async def live(socket: WebSocket) -> None:
        with controllers.subscribe(socket) as subscription:  # too many are refused with 503
            await socket.accept()
            async with TaskGroup() as tasks:
                tasks.create_task(forward(subscription, socket.send_text, socket.close))
                async for _ in socket.iter_text():  # until the client has disconnected
                    pass
                subscription.close()

    return mantlet.install(app, *policies)
