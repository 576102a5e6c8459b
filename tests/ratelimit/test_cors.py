"""Limits in the browser: preflights take no tokens, and scripts can read the limiter's headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
import flask_cors
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet
from mantlet import Concurrency, ErrorEnvelope, RateLimiter, Rule
from tests.drive import (
    Adapter,
    WsgiAdapter,
    both_adapters,
    drive_asgi,
    drive_wsgi,
    hello,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.drive import Answer

PREFLIGHT = [
    ("Origin", "https://app.example"),
    ("Access-Control-Request-Method", "PUT"),
    ("Access-Control-Request-Headers", "content-type"),
]


def statuses(
    adapter: Adapter, limiter: RateLimiter, headers: Sequence[tuple[str, str]] = PREFLIGHT
) -> list[int | None]:
    """Send three preflights and two requests; return the status of each."""
    app = adapter.wrap(hello, limiter)
    found = [adapter.drive(app, "OPTIONS", "/login", headers=headers) for _ in range(3)]
    found += [adapter.drive(app, "PUT", "/login", headers=PREFLIGHT[:1]) for _ in range(2)]
    return [answer.status for answer in found]


FREE = [200, 200, 200, 200, 429]
COUNTED = [200, 429, 429, 429, 429]


@both_adapters
@pytest.mark.parametrize(
    "options",
    [
        {"quota": "1/hour"},
        {"quota": "1/hour; 5/day"},
        {"rules": [Rule("* /login", "1/hour")]},
        {"rules": [Rule("* /*", "1/hour")]},
        {"quota": "1/hour", "rules": [Rule("GET /login", "9/hour")]},
        {"quota": "1/hour", "rules": [Rule("OPTIONS /other", "9/hour")]},
    ],
    ids=["quota", "quotas", "rule", "rest", "other method", "other path"],
)
def test_a_preflight_takes_no_tokens(adapter: Adapter, options: dict[str, Any]) -> None:
    """It is the browser's, and comes before requests that take their own."""
    assert statuses(adapter, RateLimiter(clock=lambda: 0, **options)) == FREE


@both_adapters
def test_a_preflight_has_no_headers_of_the_limit(adapter: Adapter) -> None:
    """It is not counted, so there is nothing to say."""
    app = adapter.wrap(hello, RateLimiter("1/hour"))
    answer = adapter.drive(app, "OPTIONS", headers=PREFLIGHT)
    assert [name for name in answer.names if "rate" in name] == []


def test_a_preflight_takes_no_slot() -> None:
    """It passes while a request holds the only one."""
    adapter = WsgiAdapter()
    inside: list[int | None] = []

    def nested(environ: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET":
            inside.append(adapter.drive(app, "OPTIONS", headers=PREFLIGHT).status)
            inside.append(adapter.drive(app, "OPTIONS").status)
        return hello(environ)

    app = adapter.wrap(nested, RateLimiter(concurrency=Concurrency(1)))
    assert adapter.drive(app).status == 200
    assert inside == [200, 429]


@both_adapters
def test_preflights_are_counted_by_option(adapter: Adapter) -> None:
    """For apps whose views run for every method."""
    limiter = RateLimiter("1/hour", count_preflights=True, clock=lambda: 0)
    assert statuses(adapter, limiter) == COUNTED


@both_adapters
@pytest.mark.parametrize("pattern", ["OPTIONS /login", "OPTIONS,PUT /login", "OPTIONS /*"])
def test_a_rule_that_names_options_counts_them(adapter: Adapter, pattern: str) -> None:
    """Who names the method means it."""
    limiter = RateLimiter(rules=[Rule(pattern, "1/hour")], clock=lambda: 0)
    found = statuses(adapter, limiter)
    assert found[:3] == [200, 429, 429]


@both_adapters
@pytest.mark.parametrize(
    "headers",
    [
        [],
        PREFLIGHT[:1],
        PREFLIGHT[1:],
        [("Origin", ""), *PREFLIGHT[1:]],
        [*PREFLIGHT, ("Authorization", "Bearer x")],
        [*PREFLIGHT, ("Cookie", "session=x")],
        [*PREFLIGHT, ("Content-Length", "5")],
        [*PREFLIGHT, ("Transfer-Encoding", "chunked")],
        [*PREFLIGHT, ("X-HTTP-Method-Override", "POST")],
        [*PREFLIGHT, ("X-Method-Override", "POST")],
        [*PREFLIGHT, ("X-HTTP-Method", "POST")],
    ],
    ids=[
        "plain",
        "no method",
        "no origin",
        "empty",
        "token",
        "cookie",
        "body",
        "chunked",
        "override",
        "shorter override",
        "shortest override",
    ],
)
def test_what_no_browser_sends_as_a_preflight_is_counted(
    adapter: Adapter, headers: list[tuple[str, str]]
) -> None:
    """With credentials, a body or another method it could be a request in its own right."""
    limiter = RateLimiter("1/hour", clock=lambda: 0)
    assert statuses(adapter, limiter, headers)[:3] == [200, 429, 429]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"username=alice"], [200, 429]),
        ([b"", b"username=alice"], [200, 429]),
        ([b"", b""], [200, 200]),
    ],
    ids=["body", "late body", "no body"],
)
def test_a_body_that_no_header_tells_of_is_counted(
    chunks: list[bytes], expected: list[int]
) -> None:
    """HTTP/2 needs no Content-Length for one; the app reads all of it."""
    read: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            event = await receive()
            read.append(event["body"])
            more = event["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    wrapped = mantlet.wrap(app, RateLimiter("1/hour", clock=lambda: 0), baseline=False)
    scope = {"http_version": "2"}
    found = [
        drive_asgi(wrapped, "OPTIONS", headers=PREFLIGHT, body=chunks, scope=scope).status
        for _ in range(2)
    ]
    assert found == expected
    assert b"".join(read) == b"".join(chunks) * expected.count(200)


@both_adapters
@pytest.mark.breaks_rules("a client's method is in lower case")
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "options"])
def test_the_headers_of_a_preflight_free_no_other_method(adapter: Adapter, method: str) -> None:
    """Anyone can send them."""
    app = adapter.wrap(hello, RateLimiter("1/hour", clock=lambda: 0))
    found = [adapter.drive(app, method, headers=PREFLIGHT).status for _ in range(2)]
    assert found == [200, 429]


