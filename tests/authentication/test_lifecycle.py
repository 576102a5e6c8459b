"""The start, the stop and the health of an `Authenticator` are those of its schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mantlet import ApiKeys, Authenticator, Basic, Health, Session
from mantlet.core.policy import has_hook
from mantlet.testing import PROTOCOLS, PolicyClient, Protocol
from tests.authentication.asking import KEYS, WITH_KEY, Tokens, bearer, is_right, load

if TYPE_CHECKING:
    from mantlet.core.policy import HealthState

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


class Provided(Tokens):
    """Tokens that need a provider."""

    def __init__(self, state: HealthState = "ok") -> None:
        super().__init__()
        self.state = state
        self.calls: list[str] = []
        self.fails = False

    async def startup(self) -> None:
        self.calls.append("startup")
        if self.fails:
            raise ConnectionError("the provider is away")

    async def shutdown(self) -> None:
        self.calls.append("shutdown")

    def health(self) -> HealthState:
        return self.state


@both_protocols
def test_schemes_are_started_and_stopped(protocol: Protocol) -> None:
    tokens = Provided()
    with PolicyClient(Authenticator(ApiKeys(KEYS), tokens), protocol=protocol) as client:
        assert tokens.calls == ["startup"]
        assert client.get("/", headers=[bearer("good")]).status == 200
    assert tokens.calls == ["startup", "shutdown"]


@both_protocols
def test_only_public_routes_are_open_before_the_start(protocol: Protocol) -> None:
    tokens = Provided()
    tokens.fails = True
    auth = Authenticator(ApiKeys(KEYS), tokens, public=["GET /health"])
    client = PolicyClient(auth, protocol=protocol)
    assert client.get("/health").status == 200
    assert client.get("/", headers=[bearer("good")]).status == 503
    assert client.get("/", headers=[WITH_KEY]).status == 503
    assert client.get("/").status == 503
    assert len(client.requests) == 1


@both_protocols
@pytest.mark.parametrize(
    ("states", "ready", "found"),
    [
        (["ok"], 200, {"tokens": "ok"}),
        (["stale"], 200, {"tokens": "stale"}),
        (["down"], 503, {"tokens": "down"}),
    ],
)
def test_health_is_that_of_the_providers(
    protocol: Protocol, states: list[HealthState], ready: int, found: dict[str, str]
) -> None:
    auth = Authenticator(*map(Provided, states), ApiKeys(KEYS))
    response = PolicyClient(Health(), auth, protocol=protocol).get("/-/ready")
    assert response.status == ready
    assert response.json()["checks"] == {"Authenticator": found}


def test_schemes_without_providers_need_no_start() -> None:
    auth = Authenticator(ApiKeys(KEYS), Session(load), Basic(is_right))
    for hook in ("startup", "shutdown", "health", "on_message"):
        assert not has_hook(auth, hook)
