"""The paths that an app may take a request's path for, as every policy sees them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from litestar import Litestar, post
from litestar.response import Response as LitestarResponse
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from mantlet import (
    Contract,
    ErrorEnvelope,
    OutputSanitizer,
    Policy,
    Quota,
    RateLimiter,
    Rule,
    SchemaGuard,
    asgi,
    wsgi,
)
from mantlet.asgi.request import AsgiRequest
from mantlet.core.request import request_class
from mantlet.http.routing.root_paths import InnerRoot, RootPaths, read_route_paths
from mantlet.integrations import find_root_paths
from mantlet.sanitize import JsonField
from mantlet.wsgi.request import WsgiRequest
from tests.drive import both_adapters, drive_asgi, drive_wsgi, hello

if TYPE_CHECKING:
    from mantlet import Request, Response
    from tests.drive import Adapter


class Seen(Policy):
    """Remembers the paths that its hooks see."""

    def __init__(self) -> None:
        self.paths: list[tuple[str, str, tuple[str, ...]]] = []

    def _see(self, request: Request) -> None:
        self.paths.append((request.path, request.route_path, request.route_paths))

    def on_request(self, request: Request) -> None:
        """See the request before the app."""
        self._see(request)

    def on_response(self, request: Request, response: Response) -> None:
        """See it after the app."""
        self._see(request)


async def _receive() -> Any:
    raise AssertionError("nothing is read")


def fastapi(root_path: str) -> FastAPI:
    """Return an app with a root path of its own, whose page is /page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FastAPI advises against the option
        app = FastAPI(root_path=root_path, openapi_url=None)

    @app.api_route("/page", methods=["GET", "POST"])
    async def page() -> dict[str, str]:
        return {"password": "hidden"}

    return app


# -- the literal path -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "literal"),
    [
        ({"path": "/a", "raw_path": b"/a"}, "/a"),
        ({"path": "/a"}, "/a"),
        ({"path": "/a", "raw_path": b"/%61"}, None),
        ({"path": "/\u00e9", "raw_path": b"/%C3%A9"}, None),
        ({"path": "/\ud800", "raw_path": b"/%ED%A0%80"}, None),
        ({"path": "/r/a", "raw_path": b"/r/a", "root_path": "/r"}, None),
        ({"path": "/a", "raw_path": b"/a", "root_path": "/r"}, None),
    ],
    ids=ascii,
)
def test_the_literal_path_of_a_scope(scope: dict[str, Any], literal: str | None) -> None:
    """An escape, or a root path, leaves none."""
    assert AsgiRequest(scope, _receive).literal_path == literal


@pytest.mark.parametrize(
    ("environ", "literal"),
    [
        ({"PATH_INFO": "/a"}, "/a"),
        ({"PATH_INFO": "/a", "RAW_URI": "/a?b"}, "/a"),
        ({"PATH_INFO": "/a", "REQUEST_URI": "/a"}, "/a"),
        ({"PATH_INFO": "/a", "REQUEST_URI": "/%61"}, None),
        ({"PATH_INFO": "/a", "RAW_URI": "http://host/a"}, None),
        ({"PATH_INFO": "/\u00c3\u00a9"}, None),
        ({"PATH_INFO": "/a", "SCRIPT_NAME": "/r"}, None),
        ({"PATH_INFO": "/a", "SCRIPT_NAME": "/r", "RAW_URI": "/a"}, None),
    ],
    ids=ascii,
)
def test_the_literal_path_of_an_environ(environ: dict[str, Any], literal: str | None) -> None:
    """An escape, or a root path, leaves none."""
    assert WsgiRequest(environ).literal_path == literal


@both_adapters
def test_a_static_path_is_found_only_as_it_was_sent(adapter: Adapter) -> None:
    """An escape in it is looked at, not looked up."""
    app = adapter.wrap(hello, SchemaGuard({"GET /a/b": None, "POST /a/b": None}))

    def status(target: str, method: str = "GET") -> int | None:
        sent: Any = {"environ": {"RAW_URI": target}}
        if adapter.name == "asgi":
            sent = {"scope": {"raw_path": target.encode()}}
        return adapter.drive(app, method, "/a/b", **sent).status

    assert [status("/a/b"), status("/a/%62"), status("/a%2Fb")] == [200, 200, 400]
    assert status("/a/b", "PUT") == 405


# -- one path for all hooks -----------------------------------------------------------------------


def test_an_app_that_mounts_another_leaves_the_path_to_response_hooks_as_it_was() -> None:
    """Starlette changes ``root_path`` in the scope, and Litestar the path."""
    inner = Starlette(routes=[Route("/page", lambda _request: JSONResponse({}))])
    seen = Seen()
    app = asgi.wrap(Starlette(routes=[Mount("/sub", inner)]), seen, baseline=False)
    assert drive_asgi(app, "GET", "/sub/page").status == 200
    assert seen.paths == [("/sub/page", "/sub/page", ("/sub/page",))] * 2


