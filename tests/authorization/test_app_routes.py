"""The routes of an app: those without a rule are named, and their order counts."""

from __future__ import annotations

import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

import falcon
import pytest
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from django.urls import re_path, register_converter
from flask import Flask, request
from hypothesis import assume, given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.handlers import route as litestar_route
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Route, Router, WebSocketRoute

import mantlet
from mantlet import Allow, Authorizer, Identity, Policy, asgi, wsgi
from tests.authorization.identities import TestAuthentication, user
from tests.authorization.sites import SITES, django_wsgi
from tests.drive import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from mantlet import Request


def warned(caplog: pytest.LogCaptureFixture) -> set[str]:
    """Return the routes that were named as having no rule."""
    found: set[str] = set()
    for record in caplog.records:
        if record.name == "mantlet.authorization" and "have no rule" in record.getMessage():
            found.update(record.getMessage().partition(": ")[2].split("; "))
    return found


@pytest.mark.parametrize("name", SITES)
def test_routes_without_a_rule_are_named_when_the_stack_is_made(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    protocol, build = SITES[name]
    wrap = asgi.wrap if protocol == "asgi" else wsgi.wrap
    rules = [Allow("GET /orders"), Allow("GET,POST /orders/{id}"), Allow("* /admin/*")]
    with build(True) as app:
        wrap(app, Authorizer(rules=rules), baseline=False)
        named = warned(caplog)
    methods = "*" if name.startswith("django") else "GET,POST"
    assert f"{methods} /api/admin/{{id}}" in named
    assert named >= ({"POST /orders"} if methods != "*" else set())
    assert not [one for one in named if " /admin" in one or "/orders/" in one]


def test_nothing_is_said_if_every_route_has_a_rule(caplog: pytest.LogCaptureFixture) -> None:
    with SITES["flask"][1](True) as app:
        wsgi.wrap(app, Authorizer(rules=[Allow("* /*")]), baseline=False)
    assert not warned(caplog)


def test_routes_that_are_added_later_are_named_with_the_first_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Flask("later")
    mantlet.install(app, Authorizer(rules=[Allow("GET /static/*")], unmatched="allow"))
    app.add_url_rule("/later", view_func=lambda: "later")
    assert not warned(caplog)
    drive_wsgi(app, path="/nowhere")
    assert warned(caplog) == {"GET /later"}
    assert "so they are open" in caplog.text
    drive_wsgi(app, path="/nowhere")
    assert len([one for one in caplog.records if "have no rule" in one.getMessage()]) == 1


def test_an_app_whose_routes_cannot_be_read_works_without_them() -> None:
    class Odd(Flask):
        @property
        def url_map(self) -> Any:
            raise RuntimeError("no routes here")

        @url_map.setter
        def url_map(self, value: Any) -> None:
            pass

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"shown"]

    rules = [Allow("GET /a", public=True)]
    assert drive_wsgi(wsgi.wrap(app, Authorizer(rules=rules)), path="/a").body == b"shown"
    wsgi.wrap(Odd.__new__(Odd), Authorizer(rules=rules), baseline=False)


# -- the order of routes --------------------------------------------------------------------------


class HasRoles(Policy):
    """Says that a client has some roles."""

    roles: frozenset[str] = frozenset()

    def on_request(self, request: Request) -> None:
        """Set the identity."""
        request.state.identity = Identity("me", "jwt", roles=self.roles)


PIECES = st.sampled_from(["a", "b", "{x}", "{n:int}", "{x}.{y}", "a.b"])
TEMPLATES = st.one_of(
    st.lists(PIECES, min_size=1, max_size=3).map("/".join),
    st.lists(PIECES, max_size=2).map(lambda one: "/".join([*one, "{rest:path}"])),
)
SEGMENTS = st.sampled_from(["a", "b", "7", "a.b", "c", "A", ""])


def unique_parameters(template: str) -> str:
    """Return a template without repeated names of parameters."""
    names = iter("pqrstuvw")
    return re.sub(r"\{[a-z]+", lambda _: "{" + next(names), template)


