"""What a policy can do with an answer: filter its body, wait for it, replace it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import MantletError, Policy, Reply, Request, Response, ResponseTooLarge
from tests.conformance.exchanges import Outcome, Script, play_asgi, play_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

ETAG = (("content-type", "text/plain"), ("etag", '"abc"'), ("content-digest", "sha-256=:x:"))


def _asgi(script: Script, *policies: Policy, method: str = "GET") -> Outcome:
    return play_asgi(lambda app: mantlet.asgi.Stack(app, policies), script, method)


def _wsgi(script: Script, *policies: Policy, method: str = "GET") -> Outcome:
    return play_wsgi(lambda app: mantlet.wsgi.Stack(app, policies), script, method)


@pytest.fixture(params=[_asgi, _wsgi], ids=["asgi", "wsgi"])
def play(request: pytest.FixtureRequest) -> Callable[..., Outcome]:
    """Both adapters, for every test here."""
    chosen: Callable[..., Outcome] = request.param
    return chosen


class Filter(Policy):
    """Filters the body, and keeps the calls."""

    def __init__(self, fn: Callable[[bytes, bool], bytes], *, keeps_length: bool = False) -> None:
        self.fn = fn
        self.keeps_length = keeps_length
        self.calls: list[tuple[bytes, bool]] = []

    def on_response(self, request: Request, response: Response) -> None:
        def noted(chunk: bytes, more: bool) -> bytes:
            self.calls.append((chunk, more))
            return self.fn(chunk, more)

        response.transform(noted, keeps_length=self.keeps_length)


def shout(chunk: bytes, more: bool) -> bytes:
    return chunk.upper() + (b"" if more else b"!")


def same(chunk: bytes, more: bool) -> bytes:
    return chunk


class Body(Policy):
    """Waits for the body."""

    def __init__(self, limit: int = 1000, *, lets_stream: bool = False) -> None:
        self.limit = limit
        self.lets_stream = lets_stream
        self.seen: list[bytes | str] = []

    async def on_response(self, request: Request, response: Response) -> None:
        try:
            self.seen.append(await response.body(self.limit))
        except ResponseTooLarge as error:
            self.seen.append(str(error))
            if not self.lets_stream:
                raise


class FilterAndBody(Policy):
    """Filters the body, and then waits for it."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    async def on_response(self, request: Request, response: Response) -> None:
        response.transform(shout)
        self.seen.append(await response.body(1000))


def names(outcome: Outcome) -> list[str]:
    return [name for name, _ in outcome.headers]


def test_every_chunk_goes_through_and_a_last_call_flushes(play: Callable[..., Outcome]) -> None:
    """A filter sees the chunks as they come, and is told when it has seen them all."""
    policy = Filter(shout)
    outcome = play(Script(chunks=(b"a", b"b"), ends_with_last=False), policy)
    assert outcome.chunks[:2] == [b"A", b"B"]
    assert outcome.body == b"AB!"
    assert policy.calls == [(b"a", True), (b"b", True), (b"", False)]


def test_the_length_of_a_whole_body_is_corrected(play: Callable[..., Outcome]) -> None:
    """A body that comes in one piece keeps a Content-Length, and a true one."""
    outcome = play(Script(chunks=(b"hello",), declares_length=True), Filter(shout))
    assert outcome.body == b"HELLO!"
    assert ("content-length", "6") in outcome.headers


def test_the_length_of_a_streamed_body_is_dropped(play: Callable[..., Outcome]) -> None:
    """What comes later can't be counted, so nothing is promised."""
    outcome = play(Script(chunks=(b"a", b"b"), declares_length=True), Filter(shout))
    assert outcome.body == b"AB!"
    assert "content-length" not in names(outcome)


def test_a_length_of_zero_is_corrected_when_a_filter_adds_bytes(
    play: Callable[..., Outcome],
) -> None:
    """An empty body is a whole one."""
    outcome = play(Script(chunks=(), declares_length=True), Filter(shout))
    assert outcome.body == b"!"
    assert ("content-length", "1") in outcome.headers


@pytest.mark.parametrize("chunks", [(b"a", b"b"), (b"ab",), ()], ids=len)
def test_a_hook_that_filters_and_then_waits_sees_what_is_filtered_once_behind_it(
    play: Callable[..., Outcome], chunks: tuple[bytes, ...]
) -> None:
    """The body that a hook waits for is the one that its own filter is given."""
    policy = FilterAndBody()
    outcome = play(Script(chunks=chunks), policy)
    assert policy.seen == [b"".join(chunks)]
    assert outcome.body == b"".join(chunks).upper() + b"!"


