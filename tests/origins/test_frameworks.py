"""Unchanged apps of every framework are protected by one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import django
import falcon
import falcon.asgi
import fastapi
import flask
import litestar
import pytest
import quart
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from litestar.response import Response as LitestarResponse
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet
from mantlet import Cors, CrossOrigin, Hosts
from tests.drive import Answer, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request as StarletteRequest

    from mantlet import Policy

pytestmark = pytest.mark.breaks_rules("Django sends fields in any case under ASGI")

FRONT = "https://front.example"
EVIL = "https://evil.example"
#: What each app answers: the host that it believes it has.
Apps = dict[str, Any]


def flask_app() -> flask.Flask:
    """Return an app of Flask."""
    app = flask.Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def respond() -> str:
        return flask.request.host

    return app


def quart_app() -> quart.Quart:
    """Return an app of Quart."""
    app = quart.Quart(__name__)

    @app.route("/", methods=["GET", "POST"])
    async def respond() -> str:
        return quart.request.host

    return app


def starlette_app() -> Starlette:
    """Return an app of Starlette."""

    async def respond(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(request.url.netloc)

    return Starlette(routes=[Route("/", respond, methods=["GET", "POST"])])


def fastapi_app() -> fastapi.FastAPI:
    """Return an app of FastAPI."""
    app = fastapi.FastAPI()

    @app.get("/")
    @app.post("/")
    def respond(request: fastapi.Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.netloc)

    return app


def litestar_app() -> litestar.Litestar:
    """Return an app of Litestar."""

    @litestar.get("/", sync_to_thread=False)
    def read(request: litestar.Request[Any, Any, Any]) -> LitestarResponse[str]:
        return LitestarResponse(request.url.netloc, media_type="text/plain")

    @litestar.post("/", sync_to_thread=False, status_code=200)
    def write(request: litestar.Request[Any, Any, Any]) -> LitestarResponse[str]:
        return LitestarResponse(request.url.netloc, media_type="text/plain")

    return litestar.Litestar([read, write], openapi_config=None)


class Resource:
    """A resource of Falcon under WSGI."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Respond."""
        resp.text = req.netloc

    on_post = on_get


class AsyncResource:
    """A resource of Falcon under ASGI."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Respond."""
        resp.text = req.netloc

    on_post = on_get


def falcon_app(app: Any, resource: Any) -> Any:
    """Return an app of Falcon."""
    app.add_route("/", resource)
    return app


def view(request: HttpRequest) -> HttpResponse:
    """Respond, in Django."""
    return HttpResponse(request.get_host())


urlpatterns = [django_path("", view)]


@contextmanager
def django_app(make: Any, **options: Any) -> Iterator[Any]:
    """An app of Django."""
    if not settings.configured:
        settings.configure(SECRET_KEY="of a test", USE_TZ=True)
        django.setup()
    options = {"ROOT_URLCONF": __name__, "ALLOWED_HOSTS": ["*"], "MIDDLEWARE": [], **options}
    with override_settings(**options):
        yield make()


NAMES = [
    *("flask", "django-wsgi", "falcon-wsgi"),
    *("quart", "starlette", "fastapi", "litestar", "falcon-asgi", "django-asgi"),
]
MAKERS: Apps = {
    "flask": flask_app,
    "falcon-wsgi": lambda: falcon_app(falcon.App(), Resource()),
    "quart": quart_app,
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "litestar": litestar_app,
    "falcon-asgi": lambda: falcon_app(falcon.asgi.App(), AsyncResource()),
}


@contextmanager
def app_of(name: str) -> Iterator[tuple[Any, Any]]:
    """An app of a framework, with the function that sends it a request."""
    drive = drive_wsgi if name in NAMES[:3] else drive_asgi
    if name.startswith("django"):
        make = get_wsgi_application if name == "django-wsgi" else get_asgi_application
        with django_app(make) as app:
            yield app, drive
    else:
        yield MAKERS[name](), drive


def send(
    name: str, policy: Policy, method: str, *fields: tuple[str, str], host: str = "app.example"
) -> Answer:
    """Send a request to the wrapped app of a framework."""
    with app_of(name) as (app, drive):
        answer: Answer = drive(mantlet.wrap(app, policy), method, headers=[("Host", host), *fields])
    return answer


each_framework = pytest.mark.parametrize("name", NAMES)
COOKIE = ("Cookie", "session=1")


@pytest.mark.unmeasured
@pytest.mark.few_cases(4)
@each_framework
def test_forged_requests(name: str) -> None:
    """Do not reach the app; its own do."""
    cross, own = ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-origin")
    policy = CrossOrigin()
    assert send(name, policy, "POST", COOKIE, cross).status == 403
    assert send(name, policy, "POST", COOKIE, ("Origin", EVIL)).status == 403
    for answer in (
        send(name, policy, "POST", COOKIE, own),
        send(name, policy, "POST", COOKIE, ("Origin", "https://app.example")),
        send(name, policy, "POST", COOKIE),
        send(name, policy, "GET", COOKIE, cross),
    ):
        assert (answer.status, answer.body) == (200, b"app.example")


