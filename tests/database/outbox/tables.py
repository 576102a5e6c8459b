"""The table of an outbox in tests, and a function that publishes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from mantlet.events.event import Event

if TYPE_CHECKING:
    from mantlet.database import Outbox

Sessions = sessionmaker[Session]

#: Of MariaDB, no async driver is among the packages of the tests.
on_two_databases = pytest.mark.parametrize(
    "url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)],
    indirect=True,
)


def store(sessions: Sessions, outbox: Outbox, *data: Any, kind: str = "order.placed") -> None:
    """Commit events with the given data, in one transaction."""
    with sessions.begin() as session:
        for one in data:
            outbox.add(session, Event(kind, one))


def stored(sessions: Sessions, outbox: Outbox) -> list[Any]:
    """Return the data of the events in the table."""
    with sessions() as session:
        rows = session.scalars(select(outbox.table.c.data).order_by(outbox.table.c.position))
        return [json.loads(row) for row in rows]


def column(sessions: Sessions, outbox: Outbox, name: str) -> list[Any]:
    """Return a column of the table."""
    with sessions() as session:
        table = outbox.table
        return list(session.scalars(select(table.c[name]).order_by(table.c.position)))


def make_available(sessions: Sessions, outbox: Outbox) -> None:
    """Let the time of all pauses and leases pass."""
    with sessions.begin() as session:
        table = outbox.table
        session.execute(
            update(table).where(table.c.available_at.is_not(None)).values(available_at=0)
        )


class Published(list[Any]):
    """The data of published events; some of them can't be published."""

    def __init__(self, error: Exception | None = None, bad: tuple[Any, ...] = ()) -> None:
        self.error = error
        self.bad = bad

    def __call__(self, event: Event) -> None:
        if event.data in self.bad and self.error is not None:
            raise self.error
        self.append(event.data)
