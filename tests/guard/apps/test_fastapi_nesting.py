"""The endpoint that runs is the one that is judged, however routers and mounts are nested.

Each endpoint of a random app takes a query parameter of its own, so that an answer tells which
endpoint has judged a request, in the app and in the guard.
"""

import inspect
from collections.abc import Iterator
from random import Random
from typing import Any

import fastapi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.convertors import CONVERTOR_TYPES, Convertor

import mantlet
from mantlet.guard import SchemaGuard
from tests.drive import drive_asgi

pytestmark = pytest.mark.slow

SEGMENTS = (
    "a", "b", "1", "{@}", "{@:int}", "{@:float}", "{@:path}", "{@:slug}", "{@:pair}", "{@:any}",
    "x{@}", "{@:slug}-{@}",
)  # fmt: skip
PARTS = ("a", "b", "1", "a-b", "1.5", "x1", "xa", "ab")
HOST = "api.test"


class _Slug(Convertor[str]):
    regex = "[a-z]+(?:-[a-z]+)*"

    def convert(self, value: str) -> str:
        return value

    to_string = convert


class _Pair(_Slug):
    regex = "[a-z]+/[a-z0-9]+"


class _Any(_Slug):
    regex = "[a-z]*"


@pytest.fixture(scope="module", autouse=True)
def converters() -> Iterator[None]:
    """Register converters of the app's own."""
    known = dict(CONVERTOR_TYPES)
    CONVERTOR_TYPES.update(slug=_Slug(), pair=_Pair(), any=_Any())
    yield
    CONVERTOR_TYPES.clear()
    CONVERTOR_TYPES.update(known)


class _Apps:
    """Builds random apps, and counts their endpoints."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.count = 0

    def build(self, depth: int = 0) -> fastapi.FastAPI:
        random = self._random
        app = fastapi.FastAPI(openapi_url=None, redirect_slashes=random.random() < 0.7)
        for _ in range(random.randint(1, 4)):
            kind = random.choice(("route", "route", "mount", "router", "host"))
            if kind == "route" or depth > 1:
                self._add(app, depth)
            elif kind == "mount":
                app.mount(self._path(random.randint(0, 2), f"m{depth}"), self.build(depth + 1))
            elif kind == "router":
                router = fastapi.APIRouter(prefix=self._path(1, f"r{depth}"))
                self._add(router, depth)
                app.include_router(router)
            else:
                app.host(HOST, self.build(depth + 1))
        return app

    def _add(self, to: Any, depth: int) -> None:
        async def endpoint(**_query: int) -> int:
            return number

        number = self.count
        self.count += 1
        kind = inspect.Parameter.KEYWORD_ONLY
        own = inspect.Parameter(f"k{number}", kind, annotation=int)
        endpoint.__signature__ = inspect.Signature([own])  # type: ignore[attr-defined]
        path = self._path(self._random.randint(1, 3), f"p{depth}")
        slash = self._random.choice(("", "", "/"))
        methods = self._random.choice((["GET"], ["POST"], ["GET", "POST"]))
        to.add_api_route(path + slash, endpoint, methods=methods)

    def _path(self, count: int, name: str) -> str:
        pieces = "".join(f"/{self._random.choice(SEGMENTS)}" for _ in range(count)).split("@")
        return pieces[0] + "".join(
            f"{name}{number}{text}" for number, text in enumerate(pieces[1:])
        )


def ask(app: Any, method: str, path: str, host: str, query: str) -> Any:
    scope = {"query_string": query.encode(), "raw_path": path.encode()}
    return drive_asgi(app, method, path, headers=[("Host", host)], scope=scope)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_endpoint_that_runs_is_judged(random: Random) -> None:
    """By its own parameters; honest requests are answered, but for those of a host."""
    apps = _Apps(random)
    app = apps.build()
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    queries = [f"k{number}=1" for number in range(apps.count)]
    for _ in range(8):
        path = "".join(f"/{random.choice(PARTS)}" for _ in range(random.randint(1, 5)))
        path += random.choice(("", "", "/"))
        method, host = random.choice(("GET", "POST")), random.choice(("test", HOST))
        answer = ask(app, method, path, host, "&".join(queries))
        runs = answer.json() if answer.status == 200 else None
        for number, query in enumerate(queries):
            judged = ask(stack, method, path, host, query)
            assert judged.error is None
            if runs != number:
                assert judged.status != 200
            elif host != HOST:
                assert judged.json() == runs
        if runs is not None:
            refused = ask(stack, method, path, host, "")
            assert refused.get("content-type") == "application/problem+json"
