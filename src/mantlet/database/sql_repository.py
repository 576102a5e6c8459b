"""`SqlRepository` and `AsyncSqlRepository`: repositories over a session of SQLAlchemy 2.

The entity may be declarative, or a plain class that is mapped imperatively. A subclass adds the
queries of the domain, using the session::

    class SqlOrders(SqlRepository[Order]):
        def open_for(self, user: UserId) -> Sequence[Order]:
            return self.session.scalars(select(Order).filter_by(user=user)).all()

The features of SQLAlchemy's sessions apply: one object for each row, a flush before each query, and
optimistic locking by ``version_id_col``. A session with ``autoflush=False`` does not see added
entities before they are flushed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

from mantlet._internal.options import check_int
from mantlet.database.repository import MAX_PAGE, AsyncRepository, Entity, Repository

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

__all__ = ["AsyncSqlRepository", "SqlRepository"]


class _OfEntity:
    """Find the entity's class, from ``SqlRepository[Order]`` or from an attribute."""

    # Any: the class that the subclass is made for.
    entity: type[Any]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, _OfEntity):
                given = get_args(base)[0]
                if isinstance(given, type) and "entity" not in cls.__dict__:
                    cls.entity = given

    def _check(self, session: object, *, is_async: bool) -> None:
        kind = type(self).__name__
        if hasattr(session, "run_sync") is not is_async or not hasattr(session, "scalars"):
            wanted = "an AsyncSession" if is_async else "a Session"
            other = "SqlRepository" if is_async else "AsyncSqlRepository"
            raise TypeError(
                f"{kind} needs {wanted} of SQLAlchemy, not {type(session).__name__}; {other} is "
                "for the other kind of session"
            )
        if not hasattr(self, "entity"):
            base = "AsyncSqlRepository" if is_async else "SqlRepository"
            raise TypeError(f"{kind} names no entity, as class {kind}({base}[Order]) does")


class SqlRepository(_OfEntity, Repository[Entity]):
    """A repository over a session.

    Args:
        session: the session of the unit of work.

    Attributes:
        session: see above.
        entity: the entity's class.

    Raises:
        TypeError: the session is not a sync one, or the class does not name an entity.
    """

    def __init__(self, session: "Session") -> None:
        self._check(session, is_async=False)
        self.session = session

    def add(self, entity: Entity, /) -> None:
        """Add a new entity; see `Repository.add`."""
        self.session.add(entity)

    def get(self, key: object, /) -> Entity | None:
        """Return the entity with a key, or None."""
        found: Entity | None = _get(self.session, self.entity, key)
        return found

    def remove(self, entity: Entity, /) -> None:
        """Remove an entity; see `Repository.remove`."""
        _remove(self.session, self.entity, entity)

    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Entity]:
        """Return entities in the order of their keys; see `Repository.page`."""
        return _page(self.session, self.entity, after, limit)


class AsyncSqlRepository(_OfEntity, AsyncRepository[Entity]):
    """A repository over an async session; see `SqlRepository`."""

    def __init__(self, session: "AsyncSession") -> None:
        self._check(session, is_async=True)
        self.session = session

    def add(self, entity: Entity, /) -> None:
        """Add a new entity; see `Repository.add`."""
        self.session.add(entity)

    async def get(self, key: object, /) -> Entity | None:
        """Return the entity with a key, or None."""
        return await self.session.run_sync(_get, self.entity, key)

    async def remove(self, entity: Entity, /) -> None:
        """Remove an entity; see `Repository.remove`."""
        await self.session.run_sync(_remove, self.entity, entity)

    async def page(self, *, after: object = None, limit: int = 100) -> Sequence[Entity]:
        """Return entities in the order of their keys; see `Repository.page`."""
        return await self.session.run_sync(_page, self.entity, after, limit)


# Any: an instance of the entity's class.
def _get(session: "Session", entity: type[Any], key: object) -> Any:
    found = session.get(entity, key)
    return None if found in session.deleted else found


def _remove(session: "Session", kind: type[Any], entity: object) -> None:
    if not isinstance(entity, kind) or entity not in session or entity in session.deleted:
        raise ValueError(f"this {type(entity).__name__} is not in the repository's unit of work")
    if entity in session.new:
        session.flush()
    session.delete(entity)


def _page(session: "Session", entity: type[Any], after: object, limit: int) -> Sequence[Any]:
    from sqlalchemy import inspect, select

    check_int("limit", limit, most=MAX_PAGE)
    columns = inspect(entity).primary_key
    statement = select(entity).order_by(*columns).limit(limit)
    if after is not None:
        key = after if isinstance(after, tuple) else (after,)
        statement = statement.where(_is_beyond(list(zip(columns, key, strict=True))))
    return session.scalars(statement).unique().all()


def _is_beyond(parts: "list[tuple[Any, Any]]") -> "ColumnElement[bool]":
    """Return the condition that a key comes after another one, column by column."""
    from sqlalchemy import and_, or_

    (column, value), *rest = parts
    larger: ColumnElement[bool] = column > value
    return or_(larger, and_(column == value, _is_beyond(rest))) if rest else larger
