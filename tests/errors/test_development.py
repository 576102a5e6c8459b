"""Exceptions and debug pages reach a developer on this machine, and nobody else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import flask
import litestar
import pytest
import quart
from litestar.testing import TestClient as LitestarClient
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient
from werkzeug.debug import DebuggedApplication

import mantlet
from mantlet.asgi.websocket import WebSocketRequest
from mantlet.errors.debug import development_reason
from tests.drive import Answer, Fields, drive_asgi, drive_wsgi
from tests.integrations.django_site import django_site, lower_case

if TYPE_CHECKING:
    from starlette.responses import Response

SECRET = "no row for customer 4711"
LOCAL: Fields = [("Host", "localhost:8000"), ("Accept", "text/html")]


class BackendError(Exception):
    """The exception that the apps raise."""


def fail(*_: Any) -> Any:
    raise BackendError(SECRET)


async def fail_async(*_: Any) -> Any:
    raise BackendError(SECRET)


def flask_app(**config: Any) -> flask.Flask:
    app = flask.Flask(__name__)
    app.config.update(config)
    app.add_url_rule("/", view_func=fail)
    return app


def quart_app(**config: Any) -> quart.Quart:
    app = quart.Quart(__name__)
    app.config.update(config)
    app.add_url_rule("/", "fail", fail_async)
    return app


def starlette_app(*, debug: bool = True) -> Starlette:
    return Starlette(debug=debug, routes=[Route("/", fail_async)])


def litestar_app(*, debug: bool = False) -> litestar.Litestar:
    @litestar.get("/")
    async def failing() -> None:
        raise BackendError(SECRET)

    return litestar.Litestar([failing], debug=debug, logging_config=None)


def ask(app: Any, client: str = "127.0.0.1", headers: Fields = LOCAL) -> Answer:
    drive = drive_wsgi if isinstance(app, (mantlet.wsgi.Stack, flask.Flask)) else drive_asgi
    return drive(app, client=client, headers=headers)


FLASK_MODES = [{"TESTING": True}, {"PROPAGATE_EXCEPTIONS": True}, {"DEBUG": True}]


@pytest.mark.parametrize("config", FLASK_MODES, ids=str)
@pytest.mark.parametrize("make", [flask_app, quart_app])
def test_flask_and_quart_propagate_exceptions_in_their_modes(make: Any, config: Any) -> None:
    bare = ask(make(**config))
    answer = ask(mantlet.wrap(make(**config)))
    assert type(answer.error) is type(bare.error)
    error = answer.error
    if isinstance(error, BaseExceptionGroup):  # of Quart 0.23, which runs requests in a task group
        (error,) = error.exceptions
    assert isinstance(error, BackendError) or SECRET in answer.text()


def test_flasks_test_client_sees_the_exception() -> None:
    app = mantlet.install(flask_app(TESTING=True))
    with pytest.raises(BackendError, match=SECRET):
        app.test_client().get("/")


def test_werkzeugs_debugger_shows_its_page_to_this_machine_alone() -> None:
    """It is inside of the stack, and answers the exception."""
    stack = mantlet.wsgi.wrap(DebuggedApplication(fail, evalex=True))
    assert SECRET in ask(stack).text()
    assert SECRET not in ask(stack, client="192.0.2.7").text()


def test_starlette_shows_its_debug_page_and_raises() -> None:
    answer = ask(mantlet.wrap(starlette_app()))
    assert SECRET in answer.text()
    assert isinstance(answer.error, BackendError)


@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_django_shows_its_debug_pages(protocol: str) -> None:
    with django_site(protocol, index=fail, debug=True) as app:
        stack = mantlet.wrap(lower_case(app) if protocol == "asgi" else app)
        answer = ask(stack)
        assert (answer.status, answer.error) == (500, None)
        assert SECRET in answer.text()
        drive = drive_wsgi if protocol == "wsgi" else drive_asgi
        missing = drive(stack, path="/none", client="127.0.0.1", headers=LOCAL)
        assert (missing.status, "DEBUG = True" in missing.text()) == (404, True)


def test_litestar_shows_its_debug_page() -> None:
    app = litestar_app(debug=True)
    assert SECRET in ask(mantlet.wrap(app)).text()


@pytest.mark.parametrize("client", ["192.0.2.7", "10.0.0.1", "::ffff:192.0.2.7"])
@pytest.mark.parametrize("make", [lambda: flask_app(DEBUG=True), starlette_app])
def test_no_other_machine_sees_anything(make: Any, client: str) -> None:
    """A forgotten ``DEBUG=True``."""
    answer = ask(mantlet.wrap(make()), client=client)
    assert (answer.status, answer.error) == (500, None)
    assert SECRET not in answer.text()
    assert "BackendError" not in answer.text()


FORWARDED: list[Fields] = [
    [("X-Forwarded-For", "192.0.2.7")],
    [("X-Forwarded-Proto", "https")],
    [("Forwarded", "for=192.0.2.7")],
    [("Via", "1.1 proxy")],
    [("X-Forwarded-Prefix", "/shop")],
    [("X-Forwarded-For", "")],
    [("CDN-Loop", "cdn.example")],
    [("Fly-Client-IP", "192.0.2.7")],
]


@pytest.mark.parametrize("extra", [*FORWARDED, [("Host", "shop.example")]], ids=str)
@pytest.mark.parametrize("make", [lambda: flask_app(DEBUG=True), starlette_app])
def test_no_client_of_a_proxy_or_of_another_name_sees_anything(make: Any, extra: Fields) -> None:
    own = [*LOCAL, *extra] if extra[0][0] != "Host" else [*extra, ("Accept", "text/html")]
    answer = ask(mantlet.wrap(make()), headers=own)
    assert (answer.status, answer.error) == (500, None)
    assert SECRET not in answer.text()


@pytest.mark.parametrize("variable", ["APP_ENV", "FLASK_ENV", "DJANGO_ENV"])
def test_nothing_is_shown_in_production(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "production")
    for app in (flask_app(DEBUG=True), starlette_app()):
        answer = ask(mantlet.wrap(app))
        assert (answer.status, answer.error) == (500, None)
        assert SECRET not in answer.text()


def test_djangos_technical_404_is_hidden_from_others() -> None:
    """It lists every route, whatever form the client asks for."""
    with django_site("wsgi", index=fail, debug=True) as app:
        answer = drive_wsgi(mantlet.wrap(app), path="/none", headers=LOCAL)
        assert answer.status == 404
        assert "DEBUG" not in answer.text()
        assert "URLconf" not in answer.text()


def test_without_a_mode_nothing_is_shown_to_a_local_client() -> None:
    for app in (flask_app(), starlette_app(debug=False)):
        answer = ask(mantlet.wrap(app))
        assert (answer.status, answer.error) == (500, None)
        assert SECRET not in answer.text()


def test_starlettes_test_client_raises_as_it_does_bare() -> None:
    """Its default; with ``raise_server_exceptions=False`` it shows the problem."""
    stack = mantlet.wrap(starlette_app(debug=False))
    with pytest.raises(BackendError, match=SECRET):
        TestClient(stack).get("/")
    answer = TestClient(stack, raise_server_exceptions=False).get("/")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text


def test_a_problem_is_no_exception_to_a_test_client() -> None:
    async def gone(_: Any) -> Response:
        raise mantlet.Problem(410)

    stack = mantlet.wrap(Starlette(routes=[Route("/", gone)]))
    assert TestClient(stack).get("/").status_code == 410


def test_litestars_test_client_works() -> None:
    client: LitestarClient[Any] = LitestarClient(app=mantlet.wrap(litestar_app()))
    assert client.get("/").status_code == 500


def test_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    stack = mantlet.wrap(starlette_app())
    ask(stack)
    ask(stack)
    told = [r for r in caplog.records if "reach clients on this machine" in r.getMessage()]
    assert [record.levelno for record in told] == [logging.WARNING]
    assert "app.debug" in told[0].getMessage()


def websocket_scope(**more: Any) -> dict[str, Any]:
    scope = {"type": "websocket", "path": "/", "query_string": b"", "headers": [], "scheme": "ws"}
    return {**scope, "client": ("testclient", 50000), **more}


def test_a_client_that_names_itself_like_a_test_client_is_none() -> None:
    """Uvicorn names a client by ``X-Forwarded-For``, of any text, where it trusts the peer."""
    ours = development_reason(WebSocketRequest(websocket_scope(), no_events))
    theirs = development_reason(
        WebSocketRequest(websocket_scope(asgi={"version": "3.0"}), no_events)
    )
    assert (ours is None, theirs) == (False, None)


async def no_events() -> dict[str, Any]:
    raise AssertionError


PRODUCTION = [
    ("APP_ENV", "Prod-eu"),
    ("VERCEL_ENV", "production"),
    ("DJANGO_SETTINGS_MODULE", "shop.settings.production"),
]


@pytest.mark.parametrize(("variable", "value"), PRODUCTION)
def test_production_has_several_names(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert SECRET not in ask(mantlet.wrap(flask_app(DEBUG=True))).text()
    for other in ("product-lab", "shop.production.settings", "staging"):
        monkeypatch.setenv(variable, other)
        assert ask(mantlet.wrap(flask_app(DEBUG=True))).error is not None


@pytest.mark.breaks_rules("granian tells a version that the ASGI specification does not know")
@pytest.mark.parametrize("version", ["1.0", "1"])
@pytest.mark.parametrize("make", [lambda: flask_app(DEBUG=True), starlette_app])
def test_an_old_version_of_http_is_a_proxys(make: Any, version: str) -> None:
    """Granian tells HTTP/1.0 as ``1``."""
    app = make()
    stack = mantlet.wrap(app)
    if isinstance(app, flask.Flask):
        environ = {"SERVER_PROTOCOL": f"HTTP/{version}"}
        answer = drive_wsgi(stack, client="127.0.0.1", headers=LOCAL, environ=environ)
    else:
        answer = drive_asgi(
            stack, client="127.0.0.1", headers=LOCAL, scope={"http_version": version}
        )
    assert SECRET not in answer.text()
    assert answer.error is None
