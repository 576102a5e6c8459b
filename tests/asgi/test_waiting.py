"""Hooks that wait for I/O while an answer is on its way out, on a real event loop."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ErrorEnvelope, Policy, Reply, Request, Response, ResponseTooLarge
from tests.conformance.checkers import check_asgi
from tests.drive import make_scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send

#: Set by an app, to be seen by hooks in the same task.
TENANT: ContextVar[str] = ContextVar("TENANT", default="nobody")


def app(*chunks: bytes, status: int = 200, error: Exception | None = None) -> AsgiApp:
    """Return an app that streams ``chunks``, then raises ``error`` if there is one.

    An app that answers with 500 raises behind its last chunk, as Starlette does.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        TENANT.set("acme")
        await asyncio.sleep(0)
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for chunk in chunks:
            more = status < 500 or chunk is not chunks[-1]
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
        if error is not None:
            raise error
        await send({"type": "http.response.body", "body": b""})

    return answer


async def ask(inner: AsgiApp, *policies: Policy) -> tuple[int, bytes]:
    """Send a request to an app in a stack; return the status and the body."""
    sent: list[AsgiMessage] = []

    async def receive() -> AsgiMessage:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: AsgiMessage) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    stack = check_asgi(mantlet.asgi.Stack(check_asgi(inner), policies))
    await stack(make_scope(), receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


class Waits(Policy):
    """Waits in ``on_response``, for what a test says."""

    def __init__(self, wait: Callable[[Response], Awaitable[Any]]) -> None:
        self.wait = wait
        self.came: list[Any] = []

    async def on_response(self, request: Request, response: Response) -> None:
        self.came.append(await self.wait(response))


async def turns(_response: Response) -> str:
    """Wait for the event loop, more than once, in the app's own context."""
    for _ in range(3):
        await asyncio.sleep(0)
    return TENANT.get()


@pytest.mark.parametrize("chunks", [(), (b"a",), (b"a", b"b")], ids=len)
def test_a_hook_may_wait_for_the_event_loop(chunks: tuple[bytes, ...]) -> None:
    """The answer waits with it, and then goes out whole; the context is the app's."""
    policy = Waits(turns)
    assert asyncio.run(ask(app(*chunks), policy)) == (200, b"".join(chunks))
    assert policy.came == ["acme"]


def test_a_hook_may_wait_before_and_after_it_has_the_body() -> None:
    """The body is not lost over it."""

    async def wait(response: Response) -> bytes:
        await turns(response)
        body = await response.body(10)
        await turns(response)
        return body + await response.body(10)

    policy = Waits(wait)
    assert asyncio.run(ask(app(b"a", b"b"), policy)) == (200, b"ab")
    assert policy.came == [b"abab"]


def test_a_body_that_is_too_large_from_the_start_is_told_at_once() -> None:
    """The first chunk alone exceeds the limit; the answer streams on."""

    async def wait(response: Response) -> Any:
        await turns(response)
        with pytest.raises(ResponseTooLarge):
            await response.body(3)
        return await turns(response)

    policy = Waits(wait)
    assert asyncio.run(ask(app(b"long", b"er"), policy)) == (200, b"longer")
    assert policy.came == ["acme"]


def test_what_is_thrown_into_a_waiting_hook_is_the_hooks_to_handle() -> None:
    """A time limit of the hook's own, around I/O of its own."""

    async def wait(response: Response) -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "gave up"
        return "not reached"

    policy = Waits(wait)
    assert asyncio.run(ask(app(b"a"), policy)) == (200, b"a")
    assert policy.came == ["gave up"]


def test_a_waiting_hook_hears_of_cancellation() -> None:
    """It can clean up, and the cancellation goes on; nothing is sent, nothing answered."""
    cleaned: list[str] = []

    class Cleans(Policy):
        def __init__(self) -> None:
            self.reached = asyncio.Event()

        async def on_response(self, request: Request, response: Response) -> None:
            try:
                self.reached.set()
                await asyncio.Event().wait()
            finally:
                cleaned.append("hook")

        def on_finish(self, request: Request) -> None:
            cleaned.append("finish")

    async def run() -> None:
        policy = Cleans()
        task = asyncio.create_task(ask(app(b"a"), ErrorEnvelope(), policy))
        await policy.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert cleaned == ["hook", "finish"]


def test_a_hook_may_wait_before_it_answers_an_error() -> None:
    """The error of the app, which had sent nothing yet."""

    class Answers(Policy):
        async def on_error(self, request: Request, error: BaseException) -> Reply:
            await asyncio.sleep(0)
            return Reply(503, body=str(error))

    assert asyncio.run(ask(app(error=ValueError("later")), Answers())) == (503, b"later")


def test_a_held_error_answer_waits_for_a_hook_that_waits() -> None:
    """The app sends its 500 and raises, as Starlette does; the hook between waits."""

    class Answers(Policy):
        async def on_error(self, request: Request, error: BaseException) -> Reply:
            await asyncio.sleep(0)
            return Reply(503, body="better")

    inner = app(b"the app's own", status=500, error=ValueError("later"))
    policy = Waits(turns)
    assert asyncio.run(ask(inner, policy, Answers())) == (503, b"better")
    assert policy.came == ["acme"]
