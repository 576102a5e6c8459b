"""`Repository` and `AsyncRepository`: the ports through which use cases access stored entities.

A repository looks like a collection of the entities of one class. Use cases and views know only the
port; SQL is in the adapter. Extend the port with the queries of your domain::

    class Orders(Repository[Order], Protocol):
        def open_for(self, user: UserId) -> Sequence[Order]: ...

`SqlRepository` implements the port over a session of SQLAlchemy, and `InMemoryRepository` for tests
of use cases. `mantlet.testing.RepositoryContract` checks that an implementation behaves as
described here.

All methods belong to one unit of work: added, changed and removed entities are stored when it
commits, and discarded when it rolls back. Within a unit of work, each entity is a single object.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol, TypeVar

__all__ = ["MAX_PAGE", "AsyncRepository", "Entity", "Repository"]

Entity = TypeVar("Entity")

#: The maximum number of entities in a page.
MAX_PAGE: Final = 1000


class Repository(Protocol[Entity]):
    """A collection of stored entities."""

    @abstractmethod
    def add(self, entity: Entity, /) -> None:
        """Add a new entity. Adding the same object again changes nothing.

        A key that the database generates is set once a query finds the entity, or once the ``with``
        block of the unit of work ends. If the key is taken, this step fails, and the unit of work
        rolls back.
        """
        raise NotImplementedError

    @abstractmethod
    def get(self, key: object, /) -> Entity | None:
        """Return the entity with a key, or None. Within a unit of work, it is always one object.

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
            limit: the maximum number of entities to return, 1 to 1000.

        Raises:
            ValueError: the limit is out of range.
        """
        raise NotImplementedError


class AsyncRepository(Protocol[Entity]):
    """A collection of stored entities with async methods; see `Repository` for each method."""

    @abstractmethod
    def add(self, entity: Entity, /) -> None:
        """Add a new entity. This method is not async."""
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
