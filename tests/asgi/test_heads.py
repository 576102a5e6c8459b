"""Which heads go out before the first chunk, and what policies see of such responses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import (
    Contract,
    ErrorEnvelope,
    OutputSanitizer,
    Policy,
    Reply,
    Request,
    Response,
    SchemaGuard,
)
from mantlet.sanitize import Leaks
from tests.conformance.exchanges import Script, play_asgi, play_wsgi
from tests.drive import drive_asgi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send

SANITIZER = OutputSanitizer(secrets=["s3cr3t-t0ken-9x8y7z-abc"])
STREAMS = [
    "text/event-stream",
    "Text/Event-Stream; charset=utf-8",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/json-seq",
]


class Looks(Policy):
    """Keeps what there is of a response when it is seen."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, bytes, bytes | None]] = []

    def on_response(self, request: Request, response: Response) -> None:
        self.seen.append((response.status, response.first_chunk, response.full_body))

    def on_error(self, request: Request, error: BaseException) -> Reply:
        return Reply(500, body=str(error))


def heads(
    headers: Sequence[tuple[str, str]], *policies: Policy, status: int = 200, method: str = "GET"
) -> bool:
    """Return whether the head is sent when the app has only started its response."""
    sent: list[str] = []
    first: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        first.append("http.response.start" in sent)
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    stack = mantlet.asgi.Stack(app, policies)

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: AsgiMessage) -> None:
            sent.append(message["type"])
            await send(message)

        await stack(scope, receive, noting)

    answer = drive_asgi(watched, method)
    assert answer.status == status
    assert answer.error is None
    return first[0]


every_stack = pytest.mark.parametrize(
    "policies",
    [[ErrorEnvelope()], [Looks()], [SANITIZER], [SANITIZER, ErrorEnvelope()]],
    ids=["envelope", "looks", "sanitizer", "baseline"],
)


@every_stack
@pytest.mark.parametrize("status", [200, 206, 404, 429, 500, 503])
@pytest.mark.parametrize("kind", STREAMS)
def test_the_head_of_a_stream_goes_first_whatever_its_status(
    kind: str, status: int, policies: list[Policy]
) -> None:
    """So that a client knows that it is connected."""
    assert heads([("content-type", kind)], *policies, status=status)


@every_stack
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", "")],
        [("content-type", "text/plain")],
        [("content-type", "application/octet-stream")],
        [("content-type", "video/mp4"), ("x-a", "b")],
    ],
    ids=str,
)
def test_a_head_without_a_length_goes_first(
    headers: list[tuple[str, str]], method: str, policies: list[Policy]
) -> None:
    """Its first chunk may come late."""
    assert heads(headers, *policies, method=method)


@every_stack
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("content-type", "text/html; charset=utf-8")], 200),
        ([("content-type", "TEXT/HTML")], 200),
        ([("content-type", "application/json")], 200),
        ([("content-type", "application/problem+json")], 200),
        ([("content-type", "image/svg+xml")], 200),
        ([("content-type", "text/csv")], 200),
        ([("content-type", "text/event-stream"), ("content-length", "1")], 200),
        ([("content-type", "text/plain")], 404),
        ([], 500),
        ([], 304),
    ],
    ids=str,
)
def test_other_heads_wait_for_the_first_chunk(
    headers: list[tuple[str, str]], status: int, policies: list[Policy]
) -> None:
    """A document, a body whose length is known, and an error."""
    assert not heads(headers, *policies, status=status)


@pytest.mark.breaks_rules("header names in upper case")
def test_a_length_is_found_whatever_the_case_of_its_name() -> None:
    """Servers take such names, though the specification wants lower case."""
    assert not heads([("Content-Length", "1"), ("Content-Type", "text/plain")], Looks())


def failing(*headers: tuple[bytes, bytes]) -> AsgiApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [*headers]})
        raise ValueError("at once")

    return app


