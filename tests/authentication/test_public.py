"""Public routes: no spelling of a path, and no other method, opens one that is not public."""

from __future__ import annotations

from typing import Any

import falcon
import flask
import pytest
import quart
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet
from mantlet import ApiKeys, Authenticator, Cors, Session
from tests.authentication.asking import (
    KEYS,
    WITH_KEY,
    Tokens,
    bearer,
    every_scheme,
    load,
    whoami,
)
from tests.drive import Adapter, both_adapters, drive_asgi, drive_wsgi

PREFLIGHT = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "DELETE")]


@both_adapters
@pytest.mark.parametrize(
    ("method", "path", "is_public"),
    [
        ("GET", "/health", True),
        ("HEAD", "/health", True),
        ("GET", "/health/", False),  # an app may have another route for each of these
        ("GET", "//health", False),
        ("GET", "/health\n", False),
        ("GET", "/docs/", True),
        ("GET", "/docs", False),
        ("GET", "/both", True),
        ("GET", "/both/", True),
        ("GET", "/items/5", True),
        ("GET", "/items/5/", False),
        ("GET", "/files/a/b/", True),
        ("GET", "/files/a//b", False),
        ("GET", "/static/", True),
        ("GET", "/static", False),
        ("POST", "/health", False),
        ("DELETE", "/health", False),
        ("GET", "/healthy", False),
        ("GET", "/health-records", False),
        ("GET", "/admin/health", False),
        ("GET", "/health/records", False),
        ("GET", "/static/a.css", True),
        ("GET", "/static/../admin", False),
        ("GET", "/static/./../admin", False),
        ("GET", "/static//../admin", False),
        ("GET", "/static/%2e%2e/admin", False),  # decoded twice it would be another path
        ("GET", "/static/..;/admin", False),
        ("GET", "/static/a\\..\\..\\b", False),
        ("GET", "/static/a b.css", True),
        ("POST", "/static/a.css", False),
        ("GET", "/", False),
    ],
)
def test_a_route_is_public_if_every_reading_of_it_is(
    adapter: Adapter, method: str, path: str, is_public: bool
) -> None:
    public = ["GET /health", "GET /docs/", "GET /both", "GET /both/", "GET /items/{id}"]
    public += ["GET /files/{name:path}", "GET /static/*"]
    auth = Authenticator(ApiKeys(KEYS), public=public)
    answer = adapter.drive(adapter.wrap(whoami, auth), method, path)
    assert answer.status == (200 if is_public else 401)


@pytest.mark.parametrize(
    ("path", "root", "ran"),
    [
        ("/health", "", "health"),
        ("/api/health", "/api", "health"),
        ("/health", "/api", ""),
        ("/health", "/health", ""),
    ],
)
def test_a_path_without_the_root_path_opens_no_other_view_of_quart(
    path: str, root: str, ran: str
) -> None:
    """Quart takes such a path for a single space, which a view of any path matches."""
    app = quart.Quart(__name__, static_folder=None)

    @app.route("/health")
    async def health() -> str:
        return "health"

    @app.route("/<path:name>")
    async def any_path(name: str) -> str:
        return f"any {name}"

    stack = mantlet.asgi.wrap(
        app, Authenticator(ApiKeys(KEYS), public=["GET /health", "GET /"]), baseline=False
    )
    answer = drive_asgi(stack, "GET", path, scope={"root_path": root})
    assert (answer.status, answer.body if ran else b"") == (200 if ran else 401, ran.encode())


