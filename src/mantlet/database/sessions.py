"""Where units of work get their sessions from. Neither SQLAlchemy nor Django is imported here."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, Final

from mantlet._internal.event_loop import run_in_thread

__all__ = ["IN_ERROR", "Sessions", "SqlSessions"]

#: libpq's PQTRANS_INERROR, which psycopg and psycopg2 report.
IN_ERROR: Final = 3
#: Where the connections of a session, and its commits, are noted in its ``info``.
_CONNECTIONS: Final = "mantlet.connections"
_HAS_COMMITTED: Final = "mantlet.has_committed"


class Sessions:
    """Where units of work get their sessions from.

    A session has the methods ``flush()``, ``commit()``, ``rollback()`` and ``close()``; the results
    of some have to be awaited.

    Args:
        is_async: whether its sessions are awaited.
        forms: the forms of ``with`` that they can be used in.

    Attributes:
        is_async: whether its sessions are awaited.
        forms: the forms of ``with`` that they can be used in.
    """

    def __init__(self, *, is_async: bool, forms: tuple[str, ...]) -> None:
        self.is_async = is_async
        self.forms = forms

    # Any: sessions of each library's own.
    @abstractmethod
    def open(self) -> Any:
        """Return a new session, in whose transaction everything is done until it is closed."""
        raise NotImplementedError

    # Any: the arguments and the result of any function.
    @abstractmethod
    def run(self, fn: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """Call a function that uses a session which is not awaited, off the event loop."""
        raise NotImplementedError

    def flush(self, session: Any) -> Awaitable[None] | None:
        """Send what the session has not sent yet."""
        flushing: Awaitable[None] | None = session.flush()
        return flushing

    def has_committed(self, session: Any) -> bool:
        """Return whether a commit of the session, maybe the app's own, has succeeded."""
        return False

    def is_split(self, session: Any) -> bool:
        """Return whether a commit that fails may have stored a part, in another database."""
        return False

    @abstractmethod
    def check(self, session: Any) -> Awaitable[None] | None:
        """Raise if a statement has failed in the transaction, so that its commit would undo it."""
        raise NotImplementedError


class SqlSessions(Sessions):
    """The sessions of SQLAlchemy.

    Args:
        factory: a ``sessionmaker`` or ``async_sessionmaker``.
        is_async: which of these.
        notes_commits: whether `has_committed()` is asked.
    """

    # Any: SQLAlchemy's own types, which are not imported here.
    def __init__(self, factory: Any, is_async: bool, *, notes_commits: bool = False) -> None:
        super().__init__(is_async=is_async, forms=("async with" if is_async else "with",))
        self._notes_commits = notes_commits
        self._factory = factory
        #: The class of the plain sessions within those that are awaited, and our own one of it.
        self._plain: tuple[Any, Any] = (None, None)
        if not is_async:
            self._listen_to(factory)

    def open(self) -> Any:
        """Return a new session, which connects when it is first used.

        Once closed it stays closed, so that code that still has it gets an error instead of a
        connection that nobody returns to the pool.
        """
        if not self.is_async:
            return self._factory(close_resets_only=False)
        factory = self._factory
        wanted = factory.kw.get("sync_session_class") or factory.class_.sync_session_class
        known, kind = self._plain
        if wanted is not known:
            kind = type(wanted.__name__, (wanted,), {})  # as a sessionmaker has one for events
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
        """Flush, without a coroutine if there is nothing to send."""
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
        """Return whether the transaction is one of several connections."""
        return len(session.info.get(_CONNECTIONS, ())) > 1

    def check(self, session: Any) -> Awaitable[None] | None:
        """Raise if PostgreSQL has aborted the transaction.

        It answers COMMIT with ROLLBACK then, which no driver takes for an error.
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
    """Note a connection that becomes part of a session's transaction."""
    info = session.info
    noted = info.get(_CONNECTIONS)
    if noted is None:
        info[_CONNECTIONS] = [connection]
    elif connection not in noted:  # as it is again for a savepoint
        info[_CONNECTIONS] = [*(one for one in noted if not one.closed), connection]


# Any: as above.
def _note_commit(session: Any) -> None:
    """Note a commit; a savepoint's release is none."""
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
