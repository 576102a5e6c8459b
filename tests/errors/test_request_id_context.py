"""The request's id, wherever one asks for it while the request is being answered."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import logging.config
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest
import structlog

import mantlet
from mantlet import ErrorEnvelope, Policy
from mantlet.errors import RequestIdFilter, add_request_id, current_request_id
from tests.drive import (
    Adapter,
    Answer,
    AsgiAdapter,
    Said,
    WsgiAdapter,
    ask_asgi,
    ask_wsgi,
    both_adapters,
    hello,
    make_environ,
    make_scope,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mantlet import Request

ASGI, WSGI = AsgiAdapter(), WsgiAdapter()


def named(request_id: str) -> dict[str, Any]:
    """Return what a request is driven with that brings its id."""
    return {"headers": [("X-Request-ID", request_id)]}


async def ask(app: Any, request_id: str) -> Answer:
    """Send one request to an ASGI app, in this very context, as no server would."""
    answer = Answer()
    await ask_asgi(app, make_scope(**named(request_id)), [{"type": "http.request"}], answer)
    return answer


def asking(seen: list[str | None]) -> Callable[[Any], Said]:
    """Return an app that keeps which id it is asked under."""

    def handler(carrier: Any) -> Said:
        seen.append(current_request_id())
        return hello(carrier)

    return handler


# -- current_request_id() -------------------------------------------------------------------------


def test_there_is_none_outside_of_a_request() -> None:
    """Nor is that an error."""
    assert current_request_id() is None


@both_adapters
def test_the_app_finds_the_id_that_the_client_is_told(adapter: Adapter) -> None:
    """One that it brought, or a new one."""
    seen: list[str | None] = []
    stack = adapter.wrap(asking(seen), ErrorEnvelope())
    answers = [adapter.drive(stack, **named("mine")), adapter.drive(stack)]
    assert seen == [answer.get("X-Request-ID") for answer in answers]
    assert seen[0] == "mine"


@both_adapters
def test_policies_further_in_find_it_in_every_hook_and_those_further_out_in_none(
    adapter: Adapter,
) -> None:
    """It is there from the envelope inwards, and gone when the envelope has ended."""

    class Ask(Policy):
        def __init__(self) -> None:
            self.seen: list[str | None] = []

        def on_request(self, request: Request) -> None:
            self.seen.append(current_request_id())

        def on_response(self, request: Request, response: Any) -> None:
            self.seen.append(current_request_id())

        def on_error(self, request: Request, error: BaseException) -> None:
            self.seen.append(current_request_id())

        def on_finish(self, request: Request) -> None:
            self.seen.append(current_request_id())

    def failing(carrier: Any) -> Said:
        raise LookupError

    for handler in (hello, failing):
        outer, inner = Ask(), Ask()
        logging.getLogger("mantlet.errors").disabled = True
        adapter.drive(adapter.wrap(handler, outer, ErrorEnvelope(), inner), **named("mine"))
        logging.getLogger("mantlet.errors").disabled = False
        assert inner.seen == ["mine"] * 3
        assert outer.seen[0] is None
        assert outer.seen[-1] is None


@both_adapters
def test_the_body_of_a_stream_is_made_under_the_id(adapter: Adapter) -> None:
    """To its last chunk."""
    seen: list[str | None] = []
    app: Any
    if adapter.name == "asgi":

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for more in (True, True, False):
                seen.append(current_request_id())
                await send({"type": "http.response.body", "body": b"x", "more_body": more})
            seen.append(current_request_id())

        app = mantlet.asgi.wrap(asgi, ErrorEnvelope(), baseline=False)
    else:

        def wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            try:
                for _ in range(3):
                    seen.append(current_request_id())
                    yield b"x"
            finally:
                seen.append(current_request_id())

        app = mantlet.wsgi.wrap(wsgi, ErrorEnvelope(), baseline=False)
    assert adapter.drive(app, **named("mine")).body == b"xxx"
    assert seen == ["mine"] * 4


def test_it_is_there_in_threads_and_tasks_that_get_the_context() -> None:
    """As asyncio.to_thread(), tasks and context.run() hand it on."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def in_a_task() -> str | None:
            await asyncio.sleep(0)
            return current_request_id()

        seen = [
            current_request_id(),
            await asyncio.to_thread(current_request_id),
            await asyncio.create_task(in_a_task()),
            *await asyncio.gather(in_a_task(), in_a_task()),
        ]
        async with asyncio.TaskGroup() as group:
            task = group.create_task(in_a_task())
        assert [*seen, task.result()] == ["mine"] * 6
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    answer = ASGI.drive(mantlet.asgi.wrap(app, ErrorEnvelope(), baseline=False), **named("mine"))
    assert (answer.status, answer.error) == (204, None)


