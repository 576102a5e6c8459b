"""How a request may end: its client or its server goes away, or its body is not what it seems."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Idempotency
from tests.drive import Answer, ask_asgi, drive_asgi, drive_wsgi, make_environ, make_scope
from tests.idempotency.driving import KEY, Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

HEADERS = [*KEY.items()]
ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["local", "network"])
START: dict[str, Any] = {"type": "http.response.start", "status": 201, "headers": []}
WHOLE: dict[str, Any] = START | {"headers": [(b"content-length", b"4")]}
END: dict[str, Any] = {"type": "http.response.body", "body": b"paid"}


class AsgiShop:
    """An ASGI app that sends some messages, and then may do something else."""

    def __init__(
        self,
        messages: Sequence[AsgiMessage] = (WHOLE, END),
        *,
        is_async: bool = False,
        **options: Any,
    ) -> None:
        self.store = Store(is_async=is_async)
        self.messages = messages
        self.count = 0
        self.wrapped = mantlet.asgi.wrap(
            self.app, Idempotency(store=self.store, **options), baseline=False
        )

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        self.count += 1
        for message in self.messages:
            await send(message)
        await self.last(receive)

    async def last(self, receive: Receive) -> None:
        """Do the rest."""

    def pay(self, events: Iterable[AsgiMessage] | None = None, **scope: Any) -> Answer:
        """Send a request."""
        return drive_asgi(
            self.wrapped, "POST", headers=HEADERS, body=b"x", events=events, scope=scope
        )


@ASYNC
def test_a_disconnect_while_the_body_is_read(is_async: bool) -> None:
    """Nothing has run, and nothing is stored."""
    shop = AsgiShop(is_async=is_async)
    part = {"type": "http.request", "body": b"x", "more_body": True}
    shop.pay([part, {"type": "http.disconnect"}])
    assert shop.count == 0
    assert not shop.store.calls
    assert shop.pay().body == b"paid"


@ASYNC
def test_a_client_that_has_gone_before_the_response(is_async: bool) -> None:
    """The app goes on, and what it answers is stored for the repeat."""
    shop = AsgiShop(is_async=is_async)

    async def send(message: AsgiMessage) -> None:
        raise OSError("the client has disconnected")

    async def receive() -> AsgiMessage:
        return {"type": "http.request", "body": b"x"}

    with pytest.raises(OSError, match="disconnected"):
        asyncio.run(shop.wrapped(make_scope("POST", headers=HEADERS), receive, send))
    repeat = shop.pay()
    assert (repeat.body, repeat.get("idempotency-replayed"), shop.count) == (b"paid", "true", 1)


def test_an_app_that_stops_when_its_client_has_gone() -> None:
    """Nobody knows how far it has come: its key is in flight until the lease ends."""

    class Stops(AsgiShop):
        async def last(self, receive: Receive) -> None:
            if (await receive())["type"] == "http.request":
                assert (await receive())["type"] == "http.disconnect"

    shop = Stops(())
    shop.pay([{"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}])
    assert shop.count == 1
    assert shop.pay().status == 409
    shop.store.clock.now += 60
    shop.messages = (WHOLE, END)
    shop.pay()
    assert shop.count == 2


def test_an_app_that_says_nothing() -> None:
    """Its server answers with 500, so the key is free."""
    shop = AsgiShop(())
    shop.pay()
    shop.messages = (WHOLE, END)
    assert shop.pay().body == b"paid"


async def _cancel(shop: AsgiShop, turns: int) -> bool:
    """Cancel a request after some turns of the loop; return whether it was still running."""
    events = [{"type": "http.request", "body": b"x"}]
    scope = make_scope("POST", headers=HEADERS)
    task = asyncio.ensure_future(ask_asgi(shop.wrapped, scope, events, Answer()))
    for _ in range(turns):
        await asyncio.sleep(0)
    cancelled = task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    return not cancelled


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("turns", range(14))
def test_a_request_is_cancelled(turns: int, stream: bool) -> None:
    """At any point: what has run does not run again within its lease; a response is stored."""

    class Waits(AsgiShop):
        ran = 0

        async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
            self.count += 1
            await asyncio.sleep(0)
            self.ran += 1
            await super().app(scope, receive, send)

    shop = Waits((START, END) if stream else (WHOLE, END), is_async=True)
    asyncio.run(_cancel(shop, turns))
    began, ran, is_stored = shop.count, shop.ran, bool(shop.store.values)
    repeat = shop.pay()
    if ran:
        assert shop.ran == 1
        # Its response was made as soon as it had run, so that it is stored, if it is whole.
        assert repeat.status == 201 or (stream and repeat.status == 409)
    elif began:
        assert repeat.status == 409
    else:
        assert repeat.status == (409 if is_stored else 201)
    shop.store.clock.now += 60
    assert shop.pay().status in (201, 409)


def test_a_response_with_trailers_has_run() -> None:
    """They may be what it says, and no replay could have them."""
    shop = AsgiShop(
        [
            START | {"trailers": True},
            END,
            {"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]},
        ]
    )
    assert shop.pay().body == b"paid"
    assert shop.pay().status == 409
    assert shop.count == 1


@pytest.mark.parametrize("length", [True, False], ids=["length", "no-length"])
@pytest.mark.parametrize("size", [10, 5000])
def test_a_file_is_stored_if_it_is_small(tmp_path: Path, length: bool, size: int) -> None:
    """A large one is left to the server, and has run."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * size)
    headers = [(b"content-length", b"%d" % size)] if length else []
    messages = [
        START | {"headers": headers},
        {"type": "http.response.pathsend", "path": str(file)},
    ]
    shop = AsgiShop(messages, max_response=1000)
    sent: list[AsgiMessage] = []

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    async def receive() -> AsgiMessage:
        return {"type": "http.request", "body": b""}

    extensions: dict[str, Any] = {"http.response.pathsend": {}}
    scope = make_scope("POST", headers=HEADERS, scope={"extensions": extensions})
    asyncio.run(shop.wrapped(scope, receive, send))
    is_left = sent[-1]["type"] == "http.response.pathsend"
    assert is_left == (length and size > 1000)
    if not is_left:
        assert b"".join(one.get("body", b"") for one in sent) == b"x" * size
    file.unlink()
    sent.clear()
    asyncio.run(shop.wrapped(scope, receive, send))
    assert sent[0]["status"] == (201 if size == 10 else 409)


