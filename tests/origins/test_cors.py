"""CORS headers are on every response, whoever makes it, once each, and decided by the policy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import flask
import flask_cors
import pytest
from fastapi import FastAPI, HTTPException
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet
from mantlet import (
    ApiKeys,
    Authenticator,
    Cors,
    ErrorEnvelope,
    Health,
    OutputSanitizer,
    Policy,
    Problem,
    RateLimiter,
    Reply,
    Request,
    Response,
)
from tests.drive import ADAPTERS, Adapter, Answer, both_adapters, drive_asgi, drive_wsgi, hello

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said

APP = "https://app.example"
OTHER = "https://other.example"
FROM_APP = [("Origin", APP)]
FROM_OTHER = [("Origin", OTHER)]


def assert_allowed(answer: Answer, origin: str = APP) -> None:
    """The origin's scripts may read the response."""
    assert answer.get("access-control-allow-origin") == origin
    assert "origin" in (answer.get("vary") or "").lower()


def assert_unreadable(answer: Answer) -> None:
    """No other origin's scripts may read the response, and caches know that it depends on it."""
    assert not [name for name in answer.names if name.startswith("access-control-")]
    assert "origin" in (answer.get("vary") or "").lower()


# -- Every response --------------------------------------------------------------------------------


def failing(_carrier: MutableMapping[str, Any]) -> Said:
    """Raise what nobody expects."""
    raise LookupError("inside")


def refusing(_carrier: MutableMapping[str, Any]) -> Said:
    """Raise a problem."""
    raise Problem(409)


class Answering(Policy):
    """Answers, raises a problem or fails, on the way in or out."""

    def __init__(self, place: str, what: Any) -> None:
        self.place, self.what = place, what

    def _act(self) -> Reply | None:
        if isinstance(self.what, BaseException):
            raise self.what
        return self.what if isinstance(self.what, Reply) else None

    def on_request(self, request: Request) -> Reply | None:
        """Act, if it is to be here."""
        return self._act() if self.place == "request" else None

    def on_response(self, request: Request, response: Response) -> Reply | None:
        """Act, if it is to be here."""
        return self._act() if self.place == "response" else None


DOINGS = [Reply(401), Reply(200, body="ok"), Reply(503), Problem(422), KeyError("x")]


@both_adapters
@pytest.mark.parametrize("place", ["request", "response"])
@pytest.mark.parametrize("what", DOINGS, ids=repr)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
def test_responses_of_policies(adapter: Adapter, place: str, what: Any, method: str) -> None:
    """Also those that the envelope, further out, makes of their failures."""
    policies = ErrorEnvelope(), Cors(origins=[APP]), Answering(place, what)
    app = adapter.wrap(hello, *policies)
    answer = adapter.drive(app, method, headers=FROM_APP)
    assert answer.status is not None
    assert_allowed(answer)
    assert_unreadable(adapter.drive(app, method, headers=FROM_OTHER))


@both_adapters
@pytest.mark.parametrize("app", [failing, refusing], ids=["failing", "refusing"])
def test_errors_of_the_app(adapter: Adapter, app: Any) -> None:
    """The envelope's responses, outside of the policy, in the baseline too."""
    for policies in (
        [ErrorEnvelope(), Cors(origins=[APP])],
        [OutputSanitizer(), ErrorEnvelope(), Cors(origins=[APP])],
    ):
        wrapped = adapter.wrap(app, *policies)
        answer = adapter.drive(wrapped, headers=FROM_APP)
        assert answer.status in (409, 500)
        assert_allowed(answer)
        assert "X-Request-ID" in (answer.get("access-control-expose-headers") or "")
        assert_unreadable(adapter.drive(wrapped, headers=FROM_OTHER))


@both_adapters
def test_refusals_of_limits(adapter: Adapter) -> None:
    """A script can read how long to wait."""
    app = adapter.wrap(hello, ErrorEnvelope(), Cors(origins=[APP]), RateLimiter("1/hour"))
    adapter.drive(app, headers=FROM_APP)
    answer = adapter.drive(app, headers=FROM_APP)
    assert answer.status == 429
    assert_allowed(answer)
    assert (answer.get("access-control-expose-headers") or "").split(", ") == [
        *("X-Request-ID", "RateLimit-Policy", "RateLimit", "Retry-After")
    ]