def test_validators_are_dropped_when_bytes_change(play: Callable[..., Outcome]) -> None:
    """An ETag or a digest of other bytes would be a lie."""
    outcome = play(Script(headers=ETAG), Filter(shout))
    assert names(outcome) == ["content-type"]


def test_validators_of_a_streamed_body_are_dropped_whatever_the_filter_does(
    play: Callable[..., Outcome],
) -> None:
    """When the head goes, nobody knows what the filter will do."""
    outcome = play(Script(headers=ETAG, chunks=(b"a", b"b"), ends_with_last=False), Filter(same))
    assert names(outcome) == ["content-type"]


def test_validators_stay_when_a_whole_body_has_not_changed(play: Callable[..., Outcome]) -> None:
    """A filter that finds nothing to do leaves the answer as it was."""
    script = Script(headers=ETAG, declares_length=True)
    assert play(script, Filter(same)).seen() == play(script).seen()


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_is_not_filtered(
    play: Callable[..., Outcome], status: int
) -> None:
    """Nothing is added where nothing may stand; a 304 names what the client has already."""
    policy = Filter(shout)
    outcome = play(Script(status=status, chunks=(), headers=ETAG), policy)
    assert (outcome.status, outcome.body, policy.calls) == (status, b"", [])
    assert "etag" in names(outcome)


def test_the_head_of_a_filtered_body_promises_nothing_to_a_head_request(
    play: Callable[..., Outcome],
) -> None:
    """The length and the validators of the unfiltered body are not those of the filtered one."""
    policy = Filter(shout)
    script = Script(chunks=(), headers=(*ETAG, ("content-length", "5")))
    outcome = play(script, policy, method="HEAD")
    assert (outcome.body, policy.calls) == (b"", [])
    assert names(outcome) == ["content-type"]


PARTS = (("content-type", "multipart/byteranges; boundary=b"),)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [(*ETAG, ("content-range", "bytes 0-4/10")), (("content-range", "bytes 5-9/*"),), PARTS],
    ids=["part", "unknown size", "parts"],
)
def test_a_part_of_a_body_is_refused_if_it_would_have_to_be_filtered(
    play: Callable[..., Outcome], headers: tuple[tuple[str, str], ...], method: str
) -> None:
    """A filter is made for whole bodies: it may neither be left out nor see a part (RFC 9110, 14).

    A filter that keeps the length says that it knows parts.
    """
    script = Script(status=206, headers=headers, declares_length=True)
    policy = Filter(shout)
    outcome = play(script, policy, method=method)
    assert (outcome.status, policy.calls) == (416, [])
    assert ("accept-ranges", "none") in outcome.headers
    assert b"hello" not in outcome.body
    watched = play(script, Filter(same, keeps_length=True), method=method)
    assert watched.seen() == play(script, method=method).seen()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_part_that_is_all_of_a_body_is_filtered(
    play: Callable[..., Outcome], method: str
) -> None:
    """As for ``Range: bytes=0-``: it is an ordinary response."""
    headers = (*ETAG, ("content-range", "bytes 0-4/5"))
    outcome = play(Script(status=206, headers=headers), Filter(shout), method=method)
    assert (outcome.status, outcome.body) == (200, b"HELLO!" if method == "GET" else b"")
    assert "content-range" not in names(outcome)


def test_a_206_that_is_a_part_of_nothing_is_filtered(play: Callable[..., Outcome]) -> None:
    """An app may give any status to anything."""
    outcome = play(Script(status=206), Filter(shout))
    assert (outcome.status, outcome.body) == (206, b"HELLO!")


def test_no_digest_is_in_a_304_whose_body_would_have_been_filtered(
    play: Callable[..., Outcome],
) -> None:
    """A cache takes it over for the body that it has (RFC 9111, 3.2)."""
    headers = (*ETAG, ("repr-digest", "sha-256=:AA==:"))
    outcome = play(Script(status=304, chunks=(), headers=headers), Filter(shout))
    assert names(outcome) == ["content-type", "etag"]


def test_filters_run_from_the_innermost_policy_outwards(play: Callable[..., Outcome]) -> None:
    """What a policy filters is what those further in have made."""
    outer = Filter(lambda chunk, _: b"<" + chunk + b">")
    inner = Filter(shout)
    script = Script(chunks=(b"a",), ends_with_last=False)
    assert play(script, outer, inner).body == b"<A><!>"


