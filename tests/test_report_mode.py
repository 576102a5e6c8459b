"""Every policy in report mode: the client and the app get what they would get without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

import mantlet
from mantlet import (
    Allow,
    ApiKeys,
    Authenticator,
    Authorizer,
    Cors,
    CrossOrigin,
    ErrorEnvelope,
    Hosts,
    Idempotency,
    OutputSanitizer,
    Policy,
    RateLimiter,
    SchemaGuard,
    Secret,
    SecretLoader,
    SecretModel,
    Version,
    VersionedGuard,
    Versions,
)
from mantlet.secrets import Environment
from mantlet.versions import header
from tests.drive import ADAPTERS, Adapter

if TYPE_CHECKING:
    from mantlet.core.modes import ModeOption

TOKEN = "kR7-vT2_qX9.mB4w"


class Item(BaseModel):
    name: str


class App(SecretModel):
    token: Secret[str]


def every(mode: ModeOption) -> list[Policy]:
    """Return every policy, each configured so that it would act on every request."""
    secrets = SecretLoader(
        App,
        sources=[Environment({"TOKEN": TOKEN})],
        mode=mode if isinstance(mode, str) else "enforce",  # secrets have no routes
    )
    return [
        OutputSanitizer(headers="api", mask=["name"], secrets=secrets, mode=mode),
        ErrorEnvelope(convert="always", mode=mode),
        secrets,
        Cors(origins="https://app.example", mode=mode),
        Hosts(allowed=["shop.example"], mode=mode),
        Versions({"1": Version()}, read=[header("API-Version")], mode=mode),
        Authenticator(ApiKeys({}), mode=mode),
        Authorizer(rules=[Allow("GET /others")], unmatched="hide", mode=mode),
        CrossOrigin(mode=mode),
        RateLimiter("1/hour", mode=mode),
        SchemaGuard({"POST /items": Item}, mode=mode),
        VersionedGuard({"2": SchemaGuard({"POST /items": Item}, mode=mode)}, mode=mode),
        Idempotency(store="memory://", required=["POST /*"], mode=mode),
    ]


def app(carrier: Any) -> Any:
    """Answer with headers and a body that each policy would change."""
    path = carrier.get("path") or carrier.get("PATH_INFO")
    if path == "/crash":
        raise ValueError(TOKEN)
    if path == "/missing":
        return 404, [("content-type", "text/html"), ("server", "x/1.0")], b"<h1>Not Found</h1>"
    body = json.dumps({"name": "somebody", "token": TOKEN, "html": "</script>"}).encode()
    return 200, [("content-type", "application/json"), ("etag", '"1"')], body


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@pytest.mark.parametrize("mode", ["report", "off", {"* /*": "report"}, {"* /*": "off"}], ids=str)
@pytest.mark.parametrize("path", ["/items", "/missing", "/crash", "/other"])
def test_nothing_changes(adapter: Adapter, mode: ModeOption, path: str) -> None:
    """Repeatedly, so that the rate limit is exceeded, and with nothing that may pass."""
    bare = adapter.app(app)
    stack = adapter.wrap(app, *every(mode))
    request: dict[str, Any] = {
        "method": "POST",
        "path": path,
        "body": b'{"other": 1}',
        "headers": [
            ("content-type", "application/json"),
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("cookie", "session=1"),
            ("x-api-key", "another"),
        ],
    }
    for _ in range(3):
        expected = adapter.drive(bare, **request)
        answer = adapter.drive(stack, **request)
        assert (answer.status, answer.headers, answer.body) == (
            expected.status,
            expected.headers,
            expected.body,
        )
        assert type(answer.error) is type(expected.error)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_the_app_can_read_the_state_as_when_enforced(adapter: Adapter) -> None:
    """An app that reads its secrets or its validated body works in both modes."""
    seen: list[Any] = []

    def reads(carrier: Any) -> Any:
        state = mantlet.state(carrier)
        seen.append((state.validated.body, state.rate_limit.remaining, state.secrets.token))
        seen.append(state.request_id)
        return 200, [], b""

    stack = adapter.wrap(reads, *every("report"))
    answer = adapter.drive(
        stack,
        "POST",
        "/items",
        body=b'{"name": "a"}',
        headers=[("content-type", "application/json")],
    )
    assert (answer.status, answer.error) == (200, None)
    assert seen[0][0] == Item(name="a")
    assert seen[0][2].reveal() == TOKEN
    assert len(seen[1]) == 32


def test_the_environment_switches_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """``MANTLET_MODE=off`` on a developer's machine."""
    monkeypatch.setenv("MANTLET_MODE", "off")
    stack = ADAPTERS[0].wrap(app, *every("enforce"))
    for _ in range(3):
        answer = ADAPTERS[0].drive(stack, "GET", "/items")
        assert (answer.status, answer.headers[1]) == (200, ("etag", '"1"'))


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_an_envelope_that_only_reports_leaves_problems_alone(adapter: Adapter) -> None:
    """An enforced limiter inside it refuses with the same bytes as without it."""

    def refused(*outer: Policy) -> tuple[int | None, list[tuple[str, str]], bytes]:
        limiter = RateLimiter("1/hour", clock=lambda: 0)
        stack = adapter.wrap(lambda _: (200, [], b""), *outer, limiter)
        adapter.drive(stack)
        answer = adapter.drive(stack)
        return answer.status, answer.headers, answer.body

    assert refused()[0] == 429
    assert refused(ErrorEnvelope(mode="report")) == refused()