@both_adapters
@pytest.mark.parametrize(
    ("sent", "path", "is_public"),
    [
        ("/static/a%20b.css", "/static/a b.css", True),
        ("/static/a%40b.css", "/static/a@b.css", True),
        ("/static/%C3%A4.css", "/static/ä.css", True),
        ("/static/%61.css", "/static/a.css", False),  # apps that route by the path as sent
        ("/static/a%2Fb", "/static/a/b", False),
        ("/static/%2e/b", "/static/./b", False),
    ],
)
def test_escapes_open_a_route_only_where_a_path_needs_them(
    adapter: Adapter, sent: str, path: str, is_public: bool
) -> None:
    app = adapter.wrap(whoami, Authenticator(ApiKeys(KEYS), public=["GET /static/*"]))
    raw: dict[str, Any] = (
        {"scope": {"raw_path": sent.encode()}}
        if adapter.name == "asgi"
        else {"environ": {"RAW_URI": sent}}
    )
    assert adapter.drive(app, path=path, **raw).status == (200 if is_public else 401)


@both_adapters
@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_a_header_that_replaces_the_method_opens_nothing(adapter: Adapter, name: str) -> None:
    app = adapter.wrap(
        whoami, Authenticator(ApiKeys(KEYS), public=["POST /search", "GET /search", "OPTIONS *"])
    )
    statuses = [
        adapter.drive(app, method, "/search", headers=[(name, other)]).status
        for method, other in (
            *(("POST", "GET"), ("POST", "DELETE"), ("POST", "delete"), ("POST", "GET, DELETE")),
            *(("OPTIONS", "DELETE"), ("POST", ""), ("POST", "get")),
        )
    ]
    assert statuses == [200] + [401] * 6


@both_adapters
@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ([], "nobody"),
        ([WITH_KEY], "robot by api_key"),
        ([bearer("good")], "ada by tokens"),
        ([bearer("expired")], "nobody"),
        ([bearer("away")], "nobody"),
        ([bearer("good"), WITH_KEY], "nobody"),
        ([("X-API-Key", "another")], "nobody"),
        ([("Cookie", "session=s9")], "nobody"),
        ([("Cookie", "session=s1; session=s2")], "nobody"),
    ],
)
def test_a_public_route_takes_a_credential_that_is_not_valid_for_none(
    adapter: Adapter, headers: list[tuple[str, str]], who: str
) -> None:
    app = adapter.wrap(whoami, Authenticator(*every_scheme(), public=["GET /"]))
    answer = adapter.drive(app, headers=headers)
    assert (answer.status, answer.body) == (200, who.encode())


@both_adapters
def test_a_public_route_forgets_what_an_outer_authenticator_has_found(adapter: Adapter) -> None:
    app = adapter.wrap(
        whoami, Authenticator(Tokens()), Authenticator(ApiKeys(KEYS), public=["GET /"])
    )
    assert adapter.drive(app, headers=[bearer("good")]).body == b"nobody"


@both_adapters
def test_preflights_need_a_credential_unless_options_is_public(adapter: Adapter) -> None:
    closed = adapter.wrap(whoami, Authenticator(ApiKeys(KEYS)))
    assert adapter.drive(closed, "OPTIONS", "/orders", headers=PREFLIGHT).status == 401
    for pattern in ("OPTIONS *", "OPTIONS /*"):
        app = adapter.wrap(whoami, Authenticator(ApiKeys(KEYS), public=[pattern]))
        for path in ("/orders", "/", "/a/b/c", "*"):
            if path == "*" and adapter.name == "wsgi":
                continue  # the checker of environs wants a slash
            assert adapter.drive(app, "OPTIONS", path, headers=PREFLIGHT).status == 200
        assert adapter.drive(app, "GET", "/orders", headers=PREFLIGHT).status == 401
        assert adapter.drive(app, "DELETE", "/*").status == 401


@both_adapters
def test_cors_outside_answers_preflights_and_shows_scripts_what_is_refused(
    adapter: Adapter,
) -> None:
    cors = Cors(origins="https://app.example", methods=["DELETE"])
    app = adapter.wrap(whoami, cors, Authenticator(ApiKeys(KEYS)))
    answer = adapter.drive(app, "OPTIONS", "/orders", headers=PREFLIGHT)
    assert answer.status == 204
    refused = adapter.drive(app, "DELETE", "/orders", headers=PREFLIGHT[:1])
    assert refused.status == 401
    for one in (answer, refused):
        assert one.get("access-control-allow-origin") == "https://app.example"