def rule_shape(template: str) -> str:
    """Return a template of Starlette as that of a route pattern."""
    return re.sub(r":int\}", "}", template)


@given(st.lists(TEMPLATES, min_size=1, max_size=5), st.lists(SEGMENTS, min_size=1, max_size=4))
def test_the_rule_of_the_route_that_runs_has_been_applied_in_any_order_of_routes(
    templates: list[str], segments: list[str]
) -> None:
    ran: list[str] = []
    routes = []
    rules: dict[str, tuple[str, str]] = {}
    for template in map(unique_parameters, templates):
        shape = re.sub(r"\{[a-z]+", "{", rule_shape(template))
        # Routes of one shape share a rule.
        role = rules.setdefault(shape, (f"GET /{rule_shape(template)}", f"role-{len(rules)}"))[1]

        async def view(_request: Any, role: str = role) -> PlainTextResponse:
            ran.append(role)
            return PlainTextResponse("shown")

        routes.append(Route(f"/{template}", view))
    client = HasRoles()
    authorizer = Authorizer(
        rules=[Allow(pattern, role=role) for pattern, role in rules.values()], unmatched="allow"
    )
    app = asgi.wrap(Starlette(routes=routes), client, authorizer, baseline=False)
    every = frozenset(role for _, role in rules.values())
    for lacking in every:
        ran.clear()
        client.roles = every - {lacking}
        drive_asgi(app, path="/" + "/".join(segments))
        assert lacking not in ran


@given(st.lists(TEMPLATES, min_size=1, max_size=5), st.lists(SEGMENTS, min_size=1, max_size=4))
def test_so_it_has_whichever_rule_werkzeug_chooses(
    templates: list[str], segments: list[str]
) -> None:
    ran: list[str] = []
    rules: dict[str, tuple[str, str]] = {}
    site = Flask("site", static_folder=None)
    for number, template in enumerate(map(unique_parameters, templates)):
        shape = re.sub(r"\{[a-z]+", "{", rule_shape(template))
        role = rules.setdefault(shape, (f"GET /{rule_shape(template)}", f"role-{len(rules)}"))[1]

        def view(role: str = role, **_: Any) -> str:
            ran.append(role)
            return "shown"

        path = re.sub(r"\{([a-z]+)(?::([a-z]+))?\}", r"<\2:\1>", template).replace("<:", "<")
        site.add_url_rule(f"/{path}", str(number), view)
    client = HasRoles()
    authorizer = Authorizer(
        rules=[Allow(pattern, role=role) for pattern, role in rules.values()], unmatched="allow"
    )
    app = wsgi.wrap(site, client, authorizer, baseline=False)
    every = frozenset(role for _, role in rules.values())
    for lacking in every:
        ran.clear()
        client.roles = every - {lacking}
        drive_wsgi(app, path="/" + "/".join(segments))
        assert lacking not in ran


FALCON_PIECES = st.sampled_from(
    ["a", "{x}", "{x}.{y}", "a.{x}", "{x}.b", "a.b", "{n:int}", "a-{x}"]
)
FALCON_SEGMENTS = st.sampled_from(["a", "b", "a.b", "a.c", "7", "a-b", "a-b.b", "A", ""])


@given(
    st.lists(st.lists(FALCON_PIECES, min_size=1, max_size=2).map("/".join), min_size=2, max_size=4),
    st.lists(FALCON_SEGMENTS, min_size=1, max_size=4),
)
def test_so_it_has_whichever_rule_falcon_chooses(templates: list[str], segments: list[str]) -> None:
    ran: list[str] = []
    rules: dict[str, tuple[str, str]] = {}
    site = falcon.App()
    for template in map(unique_parameters, templates):
        shape = re.sub(r"\{[a-z]+", "{", rule_shape(template))
        role = rules.setdefault(shape, (f"GET /{rule_shape(template)}", f"role-{len(rules)}"))[1]

        class Resource:
            def on_get(self, *_: Any, role: str = role, **__: Any) -> None:
                ran.append(role)

        try:
            site.add_route(f"/{template}", Resource())
        except ValueError:  # it conflicts with another one
            del rules[shape]
            assume(rules)
    client = HasRoles()
    authorizer = Authorizer(
        rules=[Allow(pattern, role=role) for pattern, role in rules.values()], unmatched="allow"
    )
    app = wsgi.wrap(site, client, authorizer, baseline=False)
    every = frozenset(role for _, role in rules.values())
    for lacking in every:
        ran.clear()
        client.roles = every - {lacking}
        drive_wsgi(app, path="/" + "/".join(segments))
        assert lacking not in ran


