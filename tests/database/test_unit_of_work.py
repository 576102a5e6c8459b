"""A request is committed before its response is sent if the status says so, else rolled back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

import mantlet
from mantlet import (
    Allow,
    Authorizer,
    ErrorEnvelope,
    Policy,
    Problem,
    Reply,
    UnitOfWork,
    below,
    uow,
)
from mantlet.database import UnexpectedRollback
from mantlet.secrets import Environment, Secret, SecretLoader, SecretModel
from tests.database.ways import Item, block, done
from tests.drive import drive_asgi, drive_wsgi, make_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request, Response
    from mantlet._internal.asgi_types import Receive, Scope, Send
    from tests.database.ways import Raw, View, Way


def adding(*names: str, status: int = 200, raised: BaseException | None = None) -> View:
    """Return a view that adds items, and responds or raises outside of its block."""

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add_all([Item(name=name) for name in names])
        if raised is not None:
            raise raised
        return status

    return view


# -- the end of a request --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"), [(200, 1), (204, 1), (303, 1), (399, 1), (400, 0), (404, 0), (500, 0)]
)
def test_the_status_decides(way: Way, status: int, expected: int) -> None:
    """Below 400 it is committed."""
    answer = way.ask(adding("a", status=status))
    assert (answer.status, way.count()) == (status, expected)


def test_another_condition(way: Way) -> None:
    """Any function of the status."""
    assert way.ask(adding("a", status=404), commit=below(500)).status == 404
    assert way.names() == ["a"]
    assert way.ask(adding("b"), commit=lambda status: status == 201).status == 200
    assert way.names() == ["a"]


def test_a_condition_that_raises(way: Way) -> None:
    """Nothing is committed, and the client is told."""

    def commit(status: int) -> bool:
        raise KeyError(status)

    assert way.ask(adding("a"), commit=commit).status == 500
    assert way.count() == 0


def test_an_exception(way: Way) -> None:
    """The app's exception, or a problem that it raises."""
    assert way.ask(adding("a", raised=ValueError("secret"))).status == 500
    assert way.ask(adding("b", raised=Problem(409))).status == 409
    assert way.count() == 0


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("mode", ["enforce", "report"])
def test_a_view_that_forgets_to_ask_about_its_object(way: Way, asks: bool, mode: Any) -> None:
    """`Authorizer` stops it before the commit, not only its response."""
    rule = Allow("* /*", public=True, check=lambda _identity, _action, _resource: True)
    authorizer = Authorizer(rules=[rule], mode=mode)

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add(Item(name="a"))
            if asks:
                mantlet.authorize(raw, "change", "item")
        return 201

    answer = way.ask(view, None, ErrorEnvelope(), authorizer)
    passes = asks or mode == "report"
    assert (answer.status, way.count()) == ((201, 1) if passes else (500, 0))


