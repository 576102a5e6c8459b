"""Refusals are events: a callable of the user's, and a few records that name no client."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import (
    Concurrency,
    ErrorEnvelope,
    RateLimiter,
    Rule,
    SecretLoader,
    SecretModel,
    keys,
)
from mantlet.secrets import Environment, Secret
from tests.drive import CLIENT, Adapter, AsgiAdapter, WsgiAdapter, both_adapters, hello
from tests.ratelimit.test_websocket_messages import client

if TYPE_CHECKING:
    from mantlet import Request
    from mantlet.ratelimit import Decision

NETWORK = "192.0.2.0/24"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Keep what the limiter logs."""
    caplog.set_level(logging.INFO, "mantlet.ratelimit")
    return caplog


class Listener:
    """A callable that keeps what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool, str, str | None]] = []

    def __call__(self, decision: Decision, request: Request) -> None:
        self.calls.append((decision.name, decision.allowed, request.path, request.client))


@both_adapters
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"quota": "1/hour"}, "default"),
        ({"quota": "1/hour; 50/day"}, "1/hour"),
        ({"quota": "1/hour", "cost": lambda _request: 1}, "default"),
        ({"rules": [Rule("GET /p", "1/hour")]}, "GET /p"),
        ({"quota": "1/hour", "count_if": lambda _response: True}, "default"),
    ],
    ids=["simple", "several", "cost", "rule", "count_if"],
)
def test_the_callable_gets_each_refusal(
    adapter: Adapter, options: dict[str, Any], name: str
) -> None:
    """With the decision and the request, and nothing for a request that passes."""
    listener = Listener()
    app = adapter.wrap(hello, RateLimiter(on_refuse=listener, clock=lambda: 0, **options))
    answers = [adapter.drive(app, path="/p").status for _ in range(3)]
    assert answers == [200, 429, 429]
    assert listener.calls == [(name, False, "/p", CLIENT)] * 2


@both_adapters
def test_the_callable_gets_a_denied_client(adapter: Adapter) -> None:
    """Which is refused as well, if not for its number of requests."""
    listener = Listener()
    app = adapter.wrap(hello, RateLimiter(deny=[NETWORK], on_refuse=listener))
    assert adapter.drive(app, path="/p").status == 403
    assert listener.calls == [("deny", False, "/p", CLIENT)]


@both_adapters
@pytest.mark.parametrize("mode", ["report", {"* /*": "report"}, "off"], ids=str)
def test_report_mode_refuses_nothing_and_calls_nobody(
    adapter: Adapter, mode: Any, log: pytest.LogCaptureFixture
) -> None:
    """A record that says "refused" would be wrong."""
    listener = Listener()
    limiter = RateLimiter(
        "1/hour", deny=["192.0.2.9"], on_refuse=listener, mode=mode, clock=lambda: 0
    )
    app = adapter.wrap(hello, limiter)
    clients = [CLIENT, CLIENT, "192.0.2.9"]
    assert [adapter.drive(app, client=client).status for client in clients] == [200] * 3
    assert listener.calls == []
    assert "RateLimiter refused" not in log.text


@both_adapters
def test_a_failing_callable_changes_nothing(
    adapter: Adapter, log: pytest.LogCaptureFixture
) -> None:
    """The request stays refused, and the failure is in the log, a few times."""

    def fail(_decision: Decision, _request: Request) -> None:
        raise KeyError("a fault of the user's")

    app = adapter.wrap(hello, RateLimiter("1/hour", on_refuse=fail, clock=lambda: 0))
    answers = [adapter.drive(app) for _ in range(40)]
    assert [answer.status for answer in answers] == [200] + [429] * 39
    failures = [record for record in log.records if record.levelno == logging.ERROR]
    assert 0 < len(failures) < 20
    assert failures[0].getMessage() == "RateLimiter: on_refuse failed with KeyError"
    assert failures[0].exc_info is not None


@both_adapters
def test_a_failing_callable_gives_away_no_secret(
    adapter: Adapter, log: pytest.LogCaptureFixture
) -> None:
    """Its exception is masked as the app's are."""

    class App(SecretModel):
        token: Secret[str]

    def fail(_decision: Decision, _request: Request) -> None:
        raise KeyError("kR7-vT2_qX9.mB4w")

    secrets = SecretLoader(App, sources=[Environment({"TOKEN": "kR7-vT2_qX9.mB4w"})])
    app = adapter.wrap(hello, secrets, RateLimiter("1/hour", on_refuse=fail, clock=lambda: 0))
    assert [adapter.drive(app).status for _ in range(2)] == [200, 429]
    assert "on_refuse failed" in log.text
    assert "kR7-vT2_qX9.mB4w" not in log.text


@pytest.mark.parametrize("mistake", ["print", 5, asyncio.sleep])
def test_the_callable_must_be_a_plain_function(mistake: Any) -> None:
    """Nobody would await it."""
    with pytest.raises(TypeError, match="on_refuse must be a plain function"):
        RateLimiter("1/hour", on_refuse=mistake)


# -- records --------------------------------------------------------------------------------------


