"""All routes of a FastAPI app are known to its guard: hidden ones, mounts, files, sockets."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import fastapi
import pytest
from fastapi.security import APIKeyHeader
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.convertors import CONVERTOR_TYPES, Convertor
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Host, Match, Route
from starlette.testclient import TestClient

import mantlet
from mantlet.guard import SchemaGuard
from tests.guard.apps.test_fastapi import send
from tests.guard.asking import JSON

PATHS = (
    "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", "/hidden", "/plain?any=1",
    "/files/a/b.txt", "/items/5", "/api/v1/inner", "/static/page.txt", "/sub/inside/5", "/sub/docs",
    "/other/anything?any=1",
)  # fmt: skip
#: Those that the app does not have.
ABSENT = ("/", "/items", "/items/x/y", "/items/abc", "/sub/nothing", "/api/inner", "/staticpage")


@pytest.fixture
def app(tmp_path: Path) -> fastapi.FastAPI:
    """Return an app with routes of all kinds."""
    (tmp_path / "page.txt").write_text("page")
    app = fastapi.FastAPI()
    sub = fastapi.FastAPI()
    router = fastapi.APIRouter(prefix="/v1")
    outer = fastapi.APIRouter(prefix="/api")

    @app.get("/hidden", include_in_schema=False)
    def hidden(limit: int = 1) -> int:
        return limit

    @app.get("/files/{name:path}")
    def file(name: str) -> str:
        return name

    @app.get("/items/{number:int}")
    def item(number: int) -> int:
        return number

    @sub.get("/inside/{number}")
    def inside(number: int) -> int:
        return number

    @router.get("/inner")
    def inner() -> str:
        return "inner"

    async def plain(request: Request) -> JSONResponse:
        return JSONResponse(dict(request.query_params))

    @app.websocket("/live/{room}")
    async def live(socket: fastapi.WebSocket, room: int, limit: int = 1) -> None:
        await socket.accept()
        await socket.send_json([room, limit, await socket.receive_json()])
        await socket.close()

    outer.include_router(router)
    app.include_router(outer)
    app.add_route("/plain", plain, methods=["GET", "POST"])
    app.mount("/static", StaticFiles(directory=tmp_path))
    app.mount("/sub", sub)
    app.mount("/other", Starlette(routes=[Route("/{rest:path}", plain)]))
    return app


@pytest.fixture
def stack(app: fastapi.FastAPI) -> Iterator[Any]:
    """Return the app behind its guard."""
    return mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)


@pytest.mark.parametrize("target", PATHS)
def test_every_route_of_the_app_is_served(app: Any, stack: Any, target: str) -> None:
    """Also those that its document leaves out."""
    answer = send(stack, "GET", target)
    assert (answer.status, answer.body) == (200, send(app, "GET", target).body)


@pytest.mark.parametrize("target", ABSENT)
def test_paths_that_no_route_has_are_closed(app: Any, stack: Any, target: str) -> None:
    """As they are in the app."""
    assert send(app, "GET", target).status == 404
    assert send(stack, "GET", target).get("content-type") == "application/problem+json"


def test_hidden_routes_and_mounted_fastapi_apps_are_validated(stack: Any) -> None:
    """By their own declarations."""
    assert send(stack, "GET", "/hidden?limit=x").status == 422
    assert send(stack, "GET", "/hidden?any=1").status == 422
    assert send(stack, "GET", "/sub/inside/x").status == 422
    assert send(stack, "POST", "/sub/inside/5").status == 405


def test_routes_without_parameters_pass_with_any_body(stack: Any) -> None:
    """Starlette's own routes declare none."""
    assert send(stack, "POST", "/plain", b"any").status == 200
    assert send(stack, "PUT", "/plain").status == 405


@pytest.mark.parametrize("target", ["/items/5/", "/hidden/?limit=1", "/sub", "/static"])
def test_slashes_are_redirected_by_the_app(app: Any, stack: Any, target: str) -> None:
    """As long as it has the routes that were read."""
    answer = send(stack, "GET", target)
    assert answer.status == 307
    assert answer.headers == send(app, "GET", target).headers


