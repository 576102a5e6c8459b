"""The reference back end, in workers that die in the middle of a payment, once each.

The environment variable ``MARKS`` is a directory; a file in it with the name of a moment has the
next worker die at that moment.
"""

import os
import signal
from dataclasses import replace
from pathlib import Path

from examples.reference.adapters.web import fastapi_app, flask_app
from examples.reference.application.ports import Work
from examples.reference.application.shop import Shop
from examples.reference.composition import Backend
from examples.reference.config import Settings
from examples.reference.domain.orders import Charge, Order

from mantlet.events import Event


def _die(moment: str) -> None:
    try:
        (Path(os.environ["MARKS"]) / moment).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class _DyingShop(Shop):
    def pay(self, work: Work, order: Order) -> Charge:
        charge = super().pay(work, order)
        _die("before the commit")
        return charge


def _push(event: Event, *topics: str) -> None:
    if event.type == "order.paid":
        _die("after the commit")


_backend = Backend(Settings())
_controllers = replace(_backend.controllers, shop=_DyingShop(_push))
asgi_app = fastapi_app.create_app(_controllers, _backend.policies)
wsgi_app = flask_app.create_app(_controllers, _backend.policies)
