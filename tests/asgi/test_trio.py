"""Stacks on the event loop of Trio."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import trio

import mantlet
from mantlet import OutputSanitizer, Policy, RateLimiter
from mantlet.exceptions import StartupError
from mantlet.ratelimit import Quota
from tests.drive import make_scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mantlet import Request
    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

BODY = json.dumps([{"password": "hunter2"}] * 10_000).encode()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


async def forever() -> AsgiMessage:
    await trio.sleep_forever()
    raise AssertionError


async def exchange(stack: Any, receive: Receive = forever, **scope: Any) -> list[AsgiMessage]:
    sent: list[AsgiMessage] = []

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    await stack(make_scope("GET", "/", scope=scope), receive, send)
    return sent


async def all_at_once(count: int, fn: Callable[[], Awaitable[Any]]) -> list[Any]:
    results: list[Any] = []

    async def one() -> None:
        results.append(await fn())

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return results


class Pauses(Policy):
    """Waits in each request, or for the next one."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def on_request(self, request: Request) -> None:
        await request.pause(self.seconds)


class Opens(Policy):
    """Takes time to start."""

    def __init__(self) -> None:
        self.starts = 0

    async def startup(self) -> None:
        await trio.sleep(0.01)
        self.starts += 1

    def on_request(self, request: Request) -> None:
        assert self.starts


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_request_that_pauses_lets_others_go_on(kind: str) -> None:
    stack = mantlet.asgi.wrap(app, Pauses(0.01), baseline=False)

    async def main() -> float:
        begin = trio.current_time()
        assert len(await all_at_once(50, lambda: exchange(stack, type=kind))) == 50
        return trio.current_time() - begin

    seconds: float = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert seconds < 0.5


def test_a_client_that_goes_away_ends_its_pause() -> None:
    async def leave() -> AsgiMessage:
        return {"type": "http.disconnect"}

    stack = mantlet.asgi.wrap(app, Pauses(600), baseline=False)
    assert trio.run(exchange, stack, leave)[0]["status"] == 400


def test_requests_wait_for_a_policy_that_starts() -> None:
    policy = Opens()
    stack = mantlet.asgi.wrap(app, policy, startup="lazy", baseline=False)
    for run in (1, 2):  # on two loops
        sent = trio.run(all_at_once, 20, lambda: exchange(stack))
        assert [messages[0]["status"] for messages in sent] == [200] * 20, run
    assert policy.starts == 1


def test_a_long_body_is_masked_in_turns() -> None:
    stack = mantlet.asgi.wrap(app, OutputSanitizer(mask=["password"]))

    async def main() -> None:
        sent = await exchange(stack)
        body = b"".join(message.get("body", b"") for message in sent)
        assert body == BODY.replace(b"hunter2", b"***")

    trio.run(main)


def test_a_limiter_delays_requests() -> None:
    limiter = RateLimiter("100/second burst 1", delay=1)
    stack = mantlet.asgi.wrap(app, limiter, baseline=False)
    sent = trio.run(all_at_once, 5, lambda: exchange(stack))
    assert [messages[0]["status"] for messages in sent] == [200] * 5


def test_a_store_on_the_network_is_refused_at_the_start() -> None:
    limiter = RateLimiter("1/minute", store="valkey://127.0.0.1:1")
    stack = mantlet.asgi.wrap(app, limiter, baseline=False)
    with pytest.raises(StartupError, match=r"needs asyncio.*lmdb://"):
        trio.run(stack._lifecycle.start)


def test_windows_on_the_network_are_refused_with_words(caplog: pytest.LogCaptureFixture) -> None:
    windows = RateLimiter(Quota("1/minute", window="fixed"), store="memcached://127.0.0.1:1")
    sent = trio.run(exchange, mantlet.asgi.wrap(app, windows))
    assert sent[0]["status"] == 500
    assert "windows on the network need asyncio" in caplog.text
