"""Exceptions of an app that has sent nothing: an error hook is called once, whatever follows."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ErrorEnvelope, Policy, Problem, Reply, Request, Response
from mantlet.core.exchange import ResponseClosed
from tests.drive import Adapter, both_adapters, make_scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

CALLS: list[str] = []


def fails(_: Any) -> Any:
    """Raise an exception, as an app."""
    raise LookupError("of the app")


class Answers(Policy):
    """Answers errors in some way."""

    def __init__(self, answer: Callable[[BaseException], Any]) -> None:
        self.answer = answer

    def on_error(self, request: Request, error: BaseException) -> Any:
        CALLS.append(f"inner {error}")
        assert request.app_response is None
        return self.answer(error)

    def on_finish(self, request: Request) -> None:
        CALLS.append("finish")


class Outer(Policy):
    """Answers what a policy further in has not, and notes the response."""

    def on_error(self, request: Request, error: BaseException) -> Reply:
        CALLS.append(f"outer {error}")
        return Reply(502, body="outer")

    def on_response(self, request: Request, response: Response) -> None:
        CALLS.append(f"{response.status} {response.reply}")


async def _later(reply: Reply | None) -> Reply | None:
    return reply


def _raises(error: BaseException) -> Any:
    raise error


def replies(_: BaseException) -> Reply:
    """Answer with an error response."""
    return Reply(500, body="inner")


ERROR = "outer of the app"
ANSWERS: dict[str, tuple[Callable[[BaseException], Any], int, list[str]]] = {
    "a reply": (replies, 500, ["500 True"]),
    "a reply that is no error": (lambda _: Reply(200), 200, ["200 True"]),
    "a reply that has to be waited for": (lambda _: _later(Reply(503)), 503, ["503 True"]),
    "a problem": (lambda _: _raises(Problem(409)), 409, ["409 True"]),
    "none": (lambda _: None, 502, [ERROR]),
    "none, later": (lambda _: _later(None), 502, [ERROR]),
    "the same error": (_raises, 502, [ERROR]),
    "another error": (lambda _: _raises(ValueError("mine")), 502, ["outer mine"]),
}


@both_adapters
@pytest.mark.parametrize("way", ANSWERS)
def test_each_hook_is_called_once(adapter: Adapter, way: str) -> None:
    """The policies further out see the reply, or the error that is left."""
    CALLS.clear()
    answer, status, outer = ANSWERS[way]
    answered = adapter.drive(adapter.wrap(fails, Outer(), Answers(answer)))
    assert (answered.status, answered.error) == (status, None)
    assert ["inner of the app", *outer, "finish"] == CALLS


class Edits(Outer):
    """Changes each response in some way."""

    def __init__(self, edit: Callable[[Response], Any]) -> None:
        self.edit = edit

    def on_response(self, request: Request, response: Response) -> Any:
        CALLS.append("edit")
        return self.edit(response)


def _add(response: Response) -> None:
    response.headers.set("X-Added", "yes")


def _filter(response: Response) -> None:
    response.transform(lambda chunk, _: chunk.upper())


EDITS: dict[str, tuple[Callable[[Response], Any], int, bytes]] = {
    "headers": (_add, 500, b"inner"),
    "a filter": (_filter, 500, b"INNER"),
    "another reply": (lambda _: Reply(418, body="edit"), 418, b"edit"),
    "a problem": (lambda _: _raises(Problem(409)), 409, b""),
    "an error": (lambda _: _raises(ValueError("mine")), 502, b"outer"),
    "none, later": (lambda _: _later(None), 500, b"inner"),
}


@both_adapters
@pytest.mark.parametrize("way", EDITS)
def test_policies_further_out_may_edit_the_reply(adapter: Adapter, way: str) -> None:
    """As they may edit any response."""
    CALLS.clear()
    edit, status, body = EDITS[way]
    answered = adapter.drive(adapter.wrap(fails, Outer(), Edits(edit), Answers(replies)))
    assert (answered.status, answered.error) == (status, None)
    assert answered.body.startswith(body)
    assert CALLS[:2] == ["inner of the app", "edit"]
    assert CALLS.count("edit") == CALLS.count("finish") == 1


def test_a_task_of_the_app_is_stopped_once_its_exception_is_answered() -> None:
    """It may go on after the app has raised, but nothing of it is sent."""
    stopped: list[BaseException] = []
    sent: list[AsgiMessage] = []

    async def serve() -> None:
        tasks: list[Awaitable[None]] = []

        async def late(send: Send) -> None:
            await asyncio.sleep(0)
            try:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            except ResponseClosed as error:
                stopped.append(error)

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            tasks.append(asyncio.create_task(late(send)))
            raise LookupError

        async def receive() -> AsgiMessage:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: AsgiMessage) -> None:
            sent.append(message)

        stack = mantlet.asgi.wrap(app, ErrorEnvelope(), baseline=False)
        await stack(make_scope(), receive, send)
        await asyncio.gather(*tasks)

    asyncio.run(serve())
    assert len(stopped) == 1
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 500


class Own(Exception):
    """An exception of the app below."""


@both_adapters
def test_an_answered_exception_leaves_no_cycle(adapter: Adapter) -> None:
    """So that its frames, and all that the app had in them, are freed at once."""
    raised: list[weakref.ref[Own]] = []

    def app(_: Any) -> Any:
        error = Own()
        raised.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    stack = adapter.wrap(app, Answers(replies))
    gc.disable()
    try:
        adapter.drive(stack)
        assert [reference() for reference in raised] == [None]
    finally:
        gc.enable()
