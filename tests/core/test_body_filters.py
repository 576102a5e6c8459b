"""Long chunks of bodies go through filters in slices, and the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import mantlet
from mantlet import Policy, Problem, Request, Response
from mantlet.core.body_filters import SLICE, filter_in_slices
from tests.drive import Said, both_adapters
from tests.turns import app_of, count_turns, take_turns

SIZE = 20 * SLICE
BODY = bytes(range(97, 123)) * (SIZE // 26) + b"z" * (SIZE % 26)
Fn = Callable[[bytes, bool], Any]


class Sliced(Policy):
    """Filters bodies in slices, and keeps the sizes of these."""

    def __init__(self, fn: Fn, **options: Any) -> None:
        self.fn = fn
        self.options = options
        self.sizes: list[int] = []

    def on_response(self, request: Request, response: Response) -> None:
        def noted(chunk: bytes, more: bool) -> bytes:
            self.sizes.append(len(chunk))
            result: bytes = self.fn(chunk, more)
            return result

        def sliced(chunk: bytes, more: bool) -> bytes | Awaitable[bytes | list[bytes]]:
            if len(chunk) <= SLICE:
                return noted(chunk, more)
            return filter_in_slices(noted, chunk, more, request)

        response.transform(sliced, **self.options)


class Waiting(Policy):
    """Filters bodies by an ``async def``."""

    def __init__(self, fn: Fn) -> None:
        self.fn = fn

    def on_response(self, request: Request, response: Response) -> None:
        async def later(chunk: bytes, more: bool) -> bytes:
            await request.checkpoint()
            result: bytes = self.fn(chunk, more)
            return result

        response.transform(later)


class Body(Policy):
    """Waits for the whole body."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    async def on_response(self, request: Request, response: Response) -> None:
        self.seen.append(await response.body(10 * SIZE))


class Looks(Policy):
    """Looks at the body as it is in the hook."""

    def __init__(self) -> None:
        self.seen: list[bytes | None] = []

    def on_response(self, request: Request, response: Response) -> None:
        self.seen.append(response.full_body)


def same(chunk: bytes, more: bool) -> bytes:
    return chunk


def whole(_carrier: Any) -> Said:
    """Respond with all of the body at once."""
    return 200, [("content-length", str(SIZE))], BODY


def shout(chunk: bytes, more: bool) -> bytes:
    return chunk.upper() + (b"" if more else b"!")


def fail(chunk: bytes, more: bool) -> bytes:
    if more:
        return chunk
    raise Problem(503)


SHOUTED = BODY.upper() + b"!"


def wrap(app: Any, *policies: Policy) -> Any:
    return mantlet.asgi.Stack(app, policies)


def test_the_loop_goes_on_after_each_slice() -> None:
    policy = Sliced(shout)
    turns = take_turns(wrap(app_of([BODY], "text/plain"), policy))
    assert turns.count >= SIZE // SLICE
    assert max(policy.sizes) == SLICE
    assert turns.body == SHOUTED


def test_a_changed_body_is_sent_in_pieces_with_its_length() -> None:
    turns = take_turns(wrap(app_of([BODY], "text/plain"), Sliced(shout)))
    assert max(map(len, turns.chunks)) <= SLICE + 1
    assert turns.headers[b"content-length"] == b"%d" % len(SHOUTED)


@pytest.mark.parametrize("more", [True, False])
def test_an_unchanged_chunk_stays_the_same_object(more: bool) -> None:
    chunks = [BODY, b"end"] if more else [BODY]
    turns = take_turns(wrap(app_of(chunks, "text/plain"), Sliced(same)))
    assert turns.count >= SIZE // SLICE
    assert turns.chunks[0] is BODY
    assert turns.chunks == chunks


def test_the_unchanged_beginning_of_a_body_is_not_lost() -> None:
    def last(chunk: bytes, more: bool) -> bytes:
        return chunk if more else chunk[:-3] + b"end"

    turns = take_turns(wrap(app_of([BODY], "text/plain"), Sliced(last)))
    assert turns.body == BODY[:-3] + b"end"


@pytest.mark.parametrize("held", [1, SLICE, SLICE + 1, SIZE])
def test_a_filter_may_hold_back(held: int) -> None:
    kept = b""

    def hold(chunk: bytes, more: bool) -> bytes:
        nonlocal kept
        kept += chunk
        out, kept = (kept[:-held], kept[-held:]) if more else (kept, b"")
        return out

    turns = take_turns(wrap(app_of([BODY], "text/plain"), Sliced(hold)))
    assert turns.chunks == [BODY]
    kept = b""
    turns = take_turns(wrap(app_of([BODY, b"end"], "text/plain"), Sliced(hold)))
    assert turns.body == BODY + b"end"


def test_a_filter_may_drop_everything() -> None:
    turns = take_turns(wrap(app_of([BODY], "text/plain"), Sliced(lambda *_: b"")))
    assert turns.body == b""
    assert turns.headers[b"content-length"] == b"0"
    assert turns.messages[-1]["more_body"] is False
    turns = take_turns(wrap(app_of([BODY, BODY], "text/plain"), Sliced(lambda *_: b"")))
    assert turns.body == b""
    assert turns.messages[-1]["more_body"] is False


