"""The baseline alone. Run it with ``gunicorn minimal:app``."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

import mantlet

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["localhost"])


def hello(_: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello")


urlpatterns = [path("", hello)]
app = mantlet.wrap(get_wsgi_application())
