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
        sessions: where sessions come from.
        repositories: a callable for each repository, which makes it from the session.
        outbox: where events are stored, or None.
    """

    # Any: repositories and outboxes of any class.
    sessions: Sessions
    repositories: Mapping[str, Callable[[Any], Any]]
    outbox: Any = None


def is_conflict(error: BaseException | None) -> bool:
    """Return whether an exception says that a transaction would succeed if it were run again."""
    return any(database_meaning(one) == RETRY for one in walk_chain(error)) if error else False


def log_unit_failure(
    function: str, error: Exception, request: Request | None = None, masks: "Masks" = ()
) -> None:
    """Log an exception that must not replace another one, or the response.

    Args:
        function: the function that has raised it.
        error: the exception.
        request: the request, if there is one.
        masks: the maskers of the app's secrets, if there is none.
    """
    log_failure(
        _log, "UnitOfWork", function, error, throttle=_throttle, request=request, masks=masks
    )


class Work:
    """The unit of work of one request: a session, its transaction, and its repositories.

    Use it as a context manager, any number of times: ``with`` for a ``Session``, ``async with`` for
    an ``AsyncSession``. Leaving the block flushes. An exception that leaves it rolls back, and
    nothing of the request is committed any more. The response commits the rest; see `UnitOfWork`.

    A work of `UnitOfWork.begin()`, or of a WebSocket, has no response: it commits when its
    outermost block is left without an exception, and has ended then.

    Its other attributes are the repositories of `UnitOfWork`, each made at its first use.

    Args:
        settings: those of its `UnitOfWork`.
        waits: whether it runs on an event loop.
    """

    # Defaults of attributes that most works never set stand in the class, as each has its cost.
    #: Whether the end of its outermost block ends it.
    _is_block = False
    #: The work of a `UnitOfWork` around this one's.
    _outer: "Work | None" = None
    _session: Any = None
    _depth = 0
    #: Whether it has ended, so that it can't be used any more.
    _is_over = False
    #: Whether an exception has left a block.
    _has_failed = False
    #: Whether one was a conflict with another transaction, which a retry would not have.
    _has_conflict = False
    #: Whether a `UnitOfWork` within this one's has committed.
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
            RuntimeError: the work has ended; or it is used outside of its block and has no other
                end; or an AsyncSession is used under WSGI.
        """
        if self._is_over:
            raise RuntimeError(_OVER)
        session = self._session
        if session is None:
            if self._is_block and not self._depth:
                raise RuntimeError("this unit of work has no response: use it in a with block")
            session = self._open()
        return session

    # Any: repositories are of the app's own classes.
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

        Functions are called in the order of these calls. An exception is logged, and changes
        nothing: the data are committed. A process that is killed in between calls nothing; an
        outbox loses nothing.

        Pass values, not entities: the session is closed by then.

        Args:
            fn: a ``def``, called where the commit ran: in a thread for a ``Session`` under ASGI.
                Or an ``async def``, awaited on the event loop.
            args: its arguments.
            kwargs: its keyword arguments.

        Raises:
            TypeError: it can't be called, or it is an ``async def`` without an event loop.
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
        """Store an event in the outbox, in the same transaction. It waits for nothing.

        Raises:
            RuntimeError: `UnitOfWork` has no outbox, or the work has ended.
            TypeError: it is not an `Event`, or its data are not JSON values.
            ValueError: its data are too large for the outbox.
        """
        if self._settings.outbox is None:
            raise RuntimeError("UnitOfWork needs outbox=Outbox() to publish events")
        self._settings.outbox.add(self.session, event)

    # Any: None or an awaitable, as the session is.
    def rollback(self) -> Any:
        """Undo everything so far, on purpose; what comes after it is committed by the response.

        Also after an exception has left a block, if the response is to be a success all the same.
        The functions of `after_commit()` are forgotten. Await it with an ``AsyncSession``; in an
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
        """Run steps that use the session on the event loop, or off it if they do not wait."""
        sessions = self._settings.sessions
        await (steps if sessions.is_async else sessions.run(run_sync, steps))

    def _open(self) -> Any:
        sessions = self._settings.sessions
        if sessions.is_async and not self._waits:
            raise RuntimeError("an AsyncSession needs an event loop: under WSGI, use a Session")
        # Of threads that open it at once, one wins; the other's session has not connected yet.
        return self.__dict__.setdefault("_session", sessions.open())

    def _enter(self) -> None:
        if self._is_over:
            raise RuntimeError(_OVER)
        if self._session is None:
            self._open()
        self._depth += 1

    async def _leave(self, error: BaseException | None) -> None:
        """Leave a block: flush, or roll back; or end the work, if the block does."""
        # In this order, as `stop()` has the other one: of a thread that leaves the block and a
        # request that ends meanwhile, at least one closes the session.
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
        # An exception that follows from a conflict need not say so.
        self._has_conflict = self._has_conflict or is_conflict(error)
        self._callbacks = ()
        if self._waits and self._settings.sessions.is_async:
            await uninterrupted(self._roll_back(session))
        else:
            await self._roll_back(session)

    # -- the end ----------------------------------------------------------------------------------

    def stop(self) -> bool:
        """End the use of the work; return whether no block is open, in a thread for example."""
        self._is_over = True
        return not self._depth

    async def end(
        self, commits: bool, state: "State | None" = None, response: Response | None = None
    ) -> None:
        """Commit or roll back, and close the session.

        A coroutine for all sessions: it waits only for those that are awaited.

        Args:
            commits: whether to commit.
            state: the exchange's, with the functions to call before the commit.
            response: the response.

        Raises:
            Exception: it could not be committed, and has been rolled back.
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
        """Flush, and call the functions that other policies have for the time before the commit."""
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
            waiting = session.close()  # which rolls back what has not been committed
            if waiting is not None:
                await waiting
        except Exception as error:  # noqa: BLE001  # as above
            log_unit_failure("close", error, masks=self._masks)

    async def call_back(self, request: Request | None = None, *, in_thread: bool = False) -> None:
        """Call the functions of `after_commit()`, if the work has been committed.

        Args:
            request: the request, if there is one.
            in_thread: whether to call those that are not async off the event loop, if the session
                is used off it.
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
    """Makes the work of a request when `uow()` first asks for it, which most requests never do.

    Args:
        settings: those of its `UnitOfWork`.
        waits: whether the work runs on an event loop.
        is_block: whether each call of `uow()` begins a work of its own, as in a WebSocket.
    """

    def __init__(self, settings: Settings, waits: bool, *, is_block: bool = False) -> None:
        self._settings = settings
        self._waits = waits
        self._is_block = is_block

    def begin(self, state: "State") -> Work:
        """Return the work of an exchange; of threads that ask at once, all get the same."""
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