def test_hints_before_the_response_are_sent_once() -> None:
    """They are not a part of it."""
    hint: AsgiMessage = {"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]}
    shop = AsgiShop([hint, WHOLE, END])
    extensions: dict[str, Any] = {"http.response.early_hint": {}}
    answers = [shop.pay(extensions=extensions) for _ in range(2)]
    assert [answer.body for answer in answers] == [b"paid", b"paid"]


@pytest.mark.parametrize("declared", [b"3", b"5"])
def test_a_body_of_another_length_is_not_stored(declared: bytes) -> None:
    """Its server breaks it off, so that no replay could be the same."""
    shop = AsgiShop([START | {"headers": [(b"content-length", declared)]}, END])
    shop.pay()
    assert shop.pay().status == 409
    assert shop.count == 1


# -- WSGI ------------------------------------------------------------------------------------------


class WsgiShop:
    """A WSGI app."""

    def __init__(self, app: Any, **options: Any) -> None:
        self.store = Store()
        self.count = 0

        def counted(environ: dict[str, Any], start_response: Any) -> Any:
            self.count += 1
            return app(environ, start_response)

        policy = Idempotency(store=self.store, **options)
        self.wrapped = mantlet.wsgi.wrap(counted, policy, baseline=False)

    def pay(self, **environ: Any) -> Answer:
        """Send a request."""
        return drive_wsgi(self.wrapped, "POST", headers=HEADERS, body=b"x", environ=environ)


def test_bytes_that_are_written_are_stored() -> None:
    """By the callable that ``start_response`` returns (PEP 3333)."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("201 Created", [("Content-Type", "text/plain")])
        write(b"pa")
        return [b"i", b"d"]

    shop = WsgiShop(app)
    assert [shop.pay().body for _ in range(2)] == [b"paid", b"paid"]
    assert shop.count == 1


def test_a_stream_that_a_server_closes_has_run() -> None:
    """The client has gone in the middle of it."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("201 Created", [("Content-Type", "text/plain")])
        return iter([b"a", b"b", b"c"])

    shop = WsgiShop(app)
    body: Any = shop.wrapped(
        make_environ("POST", headers=HEADERS, body=b"x"), lambda *_: lambda _: None
    )
    assert next(iter(body)) == b"a"
    body.close()
    assert shop.pay().get("retry-after") == "1"
    shop.store.clock.now += 60
    assert "its response was not kept" in shop.pay().text()
    assert shop.count == 1


def test_a_file_under_wsgi_is_stored() -> None:
    """Though the server would have sent it by itself."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("201 Created", [("Content-Length", "4")])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"paid"))

    class Wrapper:
        def __init__(self, file: Any, size: int = 8192) -> None:
            self._file, self._size = file, size

        def __iter__(self) -> Any:
            return iter(lambda: self._file.read(self._size), b"")

    shop = WsgiShop(app)
    answers = [shop.pay(**{"wsgi.file_wrapper": Wrapper}) for _ in range(2)]
    assert [answer.body for answer in answers] == [b"paid", b"paid"]
    assert shop.count == 1


# -- many at once ----------------------------------------------------------------------------------


def test_a_hundred_threads_run_it_once() -> None:
    """The others are told to come again, or get its response."""
    barrier = threading.Barrier(100)
    answers: list[Answer] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("201 Created", [("Content-Length", "4")])
        return [b"paid"]

    shop = WsgiShop(app)

    def pay() -> None:
        barrier.wait()
        answers.append(shop.pay())

    threads = [threading.Thread(target=pay) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shop.count == 1
    assert {answer.status for answer in answers} <= {201, 409}
    assert {answer.body for answer in answers if answer.status == 201} == {b"paid"}
    assert shop.pay().body == b"paid"


@ASYNC
def test_a_hundred_tasks_run_it_once(is_async: bool) -> None:
    """While the first of them waits."""

    class Waits(AsgiShop):
        go: asyncio.Event

        async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.go.wait()
            await super().app(scope, receive, send)

    shop = Waits(is_async=is_async)
    answers = [Answer() for _ in range(100)]

    async def pay(answer: Answer) -> None:
        events = [{"type": "http.request", "body": b"x"}]
        await ask_asgi(shop.wrapped, make_scope("POST", headers=HEADERS), events, answer)

    async def run() -> None:
        shop.go = asyncio.Event()
        tasks = [asyncio.ensure_future(pay(answer)) for answer in answers]
        for _, task in zip(range(99), asyncio.as_completed(tasks), strict=False):
            await task
        shop.go.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert shop.count == 1
    assert sorted(answer.status or 0 for answer in answers) == [201] + [409] * 99
