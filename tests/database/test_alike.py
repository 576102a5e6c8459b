"""A repository in memory and one in a database do the same, whatever is done with them."""

from __future__ import annotations

from contextlib import suppress
from inspect import signature
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import StaticPool, create_engine
from sqlalchemy.orm import Session

from mantlet import Problem
from mantlet.database import AsyncInMemoryWork, InMemoryWork, Work
from mantlet.errors.database import database_problem
from tests.database.orders import InMemorySeats, Seat, SqlSeats, metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Event

keys = st.tuples(st.sampled_from("abc"), st.integers(0, 3))
steps = st.one_of(
    st.tuples(st.just("add"), keys),
    st.tuples(st.just("remove"), keys),
    st.tuples(st.just("change"), keys),
    st.tuples(st.just("get"), keys),
    st.tuples(st.just("page"), st.none() | keys),
    st.tuples(st.sampled_from(["commit", "rollback", "flush"]), st.none()),
)


def do(seats: Any, step: str, key: Any, counter: int) -> object:
    """Do one step with a repository, and return what can be seen of it."""
    if step == "add":
        seats.add(Seat(key[0], key[1], str(counter)))
        # Flushed: how late a taken key fails depends on the objects that a session still has.
        return len(seats.page(limit=1))
    if step == "page":
        return [(seat.row, seat.number, seat.taken_by) for seat in seats.page(after=key, limit=4)]
    found = seats.get(key)
    if found is None:
        return None
    if step == "remove":
        seats.remove(found)
        # Flushed: SQLAlchemy makes one update of a removal and of any number of new objects.
        seats.page(limit=1)
    elif step == "change":
        found.taken_by = f"changed {counter}"
    return found.taken_by


# A second object for the row of a loaded one: SQLAlchemy warns before the database refuses it.
@pytest.mark.filterwarnings("ignore:New instance:sqlalchemy.exc.SAWarning")
@given(st.lists(steps, max_size=25))
def test_both_do_the_same(steps: list[tuple[str, Any]]) -> None:
    """The same is found, and the same fails with the same status, until it is rolled back."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    work = InMemoryWork(seats=InMemorySeats())
    with Session(engine) as session:
        in_database = SqlSeats(session)
        actions = {
            "commit": (session.commit, work.commit),
            "rollback": (session.rollback, work.rollback),
            "flush": (session.flush, lambda: len(work.seats)),
        }
        for counter, (step, key) in enumerate([*steps, ("commit", None), ("page", None)]):
            results: list[object] = []
            for number, seats in enumerate((in_database, work.seats)):
                try:
                    if step in actions:
                        actions[step][number]()
                        results.append(None)
                    else:
                        results.append(do(seats, step, key, counter))
                except Exception as error:
                    problem = error if isinstance(error, Problem) else database_problem(error)
                    results.append(("failed", problem and problem.status))
            assert results[0] == results[1], (step, key)
            if isinstance(results[0], tuple):
                with suppress(Exception):
                    session.rollback()
                work.rollback()
    engine.dispose()


@pytest.mark.parametrize("double", [InMemoryWork, AsyncInMemoryWork], ids=lambda one: one.__name__)
def test_works_have_the_same_parameters(double: type) -> None:
    """So that one protocol of a team's own fits the work of a request and its double."""
    for name in ("after_commit", "publish", "rollback"):
        parameters = [list(signature(getattr(one, name)).parameters) for one in (Work, double)]
        assert parameters[0] == parameters[1], name


if TYPE_CHECKING:

    class Port(Protocol):
        """What the use cases of a team need; mypy checks that both works fit."""

        seats: InMemorySeats

        def publish(self, event: Event) -> None: ...

        def after_commit(self, fn: Callable[..., object], *args: object) -> None: ...

    def fits(work: Work, double: InMemoryWork) -> tuple[Port, Port]:
        return work, double
