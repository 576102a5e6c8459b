"""Units of work over Django's ORM, also in async views, which ``ATOMIC_REQUESTS`` refuses.

Django's connections belong to threads. Under ASGI, all database calls of a request are made in one
thread (``sync_to_async()`` with ``thread_sensitive=True``, which the async methods of the ORM use).
The transaction begins, commits and rolls back in that thread.

Limits: calls from other threads are not part of the transaction. It covers one database alias, for
which ``ATOMIC_REQUESTS`` must be off. A streaming response reads in autocommit mode, as it does
with ``ATOMIC_REQUESTS``.
"""

from collections.abc import Awaitable, Callable
from importlib import import_module
from threading import current_thread
from typing import Any, ClassVar

from mantlet.database.policy import uow
from mantlet.database.sessions import IN_ERROR, Sessions
from mantlet.database.work import Work

__all__ = ["AtomicRequests", "django"]


def django(using: str = "default") -> Sessions:
    """Return Django's transactions, to pass to `UnitOfWork`.

    Use the work in ``with`` blocks in sync views, and in ``async with`` blocks in async views; or
    use `AtomicRequests` for all views. ``work.session.connection`` is Django's connection.

    Args:
        using: the alias of the database.

    Raises:
        TypeError: the alias is not text.
    """
    if not isinstance(using, str):
        raise TypeError(f"using must be the alias of a database, not {using!r}")
    return _DjangoSessions(using)


class AtomicRequests:
    """Run each view in a unit of work, as ``ATOMIC_REQUESTS`` does: a Django middleware.

    Put it last in ``MIDDLEWARE``: ``"mantlet.database.AtomicRequests"``. The app must be wrapped in
    a `UnitOfWork`.

    Args:
        get_response: the next middleware or the view.
    """

    sync_capable: ClassVar[bool] = True
    async_capable: ClassVar[bool] = True

    # Any: Django's own types, which are not imported here.
    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        sync = import_module("asgiref.sync")
        self._get_response = get_response
        self._is_async = sync.iscoroutinefunction(get_response)
        if self._is_async:
            sync.markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Return the response, or an awaitable of it."""
        work = uow(request)
        if self._is_async:
            return self._respond_later(work, request)
        with work:
            return self._get_response(request)

    async def _respond_later(self, work: Work, request: Any) -> Any:
        async with work:
            return await self._get_response(request)


class _DjangoSessions(Sessions):
    """Django's transactions, each in the thread of its request.

    Args:
        using: the alias of the database.
    """

    def __init__(self, using: str) -> None:
        super().__init__(is_async=False, forms=("with", "async with"))
        self._using = using

    def open(self) -> "_Transaction":
        return _Transaction(self._using)

    def run(self, fn: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        run: Awaitable[Any] = import_module("asgiref.sync").sync_to_async(fn)(*args)
        return run

    def check(self, session: "_Transaction") -> None:
        session.check()


class _Transaction:
    """A transaction of this thread's connection, with the methods of a session.

    Args:
        using: the alias of the database.

    Attributes:
        connection: the connection.
    """

    def __init__(self, using: str) -> None:
        database = import_module("django.db")
        self._make = database.transaction.Atomic
        self._using = using
        self._thread = current_thread()
        self.connection: Any = database.connections[using]
        self._begin()

    def _begin(self) -> None:
        # Any: an Atomic.
        atomic: Any = self._make(self._using, savepoint=True, durable=False)
        atomic.__enter__()
        self._atomic = atomic

    def flush(self) -> None:
        """Do nothing: Django sends every statement immediately."""

    def check(self) -> None:
        """Raise if a failed statement has aborted the transaction: a commit would roll it back."""
        connection = self.connection
        connection.validate_no_broken_transaction()
        if connection.vendor == "postgresql":
            info = getattr(connection.connection, "info", None)
            if getattr(info, "transaction_status", IN_ERROR) == IN_ERROR:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")  # raises the database's own error

    def commit(self) -> None:
        """Commit; Django rolls back if that fails."""
        atomic, self._atomic = self._atomic, None
        atomic.__exit__(None, None, None)

    def rollback(self) -> None:
        """Roll back, and begin again, since later statements must not be in autocommit mode."""
        if self._atomic is not None:
            self.close()
            self._begin()

    def close(self) -> None:
        """Roll back a transaction that has not been committed."""
        atomic, self._atomic = self._atomic, None
        if atomic is None:
            return
        if current_thread() is self._thread:
            self.connection.set_rollback(True)
            atomic.__exit__(None, None, None)
            return
        # The request was canceled and its thread has ended, so nobody else closes the connection.
        self.connection.inc_thread_sharing()
        try:
            self.connection.close()
        finally:
            self.connection.dec_thread_sharing()