def test_it_is_there_in_a_thread_of_a_wsgi_app_that_gets_the_context() -> None:
    """And not in one that does not: nothing but the context carries it."""
    seen: list[str | None] = []

    def handler(carrier: Any) -> Said:
        with ThreadPoolExecutor(1) as pool:
            context = contextvars.copy_context()
            seen.append(pool.submit(context.run, current_request_id).result())
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(current_request_id).result())
        return hello(carrier)

    WSGI.drive(WSGI.wrap(handler, ErrorEnvelope()), **named("mine"))
    assert seen == ["mine", None]


def test_a_task_that_outlives_the_request_keeps_its_id() -> None:
    """What it logs belongs to that request, and the next one is not mixed up with it."""

    async def main() -> list[str | None]:
        tasks: list[asyncio.Task[str | None]] = []
        go_on = asyncio.Event()

        async def background() -> str | None:
            await go_on.wait()
            return current_request_id()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            tasks.append(asyncio.create_task(background()))
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        stack = mantlet.asgi.wrap(app, ErrorEnvelope(), baseline=False)
        await ask(stack, "one")
        await ask(stack, "two")
        go_on.set()
        return [current_request_id(), *await asyncio.gather(*tasks)]

    assert asyncio.run(main()) == [None, "one", "two"]


def raising(error: BaseException) -> Callable[[Any], Said]:
    def handler(carrier: Any) -> Said:
        raise error

    return handler


@pytest.mark.parametrize(
    "handler",
    [hello, raising(LookupError()), raising(KeyboardInterrupt())],
    ids=["answers", "raises", "exits"],
)
@both_adapters
def test_it_is_gone_when_the_exchange_is(adapter: Adapter, handler: Callable[[Any], Said]) -> None:
    """However that ended, in the context that the server called from."""
    stack: Any = adapter.wrap(handler, ErrorEnvelope())
    answer = Answer()
    if adapter.name == "asgi":

        async def main() -> str | None:
            try:
                await ask(stack, "mine")
            except KeyboardInterrupt:
                answer.status = 0
            return current_request_id()

        assert asyncio.run(main()) is None
    else:
        try:
            ask_wsgi(stack, make_environ(**named("mine")), answer)
        except KeyboardInterrupt:
            answer.status = 0
        assert current_request_id() is None


def test_it_is_gone_when_a_request_was_cancelled() -> None:
    """A server cancels what a client no longer waits for."""

    async def main() -> str | None:
        started = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            started.set()
            await asyncio.Event().wait()

        stack = mantlet.asgi.wrap(app, ErrorEnvelope(), baseline=False)
        found: list[str | None] = []

        async def serve() -> None:
            try:
                await ask(stack, "mine")
            finally:
                found.append(current_request_id())

        task = asyncio.create_task(serve())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return found[0]

    assert asyncio.run(main()) is None


# -- requests within and beside requests ----------------------------------------------------------


@both_adapters
def test_a_request_to_another_app_from_inside_one_gives_the_id_back(adapter: Adapter) -> None:
    """Each app sees its own, and the outer one its own again."""
    seen: list[str | None] = []
    inner: Any = adapter.wrap(asking(seen), ErrorEnvelope())
    app: Any
    if adapter.name == "asgi":

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            seen.append(current_request_id())
            assert (await ask(inner, "inner")).get("X-Request-ID") == "inner"
            seen.append(current_request_id())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        app = mantlet.asgi.wrap(asgi, ErrorEnvelope(), baseline=False)
    else:

        def wsgi(environ: Any, start_response: Any) -> list[bytes]:
            seen.append(current_request_id())
            answer = Answer()
            ask_wsgi(inner, make_environ(**named("inner")), answer)
            assert answer.get("X-Request-ID") == "inner"
            seen.append(current_request_id())
            start_response("200 OK", [])
            return [b"x"]

        app = mantlet.wsgi.wrap(wsgi, ErrorEnvelope(), baseline=False)
    answer = adapter.drive(app, **named("outer"))
    assert (answer.status, answer.error) == (200, None)
    assert answer.get("X-Request-ID") == "outer"
    assert seen == ["outer", "inner", "outer"]


@both_adapters
def test_nested_envelopes_have_one_id(adapter: Adapter) -> None:
    """The outermost gives it and takes it back."""
    seen: list[str | None] = []
    inner: Any = adapter.wrap(asking(seen), ErrorEnvelope(), ErrorEnvelope())
    stack = adapter.module.wrap(inner, ErrorEnvelope(), baseline=False)
    answer = adapter.drive(stack, **named("mine"))
    assert answer.get("X-Request-ID") == "mine"
    assert seen == ["mine"]
    assert current_request_id() is None


