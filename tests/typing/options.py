"""The public names as an app uses them, rightly and wrongly, also by ``add_middleware``.

No test runs this file; mypy checks it with all others. It reports a use that is wrong only for
itself, and also a ``type: ignore`` of a use that it does not find wrong, or wrong in another way.
"""

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
    BodyLimits,
    Contract,
    ErrorEnvelope,
    File,
    GraphQL,
    JsonRpc,
    Policy,
    Problem,
    Quota,
    RateLimiter,
    Reply,
    Request,
    Response,
    RouteOptions,
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
api.add_middleware(mantlet.asgi.Stack, policies=["5/second"])  # type: ignore[list-item]
api.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter])  # type: ignore[list-item]
api.add_middleware(mantlet.asgi.Stack, policies=RateLimiter("5/second"))  # type: ignore[arg-type]
api.add_middleware(mantlet.asgi.Stack, policy=[RateLimiter("5/second")])  # type: ignore[call-arg]
api.add_middleware(mantlet.asgi.Stack, policies=[RateLimiter(quotas="5/s")])  # type: ignore[call-arg]
star.add_middleware(mantlet.asgi.Stack, quota="5/day")  # type: ignore[call-arg]
star.add_middleware(mantlet.wsgi.Stack, policies=[RateLimiter("5/second")])  # type: ignore[arg-type]
Middleware(mantlet.asgi.Stack, polices=[RateLimiter("5/second")])  # type: ignore[call-arg]

# stacks
assert_type(mantlet.asgi.Stack(asgi, [RateLimiter("5/second")]), mantlet.asgi.Stack)
assert_type(mantlet.wsgi.Stack(wsgi, policies=[RateLimiter("5/second")]), mantlet.wsgi.Stack)
mantlet.wsgi.Stack(wsgi, policies=[RateLimiter("5/second", bursts=3)])  # type: ignore[call-arg]
mantlet.wsgi.Stack(wsgi, ErrorEnvelope)  # type: ignore[arg-type]
mantlet.wsgi.Stack(asgi, [RateLimiter("5/second")])  # type: ignore[arg-type]
mantlet.asgi.Stack(wsgi, [RateLimiter("5/second")])  # type: ignore[arg-type]
mantlet.wsgi.Stack(wsgi, baseline=False)  # type: ignore[call-arg]

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
mantlet.wrap(wsgi, ErrorEnvelope)  # type: ignore[call-overload]
mantlet.wrap(wsgi, RateLimiter("5/second"), baseline=False)
mantlet.wrap(wsgi, baseline="no")  # type: ignore[call-overload]
mantlet.wrap(wsgi, base=False)  # type: ignore[call-overload]
mantlet.wrap(neither)  # type: ignore[arg-type]
mantlet.wrap(wsgi).app
mantlet.wraps(wsgi)  # type: ignore[attr-defined]

# install
assert_type(mantlet.install(api), FastAPI)
assert_type(mantlet.install(star, RateLimiter("5/second"), baseline=False), Starlette)
assert_type(mantlet.install(flask.Flask("app"), ErrorEnvelope()), flask.Flask)
mantlet.install(api).get("/")
mantlet.install(api, RateLimiter)  # type: ignore[arg-type]
mantlet.install(api, base=False)  # type: ignore[call-arg]
mantlet.asgi.wrap(wsgi)  # type: ignore[arg-type]

