"""HTTP under ASGI beyond heads and bodies: files, trailers, hints, disconnects, cancellation."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import ClientDisconnect

import mantlet
from mantlet import (
    ClientDisconnected,
    ErrorEnvelope,
    NoResponse,
    Policy,
    RateLimiter,
    Reply,
    Request,
    Response,
)
from tests.conformance.asgi_checker import AsgiChecker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

EXTENSIONS: dict[str, dict[str, Any]] = {
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.trailers": {},
    "http.response.early_hint": {},
    "http.response.push": {},
    "http.response.debug": {},
}
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]}


def scope(method: str = "GET") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("192.0.2.1", 1),
        "server": ("127.0.0.1", 80),
        "extensions": dict(EXTENSIONS),
    }


def play(
    app: ASGIApp, events: list[Message] | None = None, *policies: Policy, checked: bool = True
) -> list[Message]:
    """Call an app in a stack, between two checkers of the rules; return what came out of it."""
    sent: list[Message] = []
    left = [{"type": "http.request"}] if events is None else list(events)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        inner = AsgiChecker(app) if checked else app
        stack = mantlet.asgi.Stack(inner, policies)
        await (AsgiChecker(stack) if checked else stack)(scope(), receive, send)

    asyncio.run(run())
    return sent


class Looks(Policy):
    """Looks at everything and changes nothing."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_response(self, request: Request, response: Response) -> None:
        self.events.append(f"response {response.status}")

    def on_error(self, request: Request, error: BaseException) -> None:
        self.events.append(f"error {type(error).__name__}")

    def on_finish(self, request: Request) -> None:
        self.events.append("finish")


class Shouts(Policy):
    def on_response(self, request: Request, response: Response) -> None:
        response.transform(lambda chunk, _: chunk.upper())


class Reads(Policy):
    def __init__(self) -> None:
        self.seen: list[bytes] = []

    async def on_response(self, request: Request, response: Response) -> None:
        self.seen.append(await response.body(1000))


def body(sent: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in sent)


def pathsend(path: Path) -> Callable[[Scope, Receive, Send], Any]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.pathsend", "path": str(path)})

    return app


def zerocopysend(file: Any, **where: int) -> Callable[[Scope, Receive, Send], Any]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        message = {"type": "http.response.zerocopysend", "file": file, "more_body": True}
        await send(message | where)
        await send({"type": "http.response.body", "body": b" end"})

    return app


@pytest.mark.parametrize("policies", [[], [Looks()], [ErrorEnvelope()]], ids=["0", "1", "2"])
def test_a_file_goes_to_the_server_untouched(tmp_path: Path, policies: list[Policy]) -> None:
    """No policy filters, so the server sends the file in its own way."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    sent = play(pathsend(path), None, *policies)
    assert sent[1] == {"type": "http.response.pathsend", "path": str(path)}


def test_a_filtered_file_is_read_and_sent_as_bytes(tmp_path: Path) -> None:
    """A policy that filters sees the file's bytes, larger than a chunk."""
    path = tmp_path / "file"
    path.write_bytes(b"content " * 20_000)
    sent = play(pathsend(path), None, Shouts())
    assert body(sent) == b"CONTENT " * 20_000


def test_a_file_whose_bytes_a_policy_waits_for_is_read(tmp_path: Path) -> None:
    """The policy gets all of it."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    reads = Reads()
    sent = play(pathsend(path), None, Shouts(), reads)
    assert reads.seen == [b"content"]
    assert body(sent) == b"CONTENT"


def test_a_part_of_an_open_file_goes_to_the_server_untouched(tmp_path: Path) -> None:
    """Offset and count are the server's to read."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        sent = play(zerocopysend(file.fileno(), offset=2, count=3), None, Looks())
        assert sent[1]["file"] == file.fileno()
    assert (sent[1]["offset"], sent[1]["count"]) == (2, 3)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"offset": 2, "count": 3}, b"ABC"),
        ({"offset": 8}, b"IJ"),
        ({"count": 4}, b"4567"),
        ({}, b"456789ABCDEFGHIJ"),
        ({"offset": 8, "count": 100}, b"IJ"),
    ],
    ids=["offset and count", "offset", "count", "neither", "beyond the end"],
)
def test_a_filtered_part_of_an_open_file_is_that_part(
    tmp_path: Path, where: dict[str, int], expected: bytes
) -> None:
    """Without an offset the file is read from where it stands."""
    path = tmp_path / "file"
    path.write_bytes(b"abcdefghij" if "offset" in where else b"0123456789abcdefghij")
    if where == {"offset": 2, "count": 3}:
        path.write_bytes(b"01abcdefgh")
    with path.open("rb") as file:
        os.lseek(file.fileno(), 4, os.SEEK_SET)
        source: Any = file if where else file.fileno()
        sent = play(zerocopysend(source, **where), None, Shouts())
    assert body(sent) == expected + b" END"


