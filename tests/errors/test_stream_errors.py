"""What a client hears of a stream that breaks off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ErrorEnvelope, Policy, Problem, Request, Response
from tests.conformance.exchanges import Outcome, Script, play_asgi, play_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "s3cr3t"
EVENTS = (("content-type", "text/event-stream; charset=utf-8"),)
LINES = (("content-type", "application/x-ndjson"),)
SEQUENCE = (("content-type", "application/json-seq"),)


def _asgi(script: Script, *policies: Policy) -> Outcome:
    return play_asgi(lambda app: mantlet.asgi.Stack(app, policies), script, "GET")


def _wsgi(script: Script, *policies: Policy) -> Outcome:
    return play_wsgi(lambda app: mantlet.wsgi.Stack(app, policies), script, "GET")


@pytest.fixture(params=[_asgi, _wsgi], ids=["asgi", "wsgi"])
def play(request: pytest.FixtureRequest) -> Callable[..., Outcome]:
    """Both adapters, for every test here."""
    chosen: Callable[..., Outcome] = request.param
    return chosen


def breaking(fields: Any, *chunks: bytes, **options: Any) -> Script:
    """An app that raises behind its chunks."""
    return Script(headers=fields, chunks=chunks, raises_at=len(chunks), **options)


@pytest.mark.parametrize(
    ("fields", "chunks", "start", "end"),
    [
        (EVENTS, (b"data: 1\n\n", b"data: 2\n\n"), b"event: error\ndata: ", b"\n\n"),
        (EVENTS, (b"data: 1\n\n", b"data: hal"), b"\nevent: error\ndata: ", b"\n\n"),
        (LINES, (b'{"n": 1}\n', b'{"n": 2}\n'), b"", b"\n"),
        (LINES, (b'{"n": 1}\n', b'{"n":'), b"\n", b"\n"),
        (LINES, (b'{"n": 1}\n', b""), b"", b"\n"),
        (SEQUENCE, (b'\x1e{"n": 1}\n',), b"\x1e", b"\n"),
    ],
    ids=["events", "half an event", "lines", "half a line", "empty chunk", "sequence"],
)
def test_the_last_thing_that_a_stream_says_is_the_error(
    play: Callable[..., Outcome], fields: Any, chunks: Any, start: bytes, end: bytes
) -> None:
    """On a line of its own, as a problem, and the connection breaks all the same."""
    outcome = play(breaking(fields, *chunks), ErrorEnvelope(stream_errors=True))
    assert outcome.error is not None
    whole = b"".join(chunks)
    assert outcome.body.startswith(whole + start)
    assert outcome.body.endswith(end)
    problem = json.loads(outcome.body[len(whole + start) : -len(end)])
    assert (problem["status"], problem["title"]) == (500, "Internal Server Error")
    assert dict(outcome.headers)["x-request-id"] == problem["request_id"]


def test_the_error_is_the_one_that_the_map_makes_of_it(play: Callable[..., Outcome]) -> None:
    """As it would be before the head."""
    late = Problem(409, detail="Taken.")
    outcome = play(
        breaking(LINES, b"1\n"), ErrorEnvelope(stream_errors=True, exceptions={Exception: late})
    )
    assert json.loads(outcome.body[2:])["detail"] == "Taken."


@pytest.mark.parametrize(
    "script",
    [
        breaking((("content-type", "text/plain"),), b"a", b"b"),
        breaking((*LINES, ("content-encoding", "gzip")), b"a", b"b"),
        breaking(LINES, b"a", b"b", declares_length=True),
    ],
    ids=["another type", "compressed", "of a stated length"],
)
def test_other_streams_just_break_off(play: Callable[..., Outcome], script: Script) -> None:
    """What they are made of is not known, or no more may be said."""
    with_it = play(script, ErrorEnvelope(stream_errors=True))
    assert with_it.error is not None
    assert with_it.body == b"ab"


def test_it_is_an_option(play: Callable[..., Outcome]) -> None:
    """By default nothing is added to what the app said."""
    outcome = play(breaking(LINES, b"a\n"), ErrorEnvelope())
    assert outcome.error is not None
    assert outcome.body == b"a\n"


def test_a_stream_that_ends_says_nothing_of_errors(play: Callable[..., Outcome]) -> None:
    """Not a byte is changed, nor how it is cut."""
    script = Script(headers=LINES, chunks=(b"1\n", b"2\n"))
    with_it = play(script, ErrorEnvelope(stream_errors=True))
    without = play(script, ErrorEnvelope())
    assert with_it.chunks == without.chunks
    assert [pair for pair in with_it.headers if pair[0] != "x-request-id"] == [
        pair for pair in without.headers if pair[0] != "x-request-id"
    ]


class Shout(Policy):
    """Filters what is sent."""

    def on_response(self, request: Request, response: Response) -> None:
        response.transform(lambda chunk, _: chunk.upper())


def test_the_last_words_go_through_the_filters_of_policies_further_out(
    play: Callable[..., Outcome],
) -> None:
    """They are sent like the rest of the stream."""
    policies = Shout(), ErrorEnvelope(stream_errors=True)
    outcome = play(breaking(LINES, b"a\n"), *policies)
    assert outcome.body.startswith(b'A\n{"TYPE": "ABOUT:BLANK"')


def test_words_that_cannot_be_found_are_not_said(play: Callable[..., Outcome]) -> None:
    """An envelope whose map fails still says that there was an error."""

    def fails(error: BaseException) -> int:
        raise ValueError(SECRET)

    outcome = play(
        breaking(LINES, b"a\n"), ErrorEnvelope(stream_errors=True, exceptions={Exception: fails})
    )
    assert json.loads(outcome.body[2:])["status"] == 500
    assert SECRET.encode() not in outcome.body
