"""Apps beside `framework_apps`: large files, and middlewares added in Starlette's own way.

The file is the one that the environment variable ``MANTLET_TEST_FILE`` names.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse as DjangoFileResponse
from django.http import HttpRequest
from django.urls import path
from fastapi import FastAPI
from flask import Flask, send_file
from starlette.applications import Starlette
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route

import mantlet
from mantlet import ErrorEnvelope, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication

    from flask import Response as FlaskResponse
    from starlette.requests import Request

FILE = Path(os.environ["MANTLET_TEST_FILE"])
GENEROUS = "1000/minute"


def noting(app: WSGIApplication) -> WSGIApplication:
    """Note in the log what kind of iterable the server gets, since that decides how it sends."""

    def noted(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        result = app(environ, start_response)
        kind = type(result)
        print(f"the server gets {kind.__module__}.{kind.__name__}", file=sys.stderr)  # noqa: T201  # read by the test
        return result

    return noted


flask = Flask(__name__)
flask_files = noting(
    mantlet.wrap(flask.wsgi_app, ErrorEnvelope(), RateLimiter(GENEROUS), baseline=False)
)


@flask.get("/")
def flask_file() -> FlaskResponse:
    return send_file(FILE)


settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"])


def django_file(_: HttpRequest) -> DjangoFileResponse:
    return DjangoFileResponse(FILE.open("rb"))


urlpatterns = [path("", django_file)]
django_files = noting(
    mantlet.wrap(get_wsgi_application(), ErrorEnvelope(), RateLimiter(GENEROUS), baseline=False)
)


async def starlette_file(_: Request) -> FileResponse:
    return FileResponse(FILE)


starlette_files = mantlet.wrap(
    Starlette(routes=[Route("/", starlette_file)]),
    ErrorEnvelope(),
    RateLimiter(GENEROUS),
    baseline=False,
)

fastapi = FastAPI()
fastapi.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter("100/minute", burst=20)])
fastapi.add_middleware(mantlet.asgi.Stack, policies=[ErrorEnvelope()])


@fastapi.get("/", response_class=PlainTextResponse)
async def hello() -> str:
    return "hello"


@fastapi.get("/crash")
async def crash() -> None:
    raise ConnectionError("password=hunter2")
