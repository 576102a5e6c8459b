"""Messages over a WebSocket, which rules of their own limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

import mantlet
from mantlet import Quota, RateLimiter, Rule, keys
from tests.conformance.asgi_checker import AsgiChecker
from tests.drive import CLIENT, make_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request


async def echo(websocket: WebSocket) -> None:
    """Send everything back, in three pieces where it is text."""
    await websocket.accept()
    async for text in websocket.iter_text():
        for number in range(3):
            await websocket.send_text(f"{text} {number}")


async def echo_bytes(websocket: WebSocket) -> None:
    """Send everything back."""
    await websocket.accept()
    async for data in websocket.iter_bytes():
        await websocket.send_bytes(data)


def client(limiter: RateLimiter, endpoint: Callable[[WebSocket], Any] = echo) -> TestClient:
    """Return a client of an app behind a limiter."""
    paths = ("/ws", "/other", "/rooms/{room}")
    app = Starlette(routes=[WebSocketRoute(path, endpoint) for path in paths])
    stack = mantlet.asgi.wrap(AsgiChecker(app), limiter, baseline=False)
    return TestClient(AsgiChecker(stack), client=(CLIENT, 50000))


def messages(quota: Any = "2/hour", **options: Any) -> RateLimiter:
    """Return a limiter of messages."""
    rule = Rule("* /ws", quota, per="message", **options)
    return RateLimiter(rules=[rule], clock=lambda: 0)


def say(connection: Any, text: str = "x") -> list[str]:
    """Send a message; return what comes back."""
    connection.send_text(text)
    return [connection.receive_text() for _ in range(3)]


def closed(connection: Any, text: str = "x") -> tuple[int, str]:
    """Send a message that closes the connection; return with what."""
    connection.send_text(text)
    with pytest.raises(WebSocketDisconnect) as raised:
        connection.receive_text()
    return raised.value.code, raised.value.reason


# -- messages over the quota ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"), [({}, 1008), ({"close_code": 4429}, 4429)], ids=["default", "4429"]
)
def test_a_message_over_the_quota_closes_the_connection(options: dict[str, Any], code: int) -> None:
    """With the code for a policy's violation (RFC 6455, 7.4.1), or the one that is configured."""
    with client(messages(**options)).websocket_connect("/ws") as connection:
        assert say(connection, "a") == ["a 0", "a 1", "a 2"]
        assert say(connection, "b") == ["b 0", "b 1", "b 2"]
        assert closed(connection) == (code, "rate limit")


def test_the_app_does_not_see_the_message_that_closes() -> None:
    """It hears that the connection has ended."""
    heard: list[str] = []

    async def listen(websocket: WebSocket) -> None:
        await websocket.accept()
        with pytest.raises(WebSocketDisconnect) as raised:
            while True:
                heard.append(await websocket.receive_text())
        heard.append(str(raised.value.code))

    with client(messages(), listen).websocket_connect("/ws") as connection:
        for text in "abc":
            connection.send_text(text)
        with pytest.raises(WebSocketDisconnect):
            connection.receive_text()
    assert heard == ["a", "b", "1008"]


def test_a_message_over_the_quota_can_be_dropped_instead() -> None:
    """The connection stays open, and goes on when there are tokens again."""
    limiter = messages(over="drop")
    heard: list[str] = []

    async def run() -> None:
        texts = iter(["a", "b", "lost", "lost too", "later"])

        async def receive() -> Any:
            text = next(texts)
            if text == "later":
                limiter.reset(CLIENT, rule="* /ws")
            return {"type": "websocket.receive", "text": text}

        async def send(message: Any) -> None:
            assert message["type"] == "websocket.accept"

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept"})
            while "later" not in heard:
                heard.append((await receive())["text"])

        scope = make_scope(path="/ws", scope={"type": "websocket", "method": ...})
        await mantlet.asgi.wrap(app, limiter, baseline=False)(scope, receive, send)

    asyncio.run(run())
    assert heard == ["a", "b", "later"]


def test_what_the_app_sends_is_not_counted() -> None:
    """Three answers to each message, and two messages of two pass."""
    limiter = messages("3/hour")
    with client(limiter).websocket_connect("/ws") as connection:
        say(connection)
        say(connection)
    assert limiter.peek(CLIENT, rule="* /ws").remaining == 0


def test_bytes_count_as_text_does() -> None:
    """A message is a message."""
    with client(messages(), echo_bytes).websocket_connect("/ws") as connection:
        for _ in range(2):
            connection.send_bytes(b"x")
            assert connection.receive_bytes() == b"x"
        connection.send_bytes(b"")
        with pytest.raises(WebSocketDisconnect) as raised:
            connection.receive_bytes()
    assert raised.value.code == 1008


