"""Views of each framework read who is asking, and a refused request reaches none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import flask
import pytest
from fastapi import FastAPI
from fastapi import Request as FastAPIRequest
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from quart import Quart
from quart import request as quart_request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import mantlet
from mantlet import Authenticator
from tests.authentication.asking import WITH_KEY, bearer, every_scheme
from tests.drive import drive_asgi, drive_wsgi
from tests.integrations.django_site import django_site, lower_case

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request


def said(request: Any) -> str:
    """Return what a view knows of who is asking."""
    who = mantlet.state(request).identity
    return f"{who.subject} by {who.scheme}" if who else "nobody"


def flask_app() -> Any:
    app = flask.Flask("asking")
    app.add_url_rule("/who", "who", lambda: said(flask.request))
    return app


def fastapi_app() -> Any:
    app = FastAPI()

    @app.get("/who", response_class=PlainTextResponse)
    def who(request: FastAPIRequest) -> str:
        return said(request)

    return app


def starlette_app() -> Any:
    async def who(request: Request) -> PlainTextResponse:
        return PlainTextResponse(said(request))

    return Starlette(routes=[Route("/who", who)])


def mounted_app() -> Any:
    return Starlette(routes=[Mount("/who", Starlette(routes=[Route("/", _who)]))])


async def _who(request: Request) -> PlainTextResponse:
    return PlainTextResponse(said(request))


def litestar_app() -> Any:
    @get("/who", media_type="text/plain")
    async def who(request: LitestarRequest[Any, Any, Any]) -> str:
        return said(request)

    return Litestar([who], logging_config=None)


def quart_app() -> Any:
    app = Quart("asking")

    @app.get("/who")
    async def who() -> str:
        return said(quart_request)

    return app


class Who:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.text = said(request)


class AsyncWho:
    async def on_get(self, request: Any, response: Any) -> None:
        response.text = said(request)


def falcon_app() -> Any:
    app = falcon.App()
    app.add_route("/who", Who())
    return app


def falcon_asgi_app() -> Any:
    app = falcon.asgi.App()
    app.add_route("/who", AsyncWho())
    return app


APPS: list[tuple[Callable[[], Any], Any, str]] = [
    (flask_app, drive_wsgi, "/who"),
    (falcon_app, drive_wsgi, "/who"),
    (fastapi_app, drive_asgi, "/who"),
    (starlette_app, drive_asgi, "/who"),
    (mounted_app, drive_asgi, "/who/"),
    (litestar_app, drive_asgi, "/who"),
    (quart_app, drive_asgi, "/who"),
    (falcon_asgi_app, drive_asgi, "/who"),
]


def check(stack: Any, drive: Any, path: str) -> None:
    """Ask an app in each way."""
    host = ("Host", "localhost")
    for headers, text in (
        ([bearer("good")], "ada by tokens"),
        ([WITH_KEY], "robot by api_key"),
        ([("Cookie", "session=s2")], "grace by session"),
    ):
        answer = drive(stack, path=path, headers=[host, *headers])
        assert (answer.status, answer.body) == (200, text.encode()), answer.text()
    refused = drive(stack, path=path, headers=[host])
    assert refused.status == 401
    assert refused.get("content-type") == "application/problem+json"
    unknown = drive(stack, path="/unknown", headers=[host])
    assert unknown.status == 401  # closed by default: not even the app's own 404


@pytest.mark.parametrize(
    ("make", "drive", "path"), APPS, ids=[make.__name__ for make, _, _ in APPS]
)
def test_a_view_reads_the_identity(make: Any, drive: Any, path: str) -> None:
    wrap: Any = mantlet.wsgi.wrap if drive is drive_wsgi else mantlet.asgi.wrap
    check(wrap(make(), Authenticator(*every_scheme()), baseline=False), drive, path)
    public = Authenticator(*every_scheme(), public=[f"GET {path}"])
    assert drive(wrap(make(), public, baseline=False), path=path).body == b"nobody"


@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_a_view_of_django_reads_the_identity(protocol: str) -> None:
    auth = Authenticator(*every_scheme())
    with django_site(protocol, index=said) as app:
        if protocol == "wsgi":
            check(mantlet.wsgi.wrap(app, auth, baseline=False), drive_wsgi, "/")
        else:
            check(mantlet.asgi.wrap(lower_case(app), auth, baseline=False), drive_asgi, "/")


@pytest.mark.parametrize("make", [flask_app, quart_app, fastapi_app, starlette_app])
def test_installed_policies_do_the_same(make: Any) -> None:
    app = mantlet.install(make(), Authenticator(*every_scheme()), baseline=False)
    check(app, drive_wsgi if make is flask_app else drive_asgi, "/who")