# policies
ErrorEnvelope(exceptions={KeyError: 404, "a.b.Error": Problem(409), ValueError: lambda error: None})
ErrorEnvelope(exceptions={OSError: lambda error: Problem(503, detail=str(error.errno))})
ErrorEnvelope(expose_details=True, mode={"* /api/*": "report"})
ErrorEnvelope(convert="always", page=lambda problem, request: problem.title)
ErrorEnvelope(exceptions={KeyError: 404}, debug=True)
ErrorEnvelope(verbose=True)  # type: ignore[call-arg]
RateLimiter(rules=[Rule("* /a", "5/s")])
RateLimiter("5/s", store="valkey://localhost", prefetch=9)
RateLimiter("5/s", burst=3, max_keys=10, clock=lambda: 0)
RateLimiter(rules=["* /a"])  # type: ignore[list-item]
RateLimiter("5/day", burst="3")  # type: ignore[arg-type]
RateLimiter("5/day", burst=1.5)  # type: ignore[arg-type]
RateLimiter(concurrency=10)  # type: ignore[arg-type]
ErrorEnvelope(on_exception=[lambda error, request: print(error)], catalogue=Catalogue("/p/"))
ErrorEnvelope(exceptions={KeyError: "404"})  # type: ignore[dict-item]
ErrorEnvelope(exceptions={404: KeyError})  # type: ignore[dict-item]
ErrorEnvelope(convert="sometimes")  # type: ignore[arg-type]
ErrorEnvelope(page=lambda problem: "")  # type: ignore[arg-type, misc]
out_of_stock = Catalogue().add("out-of-stock", 409)
assert_type(out_of_stock("Only 2 are left.", extensions={"left": 2}), Problem)
RateLimiter("5/second", burst=3)
RateLimiter("5/second", 3)  # type: ignore[arg-type, call-arg]
RateLimiter("5/second", bursts=3)  # type: ignore[call-arg]
RateLimiter(5)  # type: ignore[arg-type]
RateLimiter(lambda request: "5/second", key=keys.client_address() & keys.form("username"))
RateLimiter("5/second", key=keys.field("username", missing="share", pointer="/user/name"))
RateLimiter("5/second", key=keys.field("username", missing="refuse"))  # type: ignore[arg-type]
RateLimiter("5/second", key=lambda request: 5)  # type: ignore[arg-type, return-value]
RateLimiter("5/second", on_outage="ignore")  # type: ignore[arg-type]
assert_type(RateLimiter("5/second").check("key").retry_after, float)
Rule("* /a", "5/second", count_if=on_status(401), cost=lambda request: 5)
Rule("* /a", "5/second", per="connection")  # type: ignore[arg-type]
Quota("5/second").burst = 3  # type: ignore[misc]


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
SchemaGuard(declared, mode="observe")  # type: ignore[arg-type]
SchemaGuard(declared, allow=["everything"])  # type: ignore[list-item]
SchemaGuard(declared, forwards="canonical")  # type: ignore[call-arg]
SchemaGuard(declared, limits={"body": 5})  # type: ignore[arg-type]
SchemaGuard(openapi=5)  # type: ignore[arg-type]
SchemaGuard(openapi={}, security={"a": lambda request: True})  # type: ignore[dict-item, misc]
RouteOptions(mode="skip")  # type: ignore[arg-type]
BodyLimits(body=1.5)  # type: ignore[arg-type]
BodyLimits(5)  # type: ignore[call-arg]
Contract(Item)  # type: ignore[call-arg]
File(max_sizes=5)  # type: ignore[call-arg]
SchemaGuard(declared, modes="a")  # type: ignore[call-arg]


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
    def on_request(self, request: Request) -> int:  # type: ignore[override]
        return 5


# state
assert_type(mantlet.state({}), mantlet.State)
assert_type(mantlet.state({}).request_id, str)
assert_type(mantlet.state({}).rate_limit.remaining, int)
assert_type(mantlet.state({}).validated.operation, str)
mantlet.state({}).rate_limits  # type: ignore[attr-defined]
mantlet.state({}).rate_limit.remainder  # type: ignore[attr-defined]

# testing
client = PolicyClient(ErrorEnvelope(), Plain(), app=lambda request: request.body, protocol="wsgi")
assert_type(client.get("/").status, int)
assert_type(client.post("/", body="a", headers={"X-A": "1"}).headers.get("x-b"), str | None)
assert_type(client.requests[0].state, mantlet.State)
PolicyClient(ErrorEnvelope)  # type: ignore[arg-type]
PolicyClient(protocol="http")  # type: ignore[arg-type]
PolicyClient(app=lambda request: 5)  # type: ignore[arg-type, return-value]
client.get("/", header={})  # type: ignore[call-arg]
