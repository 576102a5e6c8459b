"""Requests that are canceled, and clients that go away, leave neither data nor connections."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

import mantlet
from mantlet import ClientDisconnected, ErrorEnvelope, Policy, UnitOfWork, uow
from mantlet._internal.event_loop import uninterrupted
from tests.database.ways import Item, Way, block
from tests.drive import Answer, ask_asgi, drive_asgi, make_scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mantlet import Request, Response
    from mantlet._internal.asgi_types import AsgiApp, Receive, Scope, Send
    from tests.database.ways import Raw


@pytest.fixture(params=["asgi", "asgi-async"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    """Each kind of session under ASGI."""
    made = Way(request.param, f"/{tmp_path}/database", ("sqlite", "sqlite+aiosqlite"))
    yield made
    made.dispose()


async def respond(send: Send) -> None:
    """Respond 200."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def cancel(way: Way, app: Any, ready: asyncio.Event) -> tuple[Answer, asyncio.Task[None]]:
    """Run a request, and cancel it once the app is ready."""
    answer = Answer()
    task = asyncio.create_task(ask_asgi(app, make_scope(), [], answer))
    await ready.wait()
    task.cancel()
    return answer, task


def test_a_request_that_is_canceled(way: Way) -> None:
    """In a block, or outside of one."""

    async def run(inside: bool) -> None:
        ready = asyncio.Event()

        async def view(raw: Raw) -> int:
            async with block(uow(raw)) as work:
                work.session.add(Item(name="a"))
                if not inside:
                    await work._leave(None)
                ready.set()
                await asyncio.sleep(60)
            return 200

        app = way.wrap(view, ErrorEnvelope(), UnitOfWork(way.factory))
        answer, task = await cancel(way, app, ready)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert answer.status is None

    for inside in (True, False):
        asyncio.run(run(inside))
        assert way.count() == 0
        assert way.engine.pool.checkedout() == 0


class Slow:
    """Makes the commits of a way wait until they are let go.

    Args:
        way: the way.
        loop: the event loop.
    """

    def __init__(self, way: Way, loop: asyncio.AbstractEventLoop) -> None:
        begun = self.begun = asyncio.Event()
        let_go = self.let_go = threading.Event()

        class Waiting(way.factory.class_):  # type: ignore[misc,name-defined]
            def commit(self) -> Any:
                loop.call_soon_threadsafe(begun.set)
                if way.is_async:
                    return self._commit_later()
                assert let_go.wait(120)
                return super().commit()

            async def _commit_later(self) -> None:
                assert await asyncio.to_thread(let_go.wait, 10)
                await super().commit()

        self.factory = type(way.factory)(way.engine, class_=Waiting)


@pytest.mark.parametrize("times", [1, 3])
def test_a_request_that_is_canceled_during_its_commit(way: Way, times: int) -> None:
    """The commit ends, its functions are called, and the cancellation goes on."""
    calls: list[str] = []
    errors: list[BaseException] = []

    class Seeing(Policy):
        def on_error(self, request: Request, error: BaseException) -> None:
            errors.append(error)

    async def run() -> None:
        slow = Slow(way, asyncio.get_running_loop())

        async def view(raw: Raw) -> int:
            async with block(uow(raw)) as work:
                work.session.add(Item(name="a"))
                work.after_commit(calls.append, "called")
            return 200

        app = way.wrap(view, Seeing(), UnitOfWork(slow.factory))
        answer, task = await cancel(way, app, slow.begun)
        for _ in range(times - 1):
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        slow.let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert answer.status is None

    asyncio.run(run())
    assert way.names() == ["a"]
    assert calls == ["called"]
    assert isinstance(errors[0], asyncio.CancelledError)
    assert way.engine.pool.checkedout() == 0


