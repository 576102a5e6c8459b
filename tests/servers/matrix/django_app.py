"""Django, as a WSGI app and as an ASGI app, with a route for each fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import Context, Engine
from django.urls import path
from django.views.decorators.http import require_GET

import mantlet
from mantlet import ErrorEnvelope
from tests.servers.matrix import faults
from tests.servers.matrix.records import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.handlers.asgi import ASGIRequest
    from django.http.response import HttpResponseBase

log_to_stderr()


class FailingMiddleware:
    """Fail for one of the paths."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        faults.fail_in_middleware(request.path)
        return self.get_response(request)


class FailingResponse(HttpResponse):
    """Fail once the body has been sent, which is when the server closes the response."""

    def close(self) -> NoReturn:
        super().close()
        faults.fail_in_background()


@require_GET
def hello(_: HttpRequest) -> HttpResponse:
    return HttpResponse(faults.HELLO)


def raised(_: HttpRequest, fault: str) -> HttpResponse:
    faults.RAISED[fault]()
    return HttpResponse(faults.HELLO)


@faults.needs_a_user
def dependency(_: HttpRequest) -> HttpResponse:
    return HttpResponse(faults.HELLO)


def template(_: HttpRequest) -> HttpResponse:
    page = Engine().from_string("<p>{{ fail }}</p>")
    return HttpResponse(page.render(Context({"fail": faults.fail_in_template})))


def stream(request: HttpRequest | ASGIRequest, place: str) -> StreamingHttpResponse:
    """Stream in the way of the protocol: Django would collect another's iterator first."""
    chunks = faults.stream_async if hasattr(request, "scope") else faults.stream
    return StreamingHttpResponse(chunks(place), content_type="text/csv")


def background(_: HttpRequest) -> HttpResponse:
    return FailingResponse(faults.HELLO)


def refuse(_: HttpRequest, status: int) -> HttpResponse:
    return HttpResponse(status=status)


urlpatterns = [
    path("", hello),
    path("middleware", hello),
    path("raise/<fault>", raised),
    path("dependency", dependency),
    path("template", template),
    path("stream/<place>", stream),
    path("background", background),
    path("refuse/<int:status>", refuse),
]

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=[f"{__name__}.FailingMiddleware"],
)
wsgi = mantlet.wrap(get_wsgi_application(), ErrorEnvelope(), baseline=False)
asgi = mantlet.wrap(get_asgi_application(), ErrorEnvelope(), baseline=False)
