"""`RepositoryContract`: tests that every implementation of a repository passes.

Subclass it in your tests, once for each implementation: for the repository in the database, and for
the in-memory repository that replaces it in tests. If both pass, tests of use cases in memory tell
something about the app::

    class TestSqlOrders(RepositoryContract[Order]):
        @pytest.fixture(autouse=True)
        def _database(self, tmp_path: Path) -> None:
            engine = create_engine(f"sqlite:///{tmp_path}/db")
            Base.metadata.create_all(engine)
            self.sessions = sessionmaker(engine)

        @contextmanager
        def unit(self) -> Iterator[SqlOrders]:
            with self.sessions.begin() as session:
                yield SqlOrders(session)

        def make(self, number: int) -> Order:
            return Order(id=number, user="ada")

        def change(self, order: Order) -> None:
            order.user = "grace"
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from inspect import isawaitable
from types import NoneType
from typing import Any, Final, Generic
from uuid import UUID

from mantlet.core.problem import Problem
from mantlet.database.repository import MAX_PAGE, AsyncRepository, Entity, Repository
from mantlet.errors.database import database_problem

__all__ = ["RepositoryContract"]

#: The attribute types that are compared.
_PLAIN: Final = (
    *(str, bytes, int, float, Decimal, NoneType, Enum, UUID),
    *(date, datetime, time, timedelta),
)


class _Left(Exception):
    """Leaves a unit of work, like an exception of a view."""


class RepositoryContract(Generic[Entity]):
    """Tests of a repository, to be subclassed; see the module's docstring.

    pytest collects the tests. They work with sync and async repositories. Each test of an async
    repository has its own event loop, so its engine must not keep connections
    (``poolclass=NullPool``).

    Attributes:
        key: the name of the entity's key attribute, or of several.
        versioned: whether two units of work that change the same entity conflict, as with
            ``version_id_col``. If so, conflicts are tested too.
    """

    key: str | tuple[str, ...] = "id"
    versioned: bool = False

    # -- for the subclass -------------------------------------------------------------------------

    def unit(
        self,
    ) -> (
        AbstractContextManager[Repository[Entity]]
        | AbstractAsyncContextManager[AsyncRepository[Entity]]
    ):
        """Return a unit of work, as a ``with`` or ``async with`` block with a repository.

        It commits at the end of the block, and rolls back if an exception leaves the block. All
        units of a test share their stored entities, and each test starts without any. Several units
        can be open at once, so an in-memory database with a single connection does not work.
        """
        raise NotImplementedError

    def make(self, number: int) -> Entity:
        """Return a new entity.

        Args:
            number: of the entity, from 1. Entities with the same number have the same key, unless
                the database generates it. Entities with different numbers differ in all attributes
                that must be unique.
        """
        raise NotImplementedError

    def change(self, entity: Entity) -> None:
        """Change an entity in a way that changes its `contents()`."""
        raise NotImplementedError

    # Any: values of attributes.
    def contents(self, entity: Entity) -> dict[str, Any]:
        """Return the values that must be stored: by default all attributes of plain types."""
        attributes = vars(entity).items()
        return {
            name: value
            for name, value in attributes
            if not name.startswith("_") and isinstance(value, _PLAIN)
        }

    # -- the tests --------------------------------------------------------------------------------

    def test_an_added_entity_is_found(self) -> None:
        """It is found in its own unit of work and in later ones, with its contents."""

        async def run() -> None:
            async with self._unit() as unit:
                entity = self.make(1)
                unit.add(entity)
                key = await unit.key_of(entity)
                _check(await unit.get(key) is entity, "get() does not find the added entity")
                added = self.contents(entity)
            async with self._unit() as unit:
                self._check_contents(await unit.get(key), added)

        asyncio.run(run())

    def test_an_unknown_key_is_none(self) -> None:
        """Looking for an entity that was never added returns None, without an exception."""

        async def run() -> None:
            (key,) = await self._add(1)
            async with self._unit() as unit:
                await unit.remove(await unit.get(key))
            async with self._unit() as unit:
                _check(await unit.get(key) is None, "get() must return None for an unknown key")

        asyncio.run(run())

    def test_an_entity_is_one_object(self) -> None:
        """All look-ups in one unit of work return the same object."""

        async def run() -> None:
            (key,) = await self._add(1)
            async with self._unit() as unit:
                found = await unit.get(key)
                _check(await unit.get(key) is found, "get() returns another object each time")
                _check((await unit.page())[0] is found, "page() returns another object than get()")

        asyncio.run(run())

    def test_adding_twice_is_adding_once(self) -> None:
        """A use case can add an entity that its caller has already added."""

        async def run() -> None:
            async with self._unit() as unit:
                entity = self.make(1)
                unit.add(entity)
                unit.add(entity)
            async with self._unit() as unit:
                (found,) = await unit.page()
                unit.add(found)
            async with self._unit() as unit:
                _check(len(await unit.page()) == 1, "the entity is there more than once")

        asyncio.run(run())

    def test_other_units_see_nothing_before_the_commit(self) -> None:
        """Entities that may still be rolled back are invisible to others."""

        async def run() -> None:
            async with self._unit() as unit:
                unit.add(self.make(1))
                async with self._unit() as other:
                    _check(not await other.page(), "another unit sees what is not committed")
            async with self._unit() as unit:
                _check(len(await unit.page()) == 1, "the commit has stored nothing")

        asyncio.run(run())

    def test_an_exception_leaves_nothing(self) -> None:
        """An entity added before the exception is not stored."""

        async def run() -> None:
            async with self._rolled_back() as unit:
                unit.add(self.make(1))
                await unit.page()
            async with self._unit() as unit:
                _check(not await unit.page(), "the entity is stored in spite of the exception")

        asyncio.run(run())

    def test_changes_are_stored(self) -> None:
        """The commit of their unit of work stores them, without a method call."""

        async def run() -> None:
            (key,) = await self._add(1)
            async with self._unit() as unit:
                entity = await unit.get(key)
                before = self.contents(entity)
                self.change(entity)
                contents = self.contents(entity).items()
                changed = {name: value for name, value in contents if value != before.get(name)}
                _check(bool(changed), "change() changes nothing that contents() shows")
            async with self._unit() as unit:
                self._check_contents(await unit.get(key), changed)

        asyncio.run(run())

    def test_changes_before_an_exception_are_not_stored(self) -> None:
        """They are rolled back."""

        async def run() -> None:
            (key,) = await self._add(1)
            async with self._unit() as unit:
                before = self.contents(await unit.get(key))
            async with self._rolled_back() as unit:
                self.change(await unit.get(key))
                await unit.page()
            async with self._unit() as unit:
                self._check_contents(await unit.get(key), before)

        asyncio.run(run())

    def test_a_removed_entity_is_gone(self) -> None:
        """It is gone at once in its own unit of work, and after the commit in others."""

        async def run() -> None:
            first, second = await self._add(1, 2)
            async with self._unit() as unit:
                await unit.remove(await unit.get(first))
                _check(await unit.get(first) is None, "get() finds a removed entity")
                _check(len(await unit.page()) == 1, "page() has a removed entity")
            async with self._unit() as unit:
                _check(await unit.get(first) is None, "the removal is not stored")
                _check(await unit.get(second) is not None, "another entity is removed")

        asyncio.run(run())

    def test_a_removal_before_an_exception_is_undone(self) -> None:
        """The entity is still there."""

        async def run() -> None:
            (key,) = await self._add(1)
            async with self._rolled_back() as unit:
                await unit.remove(await unit.get(key))
                await unit.page()
            async with self._unit() as unit:
                _check(await unit.get(key) is not None, "the removal is stored all the same")

        asyncio.run(run())

    def test_an_entity_added_and_removed_was_never_there(self) -> None:
        """Adding and removing an entity in one unit of work stores nothing."""

        async def run() -> None:
            async with self._unit() as unit:
                entity = self.make(1)
                unit.add(entity)
                await unit.remove(entity)
                _check(not await unit.page(), "page() has a removed entity")
            async with self._unit() as unit:
                _check(not await unit.page(), "the removed entity is stored")

        asyncio.run(run())

    def test_only_its_own_entities_are_removed(self) -> None:
        """Removing an entity that was not added, or was already removed, raises an exception."""

        async def run() -> None:
            (key,) = await self._add(1)
            async with self._unit() as unit:
                await _raises_value_error(unit.remove, self.make(2))
                entity = await unit.get(key)
                await unit.remove(entity)
                await _raises_value_error(unit.remove, entity)

        asyncio.run(run())

    def test_a_taken_key_is_a_conflict(self) -> None:
        """`ErrorEnvelope` responds with 409, and nothing of the unit of work is stored."""

        async def run() -> None:
            (key,) = await self._add(1)
            names = self.key if isinstance(self.key, tuple) else (self.key,)
            values = key if isinstance(key, tuple) else (key,)

            async def fill(unit: "_Awaited[Entity]") -> None:
                taken = self.make(2)
                for name, value in zip(names, values, strict=True):
                    setattr(taken, name, value)
                unit.add(self.make(3))
                unit.add(taken)

            await self._check_conflict(fill)
            async with self._unit() as unit:
                _check(len(await unit.page()) == 1, "a part of the unit of work is stored")

        asyncio.run(run())

    def test_pages_have_each_entity_once(self) -> None:
        """Pages are in key order, and each begins after the last key of the previous one."""

        async def run() -> None:
            keys = await self._add(*range(1, 8))
            async with self._unit() as unit:
                whole = [await unit.key_of(one) for one in await unit.page()]
                _check(sorted(whole) == sorted(keys), "page() does not return all entities")
                parts = (
                    part for key in keys for part in (key if isinstance(key, tuple) else [key])
                )
                if not any(isinstance(part, str) for part in parts):  # databases collate text
                    _check(whole == sorted(keys), "page() is not in the order of the keys")
                found: list[Any] = []
                while page := await unit.page(after=found[-1] if found else None, limit=3):
                    _check(len(page) <= 3, "a page is longer than its limit")
                    found += [await unit.key_of(one) for one in page]
                    _check(len(found) <= len(keys), "the pages do not end")
                _check(found == whole, "the pages miss entities, or have them twice")

        asyncio.run(run())

    def test_pages_are_bounded(self) -> None:
        """A limit chosen by a client cannot read the whole table."""

        async def run() -> None:
            async with self._unit() as unit:
                for limit in (0, -1, MAX_PAGE + 1):
                    await _raises_value_error(unit.page, limit=limit)
                _check(not await unit.page(limit=MAX_PAGE), "there are entities at the beginning")

        asyncio.run(run())

    def test_a_lost_update_is_a_conflict(self) -> None:
        """If two units of work change an entity, the second one fails, if `versioned`."""

        async def run() -> None:
            (key,) = await self._add(1)

            async def fill(unit: "_Awaited[Entity]") -> None:
                entity = await unit.get(key)
                async with self._unit() as other:
                    self.change(await other.get(key))
                self.change(entity)

            if self.versioned:
                await self._check_conflict(fill)

        asyncio.run(run())

    # -- helpers ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _unit(self) -> AsyncIterator["_Awaited[Entity]"]:
        unit = self.unit()
        if isinstance(unit, AbstractAsyncContextManager):
            async with unit as awaited:
                yield _Awaited(awaited, self.key)
        else:
            with unit as repository:
                yield _Awaited(repository, self.key)

    @asynccontextmanager
    async def _rolled_back(self) -> AsyncIterator["_Awaited[Entity]"]:
        """Yield the repository of a unit of work that ends with an exception."""
        try:
            async with self._unit() as unit:
                yield unit
                raise _Left
        except _Left:
            return
        raise AssertionError("the unit of work must not swallow exceptions")

    # Any: keys.
    async def _add(self, *numbers: int) -> list[Any]:
        """Store entities, and return their keys."""
        async with self._unit() as unit:
            entities = [self.make(number) for number in numbers]
            for entity in entities:
                unit.add(entity)
            return [await unit.key_of(entity) for entity in entities]

    def _check_contents(self, found: Entity | None, expected: dict[str, Any]) -> None:
        if found is None:
            raise AssertionError("a stored entity is not found in another unit of work")
        values = self.contents(found)
        for name, value in expected.items():
            found_value = values.get(name, "nothing")
            _check(
                found_value == value, f"{name} was stored as {value!r}, found as {found_value!r}"
            )

    # Any: a coroutine function.
    async def _check_conflict(self, fill: Any) -> None:
        try:
            async with self._unit() as unit:
                await fill(unit)
        except Exception as error:
            problem = error if isinstance(error, Problem) else database_problem(error)
            if problem is None or problem.status != 409:
                raise
            return
        raise AssertionError("the commit must fail with a conflict")


class _Awaited(Generic[Entity]):
    """A sync or async repository, with methods that can be awaited."""

    def __init__(
        self, repository: Repository[Entity] | AsyncRepository[Entity], key: str | tuple[str, ...]
    ) -> None:
        self._repository = repository
        self.add = repository.add
        self._key = key

    # Any: an entity. Tests that expect None say so.
    async def get(self, key: object) -> Any:
        return await _awaited(self._repository.get(key))

    async def remove(self, entity: Entity) -> None:
        await _awaited(self._repository.remove(entity))

    async def page(self, *, after: object = None, limit: int = 100) -> Sequence[Entity]:
        found: Sequence[Entity] = await _awaited(self._repository.page(after=after, limit=limit))
        return found

    # Any: a key.
    async def key_of(self, entity: Entity) -> Any:
        """Return the key of an entity; the database may have to generate it first."""
        if isinstance(self._key, tuple):
            return tuple(getattr(entity, name) for name in self._key)
        if getattr(entity, self._key) is None:
            await self.page(limit=1)
        return getattr(entity, self._key)


async def _awaited(result: Any) -> Any:
    return await result if isawaitable(result) else result


async def _raises_value_error(method: Any, *args: Any, **options: Any) -> None:
    try:
        await method(*args, **options)
    except ValueError:
        return
    raise AssertionError(f"{method.__name__}() must raise a ValueError")


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
