"""An app with live events in each framework, behind a stack; the environment chooses which.

``GET /events`` is a stream, ``POST /events`` publishes its body, ``GET /subscribers`` counts them,
``/live`` is a WebSocket that gets the events, and publishes what it says.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request  # noqa: TC002  # FastAPI reads annotations
from starlette.websockets import WebSocket  # noqa: TC002  # likewise

import mantlet
from mantlet import Event, Events, OutputSanitizer, RateLimiter, server_sent_events
from mantlet.events import EVENT_STREAM_HEADERS, forward

if TYPE_CHECKING:
    from mantlet.events import EventStream

#: A secret of the app, which the sanitizer masks.
SECRET = "kJ8dGm2QpX5vLw9RtZ4yBn7c"

events = Events(history=100, gap="reset", queue=20)


class Headers(Protocol):
    """The headers of a request, in any framework."""

    def get(self, name: str, /) -> str | None:
        """Return the value of a header."""


def stream(headers: Headers) -> EventStream:
    """Return the body of a stream of all events."""
    subscription = events.subscribe("all", after=headers.get("Last-Event-ID"))
    return server_sent_events(subscription, heartbeat=0.2)


def publish(text: str) -> str:
    """Publish a text with the next number as its id."""
    number = publish.count = publish.count + 1  # type: ignore[attr-defined]  # kept with it
    events.publish(Event("said", text, str(number)), "all")
    return str(number)


publish.count = 0  # type: ignore[attr-defined]


def flask() -> Any:
    """Return an app of Flask."""
    from flask import Flask, Response, request

    app = Flask(__name__)

    @app.get("/")
    def index() -> str:
        return "ok"

    @app.get("/events")
    def read() -> Response:
        return Response(stream(request.headers), headers=dict(EVENT_STREAM_HEADERS))

    @app.post("/events")
    def write() -> str:
        return publish(request.get_data(as_text=True))

    @app.get("/subscribers")
    def count() -> str:
        return str(events.subscribers)

    return app


def django_views() -> list[Any]:
    """Return the routes of Django."""
    import django
    from django.conf import settings
    from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
    from django.urls import path

    settings.configure(SECRET_KEY="of a test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__)
    django.setup()
    is_async = os.environ["FRAMEWORK"] != "django-wsgi"

    def respond(request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST":
            return HttpResponse(publish(request.body.decode()))
        return StreamingHttpResponse(stream(request.headers), headers=dict(EVENT_STREAM_HEADERS))

    async def respond_on_loop(request: HttpRequest) -> HttpResponseBase:
        return respond(request)

    return [
        path("", lambda _: HttpResponse("ok")),
        path("events", respond_on_loop if is_async else respond),
        path("subscribers", lambda _: HttpResponse(str(events.subscribers))),
    ]


def django_wsgi() -> Any:
    """Return an app of Django under WSGI."""
    from django.core.wsgi import get_wsgi_application

    globals()["urlpatterns"] = django_views()
    return get_wsgi_application()


def django_asgi() -> Any:
    """Return an app of Django under ASGI, with WebSockets by Channels."""
    globals()["urlpatterns"] = django_views()
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.core.asgi import get_asgi_application
    from django.urls import path

    class Live(AsyncWebsocketConsumer):  # type: ignore[misc]  # it has no types
        async def connect(self) -> None:
            await self.accept()
            self.subscription = events.subscribe("all")
            self.forwarding = asyncio.create_task(forward(self.subscription, self.send, self.close))

        async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
            publish(text_data)

        async def disconnect(self, code: int) -> None:
            self.subscription.close()
            await self.forwarding

    sockets = URLRouter([path("live", Live.as_asgi())])
    return ProtocolTypeRouter({"http": get_asgi_application(), "websocket": sockets})


def falcon_wsgi() -> Any:
    """Return an app of Falcon under WSGI."""
    import falcon

    class Stream:
        def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.set_headers(dict(EVENT_STREAM_HEADERS))
            resp.stream = stream({"Last-Event-ID": req.get_header("Last-Event-ID") or ""})

        def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.text = publish(req.bounded_stream.read().decode())

    class Subscribers:
        def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.text = str(events.subscribers)

    app = falcon.App()
    app.add_route("/", Subscribers())
    app.add_route("/events", Stream())
    app.add_route("/subscribers", Subscribers())
    return app


def falcon_asgi() -> Any:
    """Return an app of Falcon under ASGI."""
    import falcon
    import falcon.asgi

    class Stream:
        async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
            resp.set_headers(dict(EVENT_STREAM_HEADERS))
            resp.sse = stream({"Last-Event-ID": req.get_header("Last-Event-ID") or ""})  # type: ignore[assignment]  # bytes that can be serialized

        async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
            resp.text = publish((await req.stream.read()).decode())

    class Subscribers:
        async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
            resp.text = str(events.subscribers)

    class Live:
        async def on_websocket(
            self, req: falcon.asgi.Request, socket: falcon.asgi.WebSocket
        ) -> None:
            await socket.accept()
            with events.subscribe("all") as subscription:
                async with asyncio.TaskGroup() as group:
                    group.create_task(forward(subscription, socket.send_text, socket.close))
                    with suppress(falcon.WebSocketDisconnected):
                        while True:
                            publish(await socket.receive_text())
                    subscription.close()

    app = falcon.asgi.App()
    app.add_route("/", Subscribers())
    app.add_route("/events", Stream())
    app.add_route("/subscribers", Subscribers())
    app.add_route("/live", Live())
    return app


def starlette() -> Any:
    """Return an app of Starlette."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Route, WebSocketRoute

    async def index(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    async def read(request: Request) -> StreamingResponse:
        return StreamingResponse(stream(request.headers), headers=EVENT_STREAM_HEADERS)

    async def write(request: Request) -> PlainTextResponse:
        return PlainTextResponse(publish((await request.body()).decode()))

    async def count(_: Request) -> PlainTextResponse:
        return PlainTextResponse(str(events.subscribers))

    async def live(socket: WebSocket) -> None:
        await socket.accept()
        with events.subscribe("all") as subscription:
            async with asyncio.TaskGroup() as group:
                group.create_task(forward(subscription, socket.send_text, socket.close))
                async for text in socket.iter_text():
                    publish(text)
                subscription.close()

    return Starlette(
        routes=[
            Route("/", index),
            Route("/events", read),
            Route("/events", write, methods=["POST"]),
            Route("/subscribers", count),
            WebSocketRoute("/live", live),
        ]
    )


def fastapi() -> Any:
    """Return an app of FastAPI; its stream is made by a function that runs in a thread."""
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse, StreamingResponse

    app = FastAPI()

    @app.get("/")
    @app.get("/subscribers")
    def count() -> PlainTextResponse:
        return PlainTextResponse(str(events.subscribers))

    @app.get("/events")
    def read(request: Request) -> StreamingResponse:
        return StreamingResponse(stream(request.headers), headers=EVENT_STREAM_HEADERS)

    @app.post("/events")
    async def write(request: Request) -> PlainTextResponse:
        return PlainTextResponse(publish((await request.body()).decode()))

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        with events.subscribe("all") as subscription:
            async with asyncio.TaskGroup() as group:
                group.create_task(forward(subscription, socket.send_text, socket.close))
                async for text in socket.iter_text():
                    publish(text)
                subscription.close()

    return app


def litestar() -> Any:
    """Return an app of Litestar."""
    import litestar
    from litestar import Litestar, get, post, websocket
    from litestar.response import Response, Stream

    @get(["/", "/subscribers"], sync_to_thread=False)
    def count() -> Response[str]:
        return Response(str(events.subscribers), media_type="text/plain")

    @get("/events")
    async def read(request: litestar.Request[Any, Any, Any]) -> Stream:
        return Stream(stream(request.headers), headers=dict(EVENT_STREAM_HEADERS))

    @post("/events")
    async def write(request: litestar.Request[Any, Any, Any]) -> Response[str]:
        return Response(publish((await request.body()).decode()), media_type="text/plain")

    @websocket("/live")
    async def live(socket: litestar.WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        with events.subscribe("all") as subscription:
            async with asyncio.TaskGroup() as group:
                group.create_task(forward(subscription, socket.send_text, socket.close))
                async for text in socket.iter_data("text"):
                    publish(text)
                subscription.close()

    names = {"litestar": litestar, "Response": Response, "Stream": Stream}
    return Litestar([count, read, write, live], openapi_config=None, signature_namespace=names)


def quart() -> Any:
    """Return an app of Quart."""
    from quart import Quart, Response, request, websocket

    app = Quart(__name__)

    @app.get("/")
    @app.get("/subscribers")
    async def count() -> str:
        return str(events.subscribers)

    @app.get("/events")
    async def read() -> Response:
        response = Response(stream(request.headers), headers=dict(EVENT_STREAM_HEADERS))
        response.timeout = None
        return response

    @app.post("/events")
    async def write() -> str:
        return publish(str(await request.get_data(as_text=True)))

    @app.websocket("/live")
    async def live() -> None:
        await websocket.accept()
        with events.subscribe("all") as subscription:
            async with asyncio.TaskGroup() as group:
                group.create_task(forward(subscription, websocket.send, websocket.close))
                while True:
                    publish(str(await websocket.receive()))

    return app


MAKERS = {
    "flask": flask,
    "django-wsgi": django_wsgi,
    "django-asgi": django_asgi,
    "falcon-wsgi": falcon_wsgi,
    "falcon-asgi": falcon_asgi,
    "starlette": starlette,
    "fastapi": fastapi,
    "litestar": litestar,
    "quart": quart,
}

if "FRAMEWORK" in os.environ:  # not where a test imports the names
    app = mantlet.wrap(
        MAKERS[os.environ["FRAMEWORK"]](),
        OutputSanitizer(secrets=[SECRET]),
        RateLimiter("1000/minute"),
    )
