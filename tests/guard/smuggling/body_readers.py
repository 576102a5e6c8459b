"""Apps of seven frameworks that keep the body that they read, by each framework's own means."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import falcon
import falcon.asgi
import fastapi
import flask
import litestar
import quart
from django.http import HttpResponse
from django.test import override_settings
from django.urls import re_path
from litestar.datastructures import UploadFile as LitestarFile
from starlette.applications import Starlette
from starlette.datastructures import UploadFile as StarletteFile
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet
from tests.drive import ADAPTERS, Adapter
from tests.integrations.django_site import django_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BODY_READERS", "BodyReader", "Read"]

ASGI, WSGI = ADAPTERS
PATHS = ("/json", "/form", "/parts", "/text", "/lines")


@dataclass
class Read:
    """What an app has read.

    Attributes:
        value: JSON, a list of JSON values, or text.
        fields: the fields of a form, sorted.
        files: its files: name, file name, type, content; sorted.
        headers: the headers of the request, by names in lower case.
        validated: what the guard has left.
    """

    value: Any = None
    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    validated: Any = None

    def keep(self, name: str, value: Any, kind: str | None = None, content: bytes = b"") -> None:
        """Keep a field, or a file by its file name, type and content."""
        if kind is None:
            self.fields.append((name, value))
            self.fields.sort()
        else:
            self.files.append((name, value, kind, content))
            self.files.sort()


@dataclass
class BodyReader:
    """An app that keeps what it reads.

    Attributes:
        adapter: the protocol.
        app: the app.
        reads: one for each request that it has read to its end.
    """

    adapter: Adapter
    app: Any
    reads: list[Read]


def _text(path: str, body: bytes) -> Any:
    if path == "/lines":
        return [json.loads(line) for line in body.split(b"\n") if line]
    return body.decode()


def _validated(carrier: Any) -> Any:
    validated = getattr(mantlet.state(carrier), "validated", None)
    if validated is not None and validated.files:
        # They are closed at the end of the exchange.
        validated.files = sorted(
            (name, file.name, file.content_type, file.read())
            for name, files in validated.files.items()
            for file in (files if isinstance(files, list) else [files])
        )
    return validated


@contextmanager
def flask_reader() -> Iterator[BodyReader]:
    """Give a Flask app."""
    app, reads = flask.Flask("reader"), list[Read]()

    def view() -> str:
        request = flask.request
        read = Read(headers={name.lower(): value for name, value in request.headers.items()})
        if request.path == "/json":
            read.value = request.get_json()
        elif request.path in ("/form", "/parts"):
            for name, value in request.form.items(multi=True):
                read.keep(name, value)
            for name, file in request.files.items(multi=True):
                read.keep(name, file.filename or "", file.mimetype, file.read())
        else:
            read.value = _text(request.path, request.get_data())
        read.validated = _validated(request)
        reads.append(read)
        return "read"

    for path in PATHS:
        app.add_url_rule(path, path, view, methods=["POST"])
    yield BodyReader(WSGI, app, reads)


@contextmanager
def quart_reader() -> Iterator[BodyReader]:
    """Give a Quart app."""
    app, reads = quart.Quart("reader"), list[Read]()

    async def view() -> str:
        request = quart.request
        read = Read(headers={name.lower(): value for name, value in request.headers.items()})
        if request.path == "/json":
            read.value = await request.get_json()
        elif request.path in ("/form", "/parts"):
            for name, value in (await request.form).items(multi=True):
                read.keep(name, value)
            for name, file in (await request.files).items(multi=True):
                read.keep(name, file.filename or "", file.mimetype, file.read())
        else:
            data = await request.get_data()
            assert isinstance(data, bytes)
            read.value = _text(request.path, data)
        read.validated = _validated(request)
        reads.append(read)
        return "read"

    for path in PATHS:
        app.add_url_rule(path, path, view, methods=["POST"])
    yield BodyReader(ASGI, app, reads)


def _starlette_view(reads: list[Read]) -> Callable[..., Any]:
    async def view(request: fastapi.Request) -> PlainTextResponse:
        read, path = Read(headers=dict(request.headers)), request.scope["path"]
        if path == "/json":
            read.value = await request.json()
        elif path in ("/form", "/parts"):
            async with request.form() as form:
                for name, value in form.multi_items():
                    if isinstance(value, StarletteFile):
                        kind = value.content_type or ""
                        read.keep(name, value.filename, kind, await value.read())
                    else:
                        read.keep(name, value)
        else:
            read.value = _text(path, await request.body())
        read.validated = _validated(request)
        reads.append(read)
        return PlainTextResponse("read")

    return view


@contextmanager
def starlette_reader() -> Iterator[BodyReader]:
    """Give a Starlette app."""
    reads: list[Read] = []
    view = _starlette_view(reads)
    routes = [Route(path, view, methods=["POST"]) for path in PATHS]
    yield BodyReader(ASGI, Starlette(routes=routes), reads)


@contextmanager
def fastapi_reader() -> Iterator[BodyReader]:
    """Give a FastAPI app, whose JSON and form are parameters."""
    app, reads = fastapi.FastAPI(), list[Read]()
    app.state.reads = reads
    view = _starlette_view(reads)

    @app.post("/json")
    async def read_json(request: fastapi.Request, body: Annotated[Any, fastapi.Body()]) -> None:
        reads.append(Read(body, headers=dict(request.headers), validated=_validated(request)))

    for path in PATHS[1:]:
        app.add_route(path, view, methods=["POST"])
    yield BodyReader(ASGI, app, reads)


@contextmanager
def litestar_reader() -> Iterator[BodyReader]:
    """Give a Litestar app."""
    reads: list[Read] = []

    async def view(request: litestar.Request[Any, Any, Any]) -> str:
        read, path = Read(headers=dict(request.headers)), request.scope["path"]
        if path == "/json":
            read.value = await request.json()
        elif path in ("/form", "/parts"):
            for name, value in (await request.form()).multi_items():
                if isinstance(value, LitestarFile):
                    kind = value.content_type or ""
                    read.keep(name, value.filename, kind, await value.read())
                else:
                    read.keep(name, value)
        else:
            read.value = _text(path, await request.body())
        read.validated = _validated(request)
        reads.append(read)
        return "read"

    # The handler's annotations are resolved by their names.
    view.__annotations__ = {"request": litestar.Request, "return": str}
    handler: Any = litestar.post(list(PATHS), status_code=200)(view)
    app = litestar.Litestar([handler], logging_config=None)
    yield BodyReader(ASGI, app, reads)


@contextmanager
def falcon_reader() -> Iterator[BodyReader]:
    """Give a Falcon app under WSGI."""
    app, reads = falcon.App(), list[Read]()

    class Resource:
        def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
            read = Read(headers={name.lower(): value for name, value in request.headers.items()})
            if request.path == "/json":
                read.value = request.get_media()
            elif request.path == "/form":
                for name, value in request.get_media().items():
                    for one in value if isinstance(value, list) else [value]:
                        read.keep(name, one)
            elif request.path == "/parts":
                for part in request.get_media():
                    if part.filename is None:
                        read.keep(part.name, part.text)
                    else:
                        data = part.stream.read()
                        read.keep(part.name, part.filename, part.content_type, data)
            else:
                read.value = _text(request.path, request.bounded_stream.read())
            read.validated = _validated(request)
            reads.append(read)

    for path in PATHS:
        app.add_route(path, Resource())
    yield BodyReader(WSGI, app, reads)


@contextmanager
def falcon_asgi_reader() -> Iterator[BodyReader]:
    """Give a Falcon app under ASGI."""
    app, reads = falcon.asgi.App(), list[Read]()

    class Resource:
        async def on_post(
            self, request: falcon.asgi.Request, response: falcon.asgi.Response
        ) -> None:
            read = Read(headers={name.lower(): value for name, value in request.headers.items()})
            if request.path == "/json":
                read.value = await request.get_media()
            elif request.path == "/form":
                for name, value in (await request.get_media()).items():
                    for one in value if isinstance(value, list) else [value]:
                        read.keep(name, one)
            elif request.path == "/parts":
                async for part in await request.get_media():
                    if part.filename is None:
                        read.keep(part.name, await part.text)
                    else:
                        data = await part.stream.read()
                        read.keep(part.name, part.filename, part.content_type, data)
            else:
                read.value = _text(request.path, await request.stream.read())
            read.validated = _validated(request)
            reads.append(read)

    for path in PATHS:
        app.add_route(path, Resource())
    yield BodyReader(ASGI, app, reads)


@contextmanager
def django_reader(adapter: Adapter = WSGI) -> Iterator[BodyReader]:
    """Give a Django site."""
    reads: list[Read] = []

    def view(request: Any) -> HttpResponse:
        read = Read(headers={name.lower(): value for name, value in request.headers.items()})
        if request.path_info == "/json":
            read.value = json.loads(request.body)
        elif request.path_info in ("/form", "/parts"):
            for name, values in request.POST.lists():
                for value in values:
                    read.keep(name, value)
            for name, files in request.FILES.lists():
                for file in files:
                    read.keep(name, file.name, file.content_type, file.read())
        else:
            read.value = _text(request.path_info, request.body)
        read.validated = _validated(request)
        reads.append(read)
        return HttpResponse("read")

    urls = ModuleType("urls")
    urls.__dict__["urlpatterns"] = [re_path("", view)]
    with (
        django_site(adapter.name, index=lambda _: "") as site,
        override_settings(ROOT_URLCONF=urls),
    ):
        yield BodyReader(adapter, site, reads)


@contextmanager
def django_asgi_reader() -> Iterator[BodyReader]:
    """Give a Django site under ASGI."""
    with django_reader(ASGI) as reader:
        yield reader


#: All of them, by names for tests.
BODY_READERS = {
    "flask": flask_reader,
    "quart": quart_reader,
    "starlette": starlette_reader,
    "fastapi": fastapi_reader,
    "litestar": litestar_reader,
    "falcon": falcon_reader,
    "falcon-asgi": falcon_asgi_reader,
    "django": django_reader,
    "django-asgi": django_asgi_reader,
}
