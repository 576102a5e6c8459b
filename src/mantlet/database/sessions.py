"""The sources of sessions for units of work. SQLAlchemy and Django are not imported here."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, Final

from mantlet._internal.event_loop import run_in_thread

__all__ = ["IN_ERROR", "Sessions", "SqlSessions"]

#: libpq's PQTRANS_INERROR, which psycopg and psycopg2 report.
IN_ERROR: Final = 3
#: The keys of a session's ``info`` under which its connections and its commits are recorded.
_CONNECTIONS: Final = "mantlet.connections"
_HAS_COMMITTED: Final = "mantlet.has_committed"


class Sessions:
    """A source of sessions for units of work.

    A session has the methods ``flush()``, ``commit()``, ``rollback()`` and ``close()``, which are
    async in some libraries.

    Args:
        is_async: whether the methods of the sessions are async.
        forms: the statements that a work can be used in: ``"with"``, ``"async with"`` or both.

    Attributes:
        is_async: see above.
        forms: see above.
    """

    def __init__(self, *, is_async: bool, forms: tuple[str, ...]) -> None:
        self.is_async = is_async
        self.forms = forms

    # Any: each library has its own sessions.
    @abstractmethod
    def open(self) -> Any:
        """Return a new session. Its transaction covers everything until it is closed."""
        raise NotImplementedError

    # Any: the arguments and the result of any function.
    @abstractmethod
    def run(self, fn: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """Call a function that uses a sync session, off the event loop."""
        raise NotImplementedError

    def flush(self, session: Any) -> Awaitable[None] | None:
        """Send the pending changes of the session to the database."""
        flushing: Awaitable[None] | None = session.flush()
        return flushing

    def has_committed(self, session: Any) -> bool:
        """Return whether a commit of the session, maybe the app's own, has succeeded."""
        return False

    def is_split(self, session: Any) -> bool:
        """Return whether a failed commit may have stored a part of the data in another database."""
        return False

    @abstractmethod
    def check(self, session: Any) -> Awaitable[None] | None:
        """Raise if a failed statement has aborted the transaction: a commit would roll it back."""
        raise NotImplementedError


class SqlSessions(Sessions):
    """The sessions of SQLAlchemy.

    Args:
        factory: a ``sessionmaker`` or ``async_sessionmaker``.
        is_async: whether it is an ``async_sessionmaker``.
        notes_commits: whether to record commits for `has_committed()`.
    """

    # Any: SQLAlchemy's own types, which are not imported here.
    def __init__(self, factory: Any, is_async: bool, *, notes_commits: bool = False) -> None:
        super().__init__(is_async=is_async, forms=("async with" if is_async else "with",))
        self._notes_commits = notes_commits
        self._factory = factory
        #: The class of the sync sessions inside async sessions, and our subclass of it.
        self._plain: tuple[Any, Any] = (None, None)
        if not is_async:
            self._listen_to(factory)

    def open(self) -> Any:
        """Return a new session, which connects when it is first used.

        Once closed, the session stays closed: code that still has it gets an error instead of a
        connection that is never returned to the pool.
        """
        if not self.is_async:
            return self._factory(close_resets_only=False)
        factory = self._factory
        wanted = factory.kw.get("sync_session_class") or factory.class_.sync_session_class
        known, kind = self._plain
        if wanted is not known:
            kind = type(wanted.__name__, (wanted,), {})  # for events, as sessionmaker does
            self._listen_to(kind)
            self._plain = (wanted, kind)
        return factory(close_resets_only=False, sync_session_class=kind)

    def _listen_to(self, target: Any) -> None:
        listen = import_module("sqlalchemy.event").listen
        listen(target, "after_begin", _note_connection)
        if self._notes_commits:  # before the app's own listeners, which may raise
            listen(target, "after_commit", _note_commit, insert=True)

    def run(self, fn: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """Call a function in a thread of the event loop's pool."""
        return run_in_thread(fn, *args)

    def flush(self, session: Any) -> Awaitable[None] | None:
        """Flush; without a coroutine if the session has no pending changes."""
        if self.is_async:
            plain = session.sync_session
            if not (plain.new or plain.dirty or plain.deleted):
                return None
        flushing: Awaitable[None] | None = session.flush()
        return flushing

    def has_committed(self, session: Any) -> bool:
        """Return whether a commit of the session, maybe the app's own, has succeeded."""
        return _HAS_COMMITTED in session.info

    def is_split(self, session: Any) -> bool:
        """Return whether the transaction spans several connections."""
        return len(session.info.get(_CONNECTIONS, ())) > 1

    def check(self, session: Any) -> Awaitable[None] | None:
        """Raise if PostgreSQL has aborted the transaction.

        PostgreSQL then responds to COMMIT with ROLLBACK, which no driver reports as an error.
        """
        noted = session.info.get(_CONNECTIONS, ())
        connections = [one for one in noted if _may_be_aborted(one)]
        if not connections:
            return None
        if self.is_async:
            checked: Awaitable[None] = session.run_sync(_probe, connections)
            return checked
        _probe(session, connections)
        return None


# Any: SQLAlchemy's own types.
def _note_connection(session: Any, _transaction: Any, connection: Any) -> None:
    """Record a connection that becomes part of a session's transaction."""
    info = session.info
    noted = info.get(_CONNECTIONS)
    if noted is None:
        info[_CONNECTIONS] = [connection]
    elif connection not in noted:  # a savepoint reports it again
        info[_CONNECTIONS] = [*(one for one in noted if not one.closed), connection]


# Any: as above.
def _note_commit(session: Any) -> None:
    """Record a commit, but not the release of a savepoint."""
    if not session.in_nested_transaction():
        session.info[_HAS_COMMITTED] = True


# Any: SQLAlchemy's own types.
def _may_be_aborted(connection: Any) -> bool:
    """Return whether PostgreSQL has aborted a transaction, as far as its driver knows."""
    if connection.dialect.name != "postgresql" or connection.closed:
        return False
    info = getattr(connection.connection.driver_connection, "info", None)
    return bool(getattr(info, "transaction_status", IN_ERROR) == IN_ERROR)


def _probe(_session: Any, connections: list[Any]) -> None:
    """Raise the database's own error if a transaction has been aborted."""
    for connection in connections:
        connection.exec_driver_sql("SELECT 1")
