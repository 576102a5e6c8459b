"""The request's body piece by piece: what a policy gets of it, and what the app gets afterwards."""

from __future__ import annotations

import asyncio
import gc
import io
import tempfile
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import BodyTooLarge, ClientDisconnected, MalformedRequest, Policy, Request
from mantlet.asgi.request import AsgiRequest
from mantlet.core.temporary_files import NoSpace
from mantlet.wsgi.request import WsgiRequest
from tests.drive import ADAPTERS, Adapter, both_adapters, make_environ, make_scope
from tests.uploads import PIECE, App, Body, upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

MIB = 2**20


class Reads(Policy):
    """Reads the body in pieces, up to a number of bytes, and keeps what it got or was raised.

    Args:
        limit: of the body.
        memory: of the body.
        stop: after how many bytes it stops.
    """

    def __init__(self, limit: int, *, memory: int = 10, stop: int | None = None) -> None:
        self.limit = limit
        self.memory = memory
        self.stop = stop
        self.pieces: list[bytes] = []
        self.error: Exception | None = None

    async def on_request(self, request: Request) -> None:
        size = 0
        try:
            async for piece in request.chunks(self.limit, memory=self.memory):
                self.pieces.append(piece)
                size += len(piece)
                if self.stop is not None and size >= self.stop:
                    break
        except (mantlet.Problem, ClientDisconnected) as error:
            self.error = error

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


class Demands(Policy):
    """Reads the whole body in pieces, and lets what is raised be the answer."""

    def __init__(self, limit: int, *, memory: int = 1000) -> None:
        self.limit = limit
        self.memory = memory

    async def on_request(self, request: Request) -> None:
        async for _ in request.chunks(self.limit, memory=self.memory):
            pass


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


@both_adapters
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("memory", [0, 1, 5, 9, 10, 11, 100])
@pytest.mark.parametrize("stop", [0, 1, 4, 9, None])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_the_app_gets_every_byte_wherever_a_policy_stops(
    adapter: Adapter, size: int, memory: int, stop: int | None, declared: bool
) -> None:
    """Whether what was read lies in memory, in a file, or in both."""
    body = b"0123456789"
    app, policy = App(), Reads(10, memory=memory, stop=stop)
    answer = upload(
        adapter, app.behind(adapter, policy), cut(body, size), length=10 if declared else None
    )
    assert answer.status == 200
    assert body.startswith(policy.body)
    assert len(policy.body) >= (10 if stop is None else stop)
    assert app.body == body
    assert app.ended


@both_adapters
@settings(max_examples=60)
@given(
    pieces=st.lists(st.binary(max_size=8), max_size=8),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("body"), st.integers(0, 70), st.just(0), st.just(0)),
            st.tuples(
                st.just("chunks"), st.integers(0, 70), st.integers(0, 70), st.integers(0, 70)
            ),
        ),
        max_size=5,
    ),
)
def test_body_and_chunks_may_be_mixed_in_any_order(
    adapter: Adapter, pieces: list[bytes], steps: list[tuple[str, int, int, int]]
) -> None:
    """Each is held to its own limit alone, begins at the beginning, and takes nothing away."""
    body = b"".join(pieces)
    seen: list[bool] = []

    async def go(request: Request, kind: str, limit: int, memory: int, stop: int) -> None:
        if kind == "body":
            assert await request.body(limit) == body
            return
        got = bytearray()
        async for piece in request.chunks(limit, memory=memory):
            assert piece
            got += piece
            if len(got) > stop:
                break
        else:
            assert bytes(got) == body
        assert body.startswith(bytes(got))

    class Mixed(Policy):
        async def on_request(self, request: Request) -> None:
            for step in steps:
                try:
                    await go(request, *step)
                    seen.append(True)
                except BodyTooLarge:
                    assert len(body) > step[1]
                    seen.append(False)

    app = App()
    answer = upload(adapter, app.behind(adapter, Mixed()), pieces)
    assert answer.error is None
    assert len(seen) == len(steps)
    assert app.body == body
    assert app.ended