@each_framework
def test_the_host_that_an_app_believes(name: str) -> None:
    """Is the one that was checked."""
    policy = Hosts(allowed=["app.example"])
    others = [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Port", "666")]
    answer = send(name, policy, "GET", *others, host="App.Example.:80")
    assert (answer.status, answer.body) == (200, b"app.example")
    assert send(name, policy, "GET", host="evil.example").status == 421


@pytest.mark.unmeasured
@pytest.mark.few_cases(4)
@each_framework
def test_preflights_and_errors(name: str) -> None:
    """Are answered for the allowed origin, also where the framework has no such route."""
    policy = Cors(origins=[FRONT], methods=["PUT"])
    origin = ("Origin", FRONT)
    preflight = send(name, policy, "OPTIONS", origin, ("Access-Control-Request-Method", "PUT"))
    assert (preflight.status, preflight.get("access-control-allow-methods")) == (204, "PUT")
    for method in ("GET", "PUT"):  # 405
        answer = send(name, policy, method, origin)
        assert answer.get("access-control-allow-origin") == FRONT
        assert (answer.get("vary") or "").split(", ").count("Origin") == 1
        refused = send(name, policy, method, ("Origin", EVIL))
        assert refused.get("access-control-allow-origin") is None


@pytest.mark.parametrize(
    ("make", "drive"), [(get_wsgi_application, drive_wsgi), (get_asgi_application, drive_asgi)]
)
def test_beside_the_csrf_protection_of_django(make: Any, drive: Any) -> None:
    """Both work: a form with its token passes both, and one without only this."""
    options = {"MIDDLEWARE": ["django.middleware.csrf.CsrfViewMiddleware"]}
    token = "a" * 32
    fields = [("Host", "app.example"), ("Cookie", f"csrftoken={token}"), ("X-CSRFToken", token)]
    with django_app(make, **options) as inner:
        app = mantlet.wrap(inner, CrossOrigin())
        for site, expected in (("same-origin", 200), ("cross-site", 403)):
            answer = drive(app, "POST", headers=[*fields, ("Sec-Fetch-Site", site)])
            assert answer.status == expected
        without = drive(app, "POST", headers=[*fields[:2], ("Sec-Fetch-Site", "same-origin")])
        assert without.status == 403
        assert b"CSRF" in without.body or b"csrf" in without.body.lower()


@pytest.mark.parametrize(
    ("make", "drive"), [(get_wsgi_application, drive_wsgi), (get_asgi_application, drive_asgi)]
)
def test_django_behind_a_proxy(make: Any, drive: Any) -> None:
    """It believes X-Forwarded-Host by a setting, and gets the checked one all the same."""
    policy = Hosts(allowed=["app.example"], trusted_proxies=["10.0.0.0/8"])
    fields = [("Host", "app.example"), ("X-Forwarded-Host", "evil.example")]
    with django_app(make, USE_X_FORWARDED_HOST=True, USE_X_FORWARDED_PORT=True) as inner:
        assert drive(inner, headers=fields).body == b"evil.example"
        app = mantlet.wrap(inner, policy)
        assert drive(app, headers=fields).body == b"app.example"
        assert drive(app, headers=fields, client="10.0.0.1").status == 421
        behind = [("Host", "backend"), ("X-Forwarded-Host", "App.example")]
        assert drive(app, headers=behind, client="10.0.0.1").body == b"app.example"


CORS_HEADERS = {
    "INSTALLED_APPS": ["corsheaders"],
    "MIDDLEWARE": ["corsheaders.middleware.CorsMiddleware"],
    "CORS_ALLOW_ALL_ORIGINS": True,
    "CORS_ALLOW_CREDENTIALS": True,
}


@pytest.mark.parametrize(
    ("make", "drive"), [(get_wsgi_application, drive_wsgi), (get_asgi_application, drive_asgi)]
)
def test_beside_django_cors_headers(make: Any, drive: Any) -> None:
    """No header twice, and its own do not count."""
    host = ("Host", "app.example")
    with django_app(make, **CORS_HEADERS) as inner:
        bare = drive(inner, headers=[host, ("Origin", EVIL)])
        assert bare.get("access-control-allow-origin") == EVIL
        app = mantlet.wrap(inner, Cors(origins=[FRONT], methods=["PUT"]))
        answer = drive(app, headers=[host, ("Origin", FRONT)])
        assert answer.get("access-control-allow-origin") == FRONT
        assert answer.get("access-control-allow-credentials") is None
        assert (answer.get("vary") or "").lower() == "origin"
        refused = drive(app, headers=[host, ("Origin", EVIL)])
        assert not [one for one in refused.names if one.startswith("access-control-")]
        asked = ("Access-Control-Request-Method", "PUT")
        for origin, status in ((FRONT, 204), (EVIL, 403)):
            headers = [host, ("Origin", origin), asked]
            assert drive(app, "OPTIONS", headers=headers).status == status
