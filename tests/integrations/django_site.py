"""A Django project of one page, for as long as it is needed."""

from __future__ import annotations

from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseBase
from django.test import override_settings
from django.urls import path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest


@contextmanager
def django_site(
    protocol: str,
    *,
    index: Callable[[HttpRequest], str | HttpResponseBase],
    debug: bool = False,
    middleware: tuple[str, ...] = (),
) -> Iterator[Any]:
    """Give Django's own app object of a project whose only page is what ``index`` returns."""
    if not settings.configured:
        settings.configure(SECRET_KEY="of a test", USE_TZ=True)
        django.setup()

    def view(request: HttpRequest) -> HttpResponseBase:
        said = index(request)
        return said if isinstance(said, HttpResponseBase) else HttpResponse(said)

    urls = ModuleType("urls")
    urls.__dict__["urlpatterns"] = [path("", view)]
    with override_settings(
        ROOT_URLCONF=urls,
        DEBUG=debug,
        MIDDLEWARE=list(middleware),
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[],
        # Else Django mails its admins, or writes to stderr, on its own account.
        LOGGING_CONFIG=None,
    ):
        yield get_asgi_application() if protocol == "asgi" else get_wsgi_application()


def lower_case(app: Any) -> Any:
    """Return an app whose header names are in lower case, as ASGI asks for and Django does not."""

    async def lowering(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name.lower(), value) for name, value in message["headers"]]
            await send(message)

        await app(scope, receive, sending)

    return lowering