def test_trailers_and_hints_pass_in_their_place() -> None:
    """What comes before the head goes before it, and what comes behind the body behind it."""
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}
    trailers = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}
    debug = {"type": "http.response.debug", "info": {}}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(debug)
        await send(hint)
        await send({**START, "trailers": True})
        await send({"type": "http.response.body", "body": b"a"})
        await send(trailers)

    for policies in ([Looks()], [ErrorEnvelope()], [Shouts()]):
        sent = play(app, None, *policies)
        assert sent[0] == debug
        assert sent[1] == hint
        assert sent[2]["trailers"] is True
        assert sent[-1] == trailers
        assert body(sent).lower() == b"a"


def test_a_replaced_answer_takes_no_trailers_along() -> None:
    """They belonged to the answer that nobody gets."""

    class Replaces(Policy):
        def on_response(self, request: Request, response: Response) -> Reply:
            return Reply(500, body="no")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "trailers": True})
        await send({"type": "http.response.body", "body": b"a"})
        await send({"type": "http.response.trailers", "headers": []})

    sent = play(app, None, Replaces())
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert body(sent) == b"no"


def test_an_endless_stream_is_stopped_once_its_answer_is_replaced() -> None:
    """``send`` raises an OSError, as it does when the client has gone."""

    class Replaces(Policy):
        def on_response(self, request: Request, response: Response) -> Reply:
            return Reply(503)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    sent = play(app, None, Replaces(), checked=False)
    assert (sent[0]["status"], len(sent)) == (503, 2)


def test_an_error_answer_is_sent_when_the_app_waits_for_the_client_to_go() -> None:
    """It is held for an error that may follow, but not while the app waits for something else."""
    gone: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({**START, "status": 404})
        await send({"type": "http.response.body", "body": b"nothing here"})
        gone.append((await receive())["type"])

    sent = play(app, [{"type": "http.request"}, {"type": "http.disconnect"}], ErrorEnvelope())
    assert body(sent) == b"nothing here"
    assert gone == ["http.disconnect"]


UNREAD = [400, b""]


def unread(sent: list[Message]) -> list[object]:
    """Return the status and the body of what a server gets for a client that has gone."""
    return [sent[0]["status"], sent[1]["body"]]


def test_an_app_that_ends_since_the_client_has_gone_is_no_error() -> None:
    """The policies hear that the client went away; the server gets a response that nobody reads."""
    looks = Looks()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"

    sent = play(app, [{"type": "http.disconnect"}], looks, ErrorEnvelope())
    assert unread(sent) == UNREAD
    assert looks.events == ["error ClientDisconnected", "finish"]


