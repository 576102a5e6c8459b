"""A type checker finds wrong options, also through a framework's ``add_middleware``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]

# A line is wrong just where it says so, with the kind of error that mypy finds.
SNIPPET = '''
"""Uses the public names as an app would."""
from typing import Any, assert_type
from wsgiref.types import WSGIApplication

import falcon
import falcon.asgi
import flask
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from fastapi import FastAPI
from litestar import Litestar
from pydantic import BaseModel
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware

import mantlet
from mantlet import (
    Contract,
    ErrorEnvelope,
    File,
    GraphQL,
    RouteOptions,
    JsonRpc,
    BodyLimits,
    Policy,
    Problem,
    Quota,
    RateLimiter,
    Reply,
    Request,
    Response,
    Rule,
    SchemaGuard,
    keys,
    on_status,
)
from mantlet.errors import Catalogue
from mantlet.guard import Coverage, Credential
from mantlet.testing import PolicyClient

api = FastAPI()
star = Starlette()


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def neither() -> None: ...


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


# add_middleware
api.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter("5/second", burst=3)])
api.add_middleware(mantlet.asgi.Stack, policies=(ErrorEnvelope(), RateLimiter("5/second")))
api.add_middleware(mantlet.asgi.Stack)
star.add_middleware(mantlet.asgi.Stack, policies=[ErrorEnvelope()])
Middleware(mantlet.asgi.Stack, policies=[RateLimiter("5/second")])
Middleware(mantlet.asgi.Stack, [RateLimiter("5/second")])
api.add_middleware(mantlet.asgi.Stack, policies=["5/second"])  # wrong: list-item
api.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter])  # wrong: list-item
api.add_middleware(mantlet.asgi.Stack, policies=RateLimiter("5/second"))  # wrong: arg-type
api.add_middleware(mantlet.asgi.Stack, policy=[RateLimiter("5/second")])  # wrong: call-arg
api.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter(quotas="5/s")])  # wrong: call-arg
star.add_middleware(mantlet.asgi.Stack, quota="5/day")  # wrong: call-arg
star.add_middleware(mantlet.wsgi.Stack, policies=[RateLimiter("5/second")])  # wrong: arg-type
Middleware(mantlet.asgi.Stack, polices=[RateLimiter("5/second")])  # wrong: call-arg

# stacks
assert_type(mantlet.asgi.Stack(asgi, [RateLimiter("5/second")]), mantlet.asgi.Stack)
assert_type(mantlet.wsgi.Stack(wsgi, policies=[RateLimiter("5/second")]), mantlet.wsgi.Stack)
mantlet.wsgi.Stack(wsgi, policies=[RateLimiter("5/second", bursts=3)])  # wrong: call-arg
mantlet.wsgi.Stack(wsgi, ErrorEnvelope)  # wrong: arg-type
mantlet.wsgi.Stack(asgi, [RateLimiter("5/second")])  # wrong: arg-type
mantlet.asgi.Stack(wsgi, [RateLimiter("5/second")])  # wrong: arg-type
mantlet.wsgi.Stack(wsgi, baseline=False)  # wrong: call-arg

# wrap
assert_type(mantlet.wrap(asgi), mantlet.asgi.Stack)
assert_type(mantlet.wrap(wsgi), mantlet.wsgi.Stack)
assert_type(mantlet.wrap(api), mantlet.asgi.Stack)
assert_type(mantlet.wrap(mantlet.wrap(asgi), ErrorEnvelope()), mantlet.asgi.Stack)
assert_type(mantlet.wrap(mantlet.wrap(wsgi), ErrorEnvelope()), mantlet.wsgi.Stack)
assert_type(mantlet.wrap(star), mantlet.asgi.Stack)
assert_type(mantlet.wrap(flask.Flask("app")), mantlet.wsgi.Stack)
assert_type(mantlet.wrap(WSGIHandler()), mantlet.wsgi.Stack)
assert_type(mantlet.wrap(ASGIHandler()), mantlet.asgi.Stack)
assert_type(mantlet.wrap(falcon.App()), mantlet.wsgi.Stack)
assert_type(mantlet.wrap(falcon.asgi.App()), mantlet.asgi.Stack)
assert_type(mantlet.wrap(Quart("app")), mantlet.asgi.Stack)
assert_type(mantlet.wrap(Litestar()), mantlet.asgi.Stack)
app: WSGIApplication = mantlet.wrap(wsgi, RateLimiter("5/second"))
mantlet.wrap(wsgi, ErrorEnvelope)  # wrong: call-overload
mantlet.wrap(wsgi, RateLimiter("5/second"), baseline=False)
mantlet.wrap(wsgi, baseline="no")  # wrong: call-overload
mantlet.wrap(wsgi, base=False)  # wrong: call-overload
mantlet.wrap(neither)  # wrong: arg-type
mantlet.wrap(wsgi).app
mantlet.wraps(wsgi)  # wrong: attr-defined

# install
assert_type(mantlet.install(api), FastAPI)
assert_type(mantlet.install(star, RateLimiter("5/second"), baseline=False), Starlette)
assert_type(mantlet.install(flask.Flask("app"), ErrorEnvelope()), flask.Flask)
mantlet.install(api).get("/")
mantlet.install(api, RateLimiter)  # wrong: arg-type
mantlet.install(api, base=False)  # wrong: call-arg
mantlet.asgi.wrap(wsgi)  # wrong: arg-type

# policies
ErrorEnvelope(exceptions={KeyError: 404, "a.b.Error": Problem(409), ValueError: lambda error: None})
ErrorEnvelope(exceptions={OSError: lambda error: Problem(503, detail=str(error.errno))})
ErrorEnvelope(expose_details=True, mode={"* /api/*": "report"})
ErrorEnvelope(convert="always", page=lambda problem, request: problem.title)
ErrorEnvelope(exceptions={KeyError: 404}, debug=True)
ErrorEnvelope(verbose=True)  # wrong: call-arg
RateLimiter(rules=[Rule("* /a", "5/s")])
RateLimiter("5/s", store="valkey://localhost", prefetch=9)
RateLimiter("5/s", burst=3, max_keys=10, clock=lambda: 0)
RateLimiter(rules=["* /a"])  # wrong: list-item
RateLimiter("5/day", burst="3")  # wrong: arg-type
RateLimiter("5/day", burst=1.5)  # wrong: arg-type
RateLimiter(concurrency=10)  # wrong: arg-type
ErrorEnvelope(on_exception=[lambda error, request: print(error)], catalogue=Catalogue("/p/"))
ErrorEnvelope(exceptions={KeyError: "404"})  # wrong: dict-item
ErrorEnvelope(exceptions={404: KeyError})  # wrong: dict-item
ErrorEnvelope(convert="sometimes")  # wrong: arg-type
ErrorEnvelope(page=lambda problem: "")  # wrong: misc
out_of_stock = Catalogue().add("out-of-stock", 409)
assert_type(out_of_stock("Only 2 are left.", extensions={"left": 2}), Problem)
RateLimiter("5/second", burst=3)
RateLimiter("5/second", 3)  # wrong: call-arg
RateLimiter("5/second", bursts=3)  # wrong: call-arg
RateLimiter(5)  # wrong: arg-type
RateLimiter(lambda request: "5/second", key=keys.client_address() & keys.form("username"))
RateLimiter("5/second", key=keys.field("username", missing="share", pointer="/user/name"))
RateLimiter("5/second", key=keys.field("username", missing="refuse"))  # wrong: arg-type
RateLimiter("5/second", key=lambda request: 5)  # wrong: arg-type
RateLimiter("5/second", on_outage="ignore")  # wrong: arg-type
assert_type(RateLimiter("5/second").check("key").retry_after, float)
Rule("* /a", "5/second", count_if=on_status(401), cost=lambda request: 5)
Rule("* /a", "5/second", per="connection")  # wrong: arg-type
Quota("5/second").burst = 3  # wrong: misc


# the guard
class Item(BaseModel):
    name: str


async def check(request: Request, shown: Credential) -> bool:
    return shown.value == "a"


declared = {"POST /items": Item}
mixed: dict[str, type[BaseModel] | Contract] = {"POST /items": Item}
SchemaGuard(declared)
SchemaGuard(mixed)
SchemaGuard(
    {
        "POST /items": Item,
        "POST /lists": list[Item] | None,
        "GET /items/{item_id}": Contract(path=Item, query=Item, response={200: Item, "4XX": None}),
        "POST /upload": Contract(form=Item, files={"photo": File(max_size="5 MB")}),
        "WS /live": Contract(message=Item),
        "POST /rpc": JsonRpc({"subtract": Item, "ping": None}),
        "POST /graphql": GraphQL(schema="type Query {a: Int}", max_depth=10),
    }
)
assert_type(SchemaGuard.from_app(api, mode="report"), SchemaGuard)
SchemaGuard(openapi="a.yaml", security={"a": check, "b": lambda request, shown: True})
SchemaGuard(openapi={}, formats={"iban": lambda text: True}, allow=["path", "method"])
SchemaGuard(
    openapi={}, routes={"* /old/*": RouteOptions(mode="report", limits=BodyLimits(body="5 MB"))}
)
guard = SchemaGuard(openapi={})
assert_type(guard.reload("a.yaml"), tuple[str, ...])
assert_type(guard.coverage, Coverage)
assert_type(guard.counts["GET /items", "missing"], int)
api.add_middleware(mantlet.asgi.Stack, policies=[SchemaGuard(declared, mode="report")])
SchemaGuard(openapi="a.yaml", allow=["query"])
SchemaGuard(declared, mode="observe")  # wrong: arg-type
SchemaGuard(declared, allow=["everything"])  # wrong: list-item
SchemaGuard(declared, forwards="canonical")  # wrong: call-arg
SchemaGuard(declared, limits={"body": 5})  # wrong: arg-type
SchemaGuard(openapi=5)  # wrong: arg-type
SchemaGuard(openapi={}, security={"a": lambda request: True})  # wrong: dict-item
RouteOptions(mode="skip")  # wrong: arg-type
BodyLimits(body=1.5)  # wrong: arg-type
BodyLimits(5)  # wrong: call-arg
Contract(Item)  # wrong: call-arg
File(max_sizes=5)  # wrong: call-arg
SchemaGuard(declared, modes="a")  # wrong: call-arg


class Plain(Policy):
    def on_request(self, request: Request) -> Reply | None:
        return None

    def on_response(self, request: Request, response: Response) -> None:
        response.headers.set("x-a", "1")


class Waiting(Policy):
    async def on_request(self, request: Request) -> Reply | None:
        assert_type(await request.body(10), bytes)
        return None

    async def on_finish(self, request: Request) -> None: ...


class Wrong(Policy):
    def on_request(self, request: Request) -> int:  # wrong: override
        return 5


# state
assert_type(mantlet.state({}), mantlet.State)
assert_type(mantlet.state({}).request_id, str)
assert_type(mantlet.state({}).rate_limit.remaining, int)
assert_type(mantlet.state({}).validated.operation, str)
mantlet.state({}).rate_limits  # wrong: attr-defined
mantlet.state({}).rate_limit.remainder  # wrong: attr-defined

# testing
client = PolicyClient(ErrorEnvelope(), Plain(), app=lambda request: request.body, protocol="wsgi")
assert_type(client.get("/").status, int)
assert_type(client.post("/", body="a", headers={"X-A": "1"}).headers.get("x-b"), str | None)
assert_type(client.requests[0].state, mantlet.State)
PolicyClient(ErrorEnvelope)  # wrong: arg-type
PolicyClient(protocol="http")  # wrong: arg-type
PolicyClient(app=lambda request: 5)  # wrong: arg-type
client.get("/", header={})  # wrong: call-arg
'''
LINES = SNIPPET.splitlines()
EXPECTED = {
    number: line.rpartition("# wrong: ")[2]
    for number, line in enumerate(LINES, 1)
    if "# wrong: " in line
}


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Mapping[int, str]:
    """Run mypy with the project's own configuration; return its errors' codes by their line."""
    snippet = tmp_path_factory.mktemp("typed") / "snippet.py"
    snippet.write_text(SNIPPET)
    cache: pytest.Cache | None = getattr(
        pytestconfig, "cache", None
    )  # none with -p no:cacheprovider
    folder = snippet.parent / "cache" if cache is None else cache.mkdir("mypy")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-pretty"),
            *("--config-file", ROOT / "pyproject.toml", "--cache-dir", folder, snippet),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    errors: dict[int, str] = {}
    for line in run.stdout.splitlines():
        match = re.fullmatch(r"(.+?):(\d+): (error|note): (.*?)(?:  \[([a-z-]+)\])?", line)
        assert match is not None, line
        if match[3] == "error":
            assert match[1].endswith("snippet.py"), line
            errors.setdefault(int(match[2]), match[5])
    return errors


@pytest.mark.parametrize("number", EXPECTED, ids=lambda number: LINES[number - 1].split("  #")[0])
def test_a_wrong_use_is_a_type_error(found: Mapping[int, str], number: int) -> None:
    """Of the kind that says what is wrong."""
    assert found.get(number) == EXPECTED[number]


def test_every_right_use_is_none(found: Mapping[int, str]) -> None:
    """No line has an error that is not said to be wrong."""
    assert {LINES[number - 1] for number in found.keys() - EXPECTED.keys()} == set()
