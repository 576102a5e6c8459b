"""`Repository` and `AsyncRepository`: the ports by which use cases reach stored entities.

A repository looks like a collection of the entities of one class. Use cases and views know only the
port; SQL is in the adapter. A team extends the port with the questions of its domain::

    class Orders(Repository[Order], Protocol):
        def open_for(self, user: UserId) -> Sequence[Order]: ...

`SqlRepository` implements it over a session of SQLAlchemy, `InMemoryRepository` for tests of use
cases. `mantlet.testing.RepositoryContract` checks that an implementation behaves as described here.

All methods belong to one unit of work: entities that are added, changed or removed are stored when
it commits, and forgotten when it rolls back. Within it each entity is one object.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol, TypeVar

__all__ = ["MAX_PAGE", "AsyncRepository", "Entity", "Repository"]

Entity = TypeVar("Entity")

#: The most entities of one page.
MAX_PAGE: Final = 1000


class Repository(Protocol[Entity]):
    """A collection of stored entities."""

    @abstractmethod
    def add(self, entity: Entity, /) -> None:
        """Add a new entity. Adding the same object again changes nothing.

        A key that the database makes is there once the entity is found, or the ``with`` block of
        the unit of work ends. If the key is taken, that fails, and the unit of work rolls back.
        """
        raise NotImplementedError

    @abstractmethod
    def get(self, key: object, /) -> Entity | None:
        """Return the entity with a key, or None; always the same object within a unit of work.

        Args:
            key: the primary key; a tuple if it has several columns.
        """
        raise NotImplementedError

    @abstractmethod
    def remove(self, entity: Entity, /) -> None:
        """Remove an entity.

        Raises:
            ValueError: it is not in this repository, or not of this unit of work.
        """
        raise NotImplementedError

    @abstractmethod
    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Entity]:
        """Return entities in the order of their keys.

        Args:
            after: the key of the last entity of the previous page; None for the first page.
            limit: the most entities to return, 1 to 1000.

        Raises:
            ValueError: the limit is out of range.
        """
        raise NotImplementedError


class AsyncRepository(Protocol[Entity]):
    """A collection of stored entities, whose methods wait; see `Repository` for each of them."""

    @abstractmethod
    def add(self, entity: Entity, /) -> None:
        """Add a new entity. It waits for nothing."""
        raise NotImplementedError

    @abstractmethod
    def get(self, key: object, /) -> Awaitable[Entity | None]:
        """Return the entity with a key, or None."""
        raise NotImplementedError

    @abstractmethod
    def remove(self, entity: Entity, /) -> Awaitable[None]:
        """Remove an entity.

        Raises:
            ValueError: it is not in this repository, or not of this unit of work.
        """
        raise NotImplementedError

    @abstractmethod
    def page(self, *, after: object = None, limit: int = 100) -> Awaitable[Sequence[Entity]]:
        """Return entities in the order of their keys.

        Raises:
            ValueError: the limit is out of range.
        """
        raise NotImplementedError
