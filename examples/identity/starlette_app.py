"""Run it from the repository's root: ``uvicorn examples.identity.starlette_app:app``."""

from examples.identity.policies import ORDERS, POLICIES, own_orders
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import mantlet


async def health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def list_orders(request: Request) -> JSONResponse:
    return JSONResponse(own_orders(request))


async def order(request: Request) -> JSONResponse:
    return JSONResponse({"ordered": (await request.json())["item"]}, status_code=201)


async def show_order(request: Request) -> JSONResponse:
    found = ORDERS.get(request.path_params["number"], {})
    mantlet.authorize(request, "read", found)
    return JSONResponse(found)


routes = [
    Route("/health", health),
    Route("/orders", list_orders),
    Route("/orders", order, methods=["POST"]),
    Route("/orders/{number:int}", show_order),
]
app = mantlet.install(Starlette(routes=routes), *POLICIES)