@both_adapters
def test_a_record_says_what_was_refused_and_not_whom(
    adapter: Adapter, log: pytest.LogCaptureFixture
) -> None:
    """The names of the configuration, the request id, and a fingerprint of the key."""
    limiter = RateLimiter(rules=[Rule("POST /login/{name}", "1/hour")], clock=lambda: 0)
    app = adapter.wrap(hello, ErrorEnvelope(), limiter)
    for _ in range(2):
        answer = adapter.drive(app, "POST", "/login/somebody")
    (record,) = log.records
    found = vars(record)
    assert found["policy"] == "RateLimiter"
    assert found["limit"] == "POST /login/{name}"
    assert found["route"] == "POST /login/{name}"
    assert found["method"] == "POST"
    assert found["request_id"] == answer.get("X-Request-ID")
    assert found["repeats"] == 0
    assert record.getMessage() == (
        f"RateLimiter refused a request by the limit POST /login/{{name}} (POST, route "
        f"POST /login/{{name}}, request {found['request_id']}, key {found['key_fingerprint']})"
    )
    assert CLIENT not in str(found)
    assert "somebody" not in str(found)


@both_adapters
def test_a_flood_leaves_few_records(adapter: Adapter, log: pytest.LogCaptureFixture) -> None:
    """Whatever the clients send, and however many they are: a kind is a limit."""
    limiter = RateLimiter("1/hour", key=keys.header("X-Key"), clock=lambda: 0)
    app = adapter.wrap(hello, limiter)
    for number in range(120):
        headers = [("X-Key", f"key-{number}"), ("X-Request-ID", f"{number}")]
        for _ in range(2):
            adapter.drive(app, "GET", f"/{number}", headers=headers)
    assert 0 < len(log.records) < 30
    assert "key-1" not in log.text
    assert any(vars(record)["repeats"] for record in log.records)


@both_adapters
def test_kinds_do_not_hide_each_other(adapter: Adapter, log: pytest.LogCaptureFixture) -> None:
    """A flood of one rule, and one refusal of another."""
    rules = [Rule("GET /a", "1/hour"), Rule("GET /b", "1/hour")]
    app = adapter.wrap(hello, RateLimiter(rules=rules, clock=lambda: 0))
    for path in ["/a"] * 50 + ["/b"] * 2:
        adapter.drive(app, path=path)
    assert vars(log.records[-1])["limit"] == "GET /b"


@both_adapters
def test_a_key_has_one_fingerprint(adapter: Adapter, log: pytest.LogCaptureFixture) -> None:
    """For all limits and in one process, so that records can be matched; another key another."""
    rules = [Rule("GET /a", "1/hour"), Rule("GET /b", "1/hour", cost=lambda _request: 1)]
    app = adapter.wrap(hello, RateLimiter(rules=rules, clock=lambda: 0))
    for peer in (CLIENT, "192.0.2.2"):
        for path in ("/a", "/a", "/b", "/b"):
            adapter.drive(app, path=path, client=peer)
    found = [vars(record)["key_fingerprint"] for record in log.records]
    assert found[0] == found[1] != found[2] == found[3]
    assert all(len(one) == 12 for one in found)


def test_a_fingerprint_can_not_be_guessed(log: pytest.LogCaptureFixture) -> None:
    """There are only so many addresses: a hash without a secret would be no secret."""
    found = set()
    for _ in range(2):
        app = AsgiAdapter().wrap(hello, RateLimiter("1/hour", clock=lambda: 0))
        for _ in range(2):
            AsgiAdapter().drive(app)
        found.add(vars(log.records[-1])["key_fingerprint"])
    assert len(found) == 2


@both_adapters
@pytest.mark.breaks_rules("a client's method is not a registered one")
def test_no_text_of_the_client_is_in_a_record(
    adapter: Adapter, log: pytest.LogCaptureFixture
) -> None:
    """Not its method either."""
    app = adapter.wrap(hello, RateLimiter("1/hour", clock=lambda: 0))
    for _ in range(2):
        adapter.drive(app, "SPOOFED", "/forged", headers=[("X-Request-ID", "forged\x1b[31m")])
    assert vars(log.records[0])["method"] == "-"
    assert "SPOOFED" not in str(vars(log.records[0]))
    assert "forged" not in str(vars(log.records[0]))


def test_a_bound_is_named(log: pytest.LogCaptureFixture) -> None:
    """The one that refuses, of several."""
    adapter = WsgiAdapter()
    bound = Concurrency(1, name="flights")
    inside: list[int | None] = []

    def nested(environ: Any) -> Any:
        inside.append(adapter.drive(app).status)
        return hello(environ)

    app = adapter.wrap(nested, RateLimiter("9/hour; 8/day", concurrency=bound, clock=lambda: 0))
    assert adapter.drive(app).status == 200
    assert inside == [429]
    assert [vars(record)["limit"] for record in log.records] == ["flights"]


def test_messages_are_refused_as_messages(log: pytest.LogCaptureFixture) -> None:
    """Dropped, or the connection closed."""
    listener = Listener()
    rule = Rule("* /ws", "1/hour", per="message", over="drop")
    limiter = RateLimiter(rules=[rule], on_refuse=listener, clock=lambda: 0)
    with client(limiter).websocket_connect("/ws") as connection:
        for text in "abc":
            connection.send_text(text)
        assert connection.receive_text() == "a 0"
    assert [name for name, *_ in listener.calls] == ["* /ws", "* /ws"]
    assert vars(log.records[0])["route"] == "* /ws"
    assert "refused a message" in log.records[0].getMessage()