def test_it_is_committed_before_the_head(way: Way) -> None:
    """An outer policy sees the response when the data are there."""
    counts = []

    class Counting(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            counts.append(way.count())

    for chunks in ((b"ok",), (b"a", b"b")):
        app = way.wrap(adding(str(chunks)), Counting(), UnitOfWork(way.factory), chunks=chunks)
        assert way.drive(app).status == 200
    assert counts == [1, 2]


def test_a_commit_that_fails(way: Way) -> None:
    """The client is told, and never of a success."""
    assert way.ask(adding("a")).status == 200

    async def view(raw: Raw) -> int:
        uow(raw).session.add(Item(name="a"))  # flushed by the commit
        return 201

    answer = way.ask(view)
    assert answer.status == 409
    assert way.names() == ["a"]


def test_leaving_a_block_flushes(way: Way) -> None:
    """So the view itself sees the error."""
    way.ask(adding("a"))
    seen = []

    async def view(raw: Raw) -> int:
        try:
            async with block(uow(raw)) as work:
                work.session.add(Item(name="a"))
        except IntegrityError as error:
            seen.append(error)
            return 409
        return 200

    assert way.ask(view).status == 409
    assert len(seen) == 1


def test_a_request_that_uses_nothing_opens_nothing(way: Way) -> None:
    """Neither a session nor a connection."""
    opened = []

    class Counted(type(way.factory)):  # type: ignore[misc]
        def __call__(self, **options: Any) -> Any:
            opened.append(options)
            return super().__call__(**options)

    policy = UnitOfWork(Counted(way.engine))

    async def view(raw: Raw) -> int:
        uow(raw)
        return 200

    assert way.ask(view, policy).status == 200
    assert not opened
    assert way.ask(adding("a"), policy).status == 200
    assert len(opened) == 1


def test_blocks_share_one_work(way: Way) -> None:
    """Nested or one after another; each sees what the others have done."""

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as one:
            one.session.add(Item(name="a"))
            async with block(uow(raw)) as other:
                assert other is one
                other.session.add(Item(name="b"))
        async with block(uow(raw)) as work:
            found = await done(work.session.execute(select(Item.name).order_by(Item.id)))
            assert list(found.scalars()) == ["a", "b"]
        return 200

    assert way.ask(view).status == 200
    assert way.names() == ["a", "b"]


# -- exceptions that leave a block -----------------------------------------------------------------


def catching(*, undo: bool, status: int) -> View:
    """Return a view that catches an exception of its block, and may say that that is right."""

    async def view(raw: Raw) -> int:
        work = uow(raw)
        async with block(work):
            work.session.add(Item(name="before"))
        try:
            async with block(work):
                work.session.add(Item(name="within"))
                raise ValueError
        except ValueError:
            if undo:
                await done(work.rollback())
        async with block(work):
            work.session.add(Item(name="after"))
        return status

    return view


def test_an_exception_that_leaves_a_block_rolls_all_of_it_back(way: Way) -> None:
    """A success after it would be a lie."""
    answer = way.ask(catching(undo=False, status=200))
    assert answer.status == 500
    assert way.count() == 0
    assert way.ask(catching(undo=False, status=404)).status == 404
    assert way.count() == 0


def test_the_error_says_so(way: Way) -> None:
    """For whoever reads the log."""

    class Seeing(Policy):
        def on_error(self, request: Request, error: BaseException) -> Reply:
            seen.append(error)
            return Reply(500)

    seen: list[BaseException] = []
    way.ask(catching(undo=False, status=200), None, Seeing())
    assert isinstance(seen[0], UnexpectedRollback)
    assert "the response is 200" in str(seen[0])


def test_a_rollback_on_purpose(way: Way) -> None:
    """What comes after it is committed."""
    assert way.ask(catching(undo=True, status=200)).status == 200
    assert way.names() == ["after"]


def test_a_savepoint(way: Way) -> None:
    """An exception that leaves a savepoint alone undoes no more than that."""
    way.ask(adding("a"))

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add(Item(name="b"))
            nested = await done(work.session.begin_nested())
            try:
                work.session.add(Item(name="a"))
                await done(work.session.flush())
            except IntegrityError:
                await done(nested.rollback())
        return 200

    assert way.ask(view).status == 200
    assert sorted(way.names()) == ["a", "b"]


def test_a_failed_rollback_hides_nothing(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged."""

    class Broken(way.factory.class_):  # type: ignore[misc,name-defined]
        def rollback(self) -> Any:
            raise RuntimeError("no rollback")

    way.factory.class_ = Broken
    policy = UnitOfWork(type(way.factory)(way.engine, class_=Broken))
    way.ask(adding("a"))

    async def view(raw: Raw) -> int:
        uow(raw).session.add(Item(name="a"))
        return 200

    assert way.ask(view, policy).status == 409
    (record,) = (one for one in caplog.records if one.name == "mantlet.database")
    assert record.getMessage() == "UnitOfWork: rollback failed with RuntimeError"


class Secrets(SecretModel):
    """The app's secrets."""

    password: Secret[str]


def test_secrets_are_masked_in_records(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    """Those of the app, also where a driver's exception has them."""

    class Broken(way.factory.class_):  # type: ignore[misc,name-defined]
        def rollback(self) -> Any:
            raise RuntimeError("no connection with kR7-vT2_qX9.mB4w")

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add(Item(name="a"))
            raise ValueError

    environ = {"PASSWORD": "kR7-vT2_qX9.mB4w"}
    secrets = SecretLoader(Secrets, sources=[Environment(environ)])
    policy = UnitOfWork(type(way.factory)(way.engine, class_=Broken))
    way.ask(view, policy, ErrorEnvelope(), secrets)
    assert any("rollback failed" in one.getMessage() for one in caplog.records)
    assert "kR7-vT2" not in caplog.text


# -- the end of the work ---------------------------------------------------------------------------


def test_a_stream_cannot_use_it(way: Way) -> None:
    """It was committed before the first byte."""
    errors: list[Exception] = []

    def use(raw: Raw) -> None:
        work = uow(raw)
        for attempt in (
            lambda: work.session,
            lambda: work.after_commit(print),
            lambda: work.__enter__() if not way.is_async else work._enter(),
        ):
            try:
                attempt()
            except RuntimeError as error:
                errors.append(error)

    if way.name == "wsgi":

        def app(environ: Raw, start_response: Any) -> Any:
            with uow(environ) as work:
                work.session.add(Item(name="a"))
            start_response("200 OK", [])
            yield b"a"
            use(environ)
            yield b"b"

        answer = drive_wsgi(mantlet.wsgi.wrap(app, UnitOfWork(way.factory)))
    else:

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            async with block(uow(scope)) as work:
                work.session.add(Item(name="a"))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            use(scope)
            await send({"type": "http.response.body", "body": b"b"})

        stack = mantlet.asgi.wrap(asgi, UnitOfWork(way.factory))
        answer = drive_asgi(way.disposing(stack) if way.is_async else stack)
    assert answer.body == b"ab"
    assert answer.error is None
    assert way.names() == ["a"]
    assert len(errors) == 3
    assert all("UnitOfWork.begin()" in str(error) for error in errors)


def test_who_asks_for_it_first_after_the_response_finds_it_over(way: Way) -> None:
    """A thread that outlives its request opens no session that nobody would close."""
    kept: list[Raw] = []

    async def view(raw: Raw) -> int:
        kept.append(raw)
        return 200

    assert way.ask(view).status == 200
    with pytest.raises(RuntimeError, match="has ended"):
        uow(kept[0]).session
    assert uow(kept[0]) is uow(kept[0])


def test_a_session_that_somebody_keeps_is_closed_for_good(way: Way) -> None:
    """It takes no connection that nobody would return."""
    kept: list[Any] = []

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add(Item(name="a"))
            kept.append(work.session)
        return 200

    way.ask(view)
    with pytest.raises(InvalidRequestError, match="permanently closed"):
        asyncio.run(done(kept[0].connection()))


def test_a_response_from_within_a_block(way: Way) -> None:
    """The work is committed then, and the end of the block finds nothing to do."""
    if way.name == "wsgi":

        def app(environ: Raw, start_response: Any) -> Any:
            with uow(environ) as work:
                work.session.add(Item(name="a"))
                start_response("200 OK", [])
                yield b"a"
                yield b"b"

        answer = drive_wsgi(mantlet.wsgi.wrap(app, UnitOfWork(way.factory)))
    else:

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            async with block(uow(scope)) as work:
                work.session.add(Item(name="a"))
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"ab"})

        stack = mantlet.asgi.wrap(asgi, UnitOfWork(way.factory))
        answer = drive_asgi(way.disposing(stack) if way.is_async else stack)
    assert (answer.body, answer.error) == (b"ab", None)
    assert way.names() == ["a"]
    assert way.engine.pool.checkedout() == 0


def test_a_refusal_from_within_a_block(way: Way) -> None:
    """Everything is rolled back at the end of the block, and no function is called."""
    calls: list[str] = []
    if way.name == "wsgi":

        def app(environ: Raw, start_response: Any) -> Any:
            with uow(environ) as work:
                work.session.add(Item(name="a"))
                work.after_commit(calls.append, "called")
                start_response("404 Not Found", [])
                yield b"a"
                yield b"b"

        answer = drive_wsgi(mantlet.wsgi.wrap(app, UnitOfWork(way.factory)))
    else:

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            async with block(uow(scope)) as work:
                work.session.add(Item(name="a"))
                work.after_commit(calls.append, "called")
                await send({"type": "http.response.start", "status": 404, "headers": []})
                await send({"type": "http.response.body", "body": b"a", "more_body": True})
                await send({"type": "http.response.body", "body": b"b"})

        stack = mantlet.asgi.wrap(asgi, UnitOfWork(way.factory))
        answer = drive_asgi(way.disposing(stack) if way.is_async else stack)
    assert (answer.status, answer.error) == (404, None)
    assert not calls
    assert way.count() == 0
    assert way.engine.pool.checkedout() == 0


# -- after the commit ------------------------------------------------------------------------------


def test_functions_after_the_commit(way: Way) -> None:
    """In order, when the data are there, and before the response is sent."""
    calls: list[tuple[str, int]] = []

    def note(name: str, *, count: Callable[[], int] = way.count) -> None:
        calls.append((name, count()))

    async def note_later(name: str) -> None:
        note(name)

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add(Item(name="a"))
            work.after_commit(note, "one")
            if way.name != "wsgi":
                work.after_commit(note_later, "two")
            work.after_commit(note, "three", count=lambda: -1)
        return 200

    way.ask(view)
    two = [] if way.name == "wsgi" else [("two", 1)]
    assert calls == [("one", 1), *two, ("three", -1)]


@pytest.mark.parametrize("end", ["404", "exception", "block", "commit", "undo"])
def test_no_function_is_called_without_a_commit(way: Way, end: str) -> None:
    """However it ends."""
    way.ask(adding("a"))
    calls: list[str] = []

    async def view(raw: Raw) -> int:
        work = uow(raw)
        work.session.add(Item(name="b"))
        work.after_commit(calls.append, "called")
        if end == "commit":
            work.session.add(Item(name="a"))
        elif end == "undo":
            await done(work.rollback())
        elif end == "exception":
            raise ValueError
        elif end == "block":
            async with block(work):
                raise ValueError
        return int(end) if end.isdigit() else 200

    way.ask(view)
    assert not calls
    assert way.names() == ["a"]


def test_a_function_that_fails_is_logged(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    """The response stays, the others are called, and the data are there."""
    calls: list[str] = []

    def fail() -> None:
        raise ValueError("no broker")

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            work.session.add(Item(name="a"))
            work.after_commit(fail)
            work.after_commit(calls.append, "called")
        return 201

    assert way.ask(view).status == 201
    assert calls == ["called"]
    assert way.names() == ["a"]
    assert "UnitOfWork: after_commit failed with ValueError" in caplog.text


def test_functions_that_can_never_be_called(way: Way) -> None:
    """They are refused where they are given."""

    async def later() -> None: ...

    async def view(raw: Raw) -> int:
        with pytest.raises(TypeError, match="takes a function, not 3"):
            uow(raw).after_commit(3)  # type: ignore[arg-type]
        if way.name == "wsgi":
            with pytest.raises(TypeError, match="no event loop"):
                uow(raw).after_commit(later)
        return 200

    assert way.ask(view).status == 200


# -- before the commit -----------------------------------------------------------------------------


class Noting(Policy):
    """A policy that stores a row with the response, in the same transaction."""

    position = 110

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.statuses: list[int] = []

    def on_request(self, request: Request) -> None:
        """Register."""
        request.state._before_commit += (self.note,)

    def note(self, session: Any, response: Response) -> Any:
        """Store."""
        self.statuses.append(response.status)
        if self.error is not None:
            raise self.error
        return session.execute(insert(Item).values(name="noted"))


def test_other_policies_write_in_the_same_transaction(way: Way) -> None:
    """Before the commit, once it is sure that there is one."""
    noting = Noting()
    policies = ErrorEnvelope(), noting
    assert way.ask(adding("a", status=404), None, *policies).status == 404
    assert way.ask(adding("a"), None, *policies).status == 200
    assert (noting.statuses, way.names()) == ([200], ["a", "noted"])
    assert way.ask(adding("b"), None, *policies).status == 409  # the second "noted"
    assert way.names() == ["a", "noted"]


def test_a_policy_that_raises_before_the_commit(way: Way) -> None:
    """Everything is rolled back, and its error is the response."""
    answer = way.ask(adding("a"), None, ErrorEnvelope(), Noting(Problem(409, detail="lost")))
    assert (answer.status, answer.json()["detail"]) == (409, "lost")
    assert way.count() == 0


# -- without a response ----------------------------------------------------------------------------


def test_a_work_of_its_own(way: Way) -> None:
    """For scripts and background tasks: it commits at the end of its block."""
    policy = UnitOfWork(way.factory)
    calls: list[str] = []

    async def run(name: str, error: Exception | None = None) -> None:
        work = policy.begin()
        try:
            async with block(work):
                work.session.add(Item(name=name))
                work.after_commit(calls.append, name)
                async with block(work):  # an inner block commits nothing
                    assert way.name != "asgi-async" or way.count() < 2
                if error is not None:
                    raise error
        finally:
            with pytest.raises(RuntimeError, match="has ended"):
                work.session
            await done(way.engine.dispose())

    asyncio.run(run("a"))
    with pytest.raises(ValueError, match="b"):
        asyncio.run(run("b", ValueError("b")))
    with pytest.raises(IntegrityError):
        asyncio.run(run("a"))
    assert way.names() == calls == ["a"]
    assert way.engine.pool.checkedout() == 0
    with pytest.raises(RuntimeError, match="use it in a with block"):
        policy.begin().session


def test_websockets() -> None:
    """Each block is a unit, committed at its end."""
    engine = create_engine("sqlite://")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            with uow(scope) as work:
                work.session.execute(
                    text("INSERT INTO messages VALUES (:text)"), {"text": event["text"]}
                )
                if event["text"] == "bad":
                    await send({"type": "websocket.close"})
                    raise ValueError("rude")
            await send({"type": "websocket.send", "text": "stored"})

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE messages (text)"))
    events = iter(
        [{"type": "websocket.connect"}]
        + [{"type": "websocket.receive", "text": one} for one in ("a", "b", "bad", "c")]
    )
    sent: list[str] = []

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = make_scope(scope={"type": "websocket", "method": ...})
    wrapped = mantlet.asgi.wrap(app, UnitOfWork(sessionmaker(engine)), baseline=False)
    with pytest.raises(ValueError, match="rude"):
        asyncio.run(wrapped(scope, receive, send))
    assert sent == ["websocket.accept", "websocket.send", "websocket.send", "websocket.close"]
    with engine.connect() as connection:
        assert list(connection.execute(text("SELECT * FROM messages")).scalars()) == ["a", "b"]


# -- use -------------------------------------------------------------------------------------------


def test_repositories_are_attributes(way: Way) -> None:
    """Made from the session at their first use."""

    class Items:
        def __init__(self, session: Any) -> None:
            made.append(session)
            self._session = session

        def add(self, name: str) -> None:
            self._session.add(Item(name=name))

    made: list[Any] = []

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            assert not made
            work.items.add("a")
            uow(raw).items.add("b")
            assert made == [work.session]
            with pytest.raises(AttributeError, match="no repository 'orders'; repositories=items"):
                work.orders
        return 200

    assert way.ask(view, repositories={"items": Items}).status == 200
    assert way.count() == 2


def test_without_a_unit_of_work() -> None:
    """The error says what is missing."""
    with pytest.raises(RuntimeError, match="there is no UnitOfWork around the app"):
        uow({})
    with pytest.raises(TypeError, match="a WSGI environ, an ASGI scope"):
        uow(3)


def test_the_wrong_form_of_with(way: Way) -> None:
    """It says which one is right."""

    async def view(raw: Raw) -> int:
        work = uow(raw)
        if way.is_async:
            with pytest.raises(TypeError, match='has an AsyncSession: use "async with"'), work:
                pass
        else:
            with pytest.raises(TypeError, match='has a Session: use "with"'):
                async with work:
                    pass
        return 200

    assert way.ask(view).status == 200


def test_an_async_session_under_wsgi() -> None:
    """It cannot be awaited there."""
    policy = UnitOfWork(async_sessionmaker(create_async_engine("sqlite+aiosqlite://")))

    def app(environ: Raw, start_response: Any) -> Any:
        for use in (lambda: uow(environ).session, lambda: uow(environ)._enter()):
            with pytest.raises(RuntimeError, match="under WSGI, use a Session"):
                use()
        start_response("200 OK", [])
        return [b"ok"]

    answer = drive_wsgi(mantlet.wsgi.wrap(app, policy))
    assert (answer.status, answer.error) == (200, None)


def test_two_databases(way: Way, tmp_path: Any) -> None:
    """The app gets the innermost work; each is committed by itself."""
    other = create_engine(f"sqlite:///{tmp_path}/other")
    outer, seen = UnitOfWork(sessionmaker(other)), []

    async def view(raw: Raw) -> int:
        async with block(uow(raw)) as work:
            seen.append(work._settings)
            work.session.add(Item(name="a"))
        return 200

    inner = UnitOfWork(way.factory)
    assert way.ask(view, inner, ErrorEnvelope(), outer).status == 200
    assert seen == [inner._settings]
    assert way.names() == ["a"]


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sessions": create_engine("sqlite://")}, r"not Engine; for an engine: .*sessionmaker"),
        (
            {"sessions": create_async_engine("sqlite+aiosqlite://")},
            r"not AsyncEngine; for an engine: .*async_sessionmaker",
        ),
        ({"sessions": Session}, "not type"),
        ({"sessions": scoped_session(sessionmaker())}, "not scoped_session"),
        ({"sessions": None}, r'pip install "mantlet\[database\]"'),
        ({"commit": 400}, r"a condition such as below\(400\), not 400"),
        ({"outbox": True}, "must be an Outbox, not True"),
        ({"repositories": ["orders"]}, "must map names to classes"),
        ({"repositories": {"orders": "Orders"}}, "must be a callable of the session"),
        ({"repositories": {"a b": dict}}, "must be an attribute's, not 'a b'"),
        ({"repositories": {"_orders": dict}}, "must be an attribute's, not '_orders'"),
        ({"repositories": {"session": dict}}, "can't be named 'session'"),
        ({"mode": "report"}, "mode"),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, dict) else "",
)
def test_an_unusable_option(options: dict[str, Any], message: str) -> None:
    """At construction, and it says what is right."""
    with pytest.raises((TypeError, ValueError), match=message):
        UnitOfWork(**{"sessions": sessionmaker()} | options)
