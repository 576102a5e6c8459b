"""A Django site behind a guard, which answers with the form that it has read.

Django is the one that takes a form without a length for an empty one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from pydantic import BaseModel

import mantlet
from mantlet import BodyLimits, Contract, File, SchemaGuard

if TYPE_CHECKING:
    from django.urls import URLPattern


class Fields(BaseModel):
    """The fields of the form."""

    name: str


def form(request: HttpRequest) -> JsonResponse:
    """Answer with the fields, the files and the headers of the request."""
    files = {
        name: [[file.name, file.read().decode()] for file in found]
        for name, found in request.FILES.lists()
    }
    headers = {name.lower(): value for name, value in request.headers.items()}
    return JsonResponse({"fields": dict(request.POST.lists()), "files": files, "headers": headers})


urlpatterns: list[URLPattern] = [path("form", form)]
settings.configure(
    SECRET_KEY="of a test", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[]
)
guard = SchemaGuard(
    {"POST /form": Contract(form=Fields, files={"photo": File(required=False)})},
    limits=BodyLimits(memory="1 kB"),
)
wsgi = mantlet.wrap(get_wsgi_application(), guard, baseline=False)
asgi = mantlet.wrap(get_asgi_application(), guard, baseline=False)
