"""One view with a unit of work, in the apps of every framework."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import django
import falcon
import falcon.asgi
import fastapi
import flask
import litestar
import quart
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from litestar.exceptions import NotFoundException
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mantlet import uow
from tests.database.ways import Item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request as StarletteRequest

__all__ = ["ASYNC_VIEWS", "NAMES", "WSGI", "app_of"]


def act(request: Any, kind: str, refusal: Callable[[], BaseException]) -> int:
    """Store an item, and return the status of the response, or raise.

    Args:
        request: the framework's request, a scope or an environ.
        kind: how it ends; see the code.
        refusal: returns the framework's own exception for 404.
    """
    with uow(request) as work:
        work.session.add(Item(name="before"))
    with uow(request) as work:
        work.session.add(Item(name="within"))
        if kind == "raise-in-block":
            raise ValueError(kind)
        if kind == "refuse-in-block":
            raise refusal()
    return finish(uow(request).session, kind, refusal)


async def act_async(request: Any, kind: str, refusal: Callable[[], BaseException]) -> int:
    """Do the same with an AsyncSession."""
    async with uow(request) as work:
        work.session.add(Item(name="before"))
    async with uow(request) as work:
        work.session.add(Item(name="within"))
        if kind == "raise-in-block":
            raise ValueError(kind)
        if kind == "refuse-in-block":
            raise refusal()
    return finish(uow(request).session, kind, refusal)


def finish(session: Any, kind: str, refusal: Callable[[], BaseException]) -> int:
    """Return the status of the response, or raise, outside of a block."""
    if kind == "raise":
        raise ValueError(kind)
    if kind == "refuse":
        raise refusal()
    if kind == "conflict":
        session.add(Item(name="before"))
    return 422 if kind == "status" else 201


def _flask() -> flask.Flask:
    app = flask.Flask(__name__)

    @app.post("/<kind>")
    def view(kind: str) -> tuple[str, int]:
        return "done", act(flask.request, kind, flask_404)

    return app


def flask_404() -> BaseException:
    """Return the exception of Werkzeug."""
    from werkzeug.exceptions import NotFound

    return NotFound()


def _quart() -> quart.Quart:
    app = quart.Quart(__name__)

    @app.post("/<kind>")
    async def view(kind: str) -> tuple[str, int]:
        return "done", await act_async(quart.request, kind, flask_404)

    return app


def starlette_404() -> BaseException:
    """Return the exception of Starlette and FastAPI."""
    return HTTPException(404)


def _starlette() -> Starlette:
    async def view(request: StarletteRequest) -> PlainTextResponse:
        kind = request.path_params["kind"]
        return PlainTextResponse("done", await act_async(request, kind, starlette_404))

    return Starlette(routes=[Route("/{kind}", view, methods=["POST"])])


def _fastapi(*, is_async: bool) -> fastapi.FastAPI:
    app = fastapi.FastAPI()
    if is_async:

        @app.post("/{kind}")
        async def view(kind: str, request: fastapi.Request) -> PlainTextResponse:
            return PlainTextResponse("done", await act_async(request, kind, starlette_404))

    else:

        @app.post("/{kind}")
        def view_in_thread(kind: str, request: fastapi.Request) -> PlainTextResponse:
            return PlainTextResponse("done", act(request, kind, starlette_404))

    return app


def _litestar(*, is_async: bool) -> litestar.Litestar:
    def respond(status: int) -> litestar.Response[str]:
        return litestar.Response("done", status_code=status, media_type="text/plain")

    handler: Any
    if is_async:

        @litestar.post("/{kind:str}")
        async def handler(request: litestar.Request[Any, Any, Any]) -> litestar.Response[str]:
            kind = request.path_params["kind"]
            return respond(await act_async(request, kind, NotFoundException))

    else:

        @litestar.post("/{kind:str}", sync_to_thread=True)
        def handler(request: litestar.Request[Any, Any, Any]) -> litestar.Response[str]:
            return respond(act(request, request.path_params["kind"], NotFoundException))

    return litestar.Litestar([handler], openapi_config=None)


class _Resource:
    def on_post(self, req: falcon.Request, resp: falcon.Response, kind: str) -> None:
        resp.status = str(act(req, kind, falcon.HTTPNotFound))


class _AsyncResource:
    async def on_post(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, kind: str
    ) -> None:
        resp.status = str(await act_async(req, kind, falcon.HTTPNotFound))


def _falcon(app: Any, resource: Any) -> Any:
    app.add_route("/{kind}", resource)
    return app


def django_view(request: HttpRequest, kind: str) -> HttpResponse:
    """Respond, in Django."""
    return HttpResponse("done", status=act(request, kind, Http404))


async def django_async_view(request: HttpRequest, kind: str) -> HttpResponse:
    """Respond, in an async view of Django."""
    return HttpResponse("done", status=await act_async(request, kind, Http404))


#: The URLs of the sites of Django.
SYNC_URLS: Final = (django_path("<kind>", django_view),)
ASYNC_URLS: Final = (django_path("<kind>", django_async_view),)

#: Makes an app of each framework.
_MAKERS: Final[dict[str, Callable[[], Any]]] = {
    "flask": _flask,
    "falcon-wsgi": lambda: _falcon(falcon.App(), _Resource()),
    "django-wsgi": get_wsgi_application,
    "fastapi-def": lambda: _fastapi(is_async=False),
    "litestar-def": lambda: _litestar(is_async=False),
    "django-asgi-def": get_asgi_application,
    "fastapi": lambda: _fastapi(is_async=True),
    "starlette": _starlette,
    "quart": _quart,
    "litestar": lambda: _litestar(is_async=True),
    "falcon-asgi": lambda: _falcon(falcon.asgi.App(), _AsyncResource()),
    "django-asgi": get_asgi_application,
}
NAMES: Final = tuple(_MAKERS)
#: Those under WSGI, and those whose views are async.
WSGI: Final = NAMES[:3]
ASYNC_VIEWS: Final = NAMES[6:]


@contextmanager
def app_of(name: str) -> Iterator[Any]:
    """The app of a framework."""
    if not name.startswith("django"):
        yield _MAKERS[name]()
        return
    if not settings.configured:
        settings.configure(SECRET_KEY="of a test", USE_TZ=True)
        django.setup()
    urls = ASYNC_URLS if name == "django-asgi" else SYNC_URLS
    with override_settings(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], MIDDLEWARE=[]):
        yield _MAKERS[name]()
