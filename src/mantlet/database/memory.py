"""Repositories in memory, to test use cases without a database.

They behave like repositories over a database. Each unit of work has its own copies of the entities,
which are stored when it commits and discarded when it rolls back. Keys are unique. If two units of
work have changed the same entity, the second commit fails with a conflict, as with an isolation
level or a version column. They are not for production: all data is kept in memory, and each query
reads everything.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy, deepcopy
from typing import Any, ClassVar, Generic, NamedTuple, Self

from mantlet._internal.options import check_int
from mantlet.core.problem import Problem
from mantlet.database.contents import same_contents
from mantlet.database.repository import MAX_PAGE, AsyncRepository, Entity, Repository

__all__ = [
    "AsyncInMemoryRepository",
    "InMemoryRepository",
    "InMemoryTable",
]


class _Rows:
    """The stored entities by key; each is a copy that nothing else refers to."""

    def __init__(self) -> None:
        self.rows: dict[Any, Any] = {}
        self.last_key = 0


class _Tracked(NamedTuple):
    """An entity of the unit of work, and the stored entity that it was copied from, or None."""

    # Any: an entity.
    entity: Any
    stored: Any


class InMemoryTable(Generic[Entity]):
    """A table of entities, as one unit of work sees it."""

    #: The attribute that is the key, or a tuple of several. If a single attribute is None, it
    #: becomes the next integer, as in a database.
    key: ClassVar[str | tuple[str, ...]] = "id"
    #: Attributes, or tuples of attributes, whose values are unique; None is never a duplicate.
    unique: ClassVar[Sequence[str | tuple[str, ...]]] = ()

    def __init__(self, entities: Iterable[Entity] = ()) -> None:
        self._table = _Rows()
        self._begin()
        for entity in entities:
            self.add(entity)
        self._commit()

    def _begin(self) -> None:
        """Discard all changes of the unit of work."""
        self._new: list[Entity] = []
        self._tracked: dict[Any, _Tracked] = {}
        self._removed: dict[Any, _Tracked] = {}

    def _another(self) -> Self:
        other = copy(self)
        other._begin()
        return other

    def add(self, entity: Entity, /) -> None:
        """Add a new entity; see `Repository.add`."""
        for key, removed in self._removed.items():
            if removed.entity is entity:
                self._tracked[key] = self._removed.pop(key)
                return
        known = (one.entity for one in self._tracked.values())
        if not any(one is entity for one in (*self._new, *known)):
            self._new.append(entity)

    def __iter__(self) -> Iterator[Entity]:
        """Iterate over all entities that the unit of work sees, in the order of their keys."""
        return iter(self._entities())

    def __len__(self) -> int:
        return len(self._keys())

    # -- for the sync and async subclasses --------------------------------------------------------

    def _get(self, key: object) -> Entity | None:
        self._flush()
        return self._find(key)

    def _remove(self, entity: Entity) -> None:
        self._flush()
        key = self._key_of(entity)
        found = self._tracked.get(key)
        if found is None or found.entity is not entity:
            raise ValueError(
                f"this {type(entity).__name__} is not in the repository's unit of work"
            )
        del self._tracked[key]
        if found.stored is not None:
            self._removed[key] = found

    def _page(self, after: Any, limit: int) -> list[Entity]:
        check_int("limit", limit, most=MAX_PAGE)
        keys = [key for key in self._keys() if after is None or key > after]
        return [self._found(key) for key in keys[:limit]]

    # -- the unit of work -------------------------------------------------------------------------

    def _key_of(self, entity: Entity) -> Any:
        return _values(entity, self.key)

    def _keys(self) -> list[Any]:
        self._flush()
        return sorted({*self._table.rows, *self._tracked} - self._removed.keys())

    def _entities(self) -> list[Entity]:
        return [self._found(key) for key in self._keys()]

    def _find(self, key: object) -> Entity | None:
        if key in self._removed:
            return None
        tracked = self._tracked.get(key)
        if tracked is None:
            stored = self._table.rows.get(key)
            if stored is None:
                return None
            tracked = self._tracked[key] = _Tracked(deepcopy(stored), stored)
        entity: Entity = tracked.entity
        return entity

    def _found(self, key: object) -> Entity:
        entity = self._find(key)
        assert entity is not None  # noqa: S101  # a key of `_keys()`
        return entity

    def _flush(self) -> None:
        """Give the new entities their keys.

        Raises:
            Problem: 409, a key is already taken.
        """
        while self._new:
            entity = self._new.pop(0)
            key = self._key_of(entity)
            if key is None:
                assert isinstance(self.key, str)  # noqa: S101  # a tuple of values is not None
                self._table.last_key += 1
                key = self._table.last_key
                setattr(entity, self.key, key)
            elif isinstance(key, int):
                self._table.last_key = max(self._table.last_key, key)
            if self._find(key) is not None:
                raise _conflict(entity, f"{self.key} {key!r} is taken")
            removed = self._removed.pop(key, None)
            self._tracked[key] = _Tracked(entity, None if removed is None else removed.stored)

    def _check(self) -> None:
        """Check that the unit of work can be stored.

        Raises:
            Problem: 409, a value that must be unique is a duplicate, or another unit of work has
                changed the same entity meanwhile.
        """
        self._flush()
        for key, one in self._tracked.items():
            if self._table.rows.get(key) is not one.stored and not same_contents(
                one.entity, one.stored
            ):
                raise _conflict(one.entity, f"{self.key} {key!r} has been changed meanwhile")
        for key, one in self._removed.items():
            if self._table.rows.get(key) is not one.stored:
                raise _conflict(one.entity, f"{self.key} {key!r} has been changed meanwhile")
        for names in self.unique:
            seen = set()
            for entity in self._entities():
                values = _values(entity, names)
                if values is None or (isinstance(values, tuple) and None in values):
                    continue
                if values in seen:
                    raise _conflict(entity, f"{names} {values!r} is taken")
                seen.add(values)

    def _store(self) -> None:
        """Store the changes of the unit of work after `_check()`, and begin another one."""
        for key in self._removed:
            self._table.rows.pop(key, None)
        for key, one in self._tracked.items():
            if one.stored is None or not same_contents(one.entity, one.stored):
                self._table.rows[key] = deepcopy(one.entity)
        self._begin()

    def _commit(self) -> None:
        self._check()
        self._store()


class InMemoryRepository(InMemoryTable[Entity], Repository[Entity]):
    """A repository in memory.

    A subclass names the key, and implements the queries of the domain by iterating over itself::

        class InMemoryOrders(InMemoryRepository[Order]):
            unique = ["number"]

            def open_for(self, user: UserId) -> Sequence[Order]:
                return [order for order in self if order.user == user]

    Args:
        entities: the entities that are stored at the beginning.
    """

    def get(self, key: object, /) -> Entity | None:
        """Return the entity with a key, or None."""
        return self._get(key)

    def remove(self, entity: Entity, /) -> None:
        """Remove an entity; see `Repository.remove`."""
        self._remove(entity)

    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Entity]:
        """Return entities in the order of their keys; see `Repository.page`."""
        return self._page(after, limit)


class AsyncInMemoryRepository(InMemoryTable[Entity], AsyncRepository[Entity]):
    """A repository in memory with the methods of an async one; see `InMemoryRepository`."""

    async def get(self, key: object, /) -> Entity | None:
        """Return the entity with a key, or None."""
        return self._get(key)

    async def remove(self, entity: Entity, /) -> None:
        """Remove an entity; see `Repository.remove`."""
        self._remove(entity)

    async def page(self, *, after: object = None, limit: int = 100) -> Sequence[Entity]:
        """Return entities in the order of their keys; see `Repository.page`."""
        return self._page(after, limit)


# Any: values of an entity's attributes.
def _values(entity: object, names: str | tuple[str, ...]) -> Any:
    if isinstance(names, str):
        return getattr(entity, names, None)
    return tuple(getattr(entity, name) for name in names)


def _conflict(entity: object, reason: str) -> Problem:
    """Return the problem into which `ErrorEnvelope` turns a database's integrity error."""
    problem = Problem(409)
    problem.add_note(f"{type(entity).__name__}: {reason}")
    return problem