@both_adapters
def test_refusals_of_credentials(adapter: Adapter) -> None:
    """A script can read which one to get, such as a proof with a nonce (RFC 9449, 8)."""
    auth = Authenticator(ApiKeys(lambda _: None, header="X-API-Key"))
    app = adapter.wrap(hello, Cors(origins=[APP]), auth)
    answer = adapter.drive(app, headers=FROM_APP)
    assert answer.status == 401
    assert_allowed(answer)
    assert answer.get("access-control-expose-headers") == "WWW-Authenticate"
    assert_unreadable(adapter.drive(app, headers=FROM_OTHER))


@both_adapters
def test_streams(adapter: Adapter) -> None:
    """Their heads are sent before their bodies."""
    app = adapter.stream([b"a", b"b"], Cors(origins=[APP]))
    assert_allowed(adapter.drive(app, headers=FROM_APP))
    assert_unreadable(adapter.drive(app))


def test_error_responses_of_frameworks() -> None:
    """Their 404 and 422, their HTTP exceptions, and crashes that they answer themselves."""
    fast, old = FastAPI(), flask.Flask(__name__)

    @fast.get("/number/{number}")
    def number(number: int) -> int:
        if number == 0:
            raise HTTPException(418)
        return 1 // (number - 1)

    @old.get("/number/<int:number>")
    def number_too(number: int) -> str:
        if number == 0:
            flask.abort(418)
        return str(1 // (number - 1))

    statuses = {"/number/x": (422, 404), "/number/0": (418, 418), "/number/1": (500, 500)}
    policies = ErrorEnvelope(), Cors(origins=[APP])
    for path, expected in statuses.items():
        found = [
            drive_asgi(mantlet.wrap(fast, *policies), "GET", path, headers=FROM_APP),
            drive_wsgi(mantlet.wrap(old, *policies), "GET", path, headers=FROM_APP),
        ]
        assert tuple(one.status for one in found) == expected
        for one in found:
            assert_allowed(one)


def test_responses_of_policies_further_out_are_not_the_apps() -> None:
    """Health answers before the policy is asked."""
    for adapter in ADAPTERS:
        app = adapter.wrap(hello, Health(), Cors(origins=[APP]))
        answer = adapter.drive(app, "GET", "/-/health", headers=FROM_APP)
        assert (answer.status, answer.get("access-control-allow-origin")) == (200, None)


# -- Beside an app's own ---------------------------------------------------------------------------

OWN = [
    ("access-control-allow-origin", OTHER),
    ("access-control-allow-credentials", "true"),
    ("access-control-expose-headers", "x-secret"),
    ("vary", "accept, origin"),
]


def with_own(_carrier: MutableMapping[str, Any]) -> Said:
    """Answer with CORS headers."""
    return 200, OWN, b"hello"


@both_adapters
def test_headers_of_the_app_are_replaced(adapter: Adapter) -> None:
    """Nobody can read a response that only the app allows, or allows with credentials."""
    app = adapter.wrap(with_own, Cors(origins=[APP], expose=["X-Total"]))
    answer = adapter.drive(app, headers=FROM_APP)
    assert {name.lower(): value for name, value in answer.headers} == {
        "vary": "accept, origin",
        "access-control-allow-origin": APP,
        "access-control-expose-headers": "X-Total",
    }
    for headers in (FROM_OTHER, [("Origin", "null")], []):
        assert_unreadable(adapter.drive(app, headers=headers))


@both_adapters
def test_nested_policies(adapter: Adapter) -> None:
    """The outer one decides."""
    app = adapter.wrap(with_own, Cors(origins=[APP]), Cors(origins=[OTHER], credentials=True))
    assert_allowed(adapter.drive(app, headers=FROM_APP))
    assert_unreadable(adapter.drive(app, headers=FROM_OTHER))


def starlette(origins: list[str]) -> Starlette:
    """Return an app with a middleware of its own."""

    async def endpoint(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("hello", headers={"Vary": "Cookie"})

    own = Middleware(
        CORSMiddleware, allow_origins=origins, allow_credentials=True, allow_methods=["*"]
    )
    return Starlette(routes=[Route("/", endpoint, methods=["GET", "PUT"])], middleware=[own])


def flask_app(origins: list[str]) -> flask.Flask:
    """Return an app with an extension."""
    app = flask.Flask(__name__)
    flask_cors.CORS(app, origins=origins, supports_credentials=True)

    @app.route("/", methods=["GET", "PUT"])
    def endpoint() -> flask.Response:
        return flask.Response("hello", headers={"Vary": "Cookie"})

    return app


@pytest.mark.parametrize("own", [[APP], [OTHER], [APP, OTHER]], ids=["same", "another", "both"])
@pytest.mark.parametrize(
    ("drive", "make"), [(drive_asgi, starlette), (drive_wsgi, flask_app)], ids=["asgi", "wsgi"]
)
def test_beside_the_middlewares_of_frameworks(drive: Any, make: Any, own: list[str]) -> None:
    """No header twice, and neither their headers nor their answers to preflights count."""
    policy = Cors(origins=[APP], methods=["PUT"])
    app = mantlet.wrap(make(own), policy)
    answer = drive(app, headers=FROM_APP)
    assert answer.body == b"hello"
    assert_allowed(answer)
    assert answer.get("access-control-allow-credentials") is None
    members = [one.strip().lower() for one in (answer.get("vary") or "").split(",")]
    assert sorted(set(members)) == sorted(members)
    assert {"cookie", "origin"} <= set(members)
    assert_unreadable(drive(app, headers=FROM_OTHER))
    preflight = ("Access-Control-Request-Method", "PUT")
    assert drive(app, "OPTIONS", headers=[*FROM_APP, preflight]).status == 204
    refused = drive(app, "OPTIONS", headers=[*FROM_OTHER, preflight])
    assert refused.status == 403
    assert_unreadable(refused)


# -- Vary, and wildcards ---------------------------------------------------------------------------


@both_adapters
def test_vary_is_on_responses_without_an_origin_too(adapter: Adapter) -> None:
    """A cache must not give them to a script (Fetch, 3.3.6)."""
    app = adapter.wrap(hello, Cors(origins=[APP]))
    for headers in ([], FROM_APP, FROM_OTHER):
        assert adapter.drive(app, headers=headers).get("vary") == "Origin"


@both_adapters
def test_a_wildcard_is_the_same_for_all(adapter: Adapter) -> None:
    """So caches need not tell origins apart; a script can read what policies add."""
    for origins in ("*", ["*"]):
        app = adapter.wrap(hello, ErrorEnvelope(), Cors(origins=origins, expose=["X-Total"]))
        for headers, exposed in (
            ([], "X-Total"),
            (FROM_APP, "X-Total, X-Request-ID"),
            ([("Origin", "null")], "X-Total, X-Request-ID"),
        ):
            answer = adapter.drive(app, headers=headers)
            assert answer.get("access-control-allow-origin") == "*"
            assert answer.get("access-control-expose-headers") == exposed
            assert answer.get("vary") is None


@both_adapters
def test_credentials(adapter: Adapter) -> None:
    """Of origins that are named only."""
    app = adapter.wrap(hello, Cors(origins=[APP], credentials=True))
    assert adapter.drive(app, headers=FROM_APP).get("access-control-allow-credentials") == "true"
    assert_unreadable(adapter.drive(app, headers=FROM_OTHER))
    assert_unreadable(adapter.drive(app))


def test_allowed_origins_are_remembered_in_bounded_memory() -> None:
    """Those of patterns; a function is asked again each time, and refused origins are not kept."""
    policy = Cors(origins=["https://*.example.com", APP])
    allowed = {APP}

    def is_allowed(origin: str) -> bool:
        return origin in allowed

    asking = Cors(origins=is_allowed)
    app, changing = (ADAPTERS[1].wrap(hello, one) for one in (policy, asking))
    for number in [*range(500), 0]:
        origin = f"https://a{number}.example.com"
        assert_allowed(ADAPTERS[1].drive(app, headers=[("Origin", origin)]), origin)
        assert_unreadable(ADAPTERS[1].drive(app, headers=[("Origin", f"{origin}.evil.example")]))
    assert len(policy._of_origin) == 256
    assert not any("evil" in origin for origin in policy._of_origin)
    assert_allowed(ADAPTERS[1].drive(changing, headers=FROM_APP))
    allowed.clear()
    assert_unreadable(ADAPTERS[1].drive(changing, headers=FROM_APP))


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60))
def test_no_text_gets_headers_but_an_allowed_origin(text: str) -> None:
    """Whatever is sent as an origin is either allowed or not repeated."""
    policy = Cors(origins=[APP, "https://*.example.com", lambda one: len(one) % 2 == 0])
    for adapter in ADAPTERS:
        answer = adapter.drive(adapter.wrap(hello, policy), headers=[("Origin", text)])
        if answer.get("access-control-allow-origin") is not None:
            assert answer.get("access-control-allow-origin") == text
            assert "://" in text
            assert text.isprintable()
            assert len(text) % 2 == 0 or text == APP


