"""`Work`: one session, one transaction, and the repositories that share it."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from mantlet._internal.coroutines import is_coroutine_function, run_sync
from mantlet._internal.database_errors import RETRY, database_meaning
from mantlet._internal.event_loop import uninterrupted
from mantlet._internal.exception_chain import walk_chain
from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.error_log import log_failure
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.database.sessions import Sessions
from mantlet.events.event import Event

if TYPE_CHECKING:
    from mantlet.core.state import State

    # Any: a `redact.Masker` each.
    Masks = tuple[Any, ...]

__all__ = ["Settings", "Unbegun", "Work", "is_conflict", "log_unit_failure"]

_log = logging.getLogger("mantlet.database")
_throttle = LogThrottle(_log)


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that all works of a `UnitOfWork` share.

    Attributes:
        sessions: the source of sessions.
        repositories: for each repository, a callable that makes it from the session.
        outbox: the outbox that stores events, or None.
    """

    # Any: repositories and outboxes of any class.
    sessions: Sessions
    repositories: Mapping[str, Callable[[Any], Any]]
    outbox: Any = None


def is_conflict(error: BaseException | None) -> bool:
    """Return whether an exception reports a conflict, so the transaction may succeed if rerun."""
    return any(database_meaning(one) == RETRY for one in walk_chain(error)) if error else False


def log_unit_failure(
    function: str, error: Exception, request: Request | None = None, masks: "Masks" = ()
) -> None:
    """Log an exception that must not replace another one, or the response.

    Args:
        function: the function that raised it.
        error: the exception.
        request: the request, or None.
        masks: the maskers of the app's secrets, for an exception without a request.
    """
    log_failure(
        _log, "UnitOfWork", function, error, throttle=_throttle, request=request, masks=masks
    )


