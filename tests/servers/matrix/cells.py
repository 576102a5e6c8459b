"""The rows and the columns of the matrix: the apps, and what goes wrong in each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.servers.matrix.seed import SEED, marker

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class App:
    """An app under a server.

    Attributes:
        name: what tests call it.
        server: a key of `tests.servers.server.COMMANDS`.
        place: ``module:name``, the module one of this package.
    """

    name: str
    server: str
    place: str

    def __str__(self) -> str:
        return f"{self.name}-{self.server}"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        name: what tests and the apps call it.
        path: what is asked for.
        status: what the answer has.
        level: what the record has, if there is one.
        method: of the request.
        content: the request's body, JSON.
        trace: what the traceback says once, if it is not the marker of the fault's text.
    """

    name: str
    path: str
    status: int = 500
    level: str = "ERROR"
    method: str = "GET"
    content: bytes = b""
    trace: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def traced(self) -> str:
        """What the traceback says once."""
        return self.trace or marker(self.name)


APPS = (
    App("flask", "gunicorn-sync", "flask_app:app"),
    App("django-wsgi", "gunicorn-gthread", "django_app:wsgi"),
    App("django-asgi", "uvicorn-h11", "django_app:asgi"),
    App("starlette", "uvicorn-httptools", "starlette_app:app"),
    App("starlette-base", "uvicorn-httptools", "starlette_app:behind_base"),
    App("fastapi", "uvicorn-h11", "fastapi_app:app"),
    App("litestar", "hypercorn", "litestar_app:app"),
    App("quart", "hypercorn", "quart_app:app"),
    App("falcon-wsgi", "gunicorn-sync", "falcon_app:wsgi"),
    App("falcon-asgi", "uvicorn-h11", "falcon_app:asgi"),
    App("bare-wsgi", "gunicorn-sync", "bare_app:wsgi"),
    App("bare-asgi", "granian-asgi", "bare_app:asgi"),
)

HELLO = Fault("hello", "/", status=200)
#: Exceptions raised before the head of the answer was sent.
EXCEPTIONS = (
    Fault("view", "/raise/view"),
    Fault("middleware", "/middleware"),
    Fault("dependency", "/dependency"),
    Fault("template", "/template"),
    Fault("early", "/stream/early"),
    Fault("group", "/raise/group"),
    Fault("chained", "/raise/chained"),
    Fault("cause", "/raise/cause"),
    Fault(
        "unspeakable",
        "/raise/unspeakable",
        trace="UnspeakableError: <exception str() failed>",
    ),
    Fault("args", "/raise/args"),
    Fault("sql", "/raise/sql"),
    Fault("path", "/raise/path"),
    Fault("unique", "/raise/unique", status=409, level="WARNING"),
)
DECLARED = Fault("declared", "/raise/declared", status=409)
LATE = Fault("late", "/stream/late", status=200)
BACKGROUND = Fault("background", "/background", status=200)
#: What a framework refuses by itself, or by an exception of its own.
REFUSALS = (
    Fault("not-found", f"/missing/{quote(SEED, safe='')}", status=404),
    Fault("wrong-method", "/", status=405, method="POST"),
    Fault("too-large", "/refuse/413", status=413),
    Fault("unprocessable", "/refuse/422", status=422),
)
_VALIDATED = Fault(
    "unprocessable",
    "/orders",
    status=422,
    method="POST",
    content=json.dumps({"quantity": SEED}).encode(),
)
#: Where an app has its own way to go wrong, by the names of both.
OWN: Mapping[tuple[str, str], Fault] = {("fastapi", "unprocessable"): _VALIDATED}
#: Where a stream that fails is ended as if it were whole, by the names of both. Starlette's
#: `BaseHTTPMiddleware` runs the app in a task of its own, sends the last, empty chunk when that
#: task has ended in whatever way, and raises the app's exception only then
#: (starlette/middleware/base.py, ``_StreamingResponse.__call__``). A client of the bare app can
#: tell no more. The log has the error.
ENDED_WHOLE = frozenset({("starlette-base", "early"), ("starlette-base", "late")})
