"""An app around a policy that can start once a file exists; the environment says which app."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import flask
import quart
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

import mantlet
from mantlet import Health, Policy, StoreError
from tests.drive import AsgiAdapter, WsgiAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request

ALLOWED = Path(os.environ["MANTLET_TEST_ALLOWED"])
STARTUP: Any = os.environ.get("MANTLET_TEST_STARTUP", "eager")


class Vault(Policy):
    """Starts once a file exists."""

    started_in = 0

    def startup(self) -> None:
        if not ALLOWED.exists():
            raise StoreError("the vault is sealed; unseal it")
        self.started_in = os.getpid()

    def needs_startup(self, request: Request) -> bool:
        return request.path != "/open"


VAULT = Vault()


def answer(_: Any) -> Any:
    """Tell whether the policy has started in this very process."""
    return 200, [("content-type", "text/plain")], str(VAULT.started_in == os.getpid()).encode()


def wrap(app: Any) -> Any:
    """Wrap an app as the test wants it."""
    return mantlet.wrap(app, Health(), VAULT, startup=STARTUP)


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Serve requests, and a lifespan of the app's own."""
    if scope["type"] != "lifespan":
        await AsgiAdapter().app(answer)(scope, receive, send)
        return
    for _ in range(2):
        event = await receive()
        await send({"type": f"{event['type']}.complete"})


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Serve requests alone, as Django does."""
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    await AsgiAdapter().app(answer)(scope, receive, send)


def from_django(make: Callable[[], Any]) -> Any:
    """Return a wrapped app of Django."""
    django.setup()
    return wrap(make())


APPS: dict[str, Callable[[], Any]] = {
    "wsgi": lambda: wrap(WsgiAdapter().app(answer)),
    "asgi": lambda: wrap(lifespan),
    "bare": lambda: wrap(bare),
    "flask": lambda: mantlet.install(flask.Flask(__name__), Health(), VAULT, startup=STARTUP),
    "quart": lambda: mantlet.install(quart.Quart(__name__), Health(), VAULT, startup=STARTUP),
    "django_wsgi": lambda: from_django(get_wsgi_application),
    "django_asgi": lambda: from_django(get_asgi_application),
}


app = APPS[os.environ["MANTLET_TEST_APP"]]()