def test_a_dispatcher_leaves_the_path_to_response_hooks_as_it_was() -> None:
    """Werkzeug's changes ``SCRIPT_NAME`` and ``PATH_INFO`` in the environ."""
    seen = Seen()

    def inner(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"inner"]

    app = wsgi.wrap(DispatcherMiddleware(inner, {"/sub": inner}), seen, baseline=False)
    assert drive_wsgi(app, "GET", "/sub/page").status == 200
    assert seen.paths == [("/sub/page", "/sub/page", ("/sub/page",))] * 2


def test_the_sanitizers_routes_are_those_of_the_outer_app() -> None:
    """Its hooks run when the app has changed the scope."""

    async def page(_request: Any) -> HTMLResponse:
        return HTMLResponse("<p onclick=x()>hello</p>")

    async def secret(_request: Any) -> JSONResponse:
        return JSONResponse({"password": "hidden"})

    inner = Starlette(routes=[Route("/page", page), Route("/secret", secret)])
    sanitizer = OutputSanitizer(
        html={"* /sub/page": "ugc"},
        mask=[JsonField("password", route="GET /sub/secret")],
        headers=None,
        routes={"* /sub/*": "api"},
    )
    app = asgi.wrap(Starlette(routes=[Mount("/sub", inner)]), sanitizer, baseline=False)
    assert drive_asgi(app, "GET", "/sub/page").body == b"<p>hello</p>"
    answer = drive_asgi(app, "GET", "/sub/secret")
    assert b"hidden" not in answer.body
    assert answer.getall("content-security-policy")


def test_a_mode_by_route_is_that_of_the_outer_app_in_every_hook() -> None:
    """A guard asks for its mode again when it has a response."""
    inner = Starlette(routes=[Route("/page", lambda _request: JSONResponse({"a": "text"}))])
    guard = SchemaGuard(
        {"GET /sub/page": Contract(response=dict[str, int])},
        responses="enforce",
        mode={"GET /sub/page": "report"},
    )
    app = asgi.wrap(Starlette(routes=[Mount("/sub", inner)]), guard, baseline=False)
    assert drive_asgi(app, "GET", "/sub/page").status == 200


# -- root paths that apps set ---------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/page", "/api/page"])
@pytest.mark.parametrize("root", ["", "/api"])
def test_every_policy_knows_the_root_path_that_an_app_sets(path: str, root: str) -> None:
    """``FastAPI(root_path="/api")`` routes both paths to its page."""
    app = asgi.wrap(
        fastapi("/api"),
        OutputSanitizer(mask=[JsonField("password", route="GET /page")]),
        ErrorEnvelope(mode={"GET /page": "off"}),
        RateLimiter("2/hour", rules=[Rule("GET /page", exempt=True), Rule("POST /page", "1/hour")]),
        SchemaGuard({"GET /page": Contract(), "POST /page": Contract(body=dict[str, int])}),
        baseline=False,
    )
    scope = {"root_path": root}
    for _ in range(4):
        answer = drive_asgi(app, "GET", path, scope=scope)
        assert answer.status == 200
        assert b"hidden" not in answer.body
    headers = [("Content-Type", "application/json")]
    statuses = [
        drive_asgi(app, "POST", path, headers=headers, body=b'{"a": "x"}', scope=scope).status
        for _ in range(2)
    ]
    assert statuses == [422, 429]


def test_a_mount_that_is_added_after_wrapping_counts() -> None:
    """The app is looked at when the first request arrives."""
    outer = Starlette()
    app = asgi.wrap(outer, RateLimiter(rules=[Rule("POST /page", "1/hour")]), baseline=False)
    outer.mount("/", fastapi("/api"))
    assert [drive_asgi(app, "POST", "/api/page").status for _ in range(2)] == [200, 429]


def test_an_app_without_a_root_path_pays_nothing() -> None:
    """Its requests are the adapter's own, and have one path."""
    for app in (FastAPI(), Starlette(), Litestar([], logging_config=None)):
        assert request_class(AsgiRequest, find_root_paths(app)) is AsgiRequest
    seen = Seen()
    asked = drive_asgi(asgi.wrap(FastAPI(), seen, baseline=False), "GET", "/a/b")
    assert asked.status == 404
    assert {paths for _, _, paths in seen.paths} == {("/a/b",)}


# -- several readings -----------------------------------------------------------------------------


@post("/login", sync_to_thread=False)
def login() -> LitestarResponse[str]:
    """Let anybody in."""
    return LitestarResponse("in", status_code=200)


@post("/static/{rest:path}", sync_to_thread=False)
def static() -> LitestarResponse[str]:
    """Take any path."""
    return LitestarResponse("static", status_code=200)


SCOPE = {"root_path": "/api"}