@pytest.mark.parametrize(
    "headers",
    [(b"content-type", b"text/html"), (b"content-length", b"5")],
    ids=["document", "length"],
)
def test_a_response_that_fails_before_its_first_chunk_is_answered(
    headers: tuple[bytes, bytes],
) -> None:
    """Unless it is a stream."""
    answer = drive_asgi(mantlet.asgi.Stack(failing(headers), [ErrorEnvelope()]))
    assert (answer.status, answer.error) == (500, None)


def test_a_stream_that_fails_before_its_first_chunk_fails_late(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The head is out, as it is of a bare app; the error is logged, and ends the stream."""
    with caplog.at_level(logging.ERROR):
        app = failing((b"content-type", b"text/event-stream"))
        answer = drive_asgi(mantlet.asgi.Stack(app, [ErrorEnvelope(stream_errors=True)]))
    assert answer.status == 200
    assert str(answer.error) == "at once"
    assert answer.body.startswith(b"event: error\ndata: {")
    assert "after the response had begun" in caplog.text


def test_a_policy_sees_a_stream_without_its_first_chunk() -> None:
    """There is none yet, and nothing says that the body is empty."""
    looks = Looks()
    heads([], looks)
    assert looks.seen == [(200, b"", None)]


class Shouts(Policy):
    def on_response(self, request: Request, response: Response) -> None:
        response.transform(lambda chunk, more: chunk.upper() + (b"" if more else b"!"))


class Reads(Policy):
    def __init__(self) -> None:
        self.seen: list[bytes] = []

    async def on_response(self, request: Request, response: Response) -> None:
        self.seen.append(await response.body(1000))


@pytest.mark.parametrize("play", [play_asgi, play_wsgi], ids=["asgi", "wsgi"])
@pytest.mark.parametrize("kind", ["text/event-stream", "text/html"])
def test_a_stream_is_filtered_read_and_replaced_like_any_other(play: Any, kind: str) -> None:
    """Whether its first chunk has come with its head or not."""
    script = Script(headers=(("content-type", kind), ("etag", '"a"')), chunks=(b"a", b"b"))
    stack = mantlet.asgi.Stack if play is play_asgi else mantlet.wsgi.Stack

    outcome = play(lambda app: stack(app, [Shouts()]), script)
    assert (outcome.body, outcome.headers) == (b"AB!", [("content-type", kind)])
    reads = Reads()
    outcome = play(lambda app: stack(app, [reads, Shouts()]), script)
    assert (outcome.body, reads.seen) == (b"AB!", [b"AB!"])

    class Replaces(Policy):
        def on_response(self, request: Request, response: Response) -> Reply:
            return Reply(503, body="no")

    outcome = play(lambda app: stack(app, [Shouts(), Replaces(), Reads()]), script)
    assert (outcome.status, outcome.body) == (503, b"NO!")


def test_a_filter_is_not_called_before_there_is_a_chunk() -> None:
    """It would be an empty one that the app never sent."""
    calls: list[tuple[bytes, bool]] = []

    class Notes(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            def note(chunk: bytes, more: bool) -> bytes:
                calls.append((chunk, more))
                return chunk

            response.transform(note)

    heads([("content-type", "text/event-stream")], Notes())
    assert calls == [(b"a", True), (b"", False)]


class NeedsFirstChunk(Looks):
    """Answers in place of a response for its first bytes."""

    needs_first_chunk = True


@pytest.mark.parametrize(
    "policies",
    [
        [NeedsFirstChunk()],
        [ErrorEnvelope(), NeedsFirstChunk()],
        [OutputSanitizer(leaks=Leaks("block"))],
        [OutputSanitizer(undecodable="block")],
        [SchemaGuard({"GET /": Contract()}, responses="enforce")],
    ],
)
def test_every_head_waits_for_a_policy_that_may_replace_a_response_for_its_body(
    policies: list[Policy],
) -> None:
    assert not heads([("content-type", "text/event-stream")], *policies)
