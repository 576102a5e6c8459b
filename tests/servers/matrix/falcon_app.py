"""Falcon, as a WSGI app and as an ASGI app, with a route for each fault."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi

import mantlet
from mantlet import ErrorEnvelope
from tests.servers.matrix import faults
from tests.servers.matrix.records import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Mapping

log_to_stderr()
REFUSALS: Mapping[int, type[falcon.HTTPError]] = MappingProxyType(
    {413: falcon.HTTPContentTooLarge, 422: falcon.HTTPUnprocessableEntity}
)


class FailingMiddleware:
    """Fail for one of the paths."""

    def process_request(self, request: falcon.Request, _: falcon.Response) -> None:
        faults.fail_in_middleware(request.path)

    async def process_request_async(
        self, request: falcon.asgi.Request, _: falcon.asgi.Response
    ) -> None:
        faults.fail_in_middleware(request.path)


# Any: hooks and responders get the request, the response, the resource and what is in the path.
def needs_a_user(*_: Any) -> None:
    """Fail before the responder."""
    faults.fail("dependency")


async def needs_a_user_async(*_: Any) -> None:
    """Fail before the responder."""
    faults.fail("dependency")


class Resource:
    """Answers every route, by its suffix."""

    def on_get(self, _: falcon.Request, response: falcon.Response) -> None:
        response.text = faults.HELLO

    def on_get_raised(self, _: falcon.Request, response: falcon.Response, fault: str) -> None:
        faults.RAISED[fault]()
        response.text = faults.HELLO

    @falcon.before(needs_a_user)
    def on_get_dependency(self, _: falcon.Request, response: falcon.Response) -> None:
        response.text = faults.HELLO

    def on_get_template(self, _: falcon.Request, response: falcon.Response) -> None:
        response.text = faults.render()

    def on_get_stream(self, _: falcon.Request, response: falcon.Response, place: str) -> None:
        response.content_type = "text/csv"
        response.stream = faults.stream(place)

    def on_get_background(self, _: falcon.Request, response: falcon.Response) -> None:
        response.content_type = "text/csv"
        response.stream = faults.ClosedLoudly()

    def on_get_refuse(self, _: falcon.Request, __: falcon.Response, status: int) -> None:
        raise REFUSALS[status]


class AsyncResource:
    """Answers every route, by its suffix."""

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.text = faults.HELLO

    async def on_get_raised(
        self, _: falcon.asgi.Request, response: falcon.asgi.Response, fault: str
    ) -> None:
        faults.RAISED[fault]()
        response.text = faults.HELLO

    @falcon.before(needs_a_user_async)
    async def on_get_dependency(
        self, _: falcon.asgi.Request, response: falcon.asgi.Response
    ) -> None:
        response.text = faults.HELLO

    async def on_get_template(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.text = faults.render()

    async def on_get_stream(
        self, _: falcon.asgi.Request, response: falcon.asgi.Response, place: str
    ) -> None:
        response.content_type = "text/csv"
        response.stream = faults.stream_async(place)

    async def on_get_background(
        self, _: falcon.asgi.Request, response: falcon.asgi.Response
    ) -> None:
        response.text = faults.HELLO
        response.schedule(faults.fail_in_background_async)

    async def on_get_refuse(
        self, _: falcon.asgi.Request, __: falcon.asgi.Response, status: int
    ) -> None:
        raise REFUSALS[status]


# Any: the two kinds of app are generic over their requests and responses.
def route(app: Any, resource: object) -> None:
    """Give the routes to an app of either protocol."""
    app.add_route("/", resource)
    app.add_route("/middleware", resource)
    app.add_route("/raise/{fault}", resource, suffix="raised")
    app.add_route("/dependency", resource, suffix="dependency")
    app.add_route("/template", resource, suffix="template")
    app.add_route("/stream/{place}", resource, suffix="stream")
    app.add_route("/background", resource, suffix="background")
    app.add_route("/refuse/{status:int}", resource, suffix="refuse")


falcon_wsgi = falcon.App(middleware=[FailingMiddleware()])
falcon_asgi = falcon.asgi.App(middleware=[FailingMiddleware()])
route(falcon_wsgi, Resource())
route(falcon_asgi, AsyncResource())

wsgi = mantlet.wrap(falcon_wsgi, ErrorEnvelope(), baseline=False)
asgi = mantlet.wrap(falcon_asgi, ErrorEnvelope(), baseline=False)