def test_a_route_that_comes_first_has_its_own_rule() -> None:
    ran: list[str] = []

    def view(name: str) -> Any:
        async def respond(_request: Any) -> PlainTextResponse:
            ran.append(name)
            return PlainTextResponse(name)

        return respond

    routes = [Route("/orders/{id}", view("order")), Route("/orders/export", view("export"))]
    rules = [
        Allow("GET /orders/{id}", role="admin"),
        Allow("GET /orders/export", public=True),
    ]
    app = asgi.wrap(
        Starlette(routes=routes), TestAuthentication(), Authorizer(rules=rules), baseline=False
    )
    assert drive_asgi(app, path="/orders/export").status == 401
    assert drive_asgi(app, path="/orders/export", headers=user("admin")).status == 200
    assert ran == ["order"]
    # In the other order the app runs the specific one, for which its own rule is enough.
    app = asgi.wrap(
        Starlette(routes=routes[::-1]),
        TestAuthentication(),
        Authorizer(rules=rules),
        baseline=False,
    )
    assert drive_asgi(app, path="/orders/export").body == b"export"


def test_a_converter_tells_routes_apart() -> None:
    async def view(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("shown")

    routes = [Route("/orders/{id:int}", view), Route("/orders/export", view)]
    rules = [Allow("GET /orders/{id}", role="admin"), Allow("GET /orders/export", public=True)]
    app = asgi.wrap(Starlette(routes=routes), Authorizer(rules=rules), baseline=False)
    assert drive_asgi(app, path="/orders/export").status == 200


def roles_needed(app: Any, path: str, **options: Any) -> set[str]:
    """Return the roles without which a request is refused, of rules for three routes."""
    client = HasRoles()
    every = frozenset({"any", "one", "very"})
    rules = [
        Allow("GET /x/{rest:path}", role="any"),
        Allow("GET /x/{id}", role="one"),
        Allow("GET /x/export", role="very"),
    ]
    module, drive = (
        (wsgi, drive_wsgi) if isinstance(app, (Flask, falcon.App)) else (asgi, drive_asgi)
    )
    stack: Any = module.wrap(app, client, Authorizer(rules=rules), baseline=False)
    needed = set()
    for role in every:
        client.roles = every - {role}
        if drive(stack, path=path, **options).status == 403:
            needed.add(role)
    return needed


async def shown(_request: Any) -> PlainTextResponse:
    """Answer, as a view."""
    return PlainTextResponse("shown")


def test_a_route_of_a_websocket_does_not_stand_in_for_that_of_a_request() -> None:
    routes = [
        WebSocketRoute("/x/{rest:path}", shown),
        Route("/x/{id}", shown),
        Route("/x/export", shown),
    ]
    assert roles_needed(Starlette(routes=routes), "/x/export") == {"any", "one", "very"}


def test_the_routes_of_a_host_are_read() -> None:
    app = Starlette(
        routes=[
            Host("a.example", Router([Route("/x/{id}", shown)])),
            Route("/x/{rest:path}", shown),
            Route("/x/export", shown),
        ]
    )
    assert roles_needed(app, "/x/export") == {"any", "one", "very"}


def test_a_route_of_one_host_does_not_stand_in_for_that_of_another() -> None:
    for hosts in (["a.example", "b.example"], ["b.example", "a.example"]):
        app = Flask("hosts", static_folder=None, host_matching=True)
        for host in hosts:
            path = "/x/export" if host == "a.example" else "/x/<id>"
            app.add_url_rule(path, host, lambda **_: "shown", host=host)
        headers = [("Host", "b.example")]
        assert roles_needed(app, "/x/export", headers=headers) == {"one", "very"}


class Folders(Convertor[str]):
    """Several segments, for Starlette and Django."""

    regex = "(?:[a-z]+/)*[a-z]+"

    def convert(self, value: str) -> str:
        """Return the value, as to Starlette."""
        return value

    def to_python(self, value: str) -> str:
        """Return the value, as to Django, which tries a later route if it is none."""
        if value.startswith("no"):
            raise ValueError
        return value

    def to_string(self, value: str) -> str:
        """Return the value."""
        return value

    to_url = to_string


def test_a_converter_of_the_apps_own_may_match_several_segments() -> None:
    register_url_convertor("folders", Folders())
    for first in ("/x/{rest:folders}", "/x/{rest:path}/export", "/{y:folders}/{rest:path}"):
        app = Starlette(routes=[Route(first, shown), Route("/x/a/export", shown)])
        rule = Allow("GET /x/a/export", public=True)
        rules = [rule, Allow("GET /x/{rest:path}", role="admin"), Allow("GET /*", role="admin")]
        stack = asgi.wrap(app, TestAuthentication(), Authorizer(rules=rules), baseline=False)
        assert drive_asgi(stack, path="/x/a/export").status == 401, first
        assert drive_asgi(stack, path="/x/a/export", headers=user("admin")).status == 200


def test_a_route_that_comes_first_needs_no_rule_of_a_later_one() -> None:
    """Also where the later one has a converter that may refuse values."""

    class Resource:
        def on_get(self, _request: Any, response: Any, **_: Any) -> None:
            response.text = "shown"

    site = falcon.App()
    site.add_route("/x/{id:int}", Resource())
    site.add_route("/x/export", Resource())
    assert roles_needed(site, "/x/export") == {"very"}
    assert roles_needed(site, "/x/7") == {"one"}


@pytest.mark.parametrize("end", ["", "/"])
def test_litestar_takes_the_rest_of_a_path_before_a_parameter(end: str) -> None:
    def endpoint(path: str) -> Any:
        @litestar_route(path, http_method=["GET"], sync_to_thread=False)
        def view() -> str:
            return "shown"

        return view

    paths = ["/x/{id:str}", "/x/{rest:path}", "/x/export"]
    site = Litestar([endpoint(path) for path in paths], logging_config=None)
    assert roles_needed(site, f"/x/7{end}") == {"any", "one"}
    assert roles_needed(site, f"/x/export{end}") == {"very"}


def test_django_tries_later_routes_if_a_converter_refuses_a_value() -> None:
    converter: Any = Folders
    register_converter(converter, "folders")
    ran: list[str] = []

    def view(_request: Any, **parameters: str) -> HttpResponse:
        ran.extend(parameters)
        return HttpResponse("shown")

    urls = ModuleType("urls")
    urls.__dict__["urlpatterns"] = [
        django_path("x/<folders:few>", view),
        django_path("x/<path:all>", view),
        django_path("x/a/b", view),
        django_path("x/no/b", view),
    ]
    rules = [
        Allow("GET /x/{all:path}", role="admin"),
        *(Allow(f"GET /x/{name}/b", public=True) for name in ("a", "no")),
    ]
    with django_wsgi(True) as app, override_settings(ROOT_URLCONF=urls):
        stack = wsgi.wrap(app, TestAuthentication(), Authorizer(rules=rules), baseline=False)
        for name in ("a", "no"):
            assert drive_wsgi(stack, path=f"/x/{name}/b").status == 401
            assert drive_wsgi(stack, path=f"/x/{name}/b", headers=user("admin")).status == 200
    assert ran == ["few", "all"]


def test_the_routes_of_websockets_are_read(caplog: pytest.LogCaptureFixture) -> None:
    async def socket(_websocket: Any) -> None:
        raise AssertionError

    app = Starlette(routes=[WebSocketRoute("/feed", socket)])
    asgi.wrap(app, Authorizer(rules=[Allow("GET /a")]), baseline=False)
    assert warned(caplog) == {"GET /feed"}


# -- apps with ways of their own ------------------------------------------------------------------


def test_an_app_that_ignores_case_is_protected() -> None:
    with django_wsgi(True) as app:
        from django.http import HttpResponse  # configured by the site

        urls = type(app)  # any object with an attribute
        patterns = [re_path("(?i)^admin/?$", lambda _request: HttpResponse("shown"))]
        site = type("urls", (), {"urlpatterns": patterns, "__doc__": urls.__doc__})
        with override_settings(ROOT_URLCONF=site):
            authorizer = Authorizer(rules=[Allow("* /admin", role="admin")], unmatched="allow")
            stack = wsgi.wrap(app, TestAuthentication(), authorizer, baseline=False)
            assert drive_wsgi(app, path="/ADMIN").body == b"shown"
            assert drive_wsgi(app, path="/adm\u0131n/").body == b"shown"
            for path in ("/ADMIN", "/Admin/", "/adm\u0131n/", "/adm\u0130n"):
                assert drive_wsgi(stack, path=path).status == 401


def test_a_middleware_that_replaces_the_method_does_not_get_past_a_rule() -> None:
    site = Flask("site")
    site.add_url_rule("/orders", view_func=lambda: request.method, methods=["GET", "DELETE"])

    def overriding(environ: Any, start_response: Any) -> Any:
        method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        if method in {"DELETE", "PUT"}:
            environ["REQUEST_METHOD"] = method
        return site(environ, start_response)

    rules = [Allow("GET /orders", public=True), Allow("DELETE /orders", role="admin")]
    app = wsgi.wrap(overriding, TestAuthentication(), Authorizer(rules=rules), baseline=False)
    header = [("X-HTTP-Method-Override", "delete")]
    assert drive_wsgi(overriding, path="/orders", headers=header).body == b"DELETE"
    assert drive_wsgi(app, path="/orders").body == b"GET"
    assert drive_wsgi(app, path="/orders", headers=header).status == 401
    allowed = drive_wsgi(app, path="/orders", headers=[*header, *user("admin")])
    assert allowed.body == b"DELETE"


@pytest.mark.parametrize("name", SITES)
def test_a_view_that_never_asks_is_found_in_every_framework(name: str) -> None:
    protocol, build = SITES[name]
    wrap = asgi.wrap if protocol == "asgi" else wsgi.wrap
    drive: Any = drive_asgi if protocol == "asgi" else drive_wsgi
    rules = [Allow("GET /orders/{id}", check=lambda *_: True)]
    with build(True) as app:
        stack = wrap(app, TestAuthentication(), Authorizer(rules=rules), baseline=False)
        for method in ("GET", "HEAD"):
            answer = drive(stack, method, "/orders/7", headers=user("reader"))
            # FastAPI and Litestar have no HEAD for a route of GET.
            assert answer.status == 500 or (method == "HEAD" and answer.status == 405)
            assert b"shown" not in answer.body
        # A redirect to the path without its slash runs no view.
        slash = drive(stack, path="/orders/7/", headers=user("reader"))
        assert slash.status != 200


def test_a_newline_is_a_part_of_a_parameter() -> None:
    """Patterns ignore it at the end of a path, as Starlette does; Flask runs the other view."""
    app = Flask(__name__)
    app.add_url_rule("/orders/mine", "mine", lambda: "mine")
    app.add_url_rule("/orders/<id>", "one", lambda id: f"one: {id}")
    rules = [Allow("GET /orders/mine", role="customer"), Allow("GET /orders/{id}", role="clerk")]
    mantlet.install(app, HasRole(), Authorizer(rules=rules))
    client = app.test_client()
    assert client.get("/orders/mine", buffered=True).get_data() == b"mine"
    assert client.get("/orders/mine%0A", buffered=True).status_code == 403


class HasRole(Policy):
    """Says that a client is a customer."""

    def on_request(self, request: Request) -> None:
        request.state.identity = Identity("me", "jwt", roles=frozenset({"customer"}))
