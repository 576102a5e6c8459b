"""Run it from the repository's root: ``gunicorn examples.identity.falcon_app:app``."""

import falcon
from examples.identity.policies import ORDERS, POLICIES, own_orders

import mantlet


class Health:
    """``/health``."""

    def on_get(self, _: falcon.Request, response: falcon.Response) -> None:
        response.media = {"status": "ok"}


class Orders:
    """``/orders``."""

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = own_orders(request)

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        response.status = falcon.HTTP_201
        response.media = {"ordered": request.get_media()["item"]}


class Order:
    """``/orders/{number}``."""

    def on_get(self, request: falcon.Request, response: falcon.Response, number: int) -> None:
        found = ORDERS.get(number, {})
        mantlet.authorize(request, "read", found)
        response.media = found


api = falcon.App()
api.add_route("/health", Health())
api.add_route("/orders", Orders())
api.add_route("/orders/{number:int}", Order())
app = mantlet.wrap(api, *POLICIES)