class Work:
    """The unit of work of one request: a session, its transaction, and its repositories.

    Use it as a context manager, any number of times: ``with`` for a ``Session``, ``async with`` for
    an ``AsyncSession``. Leaving a block flushes. An exception that leaves a block rolls back, and
    the request can no longer commit. Otherwise, the response commits; see `UnitOfWork`.

    A work of `UnitOfWork.begin()`, or of a WebSocket, has no response: it commits and ends when its
    outermost block is left without an exception.

    Its other attributes are the repositories of `UnitOfWork`, each made at its first use.

    Args:
        settings: the settings of its `UnitOfWork`.
        waits: whether it runs on an event loop.
    """

    # Attributes that most works never set have defaults in the class, since setting each one costs.
    #: Whether the end of its outermost block ends the work.
    _is_block = False
    #: The work of an outer `UnitOfWork`.
    _outer: "Work | None" = None
    _session: Any = None
    _depth = 0
    #: Whether it has ended, and can't be used any more.
    _is_over = False
    #: Whether an exception has left a block.
    _has_failed = False
    #: Whether one of these exceptions was a conflict, which a retry may avoid.
    _has_conflict = False
    #: Whether an inner `UnitOfWork` has committed.
    _is_partly_committed = False
    #: The maskers of the app's secrets, for log records.
    _masks: "Masks" = ()
    #: The functions of `after_commit()`, with their arguments.
    _callbacks: "tuple[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]], ...]" = ()

    def __init__(self, settings: Settings, waits: bool) -> None:
        self._settings = settings
        self._waits = waits

    # -- for views -------------------------------------------------------------------------------

    # Any: a Session or an AsyncSession.
    @property
    def session(self) -> Any:
        """The session, opened at its first use: a ``Session`` or an ``AsyncSession``.

        Raises:
            RuntimeError: the work has ended; or a work without a response is used outside a block;
                or an AsyncSession is used under WSGI.
        """
        if self._is_over:
            raise RuntimeError(_OVER)
        session = self._session
        if session is None:
            if self._is_block and not self._depth:
                raise RuntimeError("this unit of work has no response: use it in a with block")
            session = self._open()
        return session

    # Any: repositories have the app's own classes.
    def __getattr__(self, name: str) -> Any:
        make = self._settings.repositories.get(name)
        if make is None:
            known = ", ".join(self._settings.repositories) or "none"
            raise AttributeError(f"there is no repository {name!r}; repositories={known}")
        repository = self.__dict__[name] = make(self.session)
        return repository

    # Any: the arguments of any function.
    def after_commit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call a function after the commit, before the response is sent; never after a rollback.

        Functions are called in the order in which they were added. An exception is logged, and
        changes nothing: the data are committed. If the process is killed after the commit, the
        functions are not called; use an outbox for anything that must not be lost.

        Pass values, not entities: the session is closed by then.

        Args:
            fn: a ``def``, called where the commit ran: in a thread for a ``Session`` under ASGI.
                Or an ``async def``, awaited on the event loop.
            args: its arguments.
            kwargs: its keyword arguments.

        Raises:
            TypeError: ``fn`` is not callable, or is an ``async def`` without an event loop.
            RuntimeError: the work has ended.
        """
        if self._is_over:
            raise RuntimeError(_OVER)
        if not callable(fn):
            raise TypeError(f"after_commit() takes a function, not {fn!r}")
        is_awaited = self._waits and (self._settings.sessions.is_async or not self._is_block)
        if not is_awaited and is_coroutine_function(fn):
            raise TypeError(f"{fn!r} is async, and there is no event loop to await it on")
        self._callbacks += ((fn, args, kwargs),)

    def publish(self, event: Event) -> None:
        """Store an event in the outbox, in the same transaction. This method is not async.

        Raises:
            RuntimeError: `UnitOfWork` has no outbox, or the work has ended.
            TypeError: ``event`` is not an `Event`, or its data are not JSON values.
            ValueError: its data are too large for the outbox.
        """
        if self._settings.outbox is None:
            raise RuntimeError("UnitOfWork needs outbox=Outbox() to publish events")
        self._settings.outbox.add(self.session, event)

    # Any: None or an awaitable, as the session is.
    def rollback(self) -> Any:
        """Undo everything so far, on purpose. The response commits later changes.

        Call it after an exception has left a block, if the response is a success nevertheless. The
        functions of `after_commit()` are dropped. With an ``AsyncSession``, await the result; in an
        async view of Django, use ``await sync_to_async(work.rollback)()``.
        """
        session = self.session
        self._has_failed = self._has_conflict = False
        self._callbacks = ()
        return session.rollback()

    # -- blocks -----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if "with" not in self._settings.sessions.forms:
            raise TypeError('this unit of work has an AsyncSession: use "async with"')
        self._enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run_sync(self._leave(error))
        if self._is_block and self._is_over:
            run_sync(self.call_back())

    async def __aenter__(self) -> Self:
        if "async with" not in self._settings.sessions.forms:
            raise TypeError('this unit of work has a Session: use "with"')
        if self._settings.sessions.is_async:
            self._enter()
        else:
            await self._settings.sessions.run(self._enter)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and not self._is_block and self._settings.sessions.is_async:
            await self._leave(None)  # it may be interrupted
        else:
            await uninterrupted(self._leave_and_call_back(error))

    async def _leave_and_call_back(self, error: BaseException | None) -> None:
        await self.drive(self._leave(error))
        if self._is_block and self._is_over:
            await self.call_back(in_thread=True)

    async def drive(self, steps: Coroutine[Any, Any, None]) -> None:
        """Run steps that use the session: on the event loop, or off it for a sync session."""
        sessions = self._settings.sessions
        await (steps if sessions.is_async else sessions.run(run_sync, steps))

    def _open(self) -> Any:
        sessions = self._settings.sessions
        if sessions.is_async and not self._waits:
            raise RuntimeError("an AsyncSession needs an event loop: under WSGI, use a Session")
        # If threads open it at once, one wins; the sessions of the others have not connected yet.
        return self.__dict__.setdefault("_session", sessions.open())

    def _enter(self) -> None:
        if self._is_over:
            raise RuntimeError(_OVER)
        if self._session is None:
            self._open()
        self._depth += 1

    async def _leave(self, error: BaseException | None) -> None:
        """Leave a block: flush or roll back, and end the work if the block ends it."""
        # `stop()` has the opposite order: if a thread leaves the block while the request ends, at
        # least one of them closes the session.
        self._depth -= 1
        session = self._session
        if self._is_over:
            if not self._depth:
                await self._close(session)
            return
        try:
            if error is None:
                waiting = self._settings.sessions.flush(session)
                if waiting is not None:
                    await waiting
            else:
                await self._fail(session, error)
        except BaseException as raised:
            await self._fail(session, raised)
            raise
        finally:
            if self._is_block and not self._depth:
                self.stop()
                await self.end(not self._has_failed)

    async def _fail(self, session: Any, error: BaseException) -> None:
        self._has_failed = True
        # A later exception that results from a conflict may not look like one.
        self._has_conflict = self._has_conflict or is_conflict(error)
        self._callbacks = ()
        if self._waits and self._settings.sessions.is_async:
            await uninterrupted(self._roll_back(session))
        else:
            await self._roll_back(session)

    # -- the end ----------------------------------------------------------------------------------

    def stop(self) -> bool:
        """End the use of the work; return whether all blocks have been left, also in threads."""
        self._is_over = True
        return not self._depth

    async def end(
        self, commits: bool, state: "State | None" = None, response: Response | None = None
    ) -> None:
        """Commit or roll back, and close the session.

        This is a coroutine for all sessions, but it suspends only for async sessions.

        Args:
            commits: whether to commit.
            state: the exchange's state, with the functions to call before the commit.
            response: the response.

        Raises:
            Exception: the commit failed, and the work has been rolled back.
        """
        session, sessions = self._session, self._settings.sessions
        try:
            if commits:
                if state is not None and state._before_commit:
                    await self._prepare(session, state, response)
                waiting = sessions.check(session)
                if waiting is not None:
                    await waiting
                waiting = session.commit()
                if waiting is not None:
                    await waiting
            else:
                self._callbacks = ()
        except BaseException:
            self._callbacks = ()
            await self._roll_back(session)
            raise
        finally:
            await self._close(session)

    async def _prepare(self, session: Any, state: "State", response: Response | None) -> None:
        """Flush, and call the functions that other policies have added to run before the commit."""
        waiting = self._settings.sessions.flush(session)
        if waiting is not None:
            await waiting
        for fn in state._before_commit:
            result = fn(session, response)
            if isawaitable(result):
                await result

    async def _roll_back(self, session: Any) -> None:
        try:
            waiting = session.rollback()
            if waiting is not None:
                await waiting
        except Exception as error:  # noqa: BLE001  # it must not hide the first one
            log_unit_failure("rollback", error, masks=self._masks)

    async def _close(self, session: Any) -> None:
        try:
            waiting = session.close()  # rolls back uncommitted changes
            if waiting is not None:
                await waiting
        except Exception as error:  # noqa: BLE001  # as above
            log_unit_failure("close", error, masks=self._masks)

    async def call_back(self, request: Request | None = None, *, in_thread: bool = False) -> None:
        """Call the functions of `after_commit()`, if the work has been committed.

        Args:
            request: the request, or None.
            in_thread: whether to call sync functions off the event loop, if the session is sync.
        """
        callbacks, self._callbacks = self._callbacks, ()
        sessions = self._settings.sessions
        for fn, args, kwargs in callbacks:
            call = partial(fn, *args, **kwargs)
            try:
                if in_thread and not (sessions.is_async or is_coroutine_function(fn)):
                    result = await sessions.run(call)
                else:
                    result = call()
                if isawaitable(result):
                    await result
            except Exception as error:  # noqa: BLE001  # the data are committed
                log_unit_failure("after_commit", error, request, self._masks)


class Unbegun:
    """Make the work of a request when `uow()` is first called, which most requests never do.

    Args:
        settings: the settings of its `UnitOfWork`.
        waits: whether the work runs on an event loop.
        is_block: whether each call of `uow()` begins a work of its own, as in a WebSocket.
    """

    def __init__(self, settings: Settings, waits: bool, *, is_block: bool = False) -> None:
        self._settings = settings
        self._waits = waits
        self._is_block = is_block

    def begin(self, state: "State") -> Work:
        """Return the work of an exchange. Threads that call it at once get the same work."""
        work = Work(self._settings, self._waits)
        if state._maskers:
            work._masks = state._maskers
        if self._is_block:
            work._is_block = True
            return work
        shared: Work = vars(state).setdefault("_work", work)
        if state._is_work_over:
            shared.stop()
        return shared


_OVER: Final = (
    "this unit of work has ended, since the response has begun; "
    "begin another one with UnitOfWork.begin()"
)