# -- exposed headers ------------------------------------------------------------------------------

GET = [("Origin", "https://app.example")]
POLICY_HEADERS = {"RateLimit", "RateLimit-Policy", "X-Request-ID"}


def exposed(answer: Answer) -> set[str]:
    """Return the names that scripts can read."""
    value = answer.get("Access-Control-Expose-Headers")
    return set() if value is None else set(value.split(", "))


def flask_app() -> Any:
    app = flask.Flask(__name__)
    app.add_url_rule("/", "hello", view_func=lambda: "hello")
    app.add_url_rule("/busy", "busy", view_func=lambda: ("busy", 503, {"Retry-After": "5"}))
    flask_cors.CORS(app, expose_headers=["X-Total"])
    return app


def starlette_app() -> Any:
    async def hello(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("hello")

    async def busy(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("busy", 503, {"Retry-After": "5"})

    cors = Middleware(CORSMiddleware, allow_origins=["*"], expose_headers=["X-Total"])
    return Starlette(routes=[Route("/", hello), Route("/busy", busy)], middleware=[cors])


FRAMEWORKS = pytest.mark.parametrize(
    ("make", "drive"),
    [(flask_app, drive_wsgi), (starlette_app, drive_asgi)],
    ids=["flask-cors", "starlette"],
)


@FRAMEWORKS
def test_scripts_of_allowed_origins_can_read_the_headers(make: Any, drive: Any) -> None:
    """Beside those that the app exposes; a page of the same origin needs no list."""
    policies = (ErrorEnvelope(convert="never"), RateLimiter("9/hour"))
    app = mantlet.wrap(make(), *policies, baseline=False)
    assert exposed(drive(app, headers=GET)) == {"X-Total", *POLICY_HEADERS}
    busy = drive(app, "GET", "/busy", headers=GET)
    assert exposed(busy) == {"X-Total", "Retry-After", *POLICY_HEADERS}


@FRAMEWORKS
def test_the_frameworks_answer_preflights_without_the_view(make: Any, drive: Any) -> None:
    """Which is why they need no tokens."""
    app = mantlet.wrap(make(), RateLimiter("1/hour", clock=lambda: 0))
    headers = [*GET, ("Access-Control-Request-Method", "GET")]
    for _ in range(3):
        answer = drive(app, "OPTIONS", headers=headers)
        assert answer.status == 200
        assert answer.get("Access-Control-Allow-Origin") in ("*", "https://app.example")
        assert b"hello" not in answer.body
    assert [drive(app, headers=GET).status for _ in range(2)] == [200, 429]


@both_adapters
def test_a_refusal_with_cors_headers_exposes_retry_after(adapter: Adapter) -> None:
    """Whoever adds them: here a policy that stands in for one with CORS."""

    class Cors(mantlet.Policy):
        def on_response(self, request: mantlet.Request, response: mantlet.Response) -> None:
            response.headers.set("Access-Control-Allow-Origin", "https://app.example")

    app = adapter.wrap(hello, Cors(), RateLimiter("1/hour", clock=lambda: 0))
    assert exposed(adapter.drive(app)) == {"RateLimit", "RateLimit-Policy"}
    refused = adapter.drive(app)
    assert refused.status == 429
    assert exposed(refused) == {"RateLimit", "RateLimit-Policy", "Retry-After"}