def test_a_client_that_has_disconnected(way: Way) -> None:
    """Nobody gets the response, so nothing is committed, and outer policies see an error."""
    seen: list[object] = []

    class Seeing(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            seen.append(response.status)

        def on_error(self, request: Request, error: BaseException) -> None:
            seen.append(type(error))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with block(uow(scope)) as work:
            work.session.add(Item(name="a"))
        while (await receive())["type"] != "http.disconnect":
            pass
        with suppress(OSError):
            await respond(send)

    stack = mantlet.asgi.wrap(app, Seeing(), UnitOfWork(way.factory), baseline=False)
    wrapped: AsgiApp = way.disposing(stack) if way.is_async else stack
    drive_asgi(wrapped, events=[{"type": "http.disconnect"}])
    assert seen == [ClientDisconnected]
    assert way.count() == 0
    assert way.engine.pool.checkedout() == 0


def test_a_thread_that_goes_on_after_its_request_was_canceled(tmp_path: Path) -> None:
    """It is not disturbed, commits nothing, and returns its connection at the end of its block."""
    way = Way("asgi", f"/{tmp_path}/database", ("sqlite", ""))
    let_go, ended, errors = threading.Event(), threading.Event(), []

    async def run() -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()

        def work_on(scope: Scope) -> None:
            try:
                with uow(scope) as work:
                    work.session.add(Item(name="a"))
                    work.session.flush()
                    loop.call_soon_threadsafe(ready.set)
                    assert let_go.wait(120)
                    work.session  # it has ended
            except RuntimeError as error:
                errors.append(error)
            finally:
                ended.set()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.to_thread(work_on, scope)
            await respond(send)

        wrapped = mantlet.asgi.wrap(app, UnitOfWork(way.factory), baseline=False)
        _, task = await cancel(way, wrapped, ready)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert way.engine.pool.checkedout() == 1  # the thread's
        let_go.set()
        assert await asyncio.to_thread(ended.wait, 10)

    asyncio.run(run())
    assert "has ended" in str(errors[0])
    assert way.count() == 0
    assert way.engine.pool.checkedout() == 0
    way.dispose()


# -- what it is built on ---------------------------------------------------------------------------


def test_steps_are_not_interrupted() -> None:
    """Their result, or their error, comes before a cancellation; then that goes on."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert await uninterrupted(asyncio.sleep(0, "done")) == "done"

        async def fail(future: asyncio.Future[None]) -> None:
            await future
            raise ValueError("own")

        for steps, expected in ((fail, ValueError), (asyncio.wait_for, asyncio.CancelledError)):
            future = loop.create_future()
            arguments = (future,) if steps is fail else (future, None)
            task = asyncio.ensure_future(uninterrupted(steps(*arguments)))
            for _ in range(3):
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
            future.set_result(None)
            with pytest.raises(expected):
                await task

        async def limited() -> str:
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.sleep(60)
            except TimeoutError:
                return "in time"
            return "late"

        assert await uninterrupted(limited()) == "in time"

    asyncio.run(run())


def test_under_trio(tmp_path: Path) -> None:
    """A Session commits off the loop, and a cancellation waits for it."""
    engine = create_engine(f"sqlite:///{tmp_path}/database")
    Item.metadata.create_all(engine)
    let_go = threading.Event()
    ready: list[trio.Event] = []
    tokens: list[Any] = []

    class Waiting(Session):
        def commit(self) -> None:
            trio.from_thread.run_sync(ready[0].set, trio_token=tokens[0])
            assert let_go.wait(120)
            super().commit()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with uow(scope) as work:
            work.session.add(Item(name="a"))
        await respond(send)

    wrapped = mantlet.asgi.wrap(
        app, UnitOfWork(sessionmaker(engine, class_=Waiting)), baseline=False
    )
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def run() -> None:
        ready.append(trio.Event())
        tokens.append(trio.lowlevel.current_trio_token())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wrapped, make_scope(), trio.sleep_forever, send)
            await ready[0].wait()
            nursery.cancel_scope.cancel()
            let_go.set()

    trio.run(run)
    assert not sent
    with sessionmaker(engine)() as session:
        assert session.query(Item).count() == 1
    engine.dispose()
