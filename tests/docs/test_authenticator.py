"""docs/authenticator.md: the examples run, and the tables are those of the code."""

from __future__ import annotations

import inspect
import re
import secrets
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import flask

import mantlet
from mantlet import ApiKeys, Authenticator, Identity, RateLimiter, SchemaGuard
from tests.authentication.asking import bearer, every_scheme
from tests.docs.pages import DOCS, block_with, blocks, run
from tests.drive import Adapter, AsgiAdapter, both_adapters
from tests.guard.openapi.documents import api

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import pytest

    from tests.drive import Said

PAGE = "authenticator.md"
TEXT = (DOCS / PAGE).read_text()
KEY = ("X-API-Key", "a-key-of-a-test")


def app(raw: MutableMapping[str, Any]) -> Said:
    """Answer with the subject."""
    who = mantlet.state(raw).identity
    return 200, [("content-type", "text/plain")], who.subject.encode() if who else b"nobody"


def keys() -> ApiKeys:
    """Return a scheme."""
    return ApiKeys({sha256(KEY[1].encode()).hexdigest(): "robot"})


@both_adapters
def test_the_first_example(adapter: Adapter) -> None:
    names: dict[str, Any] = {}

    def viewing(raw: MutableMapping[str, Any]) -> Said:
        return 200, [], names["view"](raw).encode()

    first, view = blocks(PAGE)[:2]
    names |= run(PAGE, first, view, app=adapter.app(viewing), SESSIONS={"s1": "ada"})
    stack = adapter.wrap(viewing, names["auth"])
    answer = adapter.drive(stack, headers=[("Cookie", "__Host-session=s1")])
    assert answer.body == b"ada by session"
    assert adapter.drive(stack).status == 401
    assert adapter.drive(stack, "POST", "/logins").status == 401


@both_adapters
def test_api_keys(adapter: Adapter) -> None:
    names = run(PAGE, block_with(PAGE, "def new_key"), TABLE={})
    key = names["new_key"]("billing")
    assert key not in str(names["TABLE"])
    stack = adapter.wrap(app, Authenticator(names["scheme"]))
    assert adapter.drive(stack, headers=[("X-API-Key", key)]).body == b"billing"
    assert adapter.drive(stack, headers=[("X-API-Key", f"{key}x")]).status == 401


def test_sessions_of_flask() -> None:
    """Logged in by Flask itself. Buffered responses are closed, which ends their exchanges."""
    flask_app = flask.Flask(__name__)
    flask_app.secret_key = secrets.token_hex()

    @flask_app.get("/who")
    def who() -> str:
        identity = mantlet.state(flask.request).identity
        assert identity is not None
        return identity.subject

    @flask_app.post("/login")
    def login() -> str:
        flask.session["user"] = "ada"
        return ""

    names = run(PAGE, block_with(PAGE, "def load_session"), flask_app=flask_app)
    mantlet.install(flask_app, Authenticator(names["scheme"], public=["POST /login"]))
    client = flask_app.test_client()
    assert client.get("/who", buffered=True).status_code == 401
    client.post("/login", buffered=True)
    assert client.get("/who", buffered=True).text == "ada"
    cookie = client.get_cookie("session")
    assert cookie is not None
    client.set_cookie("session", f"{cookie.value}x")
    assert client.get("/who", buffered=True).status_code == 401
    assert (
        client.post("/login", buffered=True).status_code == 200
    )  # with a cookie that is not valid
    flask_app.permanent_session_lifetime = timedelta(seconds=-1)
    assert client.get("/who", buffered=True).status_code == 401


def test_passwords() -> None:
    names = run(PAGE, block_with(PAGE, "def hashed"))
    names["USERS"] = {"ada": (b"salt", names["hashed"]("secret", b"salt"))}
    assert names["verify"]("ada", "secret")
    assert not names["verify"]("ada", "other")
    assert not names["verify"]("eve", "secret")