@pytest.mark.parametrize(
    ("public", "kind", "text"),
    [
        ("GET /health", TypeError, r"public must be a list of patterns"),
        (["/health"], ValueError, r"/health"),
        (["GET *"], ValueError, r"GET"),
        (["OPTIONS /* /*"], ValueError, r"OPTIONS"),
        ([7], TypeError, r"7"),
    ],
)
def test_other_patterns_are_refused(public: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        Authenticator(ApiKeys(KEYS), public=public)


SEGMENTS = st.sampled_from(
    [
        "",
        "public",
        "both",
        "private",
        ".",
        "..",
        "%2e%2e",
        "%2F",
        ";x",
        "public\n",
        "PUBLIC",
        "\x00",
        "\\",
    ]
)


PUBLIC = ["GET /public", "GET /public/*", "GET /both/{id}"]
METHODS = ["GET", "POST", "HEAD", "OPTIONS"]
#: The paths of the requests that reached a view which is not public.
RAN: list[str] = []


def flask_app() -> Any:
    app = flask.Flask(__name__)
    app.add_url_rule("/public", "one", lambda: "")
    app.add_url_rule("/public/<path:rest>", "rest", lambda rest: rest)
    app.add_url_rule("/both/<id>", "both", lambda id: id)

    def private(rest: str = "") -> str:
        RAN.append(rest)
        return rest

    app.add_url_rule("/", "private", private, methods=METHODS)
    app.add_url_rule("/<path:rest>", "private", private, methods=METHODS)
    return app


def starlette_app() -> Any:
    async def public(request: Any) -> PlainTextResponse:
        return PlainTextResponse("")

    async def private(request: Any) -> PlainTextResponse:
        RAN.append(request.url.path)
        return PlainTextResponse("")

    return Starlette(
        routes=[
            Route("/public", public),
            Route("/public/{rest:path}", public),
            Route("/both/{id}", public),
            Route("/{rest:path}", private, methods=METHODS),
        ]
    )


class Public:
    def on_get(self, request: Any, response: Any, **_: str) -> None:
        response.text = ""

    on_head = on_get


class Private:
    def on_get(self, request: Any, response: Any, **_: str) -> None:
        RAN.append(request.path)

    on_post = on_head = on_options = on_get


def falcon_app() -> Any:
    app = falcon.App()
    app.add_route("/public", Public())
    app.add_route("/public/{rest:path}", Public())
    app.add_route("/both/{id}", Public())
    sink: Any = Private().on_get
    app.add_sink(sink, "/")
    return app


def wrapped(make: Any, module: Any) -> Any:
    """Return an app behind an Authenticator."""
    return module.wrap(make(), Authenticator(Session(load), public=PUBLIC), baseline=False)


STACKS: dict[str, tuple[Any, Any]] = {
    "flask": (wrapped(flask_app, mantlet.wsgi), drive_wsgi),
    "falcon": (wrapped(falcon_app, mantlet.wsgi), drive_wsgi),
    "starlette": (wrapped(starlette_app, mantlet.asgi), drive_asgi),
}


@pytest.mark.parametrize("framework", STACKS)
@given(st.lists(SEGMENTS, max_size=5), st.sampled_from(METHODS))
@example(["public", "..", "private"], "GET")
@example(["", "public"], "GET")
@example(["public", ""], "GET")
@example(["public\n"], "GET")
@example(["both", "public", ""], "GET")
@example(["both", "", ""], "GET")
@settings(deadline=None)
def test_no_spelling_reaches_a_view_that_is_not_public(
    framework: str, segments: list[str], method: str
) -> None:
    app, drive = STACKS[framework]
    RAN.clear()
    answer = drive(app, method, "/" + "/".join(segments))
    assert answer.error is None
    assert answer.status in (200, 307, 308, 401, 404, 405)
    assert RAN == []
