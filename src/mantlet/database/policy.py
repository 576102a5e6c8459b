"""`UnitOfWork`: one transaction for each request, committed before its response is sent.

The session is opened when the app first uses it. After the app has responded, and before a byte of
the response is sent, the work is committed or rolled back, depending on the status code. A failed
commit raises, and `ErrorEnvelope` responds with 409, 422 or 503: no client is told of a success
that the database has not confirmed. Exceptions, a disconnected client, and cancellation roll back.

The unit is the request. A stream is committed before its first byte, so neither a stream nor a
background task can use the work: they begin another one. The outer policies run after the commit.
If one of them replaces the response, such as a `SchemaGuard` that refuses it, the data stay
committed.

A request that does not use the database costs less than half a microsecond.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import random
from sys import modules
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.coroutines import run_sync, start_eagerly
from mantlet._internal.event_loop import uninterrupted
from mantlet._internal.options import check_int
from mantlet.core.policy import Policy
from mantlet.core.request import Request
from mantlet.core.rerun import Rerun, allow_rerun
from mantlet.core.response import Response
from mantlet.core.state import KEY, State, state
from mantlet.core.statuses import StatusCondition, below
from mantlet.database.sessions import Sessions, SqlSessions
from mantlet.database.work import Settings, Unbegun, Work, is_conflict
from mantlet.exceptions import ClientDisconnected, MantletError

if TYPE_CHECKING:
    from sqlalchemy import MetaData
    from sqlalchemy.ext.asyncio import async_sessionmaker
    from sqlalchemy.orm import sessionmaker

    from mantlet.database.records import SqlRecords

__all__ = ["UnexpectedRollback", "UnitOfWork", "uow"]


_BELOW_400: Final = below(400)
#: RFC 9110, 9.2.2; CONNECT never reaches an app.
_IDEMPOTENT: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})
_MAX_RETRIES: Final = 10
#: The largest body of a request that may be run again, in bytes.
_MAX_BODY: Final = 256 * 1024
#: The longest pauses before an attempt, in seconds: half of the first pause, and of any pause.
_MIN_PAUSE: Final = 0.01
_MAX_PAUSE: Final = 1.0
#: The classes that make sessions, with their modules.
_FACTORIES: Final = (
    ("sqlalchemy.orm", "sessionmaker"),
    ("sqlalchemy.ext.asyncio", "async_sessionmaker"),
)


class UnexpectedRollback(MantletError):
    """The app responds with a success, but an exception has left a block of its unit of work.

    The whole unit of work has been rolled back. If the response is right, call `Work.rollback()`
    where the exception is caught, or use a savepoint, ``work.session.begin_nested()``.
    """


class UnitOfWork(Policy):
    """Give each request one session, and commit it before the response is sent.

    The policy has no ``mode``, and ``MANTLET_MODE`` does not switch it off, since an app whose data
    are never committed does not work.

    Args:
        sessions: a ``sessionmaker`` or an ``async_sessionmaker`` of SQLAlchemy 2, or
            `mantlet.database.django()`.
        commit: returns whether a response commits, from its status code.
        repositories: a mapping of names to callables that make a repository from the session, such
            as its class. Each name becomes an attribute of the work.
        outbox: an `Outbox`, in which `Work.publish()` stores events.
        retries: how often a request is run again, from this policy inwards, if its transaction
            conflicts with another one: a serialization failure, a deadlock, or a lock that could
            not be acquired. Only requests that are safe to repeat are run again: those with an
            idempotent method (RFC 9110, 9.2.2), and those with a key that `Idempotency` has
            accepted. Their body may have at most 256 KiB, and is kept in memory. Each new attempt
            waits for a random time of at most 20 ms, doubled each time up to 1 s; under WSGI, this
            blocks the thread. Other side effects of the app happen on each attempt.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: the name of a repository is invalid, or ``retries`` is not from 0 to 10.
    """

    position = 120

    # Any: sessions without type parameters; repositories and outboxes of any class.
    def __init__(
        self,
        sessions: "sessionmaker[Any] | async_sessionmaker[Any] | Sessions",
        *,
        commit: StatusCondition = _BELOW_400,
        repositories: Mapping[str, Callable[[Any], Any]] | None = None,
        outbox: Any = None,
        retries: int = 0,
    ) -> None:
        if not callable(commit):
            raise TypeError(f"commit must be a condition such as below(400), not {commit!r}")
        if outbox is not None and not callable(getattr(outbox, "add", None)):
            raise TypeError(f"outbox must be an Outbox, not {outbox!r}")
        check_int("retries", retries, least=0, most=_MAX_RETRIES)
        self._commit = commit
        self._retries = retries
        self._settings = Settings(
            _checked_sessions(sessions, bool(retries)), _checked_repositories(repositories), outbox
        )
        #: The makers of a request's work, indexed by `Request.is_async`, and of WebSockets' works.
        self._unbegun = (Unbegun(self._settings, False), Unbegun(self._settings, True))
        self._blocks = Unbegun(self._settings, self._settings.sessions.is_async, is_block=True)

    def on_request(self, request: Request) -> Awaitable[None] | None:
        """Make the work available to the app."""
        if self._retries and _is_repeatable(request):
            return start_eagerly(self._begin_attempt(request))
        self._begin(request)
        return None

    def _begin(self, request: Request) -> None:
        state = request.state
        if state._unit is not None and request.protocol == "http":
            work = Work(self._settings, request.is_async)
            work._outer = _work_of(state)
            state._work = work
        elif request.protocol == "http":
            state._unit = self._unbegun[request.is_async]
        else:
            state._unit = self._blocks

    async def _begin_attempt(self, request: Request) -> None:
        """Keep the request to run it again if necessary; wait first if this is a new attempt."""
        own = request.local(self)
        attempt = own["attempt"] = own.get("attempt", -1) + 1
        if attempt:
            pause = min(_MIN_PAUSE * 2**attempt, _MAX_PAUSE) * random()  # noqa: S311  # no secret
            if request.is_async:
                await request.pause(pause)
            else:
                sleep(pause)  # noqa: ASYNC251  # there is no event loop
        rerun = await allow_rerun(request, _MAX_BODY) if attempt < self._retries else None
        own["rerun"] = rerun
        self._begin(request)
        if rerun is not None:
            request.state._runs_again = partial(_runs_again, request)

    def on_response(self, request: Request, response: Response) -> Awaitable[None] | None:
        """Commit, or roll back."""
        return self._end(request, response, None)

    def on_error(self, request: Request, error: BaseException) -> Awaitable[None] | None:
        """Roll back."""
        return self._end(request, None, error)

    def begin(self) -> Work:
        """Return a unit of work without a request: for a background task, a script or a test.

        The work commits at the end of its ``with`` block::

            with uow.begin() as work:
                work.orders.add(order)
        """
        work = Work(self._settings, self._settings.sessions.is_async)
        work._is_block = True
        return work

    def records(
        self, table: str = "idempotency_keys", *, metadata: "MetaData | None" = None
    ) -> "SqlRecords":
        """Return a store of records in the same database, for `Idempotency`.

        The record of a request is then stored in the transaction of its work: a worker that is
        killed leaves both or neither.

        Args:
            table: the name of its table; see `mantlet.database.records`.
            metadata: the ``MetaData`` that the table belongs to, so that migrations find it; by
                default a separate one.

        Raises:
            TypeError: the sessions are not SQLAlchemy's, or ``metadata`` is not a ``MetaData``.
            ValueError: the metadata has another table of that name.
        """
        sessions = self._settings.sessions
        if not isinstance(sessions, SqlSessions):
            raise TypeError("records() needs a sessionmaker of SQLAlchemy")
        from mantlet.database.records import SqlRecords

        return SqlRecords(sessions, table, metadata)

    def _end(
        self, request: Request, response: Response | None, error: BaseException | None
    ) -> Awaitable[None] | None:
        """End the work of the exchange, if it has one; a WebSocket never has one.

        Args:
            request: the request.
            response: the response, or None if the exchange has failed.
            error: the error of a failed exchange, or None.
        """
        state = request.state
        state._is_work_over = True
        work = state._work
        if work is None:
            return None
        if work._outer is not None:
            state._work, state._is_work_over = work._outer, False
        if work._session is None:
            work._is_over = True
            return None
        state._runs_again = None
        is_free = work.stop()
        if self._retries and (rerun := request.local(self).get("rerun")) is not None:
            steps = self._settle_or_repeat(request, work, (response, error), is_free, rerun)
        else:
            steps = self._settle(request, work, response, is_free)
        if request.is_async:
            return uninterrupted(steps)
        run_sync(steps)
        return None

    async def _settle_or_repeat(
        self,
        request: Request,
        work: Work,
        outcome: tuple[Response | None, BaseException | None],
        is_free: bool,
        rerun: Rerun,
    ) -> None:
        """Commit or roll back; run the request again if it conflicts with another one.

        Args:
            request: the request.
            work: its work, which has a session.
            outcome: the response or None, and the error or None.
            is_free: see `_settle()`.
            rerun: the exception to raise.

        Raises:
            Rerun: the work conflicts, and has been rolled back.
        """
        response, error = outcome
        repeats = _can_repeat(request, work) and (work._has_conflict or is_conflict(error))
        try:
            await self._settle(request, work, None if repeats else response, is_free)
        except Exception as failure:
            if not _can_repeat(request, work) or not is_conflict(failure):
                raise
            if work._settings.sessions.is_split(work._session):
                raise
            repeats = True
        if repeats:
            raise rerun

    async def _settle(
        self, request: Request, work: Work, response: Response | None, is_free: bool
    ) -> None:
        """Commit or roll back.

        Args:
            request: the request.
            work: its work, which has a session.
            response: the response, or None if the exchange has failed.
            is_free: whether all blocks of the work have been left. An open block closes the session
                when it is left; it may be in a thread that continues after its request was
                canceled.
        """
        failure = None
        try:
            commits = response is not None and self._is_committed(request, work, response)
        except Exception as error:  # noqa: BLE001  # raised after the rollback
            failure, commits = error, False
        if commits or is_free:
            steps = work.end(commits, request.state, response)
            await (work.drive(steps) if request.is_async else steps)
        if failure is not None:
            raise failure
        if commits and work._outer is not None:
            work._outer._is_partly_committed = True
        if commits and work._callbacks:
            await work.call_back(request, in_thread=request.is_async)

    def _is_committed(self, request: Request, work: Work, response: Response) -> bool:
        """Return whether a response commits the work.

        Raises:
            ClientDisconnected: it would commit, but the client has disconnected.
            UnexpectedRollback: it would commit, but the work has been rolled back.
        """
        if not self._commit(response.status):
            return False
        if work._has_failed:
            raise UnexpectedRollback(
                f"the response is {response.status}, but an exception has left a block of the unit "
                f"of work, which was rolled back; where the exception is caught, call "
                f"work.rollback() if that is right, or use work.session.begin_nested()"
            )
        if getattr(request, "_is_disconnected", False):
            raise ClientDisconnected("the client disconnected before the commit")
        return True


def _is_repeatable(request: Request) -> bool:
    """Return whether a request may be run again without harm."""
    if request.protocol != "http":
        return False
    state = request.state
    return request.method in _IDEMPOTENT or getattr(state, "idempotency", None) is not None


def _can_repeat(request: Request, work: Work) -> bool:
    """Return whether a request whose transaction conflicts is run again.

    It is not if a block of its work is still open, in which the app continues; if the client has
    disconnected; or if a part may be stored, because the app or an inner `UnitOfWork` has
    committed.
    """
    is_gone = getattr(request, "_is_disconnected", False)
    if work._depth or is_gone or work._is_partly_committed:
        return False
    return not work._settings.sessions.has_committed(work._session)


def _runs_again(request: Request, error: BaseException) -> bool:
    """Return whether a request that has raised an exception is run again."""
    work: Work | None = request.state._work
    if work is None or work._session is None:
        return False
    return _can_repeat(request, work) and is_conflict(error)


def _checked_sessions(sessions: Any, notes_commits: bool) -> Sessions:
    """Return the sessions of the option, adapted for units of work.

    SQLAlchemy need not be imported: an app that has made a ``sessionmaker`` has imported it.
    """
    if isinstance(sessions, Sessions):
        return sessions
    for module, name in _FACTORIES:
        kind = getattr(modules.get(module), name, None)
        if kind is not None and isinstance(sessions, kind):
            is_async = name == "async_sessionmaker"
            return SqlSessions(sessions, is_async, notes_commits=notes_commits)
    hint = ""
    if type(sessions).__module__.startswith("sqlalchemy."):
        made = "async_sessionmaker" if "Async" in type(sessions).__name__ else "sessionmaker"
        hint = f"; for an engine: UnitOfWork({made}(engine))"
    raise TypeError(
        f"UnitOfWork takes a sessionmaker or an async_sessionmaker of SQLAlchemy "
        f'(pip install "mantlet[database]"), not {type(sessions).__name__}{hint}'
    )


# Any: the option as it was passed.
def _checked_repositories(repositories: Any) -> dict[str, Callable[[Any], Any]]:
    if repositories is None:
        return {}
    if not isinstance(repositories, Mapping):
        raise TypeError(f"repositories must map names to classes, not {repositories!r}")
    for name, make in repositories.items():
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise ValueError(f"the name of a repository must be an attribute's, not {name!r}")
        if hasattr(Work, name):
            raise ValueError(f"a repository can't be named {name!r}, as Work has that attribute")
        if not callable(make):
            raise TypeError(f"repositories[{name!r}] must be a callable of the session: {make!r}")
    return dict(repositories)


# Any: each framework has its own request class, which is not imported here.
def uow(source: Any) -> Work:
    """Return the unit of work of a request, or a new one at each call for a WebSocket.

    The session is opened when it is first used. See `UnitOfWork`.

    Args:
        source: a WSGI environ, an ASGI scope, or the request object of a framework, as for
            `mantlet.state()`.

    Raises:
        RuntimeError: the app is not wrapped in a `UnitOfWork`.
        TypeError: ``source`` has neither an environ nor a scope.
    """
    raw = source if type(source) is dict else getattr(source, "scope", None)
    own = raw.get(KEY) if type(raw) is dict else None  # the usual case, at less cost
    return _work_of(own or state(source))


def _work_of(state: State) -> Work:
    work: Work | None = state._work
    if work is not None:
        return work
    unit: Unbegun | None = state._unit
    if unit is None:
        raise RuntimeError("there is no UnitOfWork around the app: wrap(app, UnitOfWork(...))")
    return unit.begin(state)