@both_adapters
def test_a_scheme_of_ones_own(adapter: Adapter) -> None:
    names = run(PAGE, block_with(PAGE, "class Tickets"), TICKETS={"t1": "ada"})
    stack = adapter.wrap(app, Authenticator(names["scheme"]))
    assert adapter.drive(stack, headers=[("Authorization", "Ticket t1")]).body == b"ada"
    refused = adapter.drive(stack, headers=[("Authorization", "Ticket t2")])
    assert refused.get("www-authenticate") == 'Ticket realm="api"'


@both_adapters
def test_user(adapter: Adapter) -> None:
    users = {"robot": object()}
    seen: list[Any] = []

    def viewing(raw: MutableMapping[str, Any]) -> Said:
        seen.append(mantlet.state(raw).identity)
        return 200, [], b""

    names = run(PAGE, block_with(PAGE, "def find_user"), scheme=keys(), USERS=users)
    adapter.drive(adapter.wrap(viewing, names["auth"]), headers=[KEY])
    assert isinstance(seen[0], Identity)
    assert seen[0].user is users["robot"]


@both_adapters
def test_public_routes(adapter: Adapter) -> None:
    block = block_with(PAGE, '"OPTIONS *"')
    stack = adapter.wrap(app, run(PAGE, block, Authenticator=Authenticator, scheme=keys())["auth"])
    statuses = {
        path: adapter.drive(stack, method, path).status
        for method, path in (
            *(("GET", "/health"), ("GET", "/healthy"), ("GET", "/admin/health-records")),
            *(("HEAD", "/static/a.css"), ("OPTIONS", "/orders")),
        )
    }
    assert list(statuses.values()) == [200, 401, 401, 200, 200]


@both_adapters
def test_other_policies(adapter: Adapter) -> None:
    auth = Authenticator(keys())
    names = run(PAGE, block_with(PAGE, "on_status(401)"), app=adapter.app(app), auth=auth)
    stack = names["app"]
    statuses = [adapter.drive(stack, headers=[("X-API-Key", "x")]).status for _ in range(120)]
    assert statuses[:100] == [401] * 100
    assert 429 in statuses
    assert isinstance(stack.policies[-1], RateLimiter)


@both_adapters
def test_a_guard(adapter: Adapter) -> None:
    scheme = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    more = {"components": {"securitySchemes": {"key": scheme}}}
    document = api(target="GET /a", security=[{"key": []}], more=more)
    names = run(
        PAGE,
        block_with(PAGE, "security=auth"),
        DOCUMENT=document,
        auth=Authenticator(keys()),
        app=adapter.app(app),
        mantlet=mantlet,
    )
    assert isinstance(names["guard"], SchemaGuard)
    assert adapter.drive(names["app"], path="/a").status == 401
    assert adapter.drive(names["app"], path="/a", headers=[KEY]).body == b"robot"


@both_adapters
def test_the_response_shown_is_the_one_sent(adapter: Adapter) -> None:
    shown = block_with(PAGE, "401 Unauthorized", "http")
    head, _, body = shown.partition("\n\n")
    tokens, api_keys, *_ = every_scheme()
    stack = adapter.wrap(app, Authenticator(tokens, api_keys))
    answer = adapter.drive(stack, headers=[bearer("expired")])
    assert answer.body.decode() == body.strip()
    for line in head.splitlines()[1:]:
        name, _, value = line.partition(": ")
        assert answer.get(name) == value


def test_the_record_shown_is_the_one_logged(caplog: pytest.LogCaptureFixture) -> None:
    adapter = AsgiAdapter()
    adapter.drive(adapter.wrap(app, Authenticator(*every_scheme())), headers=[bearer("expired")])
    shown = block_with(PAGE, "refused a request", "text").strip()
    assert caplog.records[0].getMessage() == shown.replace("0198f1a2", "-")


def test_every_option_is_listed() -> None:
    table = TEXT.partition("\n## Options\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    options = [name for name in inspect.signature(Authenticator).parameters if name != "schemes"]
    assert listed == options
    attributes = TEXT.partition("| attribute |")[2].partition("\n\n")[0]
    assert all(f"`{name}`" in attributes for name in Identity.__dataclass_fields__)
