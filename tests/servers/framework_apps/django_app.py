"""A Django project in one file, with the baseline and a rate limit, under both protocols."""

import json
from collections.abc import AsyncIterator, Iterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import path

import mantlet
from mantlet import Problem, RateLimiter

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])


def hello(request: HttpRequest) -> HttpResponseBase:
    """Respond with the state that the policies share with the app."""
    state = mantlet.state(request)
    remaining = state.rate_limit.remaining
    return JsonResponse({"hello": "world", "request_id": state.request_id, "remaining": remaining})


def create_item(request: HttpRequest) -> HttpResponseBase:
    """Read a JSON body; raising a Problem makes it the response."""
    try:
        return JsonResponse({"name": json.loads(request.body)["name"]}, status=201)
    except (ValueError, KeyError, TypeError):
        raise Problem(400, detail="The body must be a JSON object with a name.") from None


def crash(_: HttpRequest) -> HttpResponseBase:
    """Raise an error whose message belongs in the log alone."""
    raise ConnectionError("no database at db.internal, password=hunter2")


def ticks(count: int, fails_at: int | None = None) -> Iterator[str]:
    """Yield lines, and fail at one of them."""
    for number in range(count):
        if number == fails_at:
            raise ConnectionError("no database at db.internal, password=hunter2")
        yield f"tick {number}\n"


async def async_ticks(count: int, fails_at: int | None = None) -> AsyncIterator[str]:
    """Yield the same lines under ASGI, where Django streams async iterators only."""
    for line in ticks(count, fails_at):
        yield line


def stream(request: HttpRequest, fails_at: int | None = None) -> HttpResponseBase:
    """Stream a response; fail before the first byte, or midway, if the URL says so."""
    lines = async_ticks if isinstance(request, ASGIRequest) else ticks
    return StreamingHttpResponse(lines(3, fails_at), content_type="text/csv")


urlpatterns = [
    path("", hello),
    path("items", create_item),
    path("crash", crash),
    path("stream", stream),
    path("stream/fails-early", stream, {"fails_at": 0}),
    path("stream/fails-late", stream, {"fails_at": 2}),
]
limiter = RateLimiter("100/minute", burst=20)
application = mantlet.wrap(get_wsgi_application(), limiter)
asgi_application = mantlet.wrap(get_asgi_application(), limiter)
