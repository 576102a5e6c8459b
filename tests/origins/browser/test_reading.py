"""What scripts of other origins can read in a real browser: what `Cors` says, errors included."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import flask
import flask_cors
import pytest
from pydantic import BaseModel

import mantlet
from mantlet import Contract, Cors, CrossOrigin, ErrorEnvelope, RateLimiter, Rule, SchemaGuard
from tests.origins.browser.chromium import BROWSER, Log, Site, serve_wsgi, visit

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no browser here: install chromium"),
]

READ = """
const app = '{app}';
const mine = {{credentials: 'include'}};
const json = {{'Content-Type': 'application/json'}};
const found = {{}};
const run = async (name, path, options) => {{
  found[name] = await attempt(app + path + '?by=' + name, options);
}};
await run('plain', '/data');
await run('user', '/data', mine);
await run('crash', '/crash', mine);
await run('missing', '/nowhere', mine);
await run('limited', '/limited', mine);
await run('refused', '/limited', mine);
await run('invalid', '/items', {{...mine, method: 'PUT', headers: json, body: '{{"a": "x"}}'}});
await run('valid', '/items', {{...mine, method: 'PUT', headers: json, body: '{{"a": 1}}'}});
await run('method', '/items', {{...mine, method: 'DELETE'}});
await run('header', '/data', {{...mine, headers: {{'X-Evil': '1'}}}});
await run('form', '/items', {{...mine, method: 'POST', body: 'x'}});
await report(found);
"""


class Item(BaseModel):
    """A body."""

    a: int


def data() -> flask.Flask:
    """Return an app with CORS headers of its own, for everyone."""
    app = flask.Flask(__name__)
    flask_cors.CORS(app, origins="*", send_wildcard=True)

    @app.get("/data")
    def read() -> flask.Response:
        user = flask.request.cookies.get("session", "nobody")
        return flask.Response(user, headers={"X-Total": "7", "X-Secret": "8"})

    @app.get("/crash")
    def crash() -> str:
        raise LookupError("inside")

    @app.get("/limited")
    def limited() -> str:
        return "once"

    @app.route("/items", methods=["PUT", "POST", "DELETE"])
    def items() -> str:
        return flask.request.method

    return app


def read(tmp_path: Path, front: str, policies: list[mantlet.Policy]) -> tuple[dict[str, Any], Log]:
    """Let a page of a front end read the app; return what it has found, and all requests."""
    log, site = Log(), Site({})
    with ExitStack() as stack:
        port = stack.enter_context(serve_wsgi(mantlet.wrap(data(), *policies), log))
        other = stack.enter_context(serve_wsgi(site, Log()))
        script = READ.format(app=f"http://api.shop.localhost:{port}")
        site.pages["/"] = script
        # A cookie for all hosts of the site.
        site.pages["/login"] = (
            "document.cookie = 'session=ann; domain=shop.localhost'; location = '/';"
        )
        visit(f"http://{front}:{other}/login", tmp_path, lambda: "/" in site.reports)
    found: dict[str, Any] = site.reports["/"]
    return found, log


def is_front(origin: str) -> bool:
    """Return whether an origin is the front end's, on any port."""
    return origin.startswith("http://front.shop.localhost:")


def policies() -> list[mantlet.Policy]:
    """Return a whole stack."""
    return [
        ErrorEnvelope(),
        Cors(
            origins=is_front,
            methods=["GET", "PUT"],
            headers=["Content-Type"],
            expose=["X-Total"],
            credentials=True,
        ),
        CrossOrigin(trusted=is_front),
        RateLimiter("1000/minute", rules=[Rule("GET /limited", "1/hour")]),
        SchemaGuard(
            {"PUT /items": Contract(body=Item)},
            exempt=["GET /*", "POST /items"],
            undeclared_query="ignore",
        ),
    ]


def test_an_allowed_origin(tmp_path: Path) -> None:
    """Reads all responses, errors of every policy included, and no headers beyond those exposed."""
    found, log = read(tmp_path, "front.shop.localhost", policies())
    statuses = {name: one.get("status") for name, one in found.items()}
    assert statuses == {
        "plain": 200,
        "user": 200,
        "crash": 500,
        "missing": 404,
        "limited": 200,
        "refused": 429,
        "invalid": 422,
        "valid": 200,
        "method": None,
        "header": None,
        "form": 200,
    }
    assert found["user"]["text"] == "ann"
    assert found["user"]["headers"]["x-total"] == "7"
    assert "x-secret" not in found["user"]["headers"]
    assert "ratelimit" in found["user"]["headers"]
    for name in ("crash", "refused", "invalid"):
        assert found[name]["headers"]["x-request-id"] in found[name]["text"]
    assert found["refused"]["headers"]["retry-after"]
    # The browser sends what the answer to its preflight allows, and nothing else.
    assert log.statuses("valid") == [204, 200]
    assert log.statuses("method") == log.statuses("header") == [403]


def test_another_origin(tmp_path: Path) -> None:
    """Reads nothing, though the app itself allows everyone to, nor does it change anything."""
    found, log = read(tmp_path, "evil.shop.localhost", policies())
    assert {name: one["failed"] for name, one in found.items()} == dict.fromkeys(found, "TypeError")
    assert log.statuses("form") == log.statuses("valid") == [403]


def test_a_wildcard(tmp_path: Path) -> None:
    """Lets everyone read what everyone may read, and nothing that cookies open."""
    found, _ = read(tmp_path, "evil.shop.localhost", [ErrorEnvelope(), Cors(origins="*")])
    assert found["plain"]["status"] == 200
    assert found["plain"]["text"] == "nobody"
    assert "x-request-id" in found["plain"]["headers"]
    assert {name for name, one in found.items() if "failed" not in one} == {"plain"}