def test_an_app_without_redirects_has_no_other_slashes() -> None:
    """It would answer 404 by itself."""
    app = fastapi.FastAPI(redirect_slashes=False)
    app.add_api_route("/x", lambda: "x")
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    assert send(stack, "GET", "/x/").get("content-type") == "application/problem+json"


def test_a_route_that_was_added_later_is_closed(app: fastapi.FastAPI, stack: Any) -> None:
    """Its declarations are not known."""
    app.add_api_route("/hidden/", lambda: "later")
    assert send(app, "GET", "/hidden/").json() == "later"
    assert send(stack, "GET", "/hidden/").status == 404


@pytest.mark.parametrize("place", ["router", "nested"])
def test_a_route_that_was_added_later_to_a_part_of_the_app_is_closed(place: str) -> None:
    """Its path is not taken for one that the app redirects."""
    app, router, inner = fastapi.FastAPI(), fastapi.APIRouter(), fastapi.APIRouter()
    for one in (app, router, inner):
        one.add_api_route("/x", lambda: "x")
    router.include_router(inner, prefix="/inner")
    app.include_router(router, prefix="/router")
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    later, path = (router, "/router/x/") if place == "router" else (inner, "/router/inner/x/")
    assert send(stack, "GET", path).status == 307
    later.add_api_route("/x/", lambda: "later")
    if send(app, "GET", path).status == 200:
        assert send(stack, "GET", path).status == 404
    else:  # this version of FastAPI copied the routes
        assert send(stack, "GET", path).status in (307, 404)


def test_the_app_of_a_host_is_closed_and_never_judged_as_another_one() -> None:
    """The same path is another operation there."""
    app, hosted = fastapi.FastAPI(), fastapi.FastAPI()
    hosted.add_api_route("/x", lambda: "hosted")
    app.router.routes.append(Host("admin.test", hosted))
    app.add_api_route("/x", lambda: "public")
    for name in ("admin.test", "ADMIN.test", "admin.test:8000"):
        asked = [("Host", name)]
        assert send(app, "GET", "/x", headers=asked).json() == "hosted"
        stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
        assert send(stack, "GET", "/x", headers=asked).status == 404
        opened = SchemaGuard.from_app(app, exempt=["GET /x"])
        stack = mantlet.asgi.wrap(app, opened, baseline=False)
        assert send(stack, "GET", "/x", headers=asked).json() == "hosted"
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    assert send(stack, "GET", "/x", headers=[("Host", "www.test")]).json() == "public"


# -- declarations that can't be validated ---------------------------------------------------------


class Leaf(BaseModel):
    """A choice of a recursive union without a discriminator."""

    left: "Leaf | Branch | None" = None


class Branch(BaseModel):
    """Another one."""

    left: "Leaf | Branch | None" = None


def recursive() -> fastapi.FastAPI:
    """Return an app, one of whose operations can't be validated in bounded time."""
    app = fastapi.FastAPI()
    key = APIKeyHeader(name="X-Key")

    @app.post("/tree", dependencies=[fastapi.Depends(key)])
    def tree(tree: Branch) -> str:
        return "tree"

    @app.post("/other")
    def other(tree: list[Branch]) -> str:
        return "other"

    @app.get("/items/{number}")
    def item(number: int) -> int:
        return number

    return app


def test_operations_that_cannot_be_validated_are_errors_all_at_once() -> None:
    """The message names the option that closes them."""
    with pytest.raises(ValueError, match="2 operations of the app") as caught:
        SchemaGuard.from_app(recursive())
    for part in ("POST /tree: ", "POST /other: ", 'on_invalid="close"'):
        assert part in str(caught.value)