def test_a_failing_filter_never_lets_the_unfiltered_bytes_out(
    play: Callable[..., Outcome],
) -> None:
    """What a policy could not judge is not sent."""

    def fail(chunk: bytes, more: bool) -> bytes:
        if chunk == b"secret":
            raise ValueError("broken")
        return chunk

    at_once = play(Script(chunks=(b"secret",)), Filter(fail))
    assert (at_once.status, at_once.body) == (None, b"")
    later = play(Script(chunks=(b"fine", b"secret", b"more")), Filter(fail))
    assert later.body == b"fine"
    assert isinstance(at_once.error, ValueError)
    assert isinstance(later.error, ValueError)


@pytest.mark.breaks_rules("sends more than it declares")
def test_more_than_the_declared_length_is_not_sent_past_a_filter(
    play: Callable[..., Outcome],
) -> None:
    """A filter was told that it had seen everything, so nothing may follow."""
    script = Script(chunks=(b"hello", b"more"), headers=(("content-length", "5"),))
    outcome = play(script, Filter(shout))
    assert outcome.body == b"HELLO!"
    assert isinstance(outcome.error, MantletError)


def test_the_body_is_the_one_that_policies_further_in_have_made(
    play: Callable[..., Outcome],
) -> None:
    """Waiting for the body gives what their filters let through."""
    body = Body()
    outcome = play(Script(chunks=(b"a", b"b")), body, Filter(shout))
    assert body.seen == [b"AB!"]
    assert outcome.body == b"AB!"


def test_several_policies_can_wait_for_the_body(play: Callable[..., Outcome]) -> None:
    """Each gets all of it."""
    first, second = Body(), Body()
    play(Script(chunks=(b"a", b"b")), first, second)
    assert first.seen == second.seen == [b"ab"]


def test_nothing_is_sent_before_the_body_is_there(play: Callable[..., Outcome]) -> None:
    """The policy can still replace the answer when it has seen the last byte."""

    class Replace(Policy):
        async def on_response(self, request: Request, response: Response) -> Reply | None:
            return Reply(500, body="no") if b"bad" in await response.body(100) else None

    outcome = play(Script(chunks=(b"good", b"bad")), Replace())
    assert (outcome.status, outcome.body) == (500, b"no")


@pytest.mark.parametrize("size", [9, 10, 11], ids=["below", "at", "above"])
def test_the_limit_on_the_body_is_exact(play: Callable[..., Outcome], size: int) -> None:
    """A body of just the limit is read; one byte more is too large."""
    body = Body(limit=10)
    outcome = play(Script(chunks=(b"x" * (size - 1), b"y")), body)
    if size <= 10:
        assert body.seen == [b"x" * (size - 1) + b"y"]
        assert outcome.status == 200
    else:
        assert body.seen == ["the response body is larger than 10 bytes"]
        assert isinstance(outcome.error, ResponseTooLarge)
        assert outcome.status is None


def test_a_policy_may_let_a_body_stream_that_is_too_large_for_it(
    play: Callable[..., Outcome],
) -> None:
    """Catching the error gives the client every byte."""
    chunks = (b"a" * 8, b"b" * 8, b"c" * 8)
    outcome = play(Script(chunks=chunks), Body(limit=10, lets_stream=True))
    assert outcome.body == b"".join(chunks)


def test_the_apps_error_reaches_the_policy_that_waits_for_the_body(
    play: Callable[..., Outcome],
) -> None:
    """It is raised where the policy waits, and then goes to the policies further out."""
    heard: list[str] = []

    class Outer(Policy):
        def on_error(self, request: Request, error: BaseException) -> Reply:
            heard.append(str(error))
            return Reply(500)

    outcome = play(Script(chunks=(b"a", b"b"), raises_at=1), Outer(), Body())
    assert heard == ["at 1"]
    assert outcome.status == 500


def test_many_small_chunks_take_no_more_memory_than_their_bytes(
    play: Callable[..., Outcome],
) -> None:
    """They are held as one past a number, and the client gets them all."""
    chunks = tuple(b"%04d" % number for number in range(5000))
    body = Body(limit=100_000)
    outcome = play(Script(chunks=chunks), body)
    assert body.seen == [b"".join(chunks)]
    assert outcome.body == b"".join(chunks)


def test_a_reply_is_a_response_to_the_policies_further_out(play: Callable[..., Outcome]) -> None:
    """They can edit, filter and read it like the app's own."""

    class Refuse(Policy):
        def on_request(self, request: Request) -> Reply:
            return Reply(403, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], "no")

    body = Body()
    outcome = play(Script(), body, Filter(shout), Refuse())
    assert (outcome.status, outcome.body, outcome.calls) == (403, b"NO!", 0)
    assert body.seen == [b"NO!"]
    assert outcome.headers == [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "3"),
    ]