@pytest.mark.parametrize("error", [ConnectionError(), ClientDisconnect()], ids=repr)
def test_an_app_that_raises_since_the_client_has_gone_is_not_logged(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """The policies hear of the client; nothing is raised to the server, which would log it."""
    looks = Looks()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise error

    sent = play(app, [{"type": "http.disconnect"}], looks, ErrorEnvelope())
    assert unread(sent) == UNREAD
    assert looks.events == ["error ClientDisconnected", "finish"]
    assert caplog.records == []


def test_any_other_exception_after_the_client_has_gone_is_the_servers() -> None:
    """It may be a framework's own way to say so, or a fault of the app's."""
    looks = Looks()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise KeyError("of the app")

    with pytest.raises(KeyError):
        play(app, [{"type": "http.disconnect"}], looks, ErrorEnvelope())
    assert looks.events == ["error ClientDisconnected", "finish"]


def test_a_client_that_goes_while_a_policy_reads_the_body_ends_the_exchange() -> None:
    """The app is not called, and nothing is raised to the server."""

    class ReadsRequest(Policy):
        async def on_request(self, request: Request) -> None:
            await request.body(1000)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("not to be called")

    looks = Looks()
    events: list[Message] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent = play(app, events, looks, ErrorEnvelope(), ReadsRequest(), checked=False)
    assert unread(sent) == UNREAD
    assert looks.events == ["error ClientDisconnected", "finish"]


def test_an_app_without_an_answer_is_an_error_to_the_policies() -> None:
    """One that answers errors answers it; without one the server is left to."""
    looks = Looks()

    async def app(scope: Scope, receive: Receive, send: Send) -> None: ...

    assert play(app, None, looks, checked=False) == []
    assert looks.events == [f"error {NoResponse.__name__}", "finish"]
    assert play(app, None, ErrorEnvelope(), checked=False)[0]["status"] == 500


def test_an_app_that_ends_before_its_body_does_fails_who_waits_for_it() -> None:
    """The policy gets an error in place of the body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"a", "more_body": True})

    looks = Looks()
    assert play(app, None, looks, Reads(), checked=False) == []
    assert looks.events == ["error NoResponse", "finish"]


@pytest.mark.parametrize("when", ["before the head", "after the head"])
def test_cancellation_is_told_and_not_answered(when: str) -> None:
    """It passes through, whatever the policies say to it."""

    class Answers(Looks):
        def on_error(self, request: Request, error: BaseException) -> Reply:  # type: ignore[override]
            super().on_error(request, error)
            return Reply(500)

    answers = Answers()
    sent: list[Message] = []
    started = asyncio.Event

    async def run() -> None:
        waits = started()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if when == "after the head":
                await send(START)
                await send({"type": "http.response.body", "body": b"a", "more_body": True})
            waits.set()
            await asyncio.Event().wait()

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        stack = mantlet.asgi.Stack(app, [answers])

        async def serve() -> None:
            await stack(scope(), receive, send)

        task = asyncio.create_task(serve())
        await waits.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(run())
    told = "error CancelledError" if when == "before the head" else "response 200"
    assert answers.events == [told, "finish"]
    assert len(sent) == (0 if when == "before the head" else 2)


def test_context_variables_and_the_task_are_the_apps_own() -> None:
    """What the app sets is there for the server, and the app runs in the server's task."""
    mark: ContextVar[str] = ContextVar("mark", default="unset")
    tasks: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        mark.set("set by the app")
        tasks.append(asyncio.current_task())
        await send(START)
        await send({"type": "http.response.body"})

    async def run() -> None:
        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None: ...

        stack = mantlet.asgi.Stack(app, [ErrorEnvelope(), RateLimiter("9/minute"), Looks()])
        await stack(scope(), receive, send)
        assert mark.get() == "set by the app"
        assert tasks == [asyncio.current_task()]

    asyncio.run(run())


class Ends(Policy):
    """Fails at the end, or not."""

    def __init__(self, notes: list[str], name: str, *, fails: bool = False) -> None:
        self.notes, self.name, self.fails = notes, name, fails

    def on_finish(self, request: Request) -> None:
        self.notes.append(self.name)
        if self.fails:
            raise ValueError(self.name)


class EndsLater(Ends):
    async def on_finish(self, request: Request) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().on_finish(request)


@pytest.mark.parametrize("kind", [Ends, EndsLater])
def test_an_end_that_fails_keeps_no_other_from_its_end(kind: type[Ends]) -> None:
    """All are told, and what went wrong reaches the server with what went wrong before it."""
    notes: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body"})

    policies = [
        kind(notes, "outer", fails=True),
        Ends(notes, "middle"),
        kind(notes, "inner", fails=True),
    ]
    with pytest.raises(ValueError, match="outer") as raised:
        play(app, None, *policies, checked=False)
    assert notes == ["inner", "middle", "outer"]
    assert str(raised.value.__context__) == "inner"


def test_a_hook_that_waits_can_let_pass_answer_and_fail() -> None:
    """An async hook has the choices of a plain one."""

    class Waits(Policy):
        def __init__(self, outcome: Reply | BaseException | None) -> None:
            self.outcome = outcome

        async def on_request(self, request: Request) -> Reply | None:
            await asyncio.sleep(0)
            if isinstance(self.outcome, BaseException):
                raise self.outcome
            return self.outcome

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body"})

    def status(*policies: Policy) -> int:
        code: int = play(app, None, *policies, checked=False)[0]["status"]
        return code

    assert status(Waits(None), Waits(None)) == 200
    assert status(Waits(None), Waits(Reply(403))) == 403
    assert status(Waits(mantlet.Problem(409))) == 409
    assert status(ErrorEnvelope(), Waits(ValueError("broken"))) == 500
    with pytest.raises(ValueError, match="broken"):
        status(Waits(ValueError("broken")))


def test_an_error_of_the_apps_that_it_answers_itself_keeps_its_answer() -> None:
    """No policy has a better one, so the client gets the app's, and the server the error."""
    looks = Looks()
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "status": 500})
        await send({"type": "http.response.body", "body": b"own page"})
        raise ValueError("and then raises")

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await mantlet.asgi.Stack(app, [looks])(scope(), receive, send)

    with pytest.raises(ValueError, match="and then raises"):
        asyncio.run(run())
    assert body(sent) == b"own page"
    assert looks.events == ["error ValueError", "finish"]


