"""WebSockets: the handshake is refused as a request is, and an expired credential ends them."""

from __future__ import annotations

import asyncio
from time import time
from typing import TYPE_CHECKING

import pytest

import mantlet
from mantlet import ApiKeys, Authenticator, Identity, Policy, Session
from mantlet.testing import PolicyClient
from tests.authentication import asking
from tests.authentication.asking import CHALLENGES, KEYS, WITH_KEY, bearer, every_scheme
from tests.drive import Adapter, both_adapters, make_scope

if TYPE_CHECKING:
    from mantlet import Message, Request
    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send


class Clock:
    """The time as the policy sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for module in ("authentication.callbacks", "asgi.websocket"):
            monkeypatch.setattr(f"mantlet.{module}.time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the time of the policy."""
    return Clock(monkeypatch)


@pytest.mark.parametrize(
    ("headers", "status", "challenge"),
    [
        ([], 401, CHALLENGES.format("")),
        ([bearer("expired")], 401, CHALLENGES.format(', error="invalid_token"')),
        ([bearer("good"), WITH_KEY], 400, 'Bearer realm="api", error="invalid_request"'),
        ([bearer("away")], 503, None),
    ],
)
def test_a_handshake_is_refused_as_a_request_is(
    headers: list[tuple[str, str]], status: int, challenge: str | None
) -> None:
    session = PolicyClient(Authenticator(*every_scheme())).websocket("/ws", headers=headers)
    assert not session.accepted
    assert session.response is not None
    assert session.response.status == status
    assert session.response.headers.get("WWW-Authenticate") == challenge
    assert session.response.headers["Cache-Control"] == "no-store"


def test_a_token_in_the_query_opens_no_connection() -> None:
    session = PolicyClient(Authenticator(*every_scheme())).websocket("/ws?access_token=good")
    assert not session.accepted


@pytest.mark.parametrize(
    "header", [bearer("good"), WITH_KEY, ("Cookie", "session=s1")], ids=lambda header: header[0]
)
def test_a_valid_credential_opens_a_connection(header: tuple[str, str]) -> None:
    session = PolicyClient(Authenticator(*every_scheme())).websocket("/ws", ["a"], headers=[header])
    assert session.accepted
    assert session.messages == ["a"]


def test_a_public_route_is_public_for_handshakes_too() -> None:
    client = PolicyClient(Authenticator(*every_scheme(), public=["GET /live"]))
    assert client.websocket("/live", ["a"]).messages == ["a"]
    assert not client.websocket("/other").accepted


def expiring(clock: Clock, *, close_expired: bool = True) -> Authenticator:
    """Return a policy whose sessions last three seconds."""

    def load(value: str) -> Identity:
        return Identity(value, "session", expires=clock.now + 3)

    return Authenticator(Session(load), close_expired=close_expired)


class Ticks(Policy):
    """Lets as many seconds pass as the client's message says."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_message(self, request: Request, message: Message) -> Message:
        if message.direction == "in":
            self.clock.now += float(message.data)
        return message


@pytest.mark.parametrize("close_expired", [True, False])
def test_the_first_message_after_the_end_closes_the_connection(
    clock: Clock, close_expired: bool
) -> None:
    client = PolicyClient(Ticks(clock), expiring(clock, close_expired=close_expired))
    session = client.websocket("/ws", ["1", "1.5", "0.5", "1"], headers=[("Cookie", "session=ada")])
    assert session.accepted
    if close_expired:
        assert session.messages == ["1", "1.5"]
        assert session.close_code == 4401
    else:
        assert session.messages == ["1", "1.5", "0.5", "1"]
        assert session.close_code is None


def test_a_message_of_the_app_closes_it_as_well(clock: Clock) -> None:
    auth = expiring(clock)

    session = PolicyClient(auth, Ticks(clock)).websocket(
        "/ws", ["5"], headers=[("Cookie", "session=ada")]
    )
    assert session.messages == []
    assert session.close_code == 4401


def test_a_connection_on_which_nothing_is_sent_is_closed_when_its_credential_expires() -> None:
    """Also if its own policy does not look at messages otherwise."""
    heard: list[AsgiMessage] = []
    sent: list[AsgiMessage] = []
    events: list[AsgiMessage] = [{"type": "websocket.connect"}]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append(await receive())
        await send({"type": "websocket.accept"})
        heard.append(await receive())

    async def receive() -> AsgiMessage:
        if not events:
            await asyncio.Event().wait()
        return events.pop()

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    keys = ApiKeys(lambda _: Identity("ada", "api_key", expires=time() + 0.02))
    stack = mantlet.asgi.wrap(app, Authenticator(keys, close_expired=True), baseline=False)
    scope = make_scope("GET", "/ws", scope={"type": "websocket"}, headers=[WITH_KEY])
    asyncio.run(stack(scope, receive, send))
    assert heard[1]["code"] == 4401
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[1]["code"] == 4401


def test_each_authenticator_keeps_the_end_of_its_own_credential(clock: Clock) -> None:
    """An inner one that knows of no end does not keep the outer one's connection open."""
    outer = expiring(clock)
    inner = Authenticator(ApiKeys(KEYS), close_expired=True)
    session = PolicyClient(Ticks(clock), outer, inner).websocket(
        "/ws", ["1", "5"], headers=[("Cookie", "session=ada"), WITH_KEY]
    )
    assert session.messages == ["1"]
    assert session.close_code == 4401


def test_connections_without_an_end_stay_open(clock: Clock) -> None:
    auth = Authenticator(ApiKeys(KEYS), close_expired=True, public=["GET /live"])
    client = PolicyClient(Ticks(clock), auth)
    for target, headers in (("/ws", [WITH_KEY]), ("/live", [])):
        assert client.websocket(target, ["1e6", "1e9"], headers=headers).messages == ["1e6", "1e9"]


@both_adapters
def test_the_option_changes_nothing_for_requests(adapter: Adapter, clock: Clock) -> None:
    app = adapter.wrap(asking.whoami, expiring(clock))
    answer = adapter.drive(app, headers=[("Cookie", "session=ada")])
    assert answer.body == b"ada by session"
