"""Apps of several frameworks that keep what they read: path, query, JSON, form, files."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes

import flask
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as url
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet
from tests.drive import ADAPTERS, Adapter
from tests.integrations.django_site import django_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from django.http import HttpRequest
    from starlette.requests import Request as StarletteRequest

    from tests.drive import Answer, Fields

    Pairs = list[tuple[str, str]]

#: What every app answers to.
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass
class Reading:
    """What an app has read of a request, by its framework's own means.

    Attributes:
        route: the template that it was routed by, as it was given.
        parameters: what the path has for its names.
        path: the decoded path.
        query: the fields of the query, in their order.
        json: the body, if its type says that it is JSON; else None.
        form: the fields of a form that are no files.
        files: its files: name, file name, content.
        validated: what the guard has left for the app.
    """

    route: str
    parameters: dict[str, str]
    path: str
    query: Pairs = field(default_factory=list)
    json: Any = None
    form: Pairs = field(default_factory=list)
    files: list[tuple[str, str, bytes]] = field(default_factory=list)
    validated: Any = None


@dataclass
class Reader:
    """An app that keeps what it reads.

    Attributes:
        name: of its framework, and of the protocol.
        adapter: the protocol.
        app: the app itself.
        readings: one for each request that has reached a handler.
    """

    name: str
    adapter: Adapter
    app: Any
    readings: list[Reading]

    def ask(
        self,
        method: str,
        target: bytes,
        *policies: mantlet.Policy,
        headers: Fields = (),
        body: bytes = b"",
    ) -> tuple[Answer, Reading | None]:
        """Send one request, as Uvicorn and Gunicorn hand it on.

        Args:
            method: of the request.
            target: with the query, as a client sends it.
            policies: what stands before the app.
            headers: of the request.
            body: of the request.

        Returns:
            The answer, and what the app has read if it was reached.
        """
        self.readings.clear()
        wrap: Any = self.adapter.module.wrap
        if body and self.adapter.name == "asgi":  # without it Django reads no parts
            headers = [*headers, ("Content-Length", str(len(body)))]
        answer = self.adapter.drive(
            wrap(self.app, *policies, baseline=False) if policies else self.app,
            method,
            "/",
            headers=[("Host", "localhost"), *headers],
            body=body,
            **handed_on(self.adapter, target),
        )
        if answer.error is not None:
            raise answer.error
        assert len(self.readings) < 2
        return answer, self.readings[0] if self.readings else None


def handed_on(adapter: Adapter, target: bytes) -> dict[str, Any]:
    """Return what a server makes of a target, for the driver of a adapter."""
    path, _, query = target.partition(b"?")
    if adapter.name == "asgi":
        decoded = unquote(path.decode("ascii"))
        return {"scope": {"path": decoded, "raw_path": path, "query_string": query}}
    return {
        "environ": {
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "RAW_URI": target.decode("latin-1"),
        }
    }


def _ordered(templates: Sequence[str]) -> list[str]:
    """Return templates with the concrete ones first, for routers that take the first that fits."""
    return sorted(templates, key=lambda text: ["{" in part for part in text.split("/")])


@contextmanager
def flask_reader(templates: Sequence[str]) -> Iterator[Reader]:
    """Give a Flask app with a handler for each template."""
    app = flask.Flask("reader")
    readings: list[Reading] = []

    def handler(template: str) -> Callable[..., str]:
        def read(**parameters: str) -> str:
            request = flask.request
            readings.append(
                Reading(
                    template,
                    parameters,
                    request.path,
                    list(request.args.items(multi=True)),
                    request.get_json() if request.is_json else None,
                    list(request.form.items(multi=True)),
                    [
                        (name, file.filename or "", file.read())
                        for name, file in request.files.items(multi=True)
                    ],
                    getattr(mantlet.state(request), "validated", None),
                )
            )
            return "read"

        return read

    for template in _ordered(templates):
        rule = template.replace("{", "<").replace(":path}", ":path>").replace("}", ">")
        if ":path>" in rule:
            head, _, name = rule.removesuffix(":path>").rpartition("<")
            rule = f"{head}<path:{name}>"
        app.add_url_rule(rule, template, handler(template), methods=METHODS)
    yield Reader("flask", ADAPTERS[1], app, readings)


@contextmanager
def starlette_reader(templates: Sequence[str]) -> Iterator[Reader]:
    """Give a Starlette app with a handler for each template."""
    readings: list[Reading] = []

    def handler(template: str) -> Callable[..., Any]:
        async def read(request: StarletteRequest) -> PlainTextResponse:
            kind = request.headers.get("content-type", "")
            reading = Reading(template, dict(request.path_params), request.scope["path"])
            reading.query = request.query_params.multi_items()
            if "json" in kind:
                reading.json = await request.json()
            else:
                async with request.form() as form:
                    for name, value in form.multi_items():
                        if isinstance(value, UploadFile):
                            file = (name, value.filename or "", await value.read())
                            reading.files.append(file)
                        else:
                            reading.form.append((name, value))
            reading.validated = getattr(mantlet.state(request), "validated", None)
            readings.append(reading)
            return PlainTextResponse("read")

        return read

    routes = [Route(one, handler(one), methods=METHODS) for one in _ordered(templates)]
    yield Reader("starlette", ADAPTERS[0], Starlette(routes=routes), readings)


@contextmanager
def django_reader(templates: Sequence[str], adapter: Adapter = ADAPTERS[1]) -> Iterator[Reader]:
    """Give a Django site with a view for each template."""
    readings: list[Reading] = []

    def handler(template: str) -> Callable[..., HttpResponse]:
        def read(request: HttpRequest, **parameters: str) -> HttpResponse:
            kind = request.headers.get("Content-Type", "")
            raw = request.body if "json" in kind else b""  # else the form can't be read any more
            readings.append(
                Reading(
                    template,
                    parameters,
                    request.path_info,
                    [(name, one) for name, values in request.GET.lists() for one in values],
                    json.loads(raw) if "json" in kind else None,
                    [(name, one) for name, values in request.POST.lists() for one in values],
                    [
                        (name, file.name or "", file.read())
                        for name, files in request.FILES.lists()
                        for file in files
                    ],
                    getattr(mantlet.state(request), "validated", None),
                )
            )
            return HttpResponse("read")

        return read

    urls = ModuleType("urls")
    urls.__dict__["urlpatterns"] = [url(_rule(one), handler(one)) for one in _ordered(templates)]
    with (
        django_site(adapter.name, index=lambda _: "") as site,
        override_settings(ROOT_URLCONF=urls),
    ):
        yield Reader(f"django-{adapter.name}", adapter, site, readings)


def _rule(template: str) -> str:
    rule = template[1:].replace("{", "<str:").replace("}", ">")
    if rule.endswith(":path>"):
        head, _, name = rule.removesuffix(":path>").rpartition("<str:")
        rule = f"{head}<path:{name}>"
    return rule


@contextmanager
def django_asgi_reader(templates: Sequence[str]) -> Iterator[Reader]:
    """Give a Django site under ASGI."""
    with django_reader(templates, ADAPTERS[0]) as reader:
        yield reader


#: All of them, by names for tests.
READERS = {
    "flask": flask_reader,
    "starlette": starlette_reader,
    "django-wsgi": django_reader,
    "django-asgi": django_asgi_reader,
}
