"""Whole bodies: `Request.body_eagerly()` gives what `body()` gives, with fewer coroutines."""

from __future__ import annotations

import asyncio
import inspect
import sys
from pathlib import Path
from types import coroutine
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

import mantlet
from mantlet import Policy, Problem, SchemaGuard
from tests.drive import both_adapters, drive_asgi, drive_wsgi, hello

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence

    from mantlet import Request
    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send
    from tests.drive import Adapter

PACKAGE = str(Path(mantlet.__file__).parent)
LIMIT = 10


class Eager(Policy):
    """Reads the body twice, by one or the other method."""

    def __init__(self, *, eager: bool) -> None:
        self._eager = eager
        self.seen: list[object] = []

    async def _read(self, request: Request) -> None:
        for _ in range(2):
            try:
                if self._eager:
                    found = request.body_eagerly(LIMIT)
                    self.seen.append(found if isinstance(found, bytes) else await found)
                else:
                    self.seen.append(await request.body(LIMIT))
            except Problem as problem:
                self.seen.append(type(problem))

    def on_request(self, request: Request) -> Awaitable[None]:
        """Read the body."""
        return self._read(request)


BODIES = [[b""], [b"0123456789"], [b"01234567890"], [b"01", b"", b"23"], [b"012345", b"678901"]]


@pytest.mark.parametrize("length", [None, "0", "4", "11", "x"])
@pytest.mark.parametrize("chunks", BODIES, ids=str)
def test_both_ways_to_read_a_body_give_the_same_under_asgi(
    chunks: Sequence[bytes], length: str | None
) -> None:
    """Also what is raised, and what the app gets."""
    seen = []
    for eager in (False, True):
        got: list[bytes] = []

        async def app(_scope: Scope, receive: Receive, send: Send, got: Any = got) -> None:
            more = True
            while more:
                message = await receive()
                got.append(message["body"])
                more = message["more_body"]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        policy = Eager(eager=eager)
        fields = [] if length is None else [("content-length", length)]
        wrapped = mantlet.asgi.wrap(app, policy, baseline=False)
        assert drive_asgi(wrapped, "POST", body=chunks, headers=fields).status == 200
        assert b"".join(got) == b"".join(chunks)
        seen.append(policy.seen)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("body", [b"", b"0123456789", b"01234567890"])
def test_both_ways_to_read_a_body_give_the_same_under_wsgi(body: bytes) -> None:
    """Also what is raised, and what the app gets."""
    seen = []
    for eager in (False, True):
        got: list[bytes] = []

        def app(environ: Any, start_response: Any, got: Any = got) -> list[bytes]:
            got.append(environ["wsgi.input"].read(len(body)))
            start_response("200 OK", [])
            return [b""]

        policy = Eager(eager=eager)
        assert drive_wsgi(mantlet.wsgi.wrap(app, policy, baseline=False), "POST", body=body).status
        assert got == [body]
        seen.append(policy.seen)
    assert seen[0] == seen[1]


class Item(BaseModel):
    """A small body."""

    name: str


def coroutines(call: Callable[[], object]) -> list[str]:
    """Return the names of Mantlet's coroutine functions that run during a call."""
    names = []

    def see(frame: Any, event: str, _arg: object) -> None:
        code = frame.f_code
        is_ours = code.co_filename.startswith(PACKAGE)
        if event == "call" and is_ours and code.co_flags & inspect.CO_COROUTINE:
            names.append(code.co_qualname)

    sys.setprofile(see)
    try:
        call()
    finally:
        sys.setprofile(None)
    return names


@both_adapters
def test_a_validated_body_in_one_message_takes_no_coroutine(adapter: Adapter) -> None:
    """But the server's own, under ASGI."""
    app = adapter.wrap(hello, SchemaGuard({"POST /": Item}))
    fields = [("content-type", "application/json")]
    if adapter.name == "asgi":  # the other driver sends it itself
        fields.append(("content-length", "12"))
    statuses: list[int | None] = []

    def ask() -> None:
        answer = adapter.drive(app, "POST", "/", headers=fields, body=b'{"name":"a"}')
        statuses.append(answer.status)

    ask()  # the first request starts the policies
    names = [name for name in coroutines(ask) if not name.startswith("Stack.")]
    assert statuses == [200, 200]
    assert names == []


class Arriving:
    """A message that is waited for, as an object that is no coroutine."""

    def __init__(self, coming: Awaitable[AsgiMessage]) -> None:
        self._coming = coming

    def __await__(self) -> Generator[Any, None, AsgiMessage]:
        return self._coming.__await__()


@coroutine
def arriving(coming: Any) -> Generator[Any, None, AsgiMessage]:
    """Wait for a message in a generator."""
    message: AsgiMessage = yield from coming
    return message


@pytest.mark.parametrize(
    "form", [lambda coming: coming, Arriving, arriving], ids=["coroutine", "object", "generator"]
)
def test_a_validated_body_may_come_late(form: Callable[[Any], Awaitable[AsgiMessage]]) -> None:
    """In a message that has to be waited for, which is judged all the same."""
    app = mantlet.asgi.wrap(_answer, SchemaGuard({"POST /": Item}), baseline=False)

    def status(*chunks: bytes) -> int:
        sent: list[AsgiMessage] = []
        coming = iter(chunks)

        async def receive() -> AsgiMessage:
            await asyncio.sleep(0)
            chunk = next(coming)
            return {"type": "http.request", "body": chunk, "more_body": chunk is not chunks[-1]}

        async def send(message: AsgiMessage) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": [(b"content-type", b"application/json")],
            "http_version": "1.1",
            "query_string": b"",
        }
        asyncio.run(app(scope, lambda: form(receive()), send))
        return int(sent[0]["status"])

    assert [status(b'{"name":"a"}'), status(b'{"name":', b'"a"}'), status(b'{"name":1}')] == [
        200,
        200,
        422,
    ]


async def _answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_request_that_waits_for_its_body_can_be_cancelled() -> None:
    """As where a policy awaits it: the server's own coroutine is cancelled, and nothing is sent."""
    app = mantlet.asgi.wrap(_answer, SchemaGuard({"POST /": Item}), baseline=False)
    seen: list[str] = []

    async def receive() -> AsgiMessage:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return {"type": "http.disconnect"}

    async def send(message: AsgiMessage) -> None:
        seen.append(message["type"])

    async def run() -> None:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": [(b"content-type", b"application/json")],
            "http_version": "1.1",
            "query_string": b"",
        }
        task = asyncio.ensure_future(app(scope, receive, send))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert seen == ["cancelled"]
