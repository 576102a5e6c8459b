"""What a real browser lets another site do, and what of it `CrossOrigin` lets through."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

import mantlet
from mantlet import CrossOrigin
from tests.origins.browser.chromium import (
    BROWSER,
    Log,
    Site,
    page,
    serve_asgi,
    serve_wsgi,
    visit,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no browser here: install chromium"),
]

#: The hosts of the app and of the attacker: two sites, of which the browser sends few cookies; two
#: hosts of one site, which have the app's cookies, whatever their SameSite; and the same without
#: Sec-Fetch-Site, which browsers send only to hosts that count as secure.
HOSTS = [
    ("app.localhost", "evil.localhost"),
    ("app.shop.localhost", "evil.shop.localhost"),
    ("app.shop.test", "evil.shop.test"),
]
each_host = pytest.mark.parametrize("hosts", HOSTS, ids=["cross-site", "same-site", "old"])

ATTACK = """
const app = '{app}';
const form = {{method: 'POST', credentials: 'include', body: new URLSearchParams({{to: 'me'}})}};
await attempt(app + '/transfer?by=no-cors', {{...form, mode: 'no-cors'}});
await attempt(app + '/transfer?by=cors', form);
await attempt(app + '/transfer?by=json-text', {{...form, body: '{{}}'}});
await attempt(app + '/transfer?by=api', {{method: 'POST', credentials: 'omit', body: '{{}}'}});
navigator.sendBeacon(app + '/transfer?by=beacon', 'to=me');
await new Promise(done => {{
  const image = new Image();
  image.onload = image.onerror = done;
  image.src = app + '/page?by=image';
}});
document.body.append(Object.assign(document.createElement('iframe'), {{name: 'inner'}}));
post(app + '/transfer?by=frame', 'inner');
await new Promise(done => setTimeout(done, 1000));
post(app + '/transfer?by=form');
"""
OWN = """
await fetch('/transfer?by=own-fetch', {{method: 'POST'}});
document.body.append(Object.assign(document.createElement('iframe'), {{name: 'inner'}}));
post('/transfer?by=own-form', 'inner');
await new Promise(done => setTimeout(done, 500));
location = '{next}';
"""


def shop(next_page: Callable[[], str], reached: dict[str, bool]) -> flask.Flask:
    """Return an app with a session in cookies, and without a protection of its own."""
    app = flask.Flask(__name__)

    @app.get("/login")
    def login() -> flask.Response:
        response = flask.make_response(page(OWN.format(next=next_page())))
        response.set_cookie("session", "1")  # browsers send it with forms, too, while it is young
        return response

    @app.route("/transfer", methods=["POST"])
    @app.route("/page")
    def act() -> str:
        reached[flask.request.args["by"]] = bool(flask.request.cookies)
        return "done"

    return app


def attack(
    tmp_path: Path, hosts: tuple[str, str], *policies: mantlet.Policy
) -> tuple[dict[str, bool], Log]:
    """Log in, visit another site, and let that attack.

    Returns:
        The requests that have reached the app, and whether they had cookies; all requests.
    """
    reached: dict[str, bool] = {}
    log = Log()
    site = Site({})
    where: list[str] = []
    app: Any = shop(lambda: where[0], reached)
    if policies:
        app = mantlet.wrap(app, *policies)
    with ExitStack() as stack:
        port = stack.enter_context(serve_wsgi(app, log))
        other = stack.enter_context(serve_wsgi(site, Log()))
        site.pages["/"] = ATTACK.format(app=f"http://{hosts[0]}:{port}")
        where.append(f"http://{hosts[1]}:{other}/")
        visit(f"http://{hosts[0]}:{port}/login", tmp_path, lambda: bool(log.statuses("form")))
    return reached, log


FORGED = {"no-cors", "cors", "json-text", "beacon", "frame", "form"}


@pytest.mark.few_cases(1)
@each_host
def test_without_the_policy_all_of_it_reaches_the_app(
    tmp_path: Path, hosts: tuple[str, str]
) -> None:
    """With the cookies of the user, or else the next test would say nothing."""
    reached, _ = attack(tmp_path, hosts)
    assert set(reached) == FORGED | {"api", "image", "own-fetch", "own-form"}
    assert reached["form"]
    assert all(reached[name] for name in FORGED) is (hosts != HOSTS[0])
    assert not reached["api"]


@pytest.mark.few_cases(1)
@each_host
def test_requests_of_another_site(tmp_path: Path, hosts: tuple[str, str]) -> None:
    """Those with cookies, and forms, do not reach an unchanged app; its own requests do."""
    reached, log = attack(tmp_path, hosts, CrossOrigin())
    forged = FORGED - {"cors", "json-text"} if hosts == HOSTS[0] else FORGED  # without cookies
    assert set(reached) == {"own-fetch", "own-form", "image", "api"} | (FORGED - forged)
    assert all(log.statuses(name) == [403] for name in forged)


@pytest.mark.few_cases(1)
@each_host
def test_requests_of_another_site_without_credentials(
    tmp_path: Path, hosts: tuple[str, str]
) -> None:
    """By option none of them does."""
    reached, log = attack(tmp_path, hosts, CrossOrigin(without_credentials="refuse"))
    assert set(reached) == {"own-fetch", "own-form", "image"}
    assert all(log.statuses(name) == [403] for name in FORGED | {"api"})


def chat(next_page: Callable[[], str]) -> Starlette:
    """Return an app with a WebSocket that knows the user by a cookie."""
    from starlette.responses import HTMLResponse

    async def login(_request: Any) -> HTMLResponse:
        script = "await report(await socket('ws://' + location.host + '/chat'));"
        response = HTMLResponse(page(f"{script} location = '{next_page()}';"))
        response.set_cookie("session", "1", samesite="strict")
        return response

    async def reported(request: Any) -> HTMLResponse:
        request.app.state.own = await request.json()
        return HTMLResponse("")

    async def talk(websocket: Any) -> None:
        await websocket.accept()
        await websocket.send_text(f"session {websocket.cookies.get('session')}")
        await websocket.close()

    return Starlette(
        routes=[
            Route("/login", login),
            Route("/login", reported, methods=["POST"]),
            WebSocketRoute("/chat", talk),
        ]
    )


@pytest.mark.few_cases(1)
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, "session 1"),
        (CrossOrigin(), "refused"),
        (
            CrossOrigin(trusted=lambda origin: origin.startswith("http://evil.shop.localhost:")),
            "session 1",
        ),
    ],
    ids=["bare", "wrapped", "trusted"],
)
def test_a_websocket_of_another_site(
    tmp_path: Path, policy: CrossOrigin | None, expected: str
) -> None:
    """It reads what the user may read, unless it is refused; the app's own works."""
    site = Site({})
    where: list[str] = []
    inner = chat(lambda: where[0])
    app: Any = inner if policy is None else mantlet.wrap(inner, policy)
    with ExitStack() as stack:
        port = stack.enter_context(serve_asgi(app))
        other = stack.enter_context(serve_wsgi(site, Log()))
        site.pages["/"] = f"await report(await socket('ws://app.shop.localhost:{port}/chat'));"
        where.append(f"http://evil.shop.localhost:{other}/")
        visit(f"http://app.shop.localhost:{port}/login", tmp_path, lambda: "/" in site.reports)
    assert inner.state.own == "session 1"
    assert site.reports["/"] == expected