@both_adapters
@pytest.mark.parametrize("make", [Sliced, Waiting])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_both_protocols_send_the_same(
    adapter: Any, make: Callable[[Fn], Policy], count: int
) -> None:
    chunks = [BODY[at::count] for at in range(count)]
    app = adapter.stream(chunks, make(shout))
    answer = adapter.drive(app)
    assert answer.error is None
    assert answer.body == b"".join(chunks).upper() + b"!"


@both_adapters
@pytest.mark.parametrize("make", [Sliced, Waiting])
def test_the_next_policy_sees_the_filtered_body(adapter: Any, make: Callable[[Fn], Policy]) -> None:
    body, looks = Body(), Looks()
    answer = adapter.drive(adapter.wrap(whole, body, looks, Sliced(same), make(shout)))
    assert answer.error is None
    assert body.seen == [SHOUTED]
    assert looks.seen == [SHOUTED]
    assert answer.body == SHOUTED
    assert answer.get("Content-Length") == str(len(SHOUTED))


@both_adapters
def test_a_problem_in_the_last_slice_replaces_the_response(adapter: Any) -> None:
    answer = adapter.drive(adapter.wrap(whole, Sliced(fail)))
    assert answer.status == 503
    assert BODY[:100] not in answer.body


@both_adapters
@pytest.mark.parametrize("fn", [shout, fail], ids=["changes", "fails"])
def test_report_mode_changes_nothing(
    adapter: Any, fn: Fn, caplog: pytest.LogCaptureFixture
) -> None:
    policy = Sliced(fn)
    policy.mode = "report"
    answer = adapter.drive(adapter.wrap(whole, policy))
    assert answer.body == BODY
    assert len(answer.chunks) == 1
    assert "Sliced would have" in caplog.text


def test_report_mode_lets_the_loop_go_on() -> None:
    policy = Sliced(shout)
    policy.mode = "report"
    turns = take_turns(wrap(app_of([BODY], "text/plain"), policy))
    assert turns.count >= SIZE // SLICE
    assert turns.chunks[0] is BODY


@pytest.mark.parametrize("size", [1000, SLICE])
def test_the_loop_goes_on_between_the_chunks_of_a_stream(size: int) -> None:
    """Nor need an app or a server ever wait: the filters take longer than these."""

    class Plain(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            response.transform(shout)

    chunks = [BODY[at : at + size] for at in range(0, SIZE, size)]
    turns = take_turns(wrap(app_of(chunks, "text/plain"), Plain()))
    assert turns.count >= SIZE // SLICE // 2
    assert turns.chunks[:2] == [chunks[0].upper(), chunks[1].upper()]


def test_a_stack_without_filters_adds_no_turn() -> None:
    turns = take_turns(wrap(app_of([BODY, BODY, BODY], "text/plain"), Looks()))
    assert turns.count == 0


# -- what happens meanwhile ------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False])
def test_a_cancellation_is_raised_to_the_app_at_once(whole: bool) -> None:
    """As a server that waits would raise it; the stack raises nothing if the app handles it."""
    reached: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        inner = app_of([BODY] if whole else [b"begin", BODY], "text/plain")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await inner(scope, receive, send)
        reached.append("end")

    turns = take_turns(wrap(app, Sliced(shout)))
    assert reached == ["end"]
    assert turns.body == (b"" if whole else b"BEGIN")
    assert not any(message.get("more_body") is False for message in turns.messages)


def test_nothing_is_sent_after_a_cancellation() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await app_of([b"begin", BODY], "text/plain")(scope, receive, send)
        await send({"type": "http.response.body", "body": b"more", "more_body": True})

    turns = take_turns(wrap(app, Sliced(shout)))
    assert turns.body == b"BEGIN"


def test_chunks_of_several_tasks_stay_in_order() -> None:
    """The next chunk waits until the one before it has been filtered."""
    policy = Sliced(same)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async with asyncio.TaskGroup() as group:
            for chunk in (b"begin", BODY, b"middle", BODY):
                message = {"type": "http.response.body", "body": chunk, "more_body": True}
                group.create_task(send(message))
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"end"})

    turns = take_turns(wrap(app, policy))
    assert turns.chunks == [b"begin", BODY, b"middle", BODY, b"end"]
    assert sum(policy.sizes) == 2 * SIZE + len(b"beginmiddleend")


def test_other_exchanges_go_on() -> None:
    """A small response is whole before a large one that has been begun earlier."""
    ended: list[str] = []

    async def play(name: str, body: bytes) -> None:
        await count_turns(wrap(app_of([body], "text/plain"), Sliced(shout)))
        ended.append(name)

    async def main() -> None:
        await asyncio.gather(play("large", BODY), play("small", b"small"))

    asyncio.run(main())
    assert ended == ["small", "large"]