@pytest.mark.parametrize("path", ["/static/api/login", "/apilogin", "/x/api/login"])
def test_the_strictest_rule_holds_where_a_path_has_two_readings(path: str) -> None:
    """Litestar drops everything before the root path; an exemption of the other path is no use."""
    limiter = RateLimiter(
        "100/hour",
        rules=[
            Rule("* /static/*", exempt=True),
            Rule("* /x/*", exempt=True),
            Rule("* /apilogin", exempt=True),
            Rule("POST /login", "1/hour"),
        ],
    )
    app = asgi.wrap(
        Litestar([login, static], openapi_config=None, logging_config=None), limiter, baseline=False
    )
    answers = [drive_asgi(app, "POST", path, scope=SCOPE) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[0].body == b"in"


def test_a_rule_for_preflights_and_the_route_in_the_log_hold_in_any_reading(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As its limits do."""
    limiter = RateLimiter(rules=[Rule("OPTIONS /login", "1/hour")])
    app = asgi.wrap(
        Litestar([login], openapi_config=None, logging_config=None), limiter, baseline=False
    )
    preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "POST")]
    answers = [
        drive_asgi(app, "OPTIONS", "/x/api/login", headers=preflight, scope=SCOPE) for _ in range(2)
    ]
    assert answers[1].status == 429
    (record,) = [one for one in caplog.records if one.name == "mantlet.ratelimit"]
    assert vars(record)["route"] == "OPTIONS /login"


def test_rules_whose_quotas_share_a_name_can_meet_in_two_readings() -> None:
    """They are for different requests, so the names are allowed."""
    limiter = RateLimiter(
        rules=[
            Rule("POST /x/*", Quota("1/hour", name="same")),
            Rule("POST /login", Quota("9/hour", name="same")),
        ]
    )
    app = asgi.wrap(
        Litestar([login], openapi_config=None, logging_config=None), limiter, baseline=False
    )
    statuses = [drive_asgi(app, "POST", "/x/api/login", scope=SCOPE).status for _ in range(2)]
    assert statuses == [200, 429]


def test_a_mode_by_route_is_the_strictest_of_the_readings() -> None:
    """Else a path that is let off would be a way to the other one."""
    limiter = RateLimiter("1/hour", mode={"* /x/*": "off"})
    app = asgi.wrap(
        Litestar([login], openapi_config=None, logging_config=None), limiter, baseline=False
    )
    statuses = [drive_asgi(app, "POST", "/x/api/login", scope=SCOPE).status for _ in range(2)]
    assert statuses == [200, 429]


@pytest.mark.parametrize("paths", ["refuse", "normalize", "raw"])
def test_the_guard_rejects_a_path_that_could_be_of_two_operations(paths: Any) -> None:
    """It can't know which of the two the app will run."""

    class Body(BaseModel):
        name: str

    guard = SchemaGuard(
        {"POST /login": Contract(body=Body), "POST /static/{rest:path}": Contract()},
        paths=paths,
    )
    app = asgi.wrap(
        Litestar([login, static], openapi_config=None, logging_config=None), guard, baseline=False
    )
    answer = drive_asgi(app, "POST", "/static/api/login", scope=SCOPE)
    assert (answer.status, answer.json()["errors"][0]["code"]) == (400, "ambiguous_root_path")
    assert drive_asgi(app, "POST", "/static/other", scope=SCOPE).status == 200


def test_a_guard_that_allows_undeclared_paths_knows_a_declared_one() -> None:
    """``/x/api/login`` is undeclared only at first sight."""
    guard = SchemaGuard({"POST /login": Contract(body=dict[str, int])}, allow=["path"])
    app = asgi.wrap(
        Litestar([login], openapi_config=None, logging_config=None), guard, baseline=False
    )
    assert drive_asgi(app, "POST", "/x/api/login", scope=SCOPE).status == 404


@both_adapters
def test_a_path_is_also_read_without_its_dot_segments(adapter: Adapter) -> None:
    """Static files are found by it, in most frameworks."""
    limiter = RateLimiter(rules=[Rule("GET /static/private/{name}", "1/hour")])
    app = adapter.wrap(hello, limiter)
    paths = ["/static/private/a", "/static/x/../private/a", "/static/./private//./a"]
    assert [adapter.drive(app, "GET", path).status for path in paths] == [200, 429, 429]


@pytest.mark.parametrize("piece", ["/.", "/..", "//", "/api", "/a", "/a/..", "x/api"])
def test_a_huge_path_has_few_readings_which_are_no_longer_than_it(piece: str) -> None:
    """So a client chooses neither how many there are nor what they cost."""
    apps = RootPaths(inner=(InnerRoot(1, ""), InnerRoot(0, "/api")), prefixes=("/api", "/a"))
    path = "/" + piece * 20_000
    for root in ("", "/api", "/api/"):
        readings = read_route_paths(path, root, apps, path)
        assert len(readings) <= 16
        assert max(map(len, readings)) <= len(path) + 8
