"""The contract finds the faults that repositories have: each of these fails one of its tests."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import NullPool, create_engine, delete, select
from sqlalchemy.orm import Session, make_transient, sessionmaker

from tests.database.orders import Base, Order, SqlOrders
from tests.database.test_contract import OrderContract

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class CommitsAtOnce(SqlOrders):
    def add(self, entity: Order) -> None:
        super().add(entity)
        self.session.commit()


class CommitsRemovals(SqlOrders):
    def remove(self, entity: Order) -> None:
        super().remove(entity)
        self.session.commit()


class CommitsWhenItReads(SqlOrders):
    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Order]:
        self.session.commit()
        return super().page(after=after, limit=limit)


class StoresACopy(SqlOrders):
    def add(self, entity: Order) -> None:
        self.session.add(Order(user=entity.user, number=entity.number))


class Merges(SqlOrders):
    def add(self, entity: Order) -> None:
        self.session.merge(entity)


class ForgetsAnAttribute(SqlOrders):
    def add(self, entity: Order) -> None:
        super().add(entity)
        self.session.flush()
        self.session.execute(Order.__table__.update().values(total=0))  # type: ignore[attr-defined]


class AddsNothing(SqlOrders):
    def add(self, entity: Order) -> None:
        pass


class RaisesForAnUnknownKey(SqlOrders):
    def get(self, key: object) -> Order | None:
        found = super().get(key)
        if found is None:
            raise LookupError
        return found


class FindsTheFirst(SqlOrders):
    def get(self, key: object) -> Order | None:
        return self.session.scalars(select(Order).order_by(Order.id)).first()


class GetsADetachedObject(SqlOrders):
    def get(self, key: object) -> Order | None:
        found = super().get(key)
        if found is not None:
            self.session.expunge(found)
        return found


class GetsAnotherObject(SqlOrders):
    def get(self, key: object) -> Order | None:
        found = super().get(key)
        if found is not None:
            self.session.flush()
            self.session.expunge(found)
        return self.session.get(Order, key)


class PagesOfOtherObjects(SqlOrders):
    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Order]:
        self.session.flush()
        self.session.expunge_all()
        return super().page(after=after, limit=limit)


class PagesWithoutALimit(SqlOrders):
    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Order]:
        return self.session.scalars(select(Order).order_by(Order.id)).all()


class PagesThatIgnoreTheKey(SqlOrders):
    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Order]:
        return super().page(limit=limit)


class PagesWithTheKeyItself(SqlOrders):
    def page(self, *, after: Any = None, limit: int = 100) -> Sequence[Order]:
        return super().page(after=None if after is None else after - 1, limit=limit)


class PagesThatSkipOne(SqlOrders):
    def page(self, *, after: Any = None, limit: int = 100) -> Sequence[Order]:
        return super().page(after=None if after is None else after + 1, limit=limit)


class PagesFromTheEnd(SqlOrders):
    def page(self, *, after: Any = None, limit: int = 100) -> Sequence[Order]:
        super().page(limit=limit)
        found = select(Order).order_by(Order.id.desc()).limit(limit)
        return self.session.scalars(found if after is None else found.where(Order.id < after)).all()


class PagesInAnyOrder(SqlOrders):
    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Order]:
        return super().page(after=after, limit=limit)[::-1]


class PagesOfAnyLimit(SqlOrders):
    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Order]:
        return super().page(after=after, limit=min(max(limit, 1), 1000))


class PagesOfAtMostAHundred(SqlOrders):
    def page(self, *, after: object = None, limit: int = 100) -> Sequence[Order]:
        if limit > 100:
            raise ValueError
        return super().page(after=after, limit=limit)


class RemovesNothing(SqlOrders):
    def remove(self, entity: Order) -> None:
        pass


class RemovesEverything(SqlOrders):
    def remove(self, entity: Order) -> None:
        for one in self.page():
            super().remove(one)


class RemovesWithoutTheSession(SqlOrders):
    def remove(self, entity: Order) -> None:
        if entity not in self.session:
            raise ValueError
        self.session.execute(delete(Order).where(Order.id == entity.id))


class RemovesWhateverItIsGiven(SqlOrders):
    def remove(self, entity: Order) -> None:
        if entity in self.session and entity not in self.session.deleted:
            super().remove(entity)


class RemovesTwice(SqlOrders):
    def remove(self, entity: Order) -> None:
        if entity not in self.session.deleted:
            super().remove(entity)


class FindsWhatIsRemoved(SqlOrders):
    def get(self, key: object) -> Order | None:
        return self.session.get(Order, key)


class RemovesOnlyWhatIsStored(SqlOrders):
    def remove(self, entity: Order) -> None:
        if entity not in self.session.new:
            super().remove(entity)


class ReplacesWhatIsTaken(SqlOrders):
    def add(self, entity: Order) -> None:
        key: Any = entity.id
        if key is not None and entity not in self.session:
            found = self.session.get(Order, key)
            if found is not None:
                self.session.delete(found)
                self.session.flush()
        super().add(entity)


class AddsOnceMore(SqlOrders):
    def add(self, entity: Order) -> None:
        if entity in self.session and entity.id is not None:
            self.session.flush()
            make_transient(entity)
            entity.id, entity.number, entity.lines = None, None, []  # type: ignore[assignment]
        super().add(entity)


FAULTS = [one for one in SqlOrders.__subclasses__() if one.__module__ == __name__]


def units(sessions: sessionmaker[Session], kind: Any) -> Any:
    """Return the function that opens a unit of work."""

    @contextmanager
    def unit() -> Iterator[SqlOrders]:
        with sessions.begin() as session:
            yield kind(session)

    return unit


@contextmanager
def _commits_always(sessions: sessionmaker[Session]) -> Iterator[SqlOrders]:
    with sessions() as session:
        try:
            yield SqlOrders(session)
        finally:
            session.commit()


@contextmanager
def _never_commits(sessions: sessionmaker[Session]) -> Iterator[SqlOrders]:
    with sessions() as session:
        yield SqlOrders(session)


@contextmanager
def _swallows(sessions: sessionmaker[Session]) -> Iterator[SqlOrders]:
    with sessions() as session:
        try:
            yield SqlOrders(session)
            session.commit()
        except Exception:  # the fault
            session.rollback()


def failures(unit: Any, directory: Path) -> list[str]:
    """Return the tests of the contract that fail."""
    failed = []
    for name in sorted(vars(OrderContract.__mro__[1])):
        if name.startswith("test_"):
            engine = create_engine(f"sqlite:///{directory}/{name}", poolclass=NullPool)
            Base.metadata.create_all(engine)
            contract = OrderContract()
            contract.unit = unit(sessionmaker(engine))  # type: ignore[method-assign]
            try:
                getattr(contract, name)()
            except Exception:  # as pytest counts it
                failed.append(name)
    return failed


@pytest.mark.few_cases(6)
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_of_a_repository_is_found(fault: type[SqlOrders], tmp_path: Path) -> None:
    assert failures(lambda sessions: units(sessions, fault), tmp_path)


@pytest.mark.parametrize("fault", [_commits_always, _never_commits, _swallows])
def test_the_fault_of_a_unit_of_work_is_found(fault: Any, tmp_path: Path) -> None:
    assert failures(lambda sessions: lambda: fault(sessions), tmp_path)


def test_a_repository_without_faults_passes(tmp_path: Path) -> None:
    assert failures(lambda sessions: units(sessions, SqlOrders), tmp_path) == []