def test_requests_under_one_loop_are_not_mixed() -> None:
    """Each keeps its own, however they take turns."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        own = mantlet.state(scope).request_id
        for _ in range(20):
            await asyncio.sleep(0)
            assert current_request_id() == own
        assert await asyncio.to_thread(current_request_id) == own
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await asyncio.sleep(0)
        await send({"type": "http.response.body"})
        assert current_request_id() == own

    async def main() -> list[Answer]:
        stack = mantlet.asgi.wrap(app, ErrorEnvelope(), baseline=False)
        return await asyncio.gather(*(ask(stack, f"id-{number}") for number in range(50)))

    answers = asyncio.run(main())
    assert [answer.status for answer in answers] == [204] * 50
    assert [answer.get("X-Request-ID") for answer in answers] == [f"id-{n}" for n in range(50)]


def test_requests_in_threads_are_not_mixed() -> None:
    """All of them are in the app at once."""
    barrier = Barrier(8)
    mixed: list[object] = []

    def handler(carrier: Any) -> Said:
        own = mantlet.state(carrier).request_id
        before = current_request_id()
        barrier.wait(120)
        if not before == current_request_id() == own:
            mixed.append((before, own))
        return hello(carrier)

    stack = WSGI.wrap(handler, ErrorEnvelope())

    def serve(thread: int) -> None:
        for number in range(20):
            answer = Answer()
            ask_wsgi(stack, make_environ(**named(f"{thread}-{number}")), answer)
            if answer.status != 200 or current_request_id() is not None:
                mixed.append(answer)

    threads = [Thread(target=serve, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mixed == []


# -- servers that end an exchange elsewhere -------------------------------------------------------


def opened(request_id: str) -> Any:
    """Return the body of a WSGI answer that nobody has read yet."""
    stack = WSGI.wrap(hello, ErrorEnvelope())
    return stack(make_environ(**named(request_id)), lambda *_: lambda _: None)


def in_a_thread(call: Callable[[], object]) -> None:
    """Call something in a thread of its own, and raise what it raises."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


def in_a_context(call: Callable[[], object]) -> None:
    """Call something in a context of its own."""
    contextvars.copy_context().run(call)


elsewhere = pytest.mark.parametrize("where", [in_a_thread, in_a_context], ids=["thread", "context"])


@elsewhere
@pytest.mark.breaks_rules("a server that ends an answer elsewhere")
def test_an_answer_may_be_closed_elsewhere(where: Callable[[Callable[[], object]], None]) -> None:
    """By a server that hands on the iterable: it is no error, and no other request hears of it."""

    def both() -> None:
        body = opened("mine")
        where(body.close)
        seen: list[str | None] = []
        WSGI.drive(WSGI.wrap(asking(seen), ErrorEnvelope()), **named("next"))
        assert seen == ["next"]

    in_a_context(both)


@elsewhere
@pytest.mark.breaks_rules("a server that ends an answer elsewhere")
def test_an_answer_may_be_made_elsewhere_and_ended_here(
    where: Callable[[Callable[[], object]], None],
) -> None:
    """The id that is current here stays."""
    bodies: list[Any] = []
    where(lambda: bodies.append(opened("other")))

    def handler(carrier: Any) -> Said:
        list(bodies[0])
        bodies[0].close()
        assert current_request_id() == "mine"
        return hello(carrier)

    answer = WSGI.drive(WSGI.wrap(handler, ErrorEnvelope()), **named("mine"))
    assert (answer.status, answer.error) == (200, None)
    assert current_request_id() is None


@elsewhere
@pytest.mark.breaks_rules("a server that ends an answer elsewhere")
def test_an_answer_that_was_closed_elsewhere_does_not_come_back(
    where: Callable[[Callable[[], object]], None],
) -> None:
    """What is logged when the next one has ended belongs to neither."""

    def both() -> str | None:
        body = opened("mine")
        where(body.close)
        WSGI.drive(WSGI.wrap(hello, ErrorEnvelope()), **named("next"))
        return current_request_id()

    assert contextvars.copy_context().run(both) is None


@pytest.mark.breaks_rules("a server that has two answers open at once")
def test_answers_that_are_open_at_once_may_end_in_any_order() -> None:
    """As two of a test client's that are closed late."""

    def both() -> str | None:
        first, second = opened("first"), opened("second")
        first.close()
        second.close()
        return current_request_id()

    assert contextvars.copy_context().run(both) is None