def test_operations_that_cannot_be_validated_are_closed_or_open_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The others are validated; the log and the coverage tell of both."""
    tree = b'{"left": {"left": null}}'
    app = recursive()
    key = [("X-Key", "any")]
    for on_invalid, status in (("close", 501), ("open", 200)):
        caplog.clear()
        guard = SchemaGuard.from_app(app, on_invalid=on_invalid)
        stack = mantlet.asgi.wrap(app, guard, baseline=False)
        assert send(stack, "GET", "/items/x").status == 422
        assert send(stack, "GET", "/items/5").json() == 5
        assert send(stack, "POST", "/tree", tree, [*JSON, *key]).status == status
        assert send(stack, "POST", "/other", b"[%b]" % tree, JSON).status == status
        assert send(stack, "PUT", "/tree", tree, JSON).status == 405
        assert "2 operations of the app can't be validated" in caplog.text
        state = "POST /tree: " + ("closed (501)" if status == 501 else "open, unvalidated")
        assert state in str(guard.coverage)
    security = {"APIKeyHeader": lambda _request, credential: credential.value == "right"}
    guard = SchemaGuard.from_app(app, on_invalid="open", security=security)
    stack = mantlet.asgi.wrap(app, guard, baseline=False)
    assert send(stack, "POST", "/tree", tree, [*JSON, *key]).status == 401
    assert send(stack, "POST", "/tree", tree, [*JSON, ("X-Key", "right")]).status == 200


# -- dependencies that tests replace --------------------------------------------------------------


def test_operations_whose_dependencies_are_replaced_are_left_to_the_app(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The guard knows the parameters of the original ones alone."""
    app = fastapi.FastAPI()

    def user(token: int) -> str:
        return f"user {token}"

    def anonymous(name: str = "nobody") -> str:
        return name

    @app.get("/me")
    def me(who: Annotated[str, fastapi.Depends(user)]) -> str:
        return who

    @app.get("/items/{number}")
    def item(number: int) -> int:
        return number

    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    assert send(stack, "GET", "/me").get("content-type") == "application/problem+json"
    assert send(stack, "GET", "/me?token=5").json() == "user 5"
    assert "dependency_overrides" not in caplog.text
    app.dependency_overrides[user] = anonymous
    for _ in range(2):
        assert send(stack, "GET", "/me").json() == "nobody"
    assert send(stack, "GET", "/me?name=me").json() == "me"
    assert send(stack, "PUT", "/me").status == 405
    assert send(stack, "GET", "/items/x").get("content-type") == "application/problem+json"
    assert caplog.text.count("GET /me is not validated: dependency_overrides") == 1
    app.dependency_overrides = {}
    assert send(stack, "GET", "/me").get("content-type") == "application/problem+json"


def test_sockets_are_validated_before_they_are_open(stack: Any) -> None:
    """Their messages are the app's own business."""
    client = TestClient(stack)
    with client.websocket_connect("/live/5?limit=2") as socket:
        socket.send_json("hello")
        assert socket.receive_json() == [5, 2, "hello"]
    for target in ("/live/x", "/live/5?limit=x", "/live/5?more=1"):
        with pytest.raises(Exception) as caught, client.websocket_connect(target):  # noqa: PT011  # the client's own, which depends on the response
            pass
        assert getattr(caught.value, "status_code", None) == 422


def test_a_socket_without_parameters_may_read_its_query() -> None:
    """It has no other way to take any."""
    app = fastapi.FastAPI()

    @app.websocket("/live")
    async def live(socket: fastapi.WebSocket) -> None:
        await socket.accept()
        await socket.send_json(dict(socket.query_params))
        await socket.close()

    client = TestClient(mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False))
    with client.websocket_connect("/live?any=1") as socket:
        assert socket.receive_json() == {"any": "1"}


