"""The apps of `framework_apps`, each under every server of its protocol, and clients for them."""

from __future__ import annotations

from itertools import count, cycle
from typing import TYPE_CHECKING, Any
from zlib import crc32

import httpx
import pytest

from tests.servers.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _pytest.mark import ParameterSet

WSGI_SERVERS = ("gunicorn-sync", "gunicorn-gthread", "granian-wsgi")
ASGI_SERVERS = ("uvicorn-h11", "uvicorn-httptools", "hypercorn", "granian-asgi")
WSGI_APPS = ("flask_app:app", "django_app:application")
ASGI_APPS = ("fastapi_app:app", "starlette_app:app", "django_app:asgi_application")
WEBSOCKET_APPS = ("fastapi_app:app", "starlette_app:app")

MATRIX = [(name, app) for app in WSGI_APPS for name in WSGI_SERVERS]
MATRIX += [(name, app) for app in ASGI_APPS for name in ASGI_SERVERS]
#: Each server and each app once at least.
SAMPLE = {*zip(WSGI_SERVERS, cycle(WSGI_APPS)), *zip(ASGI_SERVERS, cycle(ASGI_APPS))}

_clients = count(1)


def some(cases: Iterable[Any], module: str, number: int = 3) -> list[ParameterSet]:
    """Leave all but few cases of a module to ``--all``: of equal cases, other ones in each module.

    Args:
        cases: what a fixture is to be made for, such as all servers.
        module: the name of the module.
        number: how many cases are not left to ``--all``.
    """
    listed = [*cases]
    first = crc32(module.encode())
    chosen = {(first + index * len(listed) // number) % len(listed) for index in range(number)}
    return [
        pytest.param(case, marks=[] if index in chosen else pytest.mark.exhaustive)
        for index, case in enumerate(listed)
    ]


def label(pair: tuple[str, str]) -> str:
    """Name a pair of server and app in a test's id."""
    name, app = pair
    return f"{app.partition('_')[0]}-{name}"


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(pair, marks=[] if pair in SAMPLE else pytest.mark.exhaustive)
        for pair in MATRIX
    ],
    ids=label,
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each app under each of its servers."""
    name, app = request.param
    with serve(name, app) as started:
        yield started


@pytest.fixture
def source() -> str:
    """A client address of this test's own, and so a rate limit of its own."""
    high, low = divmod(next(_clients), 250)
    return f"127.1.{high}.{low + 1}"


@pytest.fixture
def client(server: Server, source: str) -> Iterator[httpx.Client]:
    """A client of the server."""
    with httpx.Client(
        base_url=server.url, transport=httpx.HTTPTransport(local_address=source), timeout=120
    ) as made:
        yield made