# -- Options, modes and the rest -------------------------------------------------------------------


@pytest.mark.parametrize("option", ["origins", "methods", "headers", "expose"])
def test_a_wildcard_with_credentials_is_refused(option: str) -> None:
    """Browsers take it for a name, so it would never work, and it must not be made to."""
    options: dict[str, Any] = {"origins": [APP], option: "*"}
    with pytest.raises(ValueError, match=rf'{option} must not be "\*" with credentials=True'):
        Cors(credentials=True, **options)
    Cors(**options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": "GET"}, TypeError, 'methods must be a list of texts or "\\*"'),
        ({"methods": ["put"]}, ValueError, "case-sensitive .*'PUT'"),
        ({"methods": ["TRACE"]}, ValueError, "browsers never send TRACE"),
        ({"methods": ["A B"]}, ValueError, "not a token"),
        ({"methods": [1]}, TypeError, "methods must hold texts"),
        ({"headers": "X-A"}, TypeError, "headers must be a list"),
        ({"headers": ["X A"]}, ValueError, "not a token"),
        ({"headers": None}, TypeError, "headers must be a list"),
        ({"expose": ["X-A\r\n"]}, ValueError, "not a token"),
        ({"credentials": "no"}, TypeError, "credentials must be True or False"),
        ({"private_network": 1}, TypeError, "private_network must be True or False"),
        ({"max_age": -1}, ValueError, "max_age must be from 0 to 86400"),
        ({"max_age": 86_401}, ValueError, "max_age must be from 0 to 86400"),
        ({"max_age": "600"}, TypeError, "max_age must be a whole number of seconds"),
        ({"mode": "on"}, ValueError, "mode"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """Are refused at construction."""
    with pytest.raises(error, match=message):
        Cors(origins=[APP], **options)


@both_adapters
def test_report_mode_changes_nothing(adapter: Adapter, caplog: pytest.LogCaptureFixture) -> None:
    """The app's own headers stay, and it gets preflights, which are logged."""
    app = adapter.wrap(with_own, Cors(origins=[APP], mode="report"))
    for headers in (FROM_APP, FROM_OTHER, []):
        assert adapter.drive(app, headers=headers).headers == OWN
    preflight = ("Access-Control-Request-Method", "PUT")
    assert adapter.drive(app, "OPTIONS", headers=[*FROM_APP, preflight]).headers == OWN
    assert "Cors would have answered with 403" in caplog.text


@both_adapters
def test_the_mode_may_depend_on_the_route(adapter: Adapter) -> None:
    """Where the app decides by itself."""
    app = adapter.wrap(with_own, Cors(origins=[APP], mode={"* /own": "off"}))
    assert adapter.drive(app, "GET", "/own", headers=FROM_APP).headers == OWN
    assert_allowed(adapter.drive(app, "GET", "/", headers=FROM_APP))


def test_it_belongs_outside_of_policies_that_refuse() -> None:
    """Or their responses would have no headers."""
    for adapter in ADAPTERS:
        with pytest.warns(UserWarning, match="Cors is inside RateLimiter, so responses of"):
            adapter.wrap(hello, RateLimiter("1/hour"), Cors(origins=[APP]))


def test_handshakes_get_no_cors_headers() -> None:
    """Browsers send WebSocket handshakes from any origin; that is CrossOrigin's concern."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    sent: list[Any] = []

    async def run() -> None:
        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/", "headers": [(b"origin", APP.encode())]}
        await mantlet.asgi.wrap(app, Cors(origins=[APP]), baseline=False)(scope, receive, send)

    asyncio.run(run())
    assert sent[0]["type"] == "websocket.accept"
    assert not sent[0].get("headers")
