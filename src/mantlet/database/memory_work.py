"""`InMemoryWork` and `AsyncInMemoryWork`: units of work over repositories in memory, for tests."""

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Self

from mantlet._internal.coroutines import is_coroutine_function
from mantlet.database.memory import InMemoryTable
from mantlet.database.policy import UnexpectedRollback
from mantlet.events.event import Event

__all__ = ["AsyncInMemoryWork", "InMemoryWork"]


class _InMemoryUnit:
    """Repositories that are stored together, and the functions to call after the commit."""

    def __init__(self, **repositories: InMemoryTable[Any]) -> None:
        taken = sorted(name for name in repositories if hasattr(type(self), name))
        if taken:
            raise ValueError(f"a repository must not have a name of the work's own: {taken}")
        for name, repository in repositories.items():
            if not isinstance(repository, InMemoryTable):
                raise TypeError(
                    f"{name} must be a repository in memory, such as InMemoryOrders(), "
                    f"not {repository!r}"
                )
            setattr(self, name, repository)
        self._repositories = repositories
        #: The events of all commits so far, in order.
        self.events: list[Event] = []
        self._begin()

    if TYPE_CHECKING:
        # Any: repositories, by their names.
        def __getattr__(self, name: str) -> Any: ...

    def _begin(self) -> None:
        self._published: list[Event] = []
        self._calls: list[Callable[[], Any]] = []
        self._has_failed = False

    def after_commit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call a function after the commit.

        Args:
            fn: the function.
            args: its arguments.
            kwargs: its keyword arguments.
        """
        self._calls.append(partial(fn, *args, **kwargs))

    def publish(self, event: Event) -> None:
        """Add an event to `events` when the work commits."""
        if not isinstance(event, Event):
            raise TypeError(f"publish() takes an Event, not {event!r}")
        self._published.append(event)

    def _roll_back(self) -> None:
        for repository in self._repositories.values():
            repository._begin()
        self._begin()

    def another(self) -> Self:
        """Return another unit of work over the same stored entities, as for another request."""
        others = {name: one._another() for name, one in self._repositories.items()}
        return type(self)(**others)

    def _leave(self, error: BaseException | None) -> None:
        if error is not None:
            self._has_failed = True
            return
        for repository in self._repositories.values():
            repository._flush()

    def _store(self) -> list[Callable[[], Any]]:
        """Store all changes or none, and return the functions to call."""
        try:
            if self._has_failed:
                raise UnexpectedRollback("an exception has left a block of the work")
            for repository in self._repositories.values():
                repository._check()
        except BaseException:
            self._roll_back()
            raise
        for repository in self._repositories.values():
            repository._store()
        calls = self._calls
        self.events += self._published
        self._begin()
        return calls


class InMemoryWork(_InMemoryUnit):
    """A unit of work over repositories in memory, to test use cases.

    ::

        work = InMemoryWork(orders=InMemoryOrders())
        with work:
            place_order(work, ...)
        work.commit()
        assert work.events[0].type == "order.placed"

    As with the work of a request, the end of a ``with`` block does not commit, and the work is
    rolled back if an exception leaves a block.

    Args:
        repositories: the repositories by the names of their attributes.

    Raises:
        TypeError: a repository is not an in-memory repository.
        ValueError: a name is an attribute of the work itself.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._leave(error)

    def after_commit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call a function after the commit.

        Raises:
            TypeError: the function is an ``async def``, which needs an `AsyncInMemoryWork`.
        """
        if is_coroutine_function(fn):
            raise TypeError("after_commit() of a sync work takes a function that is not async")
        super().after_commit(fn, *args, **kwargs)

    def commit(self) -> None:
        """Store all changes or none, then call the functions of `after_commit()`.

        Raises:
            Problem: 409, the changes conflict with stored entities.
            UnexpectedRollback: an exception has left a block; the work is rolled back.
        """
        for call in self._store():
            call()

    def rollback(self) -> None:
        """Undo everything since the last commit, on purpose."""
        self._roll_back()


class AsyncInMemoryWork(_InMemoryUnit):
    """A unit of work in memory with the methods of an async one; see `InMemoryWork`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._leave(error)

    async def commit(self) -> None:
        """Store all changes or none, then call the functions of `after_commit()`.

        Raises:
            Problem: 409, the changes conflict with stored entities.
            UnexpectedRollback: an exception has left a block; the work is rolled back.
        """
        for call in self._store():
            result: Awaitable[object] | object = call()
            if isawaitable(result):
                await result

    async def rollback(self) -> None:
        """Undo everything since the last commit, on purpose."""
        self._roll_back()
