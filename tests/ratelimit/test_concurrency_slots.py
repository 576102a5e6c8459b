"""When a request in flight gives its place back: at its end, whatever that is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

import mantlet
from mantlet import Concurrency, Policy, RateLimiter, Reply
from tests.conformance.checkers import check_asgi, check_wsgi
from tests.drive import (
    Adapter,
    Answer,
    AsgiAdapter,
    Said,
    ask_asgi,
    both_adapters,
    drive_wsgi,
    hello,
    make_environ,
    make_scope,
)
from tests.ratelimit.outages import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.websockets import WebSocket

    from mantlet import Request
    from mantlet._internal.asgi_types import Receive, Scope, Send
    from mantlet.ratelimit.stores.base import Store


def bound() -> RateLimiter:
    """Return a limiter with one place for each client."""
    return RateLimiter(concurrency=Concurrency(1))


def failing(carrier: Any) -> Said:
    raise RuntimeError("seeded-secret")


class Refuse(Policy):
    def on_request(self, request: Request) -> Reply:
        return Reply(403)


@both_adapters
@pytest.mark.parametrize("limited", [{}, {"quota": "9/hour"}], ids=["alone", "with a quota"])
def test_a_place_is_free_after_the_answer(adapter: Adapter, limited: dict[str, Any]) -> None:
    """One client after the other."""
    app = adapter.wrap(hello, RateLimiter(concurrency=Concurrency(1), **limited))
    assert [adapter.drive(app).status for _ in range(5)] == [200] * 5


@both_adapters
def test_a_place_is_free_after_an_error_of_the_app(adapter: Adapter) -> None:
    """A failing app does not lock its clients out."""
    app = adapter.wrap(failing, bound())
    errors = [adapter.drive(app).error for _ in range(3)]
    assert [type(error) for error in errors] == [RuntimeError] * 3


@both_adapters
def test_a_place_is_free_after_a_policy_further_in_has_refused(adapter: Adapter) -> None:
    """The exchange has ended all the same."""
    app = adapter.wrap(hello, bound(), Refuse())
    assert [adapter.drive(app).status for _ in range(3)] == [403] * 3


@both_adapters
def test_a_limiter_around_an_app_twice_gives_both_places_back(adapter: Adapter) -> None:
    """Around a whole site, say, and around one of the apps that are mounted in it."""
    limiter = RateLimiter(concurrency=Concurrency(2))
    app = adapter.wrap(hello, limiter, limiter)
    assert [adapter.drive(app).status for _ in range(4)] == [200] * 4


def test_a_streaming_answer_holds_its_place_until_it_is_closed_under_wsgi() -> None:
    """The server is at work until then."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        yield b"b"

    stack = mantlet.wsgi.wrap(check_wsgi(app), bound(), baseline=False)
    body: Any = stack(make_environ(), lambda *_: lambda _: None)
    chunks = iter(body)
    assert next(chunks) == b"a"
    assert drive_wsgi(stack).status == 429
    assert next(chunks) == b"b"
    assert drive_wsgi(stack).status == 429
    assert list(chunks) == []
    body.close()
    assert drive_wsgi(stack).status == 200


@pytest.mark.parametrize("read", [0, 1])
def test_a_place_is_free_when_the_client_of_a_stream_is_gone_under_wsgi(read: int) -> None:
    """The server closes what it does not read on."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        yield b"b"

    stack = mantlet.wsgi.wrap(app, bound(), baseline=False)
    body: Any = stack(make_environ(), lambda *_: lambda _: None)
    chunks = iter(body)
    assert [next(chunks) for _ in range(read)] == [b"a"] * read
    body.close()
    assert drive_wsgi(stack).status == 200


class Stream:
    """An ASGI app that streams until it is told to end, to fail, or hears its client go."""

    def __init__(self, limiter: RateLimiter) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None
        self.stack = check_asgi(mantlet.asgi.wrap(check_asgi(self.app), limiter, baseline=False))

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; on the path ``/stream`` slowly."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            self.begun.set()
            await self.go.wait()
            if self.error is not None:
                raise self.error
        await send({"type": "http.response.body", "body": b"b"})

    async def ask(self, path: str = "/") -> Answer:
        """Send one request."""
        answer = Answer()
        await ask_asgi(self.stack, make_scope(path=path), [], answer)
        return answer


@pytest.mark.parametrize("end", ["answer", "error", "cancellation"])
def test_a_streaming_answer_holds_its_place_until_its_end_under_asgi(end: str) -> None:
    """Whatever that is."""

    async def run() -> tuple[int | None, int | None]:
        stream = Stream(bound())
        task = asyncio.create_task(stream.ask("/stream"))
        await stream.begun.wait()
        during = (await stream.ask()).status
        stream.error = RuntimeError("broken") if end == "error" else None
        stream.go.set()
        if end == "cancellation":
            task.cancel()
        (found,) = await asyncio.gather(task, return_exceptions=True)
        ends = {"answer": Answer, "error": RuntimeError, "cancellation": asyncio.CancelledError}
        assert isinstance(found, ends[end])
        return during, (await stream.ask()).status

    assert asyncio.run(run()) == (429, 200)


def test_a_place_is_free_after_a_cancellation_before_the_store_has_answered() -> None:
    """It may have been taken by then, and nobody else would give it back."""

    class Slow(Broken):
        """Takes at once, and says so late."""

        async def _later(self, method: str, arguments: Any) -> Any:
            found = self._now(method, arguments)
            if method == "take" and not asked.is_set():
                asked.set()
                await asyncio.Event().wait()
            return found

        def bind(self, is_async: bool) -> Store:
            bound = Slow()
            bound.__dict__ |= self.__dict__ | {"is_async": is_async}
            return bound

    async def run() -> int | None:
        store = Slow()
        store.out.clear()
        stack = mantlet.asgi.wrap(
            AsgiAdapter().app(hello),
            RateLimiter(concurrency=Concurrency(1), store=store),
            baseline=False,
        )
        task = asyncio.create_task(ask_asgi(stack, make_scope(), [], Answer()))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        answer = Answer()
        await ask_asgi(stack, make_scope(), [], answer)
        return answer.status

    asked = asyncio.Event()
    assert asyncio.run(run()) == 200


def test_a_websocket_holds_its_place_until_it_is_closed() -> None:
    """A connection is in flight for as long as it is open."""

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    app = Starlette(routes=[WebSocketRoute("/ws", echo)])
    client = TestClient(mantlet.asgi.wrap(app, bound(), baseline=False))
    for _ in range(2):
        with client.websocket_connect("/ws") as connection:
            with (
                pytest.raises(WebSocketDenialResponse) as refused,
                client.websocket_connect("/ws"),
            ):
                pass
            assert refused.value.status_code == 429
            connection.send_text("still here")
            assert connection.receive_text() == "still here"