def test_dependencies_of_routers_are_those_of_their_routes() -> None:
    """Of each router around a route, and of the app."""
    names = ("app", "outer", "inner", "included")

    def needs(name: str) -> Any:
        def dependency(**_values: int) -> None: ...

        parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=int)
        dependency.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
        return [fastapi.Depends(dependency)]

    app = fastapi.FastAPI(dependencies=needs("app"))
    outer = fastapi.APIRouter(prefix="/outer", dependencies=needs("outer"))
    inner = fastapi.APIRouter(dependencies=needs("inner"))
    inner.add_api_route("/x", lambda: "x")
    outer.include_router(inner, prefix="/in", dependencies=needs("included"))
    app.include_router(outer)
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    query = "&".join(f"{name}=1" for name in names)
    assert send(stack, "GET", f"/outer/in/x?{query}").json() == "x"
    for name in names:
        wrong = query.replace(f"{name}=1", f"{name}=x")
        assert send(stack, "GET", f"/outer/in/x?{wrong}").status == 422
    assert send(stack, "GET", f"/outer/in/x?{query}&more=1").status == 422


def test_the_root_path_is_no_part_of_the_routes() -> None:
    """Whether the app or the server knows of it."""
    app = fastapi.FastAPI()
    app.root_path = "/api"
    app.add_api_route("/x", lambda: "x")
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    for target in ("/x", "/api/x"):
        assert send(app, "GET", target).json() == "x"
        assert send(stack, "GET", target).json() == "x"
    assert send(stack, "GET", "/api/y").status == 404


def test_the_first_of_two_routes_runs_and_is_judged() -> None:
    """Of the same path, and of paths that overlap."""
    app = fastapi.FastAPI()

    def route(path: str, endpoint: Any) -> None:
        app.add_api_route(path, endpoint, methods=["GET"])

    def first(name: str, page: int = 0) -> str:
        return f"first {name} {page}"

    def second(limit: int = 0) -> str:
        return f"second {limit}"

    def number(number: int, exact: bool) -> str:
        return f"number {exact}"

    route("/n/{number:int}", number)
    route("/n/{name}", first)
    route("/n/mine", second)
    route("/m/{name}", first)
    route("/m/{other}", second)
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    for target, said in {
        "/n/5?exact=on": "number True",
        "/n/mine?page=2": "first mine 2",
        "/n/5x": "first 5x 0",
        "/m/a?page=1": "first a 1",
    }.items():
        assert send(app, "GET", target).json() == send(stack, "GET", target).json() == said
    for target in ("/n/5", "/n/mine?limit=1", "/m/a?limit=1", "/n/5?page=1&exact=1"):
        assert send(stack, "GET", target).status == 422


def test_a_rest_may_stand_anywhere() -> None:
    """As Starlette matches it, an empty one included."""
    app = fastapi.FastAPI()

    @app.get("/files/{rest:path}/end")
    def end(rest: str) -> str:
        return f"end {rest}"

    @app.get("/files/{name:path}")
    def file(name: str, limit: int = 1) -> str:
        return f"file {name} {limit}"

    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    for target, said in {
        "/files/a/b/end": "end a/b",
        "/files/a/b?limit=2": "file a/b 2",
        "/files/": "file  1",
    }.items():
        assert send(app, "GET", target).json() == send(stack, "GET", target).json() == said
    assert send(stack, "GET", "/files/a/end?limit=1").status == 422


def test_head_is_for_the_app_to_answer() -> None:
    """It has no HEAD where only GET is declared, so such a request never reaches an endpoint."""
    app = fastapi.FastAPI()
    app.add_api_route("/x", lambda: "x", methods=["GET"])
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    assert send(app, "HEAD", "/x").status == 405
    assert send(stack, "HEAD", "/x").status == 405


def test_files_that_the_app_serves_last_pass(tmp_path: Path) -> None:
    """FastAPI serves a front end where no route matches."""
    (tmp_path / "index.html").write_text("index")
    app = fastapi.FastAPI()
    router = fastapi.APIRouter()
    router.frontend("/app", directory=tmp_path)
    app.include_router(router, prefix="/web")
    app.add_api_route("/web/app/x", lambda: "x")
    guard = SchemaGuard.from_app(app)
    stack = mantlet.asgi.wrap(app, guard, baseline=False)
    assert send(stack, "GET", "/web/app/index.html").body == b"index"
    assert send(stack, "GET", "/web/app/x").json() == "x"
    assert send(stack, "GET", "/web/app/x?any=1").status == 422
    assert send(stack, "POST", "/web/app/index.html").status == 405
    assert send(stack, "GET", "/web/other").status == 404
    assert ("/web/app", "files are served, and requests for them pass") in guard.coverage.notes


