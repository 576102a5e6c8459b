"""Repositories and units of work in memory, beyond what the contract says of all repositories."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from mantlet import MantletError, Problem
from mantlet.database import (
    AsyncInMemoryWork,
    AsyncSqlRepository,
    InMemoryRepository,
    InMemoryWork,
    Repository,
    SqlRepository,
    UnexpectedRollback,
    Work,
)
from mantlet.database.contents import same_contents
from mantlet.events.event import Event
from tests.database.orders import (
    AsyncInMemoryOrders,
    AsyncOrders,
    AsyncSqlOrders,
    InMemoryOrders,
    InMemorySeats,
    Order,
    Orders,
    Seat,
    SqlOrders,
    order,
)


@dataclass
class Payment:
    """An entity whose class knows nothing of databases."""

    id: int | None
    amounts: list[int] = field(default_factory=list)


class Payments(InMemoryRepository[Payment]):
    pass


# -- the port -------------------------------------------------------------------------------------


def close_all(orders: Orders, user: str) -> int:
    """Close the open orders of a user: a use case, which knows the port alone."""
    found = orders.open_for(user)
    for one in found:
        one.is_open = False
    return len(found)


async def close_all_async(orders: AsyncOrders, user: str) -> int:
    """Close the open orders of a user."""
    found = await orders.open_for(user)
    for one in found:
        one.is_open = False
    return len(found)


def test_a_use_case_runs_in_memory() -> None:
    """Type checkers agree that either repository is of the port."""
    orders = InMemoryOrders([order(1), order(2)])
    assert close_all(orders, "ada") == 2
    assert close_all(orders, "ada") == 0
    with Session(create_engine("sqlite://")) as session:
        port: Orders = SqlOrders(session)
    assert isinstance(port, SqlRepository)


def test_an_async_use_case_runs_in_memory() -> None:
    """In the same way."""
    orders = AsyncInMemoryOrders([order(1), order(2)])
    assert asyncio.run(close_all_async(orders, "ada")) == 2
    port: AsyncOrders = AsyncSqlOrders(AsyncSession(create_async_engine("sqlite+aiosqlite://")))
    assert isinstance(port, AsyncSqlRepository)


def test_a_port_that_is_a_base_class() -> None:
    """Without ``Protocol``, a port is abstract, and repositories inherit it."""

    class Port(Repository[Payment]):
        def paid(self) -> int:
            raise NotImplementedError

    class InMemory(InMemoryRepository[Payment], Port):
        def paid(self) -> int:
            return sum(sum(payment.amounts) for payment in self)

    assert InMemory([Payment(1, [5, 6])]).paid() == 11
    with pytest.raises(TypeError, match="abstract"):
        Port()  # type: ignore[abstract]


# -- entities -------------------------------------------------------------------------------------


def test_the_entities_at_the_beginning_are_copies() -> None:
    """A test may change its own, and a repository counts them."""
    payment = Payment(1, [5])
    payments = Payments([payment])
    payment.amounts.append(6)
    found = payments.get(1)
    assert found is not None
    assert found.amounts == [5]
    assert len(payments) == 1


def test_keys_are_made_as_by_a_database() -> None:
    """The next whole number after the largest one, also after a rollback."""
    work = InMemoryWork(payments=Payments([Payment(None), Payment(7)]))
    with work:
        payment = Payment(None)
        work.payments.add(payment)
        made = [payment.id]
    made.append(payment.id)
    assert made == [None, 8]
    work.rollback()
    assert [one.id for one in work.payments] == [1, 7]
    again = Payment(None)
    with work:
        work.payments.add(again)
    assert again.id == 9


def test_a_removed_entity_may_be_added_again() -> None:
    """Or another one with its key."""
    work = InMemoryWork(payments=Payments([Payment(1), Payment(2)]))
    with work:
        for key in (1, 2):
            work.payments.remove(work.payments.get(key))
        work.payments.add(Payment(1, [5]))
        assert len(work.payments) == 1
    work.commit()
    assert [(one.id, one.amounts) for one in work.payments] == [(1, [5])]
    one = work.payments.get(1)
    work.payments.remove(one)
    work.payments.add(one)
    work.commit()
    assert len(work.payments) == 1


def test_values_that_must_be_unique() -> None:
    """Of new and of changed entities; the problem says which to a developer, not to a client."""
    work = InMemoryWork(orders=InMemoryOrders([order(1), order(2)]))
    with work:
        work.orders.get(2).number = "n-1"
    with pytest.raises(Problem) as caught:
        work.commit()
    assert (caught.value.status, caught.value.detail) == (409, None)
    assert caught.value.__notes__ == ["Order: number 'n-1' is taken"]
    work.orders.get(1).number = None
    work.orders.get(2).number = None
    work.commit()


def test_entities_with_slots_and_cycles_are_compared() -> None:
    """By all that they hold."""

    class Slotted:
        __slots__ = ("other", "value")

        def __init__(self, value: object) -> None:
            self.value = value

    one, other = Slotted([1]), Slotted([1])
    one.other, other.other = one, other  # type: ignore[attr-defined]  # of __slots__
    assert same_contents(one, other)
    other.value = [2]
    assert not same_contents(one, other)
    assert not same_contents({"a": Seat("a", 1)}, {"a": Seat("a", 2)})
    assert same_contents((Seat("a", 1), {1}), (Seat("a", 1), {1}))
    assert not same_contents([1], [1, 2])
    assert not same_contents(1, 1.0)


def test_composite_keys() -> None:
    """As tuples, in their order."""
    seats = InMemorySeats([Seat("b", 1), Seat("a", 2), Seat("a", 10)])
    assert [(one.row, one.number) for one in seats.page(after=("a", 2))] == [("a", 10), ("b", 1)]


# -- units of work --------------------------------------------------------------------------------


def test_functions_are_called_and_events_are_there_after_the_commit() -> None:
    """In order, and never after a rollback."""
    called: list[Any] = []
    work = InMemoryWork(payments=Payments())
    with work:
        work.after_commit(called.append, 1)
        work.after_commit(called.extend, [2, 3])
        work.publish(Event("payment.made", 5))
        assert (called, work.events) == ([], [])
    work.commit()
    assert called == [1, 2, 3]
    assert [event.data for event in work.events] == [5]
    with work:
        work.after_commit(called.append, 4)
        work.publish(Event("payment.made", 6))
    work.rollback()
    work.commit()
    assert called == [1, 2, 3]
    assert [event.data for event in work.events] == [5]


def test_an_async_work() -> None:
    """Awaits functions of either kind."""
    called: list[int] = []

    async def call(number: int) -> None:
        await asyncio.sleep(0)
        called.append(number)

    async def run() -> None:
        work = AsyncInMemoryWork(orders=AsyncInMemoryOrders())
        async with work:
            work.orders.add(order(1))
            work.after_commit(call, 1)
            work.after_commit(called.append, 2)
        await work.commit()
        assert called == [1, 2]
        async with work:
            await work.orders.remove(await work.orders.get(1))
        await work.rollback()
        assert len(await work.orders.page()) == 1

    asyncio.run(run())


def test_a_work_that_an_exception_has_left_is_not_committed() -> None:
    """Even if the use case has swallowed the exception; the next one is."""
    work = InMemoryWork(payments=Payments())
    with pytest.raises(ZeroDivisionError), work:
        work.payments.add(Payment(1))
        1 / 0
    with pytest.raises(UnexpectedRollback):
        work.commit()
    with work:
        work.payments.add(Payment(2))
    work.commit()
    assert [one.id for one in work.payments] == [2]


def test_all_repositories_of_a_work_are_stored_or_none() -> None:
    """A conflict in the last one keeps the first one as it was."""
    work = InMemoryWork(payments=Payments(), orders=InMemoryOrders([order(1)]))
    with work:
        work.payments.add(Payment(1))
        work.orders.add(order(1))
    with pytest.raises(Problem):
        work.commit()
    assert len(work.payments) == 0


def test_its_names_are_those_of_a_work() -> None:
    """So a use case can't tell them apart; what is wrong is said."""
    for name in ("after_commit", "publish", "rollback"):
        assert hasattr(Work, name)
        assert hasattr(InMemoryWork, name)
        assert hasattr(AsyncInMemoryWork, name)
    with pytest.raises(ValueError, match=r"a name of the work's own: \['publish'\]"):
        InMemoryWork(publish=Payments())
    with pytest.raises(TypeError, match="orders must be a repository in memory"):
        InMemoryWork(orders=SqlOrders)  # type: ignore[arg-type]
    work = InMemoryWork()
    with pytest.raises(TypeError, match="takes a function that is not async"):
        work.after_commit(asyncio.sleep, 0)
    with pytest.raises(TypeError, match="publish\\(\\) takes an Event"):
        work.publish("payment.made")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="refunds"):
        work.refunds.get(1)
    assert issubclass(UnexpectedRollback, MantletError)


# -- over SQLAlchemy ------------------------------------------------------------------------------


def test_a_repository_of_the_wrong_session() -> None:
    """It is said which one is for it."""
    session = Session()
    with pytest.raises(TypeError, match=r"AsyncSqlOrders needs an AsyncSession .* not Session"):
        AsyncSqlOrders(session)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"SqlOrders needs a Session .* not AsyncSession"):
        SqlOrders(AsyncSession())  # type: ignore[arg-type]


def test_a_repository_without_an_entity() -> None:
    """The class is named in brackets, or as an attribute, also by a subclass."""

    class OfTenants(SqlRepository[Order]):
        pass

    class Inherited(OfTenants):
        pass

    class Named(SqlRepository):  # type: ignore[type-arg]
        entity = Order

    assert Inherited(Session()).entity is Named(Session()).entity is Order

    class Nameless(SqlRepository):  # type: ignore[type-arg]
        pass

    with pytest.raises(TypeError, match="Nameless names no entity"):
        Nameless(Session())


def test_the_base_is_short() -> None:
    """A team reads it before it trusts it."""
    from pathlib import Path

    from mantlet.database import sql_repository

    assert len(Path(sql_repository.__file__).read_text().splitlines()) <= 150