def ten_gigabytes() -> Iterator[bytes]:
    piece = bytes(PIECE)
    for _ in range(10 * 2**30 // PIECE):
        yield piece


@both_adapters
@pytest.mark.parametrize("memory", [0, 100_000])
@pytest.mark.parametrize("whole", [True, False], ids=["body", "chunks"])
def test_a_chunked_upload_of_ten_gigabytes_is_refused_as_soon_as_it_is_too_large(
    adapter: Adapter, memory: int, whole: bool
) -> None:
    """Nothing is read behind the limit, memory stays bounded, and the app is never called."""

    class Whole(Policy):
        async def on_request(self, request: Request) -> None:
            await request.body(MIB)

    body, app = Body(ten_gigabytes()), App()
    stack = app.behind(adapter, Whole() if whole else Demands(MIB, memory=memory))
    tracemalloc.start()
    try:
        answer = upload(adapter, stack, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 413
    assert app.calls == 0
    assert body.served <= MIB + PIECE
    assert peak < (3 * MIB if whole else memory * 2 + 10 * PIECE)


@both_adapters
@pytest.mark.parametrize("stop", [None, 3 * MIB], ids=["all", "some"])
def test_what_is_kept_for_the_app_is_not_in_memory(adapter: Adapter, stop: int | None) -> None:
    """A body of 20 MB passes through, to an app that keeps nothing."""

    class Counts(Policy):
        async def on_request(self, request: Request) -> None:
            size = 0
            async for piece in request.chunks(30 * MIB, memory=PIECE):
                size += len(piece)
                if stop is not None and size >= stop:
                    break

    sizes: list[int] = []

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        while True:
            event = await receive()
            sizes.append(len(event["body"]))
            if not event["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        while piece := environ["wsgi.input"].read(PIECE):
            sizes.append(len(piece))
        start_response("200 OK", [])
        return []

    piece = bytes(PIECE)
    stack: Any = (
        mantlet.asgi.wrap(asgi, Counts(), baseline=False)
        if adapter.name == "asgi"
        else mantlet.wsgi.wrap(wsgi, Counts(), baseline=False)
    )
    tracemalloc.start()
    try:
        answer = upload(adapter, stack, (piece for _ in range(20 * MIB // PIECE)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 200
    assert sum(sizes) == 20 * MIB
    assert max(sizes) <= PIECE
    assert peak < 2 * MIB


def test_what_was_read_in_pieces_is_handed_on_in_pieces() -> None:
    """Of at most 64 KiB, whether it lies in memory or in a file."""
    (asgi, _), body = ADAPTERS, bytes(range(256)) * 1024
    for memory in (0, 100_000, MIB):
        app = App()
        upload(asgi, app.behind(asgi, Reads(MIB, memory=memory)), cut(body, 100_000))
        assert app.body == body
        assert len(app.pieces) >= 4
        assert max(map(len, app.pieces)) <= PIECE


@pytest.mark.breaks_rules("a body of another type than bytes")
def test_a_piece_that_is_like_bytes_is_made_bytes() -> None:
    """So that nobody can change it once it has been judged."""
    piece: Any = bytearray(b"12345")
    app, policy = App(), Reads(10)
    upload(ADAPTERS[0], app.behind(ADAPTERS[0], policy), [piece])
    piece[:] = b"other"
    assert policy.pieces == app.pieces[:1] == [b"12345"]
    assert type(policy.pieces[0]) is bytes


@both_adapters
def test_two_iterators_each_go_their_own_way(adapter: Adapter) -> None:
    """What one has read the other reads from what was kept."""
    body = bytes(range(100))

    class Two(Policy):
        async def on_request(self, request: Request) -> None:
            one, two = (request.chunks(100, memory=15) for _ in range(2))
            first, second = bytearray(), bytearray()
            async for piece in one:
                first += piece
                if len(first) % 20 == 0:
                    second += await anext(two)
            async for piece in two:
                second += piece
            assert bytes(first) == bytes(second) == body

    app = App()
    assert upload(adapter, app.behind(adapter, Two()), cut(body, 10)).error is None
    assert app.body == body


@both_adapters
def test_a_slow_body_comes_byte_by_byte(adapter: Adapter) -> None:
    """Each byte is there as soon as it has come."""
    body = bytes(range(256)) * 8
    app, policy = App(), Reads(len(body), memory=100)
    assert upload(adapter, app.behind(adapter, policy), cut(body, 1)).status == 200
    assert policy.pieces == cut(body, 1)
    assert app.body == body


@both_adapters
def test_the_first_pieces_are_there_before_the_last_ones_have_come(adapter: Adapter) -> None:
    """A policy may refuse a body by its beginning."""
    body = Body([b"no", b"more", b"of", b"this"])

    class Refuses(Policy):
        async def on_request(self, request: Request) -> mantlet.Reply | None:
            async for piece in request.chunks(100, memory=100):
                if piece.startswith(b"no"):
                    return mantlet.Reply(400)
            return None

    app = App()
    assert upload(adapter, app.behind(adapter, Refuses()), body).status == 400
    assert body.served == 2
    assert app.calls == 0


def test_under_wsgi_no_byte_is_read_but_the_one_that_shows_that_the_limit_is_exceeded() -> None:
    """There it is the reader who says how much comes."""
    for limit in (0, 10, PIECE, PIECE + 1):
        body = Body([bytes(10 * PIECE)])
        upload(ADAPTERS[1], App(limit=0).behind(ADAPTERS[1], Reads(limit)), body)
        assert body.served == limit + 1


@both_adapters
@pytest.mark.parametrize("before", [0, 5])
def test_a_declared_length_over_the_limit_is_refused_before_anything_is_read(
    adapter: Adapter, before: int
) -> None:
    """And before more is read, where another policy has read some under a limit of its own."""
    body = Body(cut(b"0123456789", 5))
    first, second = Reads(10, stop=before or None), Reads(9)
    policies = [first, second] if before else [second]
    upload(adapter, App(limit=0).behind(adapter, *policies), body, length=10)
    assert isinstance(second.error, BodyTooLarge)
    assert second.pieces == []
    # A server of WSGI gives as much as is asked for.
    assert body.served == before


@both_adapters
@pytest.mark.parametrize("length", ["x", "-1", "1, 1"])
@pytest.mark.breaks_rules("a malformed Content-Length")
def test_a_content_length_that_is_no_number_is_malformed(adapter: Adapter, length: str) -> None:
    """RFC 9110, 8.6."""
    policy = Reads(10)
    upload(adapter, App(limit=0).behind(adapter, policy), b"1", length=length)
    assert isinstance(policy.error, MalformedRequest)


@both_adapters
@pytest.mark.parametrize("memory", [0, 1000])
def test_a_client_that_goes_in_the_middle_is_never_taken_for_one_that_sent_less(
    adapter: Adapter, memory: int
) -> None:
    """Under WSGI what tells is the length."""
    app = App()
    body = Body([b"12", b"34"], gone=True)
    answer = upload(adapter, app.behind(adapter, Demands(10, memory=memory)), body, length=5)
    assert app.calls == 0
    assert (answer.status, answer.body, answer.error) == (400, b"", None)


@both_adapters
def test_a_policy_that_catches_the_disconnect_leaves_the_app_what_came(adapter: Adapter) -> None:
    """Which hears of it as well, under ASGI."""
    app, policy = App(), Reads(10, memory=2)
    upload(adapter, app.behind(adapter, policy), Body([b"12", b"34"], gone=True), length=5)
    assert isinstance(policy.error, ClientDisconnected)
    assert policy.body == app.body == b"1234"
    assert app.ended is (adapter.name == "wsgi")


@both_adapters
def test_nested_stacks_each_read_the_body(adapter: Adapter) -> None:
    """What an outer one has spooled, an inner one spools anew."""
    body = bytes(range(256)) * 1000
    app, inner, outer = App(), Reads(MIB, memory=10), Reads(MIB, memory=10, stop=100_000)
    stack = app.behind(adapter, inner)
    apart: Any = adapter.module.wrap(stack.__call__, outer, baseline=False)  # which hides the stack
    assert upload(adapter, apart, body).status == 200
    assert inner.body == app.body == body


WAYS: dict[str, Callable[[Any], bytes]] = {
    "read": lambda stream: stream.read(1 << 20),
    "read(7)": lambda stream: b"".join(iter(lambda: stream.read(7), b"")),
    "readline": lambda stream: b"".join(iter(lambda: stream.readline(20), b"")),
    "iter": b"".join,
    "readlines": lambda stream: b"".join(stream.readlines()),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stop", [5, None])
def test_the_input_is_a_file_like_any_however_much_was_spooled(way: str, stop: int | None) -> None:
    """PEP 3333 wants read, readline, readlines and iteration."""
    body = b"one\ntwo\n\nthree" * 20
    got: list[bytes] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        got.append(WAYS[way](environ["wsgi.input"]))
        start_response("200 OK", [])
        return []

    for memory in (0, 100, 1000):
        stack = mantlet.wsgi.wrap(app, Reads(1000, memory=memory, stop=stop), baseline=False)
        assert upload(ADAPTERS[1], stack, cut(body, 9), length=len(body)).status == 200
        assert got.pop() == body


@both_adapters
def test_a_policy_that_comes_too_late_gets_no_chunks(adapter: Adapter) -> None:
    """The app has the request by then."""
    seen: list[str] = []

    class Late(Policy):
        async def on_response(self, request: Request, response: mantlet.Response) -> None:
            try:
                seen.extend([str(piece) async for piece in request.chunks(10, memory=10)])
            except RuntimeError as error:
                seen.append(str(error))

    upload(adapter, App().behind(adapter, Late()), b"12345")
    assert len(seen) == 1
    assert "on_request" in seen[0]


def test_an_iterator_that_is_kept_does_not_read_for_a_policy_that_comes_too_late() -> None:
    """Nor does one that began before the body was replaced."""
    request = WsgiRequest(make_environ("POST", body=b"12345"))
    chunks = request.chunks(10, memory=10)
    with pytest.raises(StopIteration, match="12345"):
        chunks.__anext__().__await__().__next__()
    request.replace_body(b"other")
    with pytest.raises(RuntimeError, match="replaced"):
        chunks.__anext__().__await__().__next__()
    request.hand_over(watches=False)
    with pytest.raises(RuntimeError, match="on_request"):
        chunks.__anext__().__await__().__next__()


# -- the temporary files --------------------------------------------------------------------------


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Refuses(Reads):
    async def on_request(self, request: Request) -> Any:
        await super().on_request(request)
        return mantlet.Reply(400)


class Raises(Reads):
    async def on_request(self, request: Request) -> None:
        await super().on_request(request)
        raise LookupError


class Waits(Reads):
    """Waits for an event loop, which there is none of under WSGI."""

    async def on_request(self, request: Request) -> None:
        await super().on_request(request)
        await asyncio.sleep(0)


class Sees(Reads):
    def on_response(self, request: Request, response: mantlet.Response) -> None:
        pass

    def on_finish(self, request: Request) -> None:
        pass


class Names(Reads):
    """Has a field set in the answer."""

    async def on_request(self, request: Request) -> None:
        request.add_response_header("x-a", "1")
        await super().on_request(request)


@both_adapters
@pytest.mark.parametrize("limit", [0, 50, 2**30], ids=["reads nothing", "reads some", "reads all"])
@pytest.mark.parametrize("kind", [Reads, Sees, Names, Refuses, Raises, Waits])
@pytest.mark.parametrize("stop", [None, 60], ids=["all", "some"])
@pytest.mark.filterwarnings("error")
def test_the_temporary_file_is_closed_however_the_exchange_ends(
    adapter: Adapter, limit: int, kind: type[Reads], stop: int | None
) -> None:
    """By somebody who means it, and not by the garbage collector."""
    gc.disable()
    try:
        before = open_files()
        for _ in range(60):  # 72 cases of 60 exchanges
            stack = App(limit=limit).behind(adapter, kind(1000, memory=10, stop=stop))
            if adapter.name == "asgi":
                with asyncio.Runner() as runner:
                    runner.run(_ask(stack, cut(b"x" * 100, 20)))
            else:
                _call(stack, cut(b"x" * 100, 20))
        assert open_files() == before
    finally:
        gc.enable()


async def _ask(stack: Any, pieces: list[bytes]) -> None:
    events = Body(pieces).events()

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        pass

    with suppress(LookupError):
        await stack(make_scope("POST"), receive, send)


def _call(stack: Any, pieces: list[bytes]) -> None:
    environ = make_environ("POST")
    environ |= {"wsgi.input": Body(pieces).stream(), "wsgi.input_terminated": True}
    try:
        result = stack(environ, lambda *_: None)
    except (LookupError, RuntimeError):
        return
    list(result)
    if hasattr(result, "close"):
        result.close()


@pytest.mark.unmeasured
@both_adapters
def test_no_file_stays_open_after_two_thousand_exchanges(adapter: Adapter) -> None:
    """In one process, as a server would have them."""
    stack = App().behind(adapter, Reads(1000, memory=10))
    before = open_files()

    async def many() -> None:
        for _ in range(2000):
            await _ask(stack, [b"x" * 20, b"y"])

    if adapter.name == "asgi":
        asyncio.run(many())
    else:
        for _ in range(2000):
            _call(stack, [b"x" * 20, b"y"])
    assert open_files() == before


@both_adapters
def test_the_file_is_closed_as_soon_as_the_app_has_all_of_it(adapter: Adapter) -> None:
    """It need not wait for the end of a long answer."""
    counts: list[int] = []

    class Counting(App):
        async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
            counts.append(open_files())
            await super().asgi(scope, receive, send)
            counts.append(open_files())

        def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
            counts.append(open_files())
            answer = super().wsgi(environ, start_response)
            counts.append(open_files())
            return answer

    app = Counting()
    upload(adapter, app.behind(adapter, Reads(1000, memory=10)), cut(b"x" * 100, 20))
    assert app.body == b"x" * 100
    assert counts[1] == counts[0] - 1


def test_an_app_that_reads_while_it_answers_still_gets_the_file_under_wsgi() -> None:
    """A generator runs after the call that made it."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        while piece := environ["wsgi.input"].read(30):
            yield piece

    stack = mantlet.wsgi.wrap(app, Reads(1000, memory=10), baseline=False)
    before = open_files()
    answer = upload(ADAPTERS[1], stack, cut(b"x" * 100, 20))
    assert answer.body == b"x" * 100
    assert open_files() == before


def test_an_app_that_reads_when_all_is_over_hears_that_the_client_has_gone() -> None:
    """It never takes the rest of a body for its end."""
    kept: list[Any] = []

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        kept.append(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        kept.append(environ["wsgi.input"])
        start_response("200 OK", [])
        return []

    policy = Reads(1000, memory=10)
    asyncio.run(_ask(mantlet.asgi.wrap(asgi, policy, baseline=False), cut(b"x" * 100, 20)))
    assert asyncio.run(kept.pop()()) == {"type": "http.disconnect"}
    _call(mantlet.wsgi.wrap(wsgi, policy, baseline=False), cut(b"x" * 100, 20))
    with pytest.raises(ValueError, match="has ended"):
        kept.pop().read(10)


@both_adapters
def test_a_disk_that_is_full_is_a_problem_and_the_body_is_complete_all_the_same(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app is not called; where a policy catches the problem, the app gets every byte."""

    class Full(io.BytesIO):
        """A file with space for 35 bytes."""

        def __init__(self, **_options: Any) -> None:
            super().__init__()

        def write(self, data: Any) -> int:
            if self.tell() == 35:
                raise OSError("no space left")
            return super().write(data[: 35 - self.tell()])

    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    app = App()
    answer = upload(adapter, app.behind(adapter, Demands(1000, memory=10)), cut(b"x" * 100, 20))
    assert (answer.status, answer.error, app.calls) == (503, None, 0)

    body, app, reads = bytes(range(100)), App(), [Reads(1000, memory=10), Reads(1000, memory=10)]
    upload(adapter, app.behind(adapter, *reads), cut(body, 20))
    assert [type(one.error) for one in reads] == [NoSpace, NoSpace]
    assert (app.body, app.ended) == (body, True)


def test_no_file_is_made_where_memory_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most bodies never see a disk."""
    made: list[object] = []
    monkeypatch.setattr(tempfile, "TemporaryFile", made.append)
    for adapter in ADAPTERS:
        app = App()
        upload(adapter, app.behind(adapter, Reads(100, memory=100)), cut(b"x" * 100, 20))
        assert app.body == b"x" * 100
    assert made == []


def test_a_request_says_by_its_type_what_its_chunks_are() -> None:
    """An asynchronous iterator of bytes, under both protocols."""
    chunks: list[AsyncIterator[bytes]] = [
        AsgiRequest(make_scope(), lambda: None).chunks(1, memory=1),  # type: ignore[arg-type,return-value]  # never called
        WsgiRequest(make_environ()).chunks(1, memory=1),
    ]
    assert all(one.__aiter__() is one for one in chunks)
