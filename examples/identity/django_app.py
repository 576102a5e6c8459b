"""Run it from the repository's root: ``gunicorn examples.identity.django_app:app``."""

import json

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods
from examples.identity.policies import ORDERS, POLICIES, own_orders

import mantlet

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])


@require_GET
def health(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_http_methods(["GET", "POST"])
def orders(request: HttpRequest) -> JsonResponse:
    if request.method == "POST":
        return JsonResponse({"ordered": json.loads(request.body)["item"]}, status=201)
    return JsonResponse(own_orders(request), safe=False)


@require_GET
def show_order(request: HttpRequest, number: int) -> JsonResponse:
    found = ORDERS.get(number, {})
    mantlet.authorize(request, "read", found)
    return JsonResponse(found)


urlpatterns = [
    path("health", health),
    path("orders", orders),
    path("orders/<int:number>", show_order),
]
app = mantlet.wrap(get_wsgi_application(), *POLICIES)
