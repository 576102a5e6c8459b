"""The laws of the architecture page for random limiters: fusion, and both protocols alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet import Ban, Concurrency, RateLimiter, Rule, keys, on_status
from tests.conformance.test_laws import apart_asgi, apart_wsgi
from tests.drive import AsgiAdapter, WsgiAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mantlet import Request
    from mantlet.ratelimit.decision import Decision
    from mantlet.ratelimit.quota import LimitMode
    from tests.drive import Said

pytestmark = pytest.mark.slow

SECOND = 1_000_000_000
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
PREFLIGHT = (("Origin", "https://app.example"), ("Access-Control-Request-Method", "PUT"))

#: Whose tokens a rule takes.
KEYS = (
    None,
    keys.constant(),
    keys.header("X-API-Key"),
    keys.field("username"),
    keys.field("username", missing="share"),
    keys.client_address() & keys.field("username", missing="share"),
    keys.client_address(trusted_proxies=["192.0.2.9"]),
)

quotas = st.sampled_from(["2/second", "2/minute", "5/second burst 2", "2/second; 3/minute"])
modes: st.SearchStrategy[LimitMode] = st.sampled_from(
    ["enforce", "enforce", "enforce", "report", "off"]
)
counts = st.sampled_from([None, None, on_status(401), on_status(range(500, 600))])
bans = st.sampled_from([None, None, Ban(after=1, within=5, seconds=3)])


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Draw a rule, exempt or with limits."""
    pattern = draw(st.sampled_from(["POST /login", "* /login", "GET /{page}", "* /*"]))
    kind = draw(st.sampled_from(["quota", "quota", "quota", "slots", "exempt"]))
    if kind == "exempt":
        return Rule(pattern, exempt=True, mode=draw(modes))
    if kind == "slots":
        return Rule(pattern, concurrency=Concurrency(1, mode=draw(modes)), mode=draw(modes))
    return Rule(
        pattern,
        draw(quotas),
        key=draw(st.sampled_from(KEYS)),
        count_if=draw(counts),
        ban=draw(bans),
        cost=draw(st.sampled_from([0, 1, 1, 2])),
        override=draw(st.booleans()),
        mode=draw(modes),
    )


@st.composite
def options(draw: st.DrawFn) -> Mapping[str, Any]:
    """Draw the options of a limiter, without its clock."""
    found = draw(st.lists(rules(), max_size=2, unique_by=lambda rule: rule.pattern))
    return {
        "quota": draw(quotas),
        "rules": found,
        "count_if": draw(counts),
        "concurrency": draw(st.sampled_from([None, None, Concurrency(2, name="all")])),
        "allow": draw(st.sampled_from([(), (), ["192.0.2.2"]])),
        "deny": draw(st.sampled_from([(), (), ["192.0.2.0/28"], ["192.0.2.3"]])),
        "count_preflights": draw(st.booleans()),
        "headers": draw(st.sampled_from(["draft", "draft", None])),
        "mode": draw(st.sampled_from(["enforce", "enforce", "report", {"* /login": "report"}])),
    }


class Sent(NamedTuple):
    """One request, and what the app does with it; after a pause, in seconds."""

    pause: float
    method: str
    path: str
    client: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int


requests = st.builds(
    Sent,
    st.sampled_from([0, 0, 0.5, 2, 40]),
    st.sampled_from(["GET", "POST", "POST", "HEAD", "OPTIONS"]),
    st.sampled_from(["/login", "/login", "/login/", "//login", "/a/b"]),
    st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9", "2001:db8::1"]),
    st.sampled_from(
        [(), (FORM,), (JSON,), PREFLIGHT, (("X-API-Key", "k"),), (("X-Forwarded-For", "1.2.3.4"),)]
    ),
    st.sampled_from([b"", b"username=alice", b'{"username": "alice"}', b"x" * 70_000]),
    st.sampled_from([200, 200, 401, 503, 0]),
)


class Site:
    """An app behind limiters with a clock of their own, under one protocol."""

    def __init__(
        self, adapter: Any, chosen: Sequence[Mapping[str, Any]], *, nested: bool = False
    ) -> None:
        self.adapter = adapter
        self.now = 0
        self.calls = 0
        self.status = 200
        self.refused: list[tuple[int, str, bool]] = []
        limiters = [self._limiter(place, one) for place, one in enumerate(chosen)]
        apart: Any = apart_asgi if adapter.name == "asgi" else apart_wsgi
        self.app = adapter.app(self._answer)
        for policies in [[one] for one in reversed(limiters)] if nested else [limiters]:
            self.app = apart(adapter.module.Stack(self.app, policies))

    def _limiter(self, place: int, one: Mapping[str, Any]) -> RateLimiter:
        def refused(decision: Decision, _: Request) -> None:
            self.refused.append((place, decision.name, decision.is_banned))

        namespace = f"limiter {place}"
        return RateLimiter(clock=lambda: self.now, on_refuse=refused, namespace=namespace, **one)

    def _answer(self, _: object) -> Said:
        self.calls += 1
        if not self.status:
            raise ValueError("the app's own")
        fields = [("access-control-allow-origin", "*"), ("x-app", str(self.calls))]
        return self.status, fields, b""

    def ask(self, sent: Sent) -> object:
        """Send a request; return everything that a client can tell of its response."""
        self.now += int(sent.pause * SECOND)
        self.status = sent.status
        answer = self.adapter.drive(
            self.app,
            sent.method,
            sent.path,
            headers=sent.headers,
            body=sent.body,
            client=sent.client,
        )
        fields = [(name.lower(), value) for name, value in answer.headers]
        return answer.status, fields, answer.body, repr(answer.error), self.calls


@settings(deadline=None, max_examples=120)
@given(st.lists(options(), min_size=1, max_size=2), st.lists(requests, min_size=3, max_size=8))
def test_limiters_keep_the_laws(chosen: list[Mapping[str, Any]], sent: list[Sent]) -> None:
    """Laws 2 and 3: neither fusion nor the protocol can be told from what limiters decide."""
    sites = [
        Site(adapter, chosen, nested=nested)
        for adapter in (AsgiAdapter(), WsgiAdapter())
        for nested in (False, True)
    ]
    first, *others = sites
    for one in sent:
        expected = first.ask(one)
        assert [site.ask(one) for site in others] == [expected] * len(others)
    assert [site.refused for site in others] == [first.refused] * len(others)