def test_what_is_not_read_is_told() -> None:
    """Routes by host are closed."""
    app = fastapi.FastAPI()
    app.router.routes.append(Host("example.com", fastapi.FastAPI()))
    app.mount("/other", Starlette())
    notes = SchemaGuard.from_app(app).coverage.notes
    assert ("example.com", "it is matched by more than its path, so it is closed") in notes
    assert ("/other", "another app is mounted here, and requests for it pass") in notes
    assert ("GET, HEAD /docs", "it declares no parameters, so requests pass") in notes


def test_routes_of_a_host_are_closed_where_they_would_run() -> None:
    """Also where the path looks like one that the app redirects."""

    def build(*, first: bool) -> tuple[Any, Any]:
        hosted, app = fastapi.FastAPI(), fastapi.FastAPI()
        hosted.add_api_route("/admin", lambda: "hosted", methods=["GET", "POST"])
        hosted.add_api_route("/admin/", lambda: "hosted", methods=["POST"])
        if first:
            app.host("{name}.api.test", hosted)
        app.add_api_route("/admin", lambda: "main")
        if not first:
            app.host("{name}.api.test", hosted)
        return app, mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)

    host = [("Host", "A.api.test:80")]
    for first in (True, False):
        app, stack = build(first=first)
        assert send(stack, "GET", "/admin", headers=[("Host", "test")]).json() == "main"
        for method, target in (("POST", "/admin"), ("POST", "/admin/")):
            assert send(app, method, target, headers=host).json() == "hosted"
            assert send(stack, method, target, headers=host).status in (404, 405)
        assert send(stack, "GET", "/admin/", headers=[("Host", "test")]).status == 307
    app, stack = build(first=True)
    assert send(app, "GET", "/admin", headers=host).json() == "hosted"
    assert send(stack, "GET", "/admin", headers=host).status == 404
    app, stack = build(first=False)
    assert send(stack, "GET", "/admin", headers=host).json() == "main"


def test_a_route_with_a_rule_of_its_own_is_closed() -> None:
    """It runs by a header, which its path does not tell."""

    class Versioned(fastapi.routing.APIRoute):
        def matches(self, scope: Any) -> Any:
            if dict(scope["headers"]).get(b"version") != b"2":
                return Match.NONE, {}
            return super().matches(scope)

    app = fastapi.FastAPI()
    app.router.route_class = Versioned
    app.add_api_route("/x", lambda: "second")
    app.router.route_class = fastapi.routing.APIRoute
    app.add_api_route("/x", lambda: "first")
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    headers = [("Version", "2")]
    assert send(app, "GET", "/x", headers=headers).json() == "second"
    assert send(stack, "GET", "/x", headers=headers).status == 404
    assert send(app, "GET", "/x").json() == send(stack, "GET", "/x").json() == "first"


@pytest.mark.filterwarnings("ignore:The `root_path` parameter")
def test_a_mounted_app_that_reads_another_path_is_closed() -> None:
    """A root path of its own takes the place of the one of its mount."""

    def build(root_path: str) -> tuple[Any, Any]:
        app, sub = fastapi.FastAPI(), fastapi.FastAPI()
        sub.root_path = root_path

        def confirmed(confirm: bool) -> str:
            return "x"

        sub.add_api_route("/x", confirmed)
        sub.add_api_route("/{one}/{other}", lambda: "other")
        app.add_api_route("/y", lambda: "y")
        app.mount("/sub", sub)
        return app, mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)

    app, stack = build("/elsewhere")
    assert send(app, "GET", "/sub/x?confirm=1").json() == "other"
    assert send(stack, "GET", "/sub/x?confirm=1").status == 404
    assert send(stack, "GET", "/y").json() == "y"
    app, stack = build("/sub")
    assert send(app, "GET", "/sub/x?confirm=1").json() == "x"
    assert send(stack, "GET", "/sub/x?confirm=1").json() == "x"
    assert send(stack, "GET", "/sub/x").status == 422


