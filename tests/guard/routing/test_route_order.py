"""The operation that the guard judges is the operation that the app runs: in each router's order.

Random routes, in random order, in the frameworks' own apps.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import falcon
import flask
import litestar
import pytest
import quart
from django.http import HttpResponse
from django.urls import Resolver404, URLResolver
from django.urls import path as django_path
from django.urls.resolvers import RegexPattern
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from litestar.exceptions import ImproperlyConfiguredException
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from mantlet.guard.routing.app_routes import AppRoute, AppRoutes
from mantlet.guard.routing.app_table import AppEntry
from mantlet.guard.routing.base_paths import app_table
from mantlet.guard.routing.framework_routes import litestar_routes, werkzeug_routes
from mantlet.guard.routing.path_overlaps import includes
from mantlet.guard.routing.path_table import PathTable
from mantlet.guard.routing.path_templates import parse_template
from mantlet.http.routing.trie import REST
from tests.drive import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from starlette.requests import Request

pytestmark = pytest.mark.slow

METHODS = ("GET", "POST", "HEAD")
PARTS = ("a", "b", "1", "23", "2.5", "a.b", "1.2.3", "a.1", "é")
PATHS = st.lists(st.sampled_from((*PARTS, "a", "b", "")), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
BOUNDED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@st.composite
def route_lists(
    draw: Any, segments: tuple[str, ...], *, last: tuple[str, ...] = (), slash: bool = True
) -> list[tuple[str, tuple[str, ...]]]:
    """Return paths with ``{}`` numbered as names, and methods."""
    routes = []
    for _ in range(draw(st.integers(2, 6))):
        parts = draw(st.lists(st.sampled_from(segments), min_size=1, max_size=3))
        if last and draw(st.booleans()):
            parts.append(draw(st.sampled_from(last)))
        path = "/" + "/".join(parts) + ("/" if slash and draw(st.integers(0, 4)) == 0 else "")
        pieces = path.split("@")
        named = "".join(f"{piece}p{n}" for n, piece in enumerate(pieces[:-1])) + pieces[-1]
        methods = draw(st.sampled_from((("GET",), ("POST",), ("GET", "POST"))))
        routes.append((named, methods))
    return routes


def named(number: int, path: str) -> str:
    """Return the path of a document that no other route has."""
    return f"/operation{number}{path}"


def judged(table: Any, method: str, path: str) -> str | None:
    """Return the operation that a table finds."""
    found = table.find(path)
    if found is None:
        return None
    declared = found[0].by_name.get(method)
    if declared is None:
        return None
    value, template = declared
    captured = template.capture(found[1] or path.split("/"))
    assert sorted(captured) == sorted(template.names)
    return str(value)


def compare(table: Any, path: str, ran: dict[str, str | None], *, exact: bool = True) -> None:
    """Compare what a table finds with what has run, by method."""
    if "//" in path:
        return  # refused before
    for method, operation in ran.items():
        found = judged(table, method, path)
        if operation is not None:
            assert found == operation, (method, path)
        elif exact and method != "HEAD":
            assert found is None, (method, path)


# -- Starlette ------------------------------------------------------------------------------------


def starlette_app(routes: list[tuple[str, tuple[str, ...]]]) -> Starlette:
    made: list[Any] = []
    for number, (path, methods) in enumerate(routes):

        async def endpoint(request: Request, number: int = number) -> PlainTextResponse:
            return PlainTextResponse("", headers={"ran": str(number)})

        if methods == ("GET", "POST") and path.endswith(("a", "b")) and number == 3:
            inner = Starlette(routes=[Route("/{p:path}", endpoint, methods=["GET", "POST"])])
            made.append(Mount(path, inner))
        else:
            made.append(Route(path, endpoint, methods=list(methods)))
    return Starlette(routes=made)


def starlette_routes(app: Starlette) -> AppRoutes:
    return AppRoutes(
        tuple(
            AppRoute(f"{route.path}/{{path:path}}", None, None)
            if isinstance(route, Mount)
            else AppRoute(route.path, frozenset(route.methods or ()), named(number, route.path))
            for number, route in enumerate[Any](app.routes)
        ),
        slashes="both",
    )


@BOUNDED
@given(
    route_lists(
        ("a", "b", "1", "{@}", "{@:int}", "{@:float}", "{@}.{@}", "{@:int}.{@}", "a{@}", "{@:path}")
    ),
    st.lists(PATHS, min_size=3, max_size=6),
)
def test_the_first_declared_route_of_starlette_that_has_the_method(
    routes: list[tuple[str, tuple[str, ...]]], paths: list[str]
) -> None:
    """A route without the method does not stop it; converters decide, and mounted apps take all."""
    app = starlette_app(routes)
    read = starlette_routes(app)
    entries = [
        AppEntry(method, named(number, route.path), str(number))
        for number, route in enumerate(app.routes)
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    ]
    table = app_table(read, entries)
    for path in paths:
        ran: dict[str, str | None] = {}
        for method in METHODS:
            answer = drive_asgi(app, method, path)
            number = answer.get("ran")
            mounted = number is not None and isinstance(app.routes[int(number)], Mount)
            ran[method] = None if mounted else number
            if answer.status == 307 and "//" not in path:
                assert table.find(path) is None
                other = path.rstrip("/") if path.endswith("/") else f"{path}/"
                assert table.find(other) is not None
        compare(table, path, ran)


# -- Werkzeug: Flask and Quart --------------------------------------------------------------------

WERKZEUG = ("a", "b", "1", "<@>", "<int:@>", "<float:@>", "<@>.<@>", "a<@>", "<string(length=1):@>")


def add_rules(app: Any, routes: list[tuple[str, tuple[str, ...]]], strict: list[bool]) -> None:
    """Add routes to a Flask or Quart app."""
    for number, (path, methods) in enumerate(routes):

        def endpoint(number: int = number, **_: Any) -> tuple[str, dict[str, str]]:
            return "", {"ran": str(number)}

        app.add_url_rule(
            path,
            f"endpoint{number}",
            endpoint,
            methods=list(methods),
            strict_slashes=strict[number],
        )


def rule_entries(app: Any) -> tuple[Any, list[AppEntry[str]]]:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("endpoint")]
    documented = set()
    entries = []
    for rule in rules:
        path = rule.rule
        for name in rule.arguments:
            path = replaced(path, name)
        documented.add(path)
        entries += [
            (path, method, rule.endpoint.removeprefix("endpoint"))
            for method in rule.methods - {"OPTIONS", "HEAD"}
        ]
    return documented, [AppEntry(method, path, value) for path, method, value in entries]


def replaced(path: str, name: str) -> str:
    head, _, rest = path.rpartition(f"{name}>")
    return f"{head[: head.rindex('<')]}{{{name}}}{rest}"


@BOUNDED
@given(
    route_lists(WERKZEUG, last=("<path:@>", "<path:@>/a")),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.lists(PATHS, min_size=3, max_size=6),
)
@pytest.mark.parametrize("framework", ["flask", "quart"])
def test_the_rule_that_werkzeug_weighs_most(
    framework: str,
    routes: list[tuple[str, tuple[str, ...]]],
    strict: list[bool],
    paths: list[str],
) -> None:
    """Literals, then converters by weight; rules with and without strict slashes."""
    # Two rules of one path and method: the document can describe one of them.
    assume(len({path.replace("string(length=1):", "") for path, _ in routes}) == len(routes))
    app: Any = flask.Flask("app") if framework == "flask" else quart.Quart("app")
    add_rules(app, routes, strict)
    documented, entries = rule_entries(app)
    plain = [path for path, _ in {(entry.template, entry.value) for entry in entries}]
    assume(len(plain) == len(set(plain)))
    read = werkzeug_routes(app, documented)
    assert read is not None
    table = app_table(read, entries)
    drive = drive_wsgi if framework == "flask" else drive_asgi
    for path in paths:
        ran = {}
        for method in METHODS:
            answer = drive(app, method, path)
            ran[method] = answer.get("ran")
        # It redirects to a slash before it tries later rules, and a rule's range is a 404.
        compare(table, path, ran, exact=False)


# -- Litestar -------------------------------------------------------------------------------------

LITESTAR = ("a", "b", "1", "{@:str}", "{@:int}", "{@:float}")


def litestar_app(routes: list[tuple[str, tuple[str, ...]]]) -> Any:
    return litestar.Litestar(
        [
            litestar.route(path, http_method=list[Any](methods), name=f"route{number}")(
                make_endpoint(number)
            )
            for number, (path, methods) in enumerate(routes)
        ],
        logging_config=None,
        openapi_config=None,
    )


def make_endpoint(number: int) -> Any:
    async def endpoint(request: litestar.Request[Any, Any, Any]) -> litestar.Response[str]:
        return litestar.Response("", headers={"ran": str(number)}, status_code=200)

    return endpoint


@BOUNDED
@given(
    route_lists(LITESTAR, last=("{@:path}", "{@:path}/a")),
    st.lists(PATHS, min_size=3, max_size=6),
)
def test_litestar_never_goes_back(
    routes: list[tuple[str, tuple[str, ...]]], paths: list[str]
) -> None:
    """Literals before parameters, whatever follows, and whatever the methods are."""
    plain = {(re.sub(r":\w+", "", path).rstrip("/"), method) for path, names in routes
             for method in names}  # fmt: skip
    assume(len(plain) == sum(len(methods) for _, methods in routes))
    try:
        app = litestar_app(routes)
    except ImproperlyConfiguredException:  # the same path twice
        assume(False)
    by_path: dict[tuple[str, str], str] = {}
    for number, (path, methods) in enumerate(routes):
        for method in methods:
            by_path[method, re.sub(r":\w+\}", "}", path).rstrip("/") or "/"] = str(number)
    read = litestar_routes(app, {path for _, path in by_path})
    entries = [AppEntry(method, path, number) for (method, path), number in by_path.items()]
    table = app_table(read, entries)
    for path in paths:
        ran = {method: drive_asgi(app, method, path).get("ran") for method in METHODS}
        compare(table, path, ran, exact=False)


# -- contracts, and documents alone: the app's order is not known ---------------------------------


def runs_starlette(routes: list[tuple[str, tuple[str, ...]]]) -> Any:
    app = starlette_app([(path, methods) for path, methods in routes])
    return lambda method, path: drive_asgi(app, method, path).get("ran")


def runs_flask(routes: list[tuple[str, tuple[str, ...]]]) -> Any:
    app = flask.Flask("app")
    rules = [(re.sub(r"\{(\w+):path\}", r"<path:\1>", path), names) for path, names in routes]
    add_rules(
        app,
        [(path.replace("{", "<").replace("}", ">"), names) for path, names in rules],
        [True] * len(routes),
    )
    return lambda method, path: drive_wsgi(app, method, path).get("ran")


def runs_litestar(routes: list[tuple[str, tuple[str, ...]]]) -> Any:
    app = litestar_app([(re.sub(r"\{(\w+)\}", r"{\1:str}", path), names) for path, names in routes])
    return lambda method, path: drive_asgi(app, method, path).get("ran")


def runs_django(routes: list[tuple[str, tuple[str, ...]]]) -> Any:
    """The resolver takes the first path that matches; its view checks the method."""
    patterns = [
        django_path(
            re.sub(r"\{(\w+)\}", r"<str:\1>", re.sub(r"\{(\w+):path\}", r"<path:\1>", path))[1:],
            lambda **_: HttpResponse(),
            name=str(number),
        )
        for number, (path, _) in enumerate(routes)
    ]
    resolver = URLResolver(RegexPattern(r"^/"), patterns)

    def run(method: str, path: str) -> str | None:
        try:
            name = str(resolver.resolve(path).url_name)
        except Resolver404:
            return None
        return name if method in routes[int(name)][1] else None

    return run


def runs_falcon(routes: list[tuple[str, tuple[str, ...]]]) -> Any:
    app = falcon.App()
    for number, (path, methods) in enumerate(routes):

        def respond(
            _self: Any, _request: Any, response: Any, number: int = number, **_: Any
        ) -> None:
            response.set_header("ran", str(number))

        resource = type("Resource", (), {f"on_{method.lower()}": respond for method in methods})
        app.add_route(path, resource())
    return lambda method, path: drive_wsgi(app, method, path).get("ran")


@BOUNDED
@given(
    route_lists(("a", "b", "1", "{@}"), last=("{@:path}",), slash=False),
    st.lists(PATHS, min_size=4, max_size=8),
)
@pytest.mark.parametrize(
    "runs",
    [runs_starlette, runs_flask, runs_litestar, runs_django, runs_falcon],
    ids=["starlette", "flask", "litestar", "django", "falcon"],
)
def test_no_other_operation_runs_than_the_one_of_a_contract(
    runs: Any, routes: list[tuple[str, tuple[str, ...]]], paths: list[str]
) -> None:
    """Unless the app never runs it, since a wider route before it takes all of its paths."""
    entries = {
        (method, re.sub(r"\w+\}", "}", re.sub(r"\w+:path\}", ":path}", path))): (path, number)
        for number, (path, methods) in enumerate(routes)
        for method in methods
    }
    assume(len(entries) == sum(len(methods) for _, methods in routes))
    try:
        run = runs(routes)
    except (ValueError, ImproperlyConfiguredException):  # routes that the framework refuses
        assume(False)
    table = PathTable((method, path, number) for (method, _), (path, number) in entries.items())
    shapes = [parse_template(path).shape for path, _ in routes]
    for path in paths:
        if "//" in path or path.endswith("/"):
            continue
        found = table.find(path)
        for method in ("GET", "POST"):
            declared = None if found is None else found[0].by_name.get(method)
            ran = run(method, path)
            if declared is None or ran is None or int(ran) == declared[0]:
                continue
            wider, own = shapes[int(ran)], shapes[declared[0]]
            # To Litestar any parameter is the rest if a route has a rest in its place.
            rests = runs is runs_litestar and includes((*wider[:-1], REST), own)
            assert includes(wider, own) or rests, (method, path)