def test_a_disconnect_is_told_by_its_own_exception() -> None:
    """It is one of the package's, so that a policy can tell it from an error."""
    assert issubclass(ClientDisconnected, mantlet.MantletError)


CHUNK: Message = {"type": "http.response.body", "body": b"a", "more_body": True}
LAST: Message = {"type": "http.response.body", "body": b"a"}


@pytest.mark.parametrize(
    "messages",
    [
        [CHUNK],
        [LAST],
        [START, START],
        [START, CHUNK, START],
        [START, LAST, START],
        [START, LAST, LAST],
        [START, LAST, CHUNK],
        [START, CHUNK, LAST, LAST],
        [{**START, "status": 500}, LAST, LAST],
        [{**START, "status": 500}, CHUNK, LAST, LAST],
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "policies",
    [[ErrorEnvelope()], [Looks()], [Shouts()], [ErrorEnvelope(), Reads()]],
    ids=["errors", "looks", "filters", "reads"],
)
def test_what_an_app_sends_out_of_order_raises(
    messages: list[Message], policies: list[Policy]
) -> None:
    """At the message that is wrong, as it does under a server; nothing passes in silence."""
    taken: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for number, message in enumerate(messages):
            await send(dict(message))
            taken.append(number)

    with suppress(RuntimeError):
        play(app, None, *policies, checked=False)
    assert taken == list(range(len(messages) - 1))


def test_what_an_app_sends_behind_a_replaced_response_is_dropped() -> None:
    """It can't know that its response has gone."""

    class Replaces(Policy):
        def on_response(self, request: Request, response: Response) -> Reply:
            return Reply(503)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (START, LAST, LAST, START):
            await send(dict(message))

    assert [message["type"] for message in play(app, None, Replaces(), checked=False)] == [
        "http.response.start",
        "http.response.body",
    ]


def test_a_task_that_goes_on_after_the_exchange_sends_nothing() -> None:
    """A policy has answered, and no policy would see what the task sends."""
    raised: list[BaseException] = []

    class Answers(Policy):
        def on_error(self, request: Request, error: BaseException) -> Reply:
            return Reply(500, body="failed")

    async def run() -> list[Message]:
        sent: list[Message] = []
        tasks: list[asyncio.Task[None]] = []

        async def late(send: Send) -> None:
            for message in (START, {"type": "http.response.pathsend", "path": "secret"}):
                try:
                    await send(message)
                except OSError as error:
                    raised.append(error)

        async def app(_: Scope, _receive: Receive, send: Send) -> None:
            tasks.append(asyncio.create_task(late(send)))
            raise ValueError("failed")

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        await mantlet.asgi.Stack(app, [Answers()])(scope(), receive, send)
        await asyncio.gather(*tasks)
        return sent

    sent = asyncio.run(run())
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert body(sent) == b"failed"
    assert len(raised) == 2


def test_headers_that_cannot_be_sent_are_an_error_after_the_hooks() -> None:
    """A policy that has seen the response is not told of an error as well."""

    class Adds(Looks):
        def on_request(self, request: Request) -> None:
            request.add_response_header("X-Added", "1")

    adds = Adds()

    async def app(_: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"5"), (b"malformed",)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})

    with pytest.raises(ValueError, match="unpack"):
        play(app, None, adds, checked=False)
    assert adds.events == ["response 200", "finish"]