@pytest.mark.breaks_rules("an app that has two answers open at once")
def test_answers_within_a_request_may_end_in_any_order() -> None:
    """Behind them it is the request's again."""
    seen: list[str | None] = []

    def handler(carrier: Any) -> Said:
        first, second, third = opened("first"), opened("second"), opened("third")
        for one in (second, first, third):
            one.close()
        seen.append(current_request_id())
        return hello(carrier)

    WSGI.drive(WSGI.wrap(handler, ErrorEnvelope()), **named("mine"))
    assert seen == ["mine"]
    assert current_request_id() is None


# -- the log --------------------------------------------------------------------------------------


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What an app's logging, configured as its manual says, writes out."""
    stream = io.StringIO()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"id": {"()": "mantlet.errors.RequestIdFilter"}},
            "formatters": {"line": {"format": "%(name)s %(request_id)s %(message)s"}},
            "handlers": {
                "stream": {
                    "class": "logging.StreamHandler",
                    "stream": stream,
                    "filters": ["id"],
                    "formatter": "line",
                }
            },
            "loggers": {"shop": {"handlers": ["stream"], "level": "INFO", "propagate": False}},
        }
    )
    yield stream
    logger = logging.getLogger("shop")
    logger.handlers.clear()
    logger.propagate = True


@both_adapters
def test_the_filter_gives_every_record_the_id(adapter: Adapter, written: io.StringIO) -> None:
    """Of loggers below the one that has the handler, and "-" outside of a request."""

    def handler(carrier: Any) -> Said:
        logging.getLogger("shop").info("inside")
        logging.getLogger("shop.orders").warning("below %s", "it")
        return hello(carrier)

    logging.getLogger("shop").info("before")
    adapter.drive(adapter.wrap(handler, ErrorEnvelope()), **named("mine"))
    logging.getLogger("shop").info("after")
    assert written.getvalue().splitlines() == [
        "shop - before",
        "shop mine inside",
        "shop.orders mine below it",
        "shop - after",
    ]


@both_adapters
def test_the_filter_keeps_an_id_that_a_record_has(adapter: Adapter, written: io.StringIO) -> None:
    """Whoever gave it knows better."""

    def handler(carrier: Any) -> Said:
        logging.getLogger("shop").info("inside", extra={"request_id": "own"})
        logging.getLogger("shop").info("inside", extra={"request_id": None})
        return hello(carrier)

    adapter.drive(adapter.wrap(handler, ErrorEnvelope()), **named("mine"))
    assert written.getvalue().splitlines() == ["shop own inside", "shop None inside"]


def test_the_filter_drops_nothing_and_may_come_twice() -> None:
    """On a handler and on a logger."""
    record = logging.makeLogRecord({"msg": "x"})
    assert RequestIdFilter().filter(record) is True
    assert RequestIdFilter("of.some.other.logger").filter(record) is True
    assert record.__dict__["request_id"] == "-"


@both_adapters
def test_the_envelopes_own_records_have_the_same_id(adapter: Adapter, written: io.StringIO) -> None:
    """So that what an app has logged is found from the record of its error."""
    own = logging.getLogger("mantlet.errors")
    handlers = logging.getLogger("shop").handlers
    own.addHandler(handlers[0])
    try:
        adapter.drive(adapter.wrap(raising(LookupError()), ErrorEnvelope()), **named("mine"))
    finally:
        own.removeHandler(handlers[0])
    assert written.getvalue().startswith(
        "mantlet.errors mine Unhandled LookupError in request mine"
    )


@pytest.fixture
def events() -> Iterator[io.StringIO]:
    """What an app's structlog, configured as its manual says, writes out."""
    stream = io.StringIO()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    yield stream
    structlog.reset_defaults()


@both_adapters
def test_structlogs_events_have_the_id(adapter: Adapter, events: io.StringIO) -> None:
    """Inside of a request; outside there is none to have."""

    def handler(carrier: Any) -> Said:
        structlog.get_logger().info("inside", order=17)
        structlog.get_logger().bind(request_id="own").warning("bound")
        return hello(carrier)

    structlog.get_logger().info("before")
    adapter.drive(adapter.wrap(handler, ErrorEnvelope()), **named("mine"))
    structlog.get_logger().info("after")
    assert [json.loads(line) for line in events.getvalue().splitlines()] == [
        {"event": "before", "level": "info"},
        {"event": "inside", "level": "info", "order": 17, "request_id": "mine"},
        {"event": "bound", "level": "warning", "request_id": "own"},
        {"event": "after", "level": "info"},
    ]


def test_the_processor_hands_on_the_event_that_it_was_given() -> None:
    """As structlog asks of processors."""
    event = {"event": "x"}
    assert add_request_id(None, "info", event) is event
    assert event == {"event": "x"}