def test_slashes_are_redirected_by_a_mounted_app() -> None:
    """As long as it has the routes that were read."""
    app, sub = fastapi.FastAPI(), fastapi.FastAPI()
    sub.add_api_route("/x", lambda: "x")
    sub.add_api_route("/y/", lambda: "y")
    app.mount("/sub", sub)
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    for target in ("/sub/x/", "/sub/y"):
        assert send(app, "GET", target).status == 307
        assert send(stack, "GET", target).status == 307
    assert send(stack, "GET", "/sub/z").get("content-type") == "application/problem+json"
    sub.add_api_route("/y", lambda: "later")
    assert send(app, "GET", "/sub/y").json() == "later"
    assert send(stack, "GET", "/sub/y").status == 404


class _Slug(Convertor[str]):
    """Lower-case words."""

    regex = "[a-z]+(?:-[a-z]+)*"

    def convert(self, value: str) -> str:
        return value

    to_string = convert


class _Pair(_Slug):
    """Two segments."""

    regex = "[a-z]+/[a-z]+"


def test_converters_of_the_app_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registered by a name of their own, or of one of Starlette's; also in a mount's path."""
    for name, converter in {"slug": _Slug(), "pair": _Pair(), "int": _Slug()}.items():
        monkeypatch.setitem(CONVERTOR_TYPES, name, converter)
    app, sub = fastapi.FastAPI(), fastapi.FastAPI()

    def add(to: fastapi.FastAPI, path: str, name: str) -> None:
        def endpoint(key: str) -> list[str]:
            return [name, key]

        to.add_api_route(path, endpoint)

    add(app, "/a/{key:slug}", "slug")
    add(app, "/a/{key:pair}/end", "pair")
    add(app, "/a/{key:int}x", "int")
    add(app, "/a/{key}", "any")
    add(sub, "/{key:slug}", "below")
    add(sub, "/{key}", "any below")
    app.mount("/sub/{mount:pair}", sub)
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    for target, answer in {
        "/a/one-two": ["slug", "one-two"],
        "/a/one/two/end": ["pair", "one/two"],
        "/a/one-Two": ["any", "one-Two"],
        "/a/1": ["any", "1"],
        "/sub/a/b/c-d": ["below", "c-d"],
        "/sub/a/b/C": ["any below", "C"],
    }.items():
        assert send(app, "GET", target).json() == answer
        assert send(stack, "GET", target).json() == answer
        assert send(stack, "GET", f"{target}?more=1").status == 422
    for target in ("/a/one/end", "/a/One/two/end", "/sub/a/c-d", "/sub/A/b/c"):
        assert send(app, "GET", target).status == 404
        assert send(stack, "GET", target).status == 404


def test_an_undeclared_method_is_not_replaced_by_a_declared_one() -> None:
    """A middleware inside the app may read the header."""
    app = fastapi.FastAPI()
    app.add_api_route("/x", lambda: "deleted", methods=["DELETE"])

    async def plain(_request: Request) -> JSONResponse:
        return JSONResponse("plain")

    app.add_route("/x", plain, methods=["POST"])
    app.add_route("/y", plain, methods=["POST"])
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    headers = [("X-HTTP-Method-Override", "DELETE")]
    assert send(stack, "POST", "/x").json() == "plain"
    assert send(stack, "POST", "/x", headers=headers).status == 400
    assert send(stack, "POST", "/y", headers=headers).json() == "plain"


def test_braces_without_a_name_are_no_mistake_of_the_guard() -> None:
    """Starlette takes them literally, so that no usual request gets there."""
    app = fastapi.FastAPI()
    app.add_api_route("/items/{item-id}", lambda: "item")
    app.add_api_route("/x", lambda: "x")
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    assert send(app, "GET", "/items/5").status == 404
    assert send(stack, "GET", "/items/5").status in (404, 422)
    assert send(stack, "GET", "/x").json() == "x"