def test_a_reply_to_head_has_its_length_and_no_body(play: Callable[..., Outcome]) -> None:
    """RFC 9110, 9.3.2: the fields of the answer to GET, without its content."""

    class Refuse(Policy):
        def on_request(self, request: Request) -> Reply:
            return Reply(403, body="no")

    outcome = play(Script(), Refuse(), method="HEAD")
    assert (outcome.status, outcome.body) == (403, b"")
    assert ("content-length", "2") in outcome.headers


def test_a_changed_status_is_sent(play: Callable[..., Outcome]) -> None:
    """The status can be edited as the fields can."""

    class Teapot(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            response.status = 418

    assert play(Script(), Teapot()).status == 418


def test_an_answer_field_is_on_whatever_answer_goes_out(play: Callable[..., Outcome]) -> None:
    """The app's, one that replaces it, one to an error, and a refusal."""

    class Field(Policy):
        def __init__(self, value: str = "here") -> None:
            self.value = value

        def on_request(self, request: Request) -> None:
            request.add_response_header("X-Mark", self.value)

    class Answer(Policy):
        def on_error(self, request: Request, error: BaseException) -> Reply:
            return Reply(500)

    class Replace(Policy):
        def on_response(self, request: Request, response: Response) -> Reply:
            return Reply(502)

    class Refuse(Policy):
        def on_request(self, request: Request) -> Reply:
            return Reply(403)

    def marks(*policies: Policy, raises_at: int | None = None) -> list[str]:
        outcome = play(Script(headers=(("x-mark", "app"),), raises_at=raises_at), *policies)
        return [value for name, value in outcome.headers if name == "x-mark"]

    assert marks(Field()) == ["here"]
    assert marks(Answer(), Field(), raises_at=-1) == ["here"]
    assert marks(Field(), Replace()) == ["here"]
    assert marks(Field(), Refuse()) == ["here"]
    assert marks(Field(), Field("there")) == ["here, there"]
    assert marks(Field(), Field()) == ["here"]


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b", "a\x7fb", "a€b"], ids=repr)
def test_an_answer_field_can_not_break_the_head(play: Callable[..., Outcome], value: str) -> None:
    """A value that must not stand in a header is refused where it is set."""

    class Field(Policy):
        def on_request(self, request: Request) -> None:
            request.add_response_header("X-Mark", value)

    outcome = play(Script(), Field())
    assert (outcome.status, outcome.calls) == (None, 0)
    assert isinstance(outcome.error, ValueError)


def test_a_policy_that_waits_for_an_event_loop_under_wsgi_is_told_so() -> None:
    """There is none, and it is said in words."""

    class Waits(Policy):
        async def on_request(self, request: Request) -> None:
            await asyncio.sleep(0)

    outcome = _wsgi(Script(), Waits())
    assert isinstance(outcome.error, RuntimeError)
    assert str(outcome.error) == "policy awaited async I/O under WSGI"
    assert _asgi(Script(), Waits()).status == 200


def test_one_policy_object_serves_both_protocols() -> None:
    """The same limiter counts requests that come by WSGI and by ASGI."""
    limiter = mantlet.RateLimiter("2/minute")
    assert _asgi(Script(), limiter).status == 200
    assert _wsgi(Script(), limiter).status == 200
    assert _asgi(Script(), limiter).status == 429
    assert _wsgi(Script(), limiter).status == 429


@pytest.mark.parametrize("answer", ["text", 5, [], ("a", 1)], ids=repr)
def test_a_hook_that_returns_something_else_fails(
    play: Callable[..., Outcome], answer: Any
) -> None:
    """Neither a yes nor an answer: the request does not reach the app."""

    class Odd(Policy):
        def on_request(self, request: Request) -> Any:
            return answer

    class OddLater(Policy):
        async def on_request(self, request: Request) -> Any:
            return answer

    for policy in (Odd(), OddLater()):
        outcome = play(Script(), policy)
        assert isinstance(outcome.error, TypeError)
        assert outcome.calls == 0


def test_a_reply_takes_over_no_header_twice_and_no_name_of_a_file() -> None:
    reply = Reply(404, {"Vary": "Accept", "Content-Type": "text/plain"}, "no")
    kept = reply.keep_headers(
        [
            ("Vary", "Accept"),
            ("Vary", "Origin"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("X-Accel-Redirect", "/private/report.pdf"),
            ("X-Sendfile", "/srv/private/report.pdf"),
        ]
    )
    assert kept.headers == (
        ("Vary", "Accept"),
        ("Content-Type", "text/plain"),
        ("Vary", "Origin"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    )