def test_connections_of_one_client_share_a_bucket() -> None:
    """Else a second connection would be a way around the rule."""
    limited = client(messages())
    with limited.websocket_connect("/ws") as one, limited.websocket_connect("/ws") as other:
        say(one)
        say(other)
        assert closed(one) == (1008, "rate limit")


def test_a_rule_for_messages_holds_for_its_paths_alone() -> None:
    """Elsewhere messages pass."""
    with client(messages("1/hour")).websocket_connect("/other") as connection:
        for _ in range(4):
            say(connection)


# -- the options of a rule for messages -----------------------------------------------------------


def test_a_message_costs_what_the_rule_says() -> None:
    """Two of three tokens, so the second is over."""
    with client(messages("3/hour", cost=2)).websocket_connect("/ws") as connection:
        say(connection)
        assert closed(connection) == (1008, "rate limit")


def test_the_key_says_whose_messages_they_are() -> None:
    """And where it is None they are not limited."""
    limited = client(messages("1/hour", key=keys.header("X-API-Key")))
    for key in "ab":
        with limited.websocket_connect("/ws", headers={"X-API-Key": key}) as connection:
            say(connection)
            assert closed(connection) == (1008, "rate limit")
    with limited.websocket_connect("/ws") as connection:
        for _ in range(3):
            say(connection)


def test_path_parameters_are_known_to_the_key_of_messages() -> None:
    """Each room has a bucket where the key says so."""
    rule = Rule("* /rooms/{room}", "1/hour", per="message", key=keys.path_parameter("room"))
    limited = client(RateLimiter(rules=[rule], clock=lambda: 0))
    for room in "ab":
        with limited.websocket_connect(f"/rooms/{room}") as connection:
            say(connection)
            assert closed(connection) == (1008, "rate limit")


@pytest.mark.parametrize("waits", [False, True], ids=["def", "async def"])
def test_a_function_tells_the_quota_of_messages(waits: bool) -> None:
    """By the handshake, whose header fields are those of the connection."""

    def plan(request: Request) -> str | None:
        return request.headers.get("x-plan")

    async def plan_later(request: Request) -> str | None:
        await asyncio.sleep(0)
        return plan(request)

    limited = client(messages(plan_later if waits else plan))
    with limited.websocket_connect("/ws", headers={"X-Plan": "1/hour"}) as connection:
        say(connection)
        assert closed(connection) == (1008, "rate limit")
    with limited.websocket_connect("/ws") as connection:
        for _ in range(3):
            say(connection)


def test_several_rules_for_messages_hold_together() -> None:
    """All or nothing, and the one that refuses says how."""
    rules = [
        Rule("* /ws", Quota("9/hour", name="many"), per="message"),
        Rule("* /ws", Quota("1/minute", name="few"), per="message", close_code=4000),
    ]
    limiter = RateLimiter(rules=rules, clock=lambda: 0)
    with client(limiter).websocket_connect("/ws") as connection:
        say(connection)
        assert closed(connection) == (4000, "rate limit")
    many, few = limiter.peek(CLIENT, rule="* /ws").parts
    assert (many.is_within_limit, few.is_within_limit) == (True, False)
    assert many.remaining == 8


def test_an_exempt_rule_for_messages_leaves_them_alone() -> None:
    """Though another rule of the pattern limits them."""
    rules = [
        Rule("* /ws", "1/hour", per="message"),
        Rule("* /ws", per="message", exempt=True),
    ]
    limited = client(RateLimiter(rules=rules, clock=lambda: 0))
    with limited.websocket_connect("/ws") as connection:
        for _ in range(3):
            say(connection)


def test_messages_in_report_mode_pass(caplog: pytest.LogCaptureFixture) -> None:
    """What would have been refused is in the log."""
    caplog.set_level("INFO", "mantlet.ratelimit")
    with client(messages(mode="report")).websocket_connect("/ws") as connection:
        for _ in range(3):
            say(connection)
    said = ["RateLimiter would have refused a message by the limit * /ws"]
    assert [record.getMessage() for record in caplog.records] == said


def test_a_failing_cost_closes_the_connection() -> None:
    """No message passes that could not be judged."""

    def broken(request: Request) -> int:
        raise LookupError("seeded-secret")

    limited = client(messages(cost=broken))
    with (
        pytest.raises(LookupError),
        limited.websocket_connect("/ws") as connection,
    ):
        assert closed(connection) == (1011, "")
