"""The table of an outbox, and the transactions of relays.

Imported only if SQLAlchemy is installed.

A relay claims events: it counts an attempt, and makes the events unavailable to other relays until
its lease ends. Nothing is locked while it publishes them. If a relay dies, its events are available
again when its lease ends. Concurrent relays never claim the same events: rows that another relay is
about to claim are skipped (``FOR UPDATE SKIP LOCKED``). If a database does not lock rows, a claim
that did not get all of its rows is rolled back.
"""

from collections.abc import Sequence
from itertools import takewhile
from sqlite3 import SQLITE_BUSY
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    Column,
    CursorResult,
    DateTime,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, registry

from mantlet.database.clock import CLOCKS, Now
from mantlet.database.own_tables import own_table

__all__ = ["ClaimLost", "Claimed", "claim", "make_table", "settle"]


class Claimed(NamedTuple):
    """An event that a relay has claimed.

    Attributes:
        position: the position of the event in the order of insertion.
        id: its id.
        type: its type.
        data: its data, as JSON.
        attempts: how often it has been claimed, including this claim.
    """

    position: int
    id: str
    type: str
    data: str
    attempts: int


class ClaimLost(Exception):
    """Another relay has claimed some of the same events."""


class _Row:
    """Base of the mapped classes, one for each table."""

    # Any: values of columns.
    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


def make_table(metadata: MetaData | None, name: str) -> tuple[Table, type[_Row]]:
    """Return the table of an outbox, and a class that is mapped to it; see `own_table()`."""
    table = own_table(
        metadata,
        name,
        "outbox",
        Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("id", String(100), nullable=False),
        Column("type", String(100), nullable=False),
        Column("data", Text().with_variant(MEDIUMTEXT, "mysql", "mariadb"), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("attempts", Integer, nullable=False, server_default="0"),
        # As Unix time; null for an event that has been set aside.
        Column("available_at", Double, server_default="0"),
        sqlite_autoincrement=True,  # never reuse a position, which a late delete could hit
    )
    row = type("OutboxRow", (_Row,), {})
    registry(metadata=table.metadata).map_imperatively(row, table)
    return table, row


def claim(session: Session, table: Table, batch: int, lease: float) -> list[Claimed]:
    """Claim the available events that were inserted first.

    An event that has been tried before is claimed alone: if it kills its relay, no attempt is
    counted for other events.

    Raises:
        ClaimLost: another relay was faster. The transaction must be rolled back.
        NotImplementedError: the database is not supported.
    """
    dialect = session.get_bind().dialect.name
    if dialect not in CLOCKS:
        raise NotImplementedError(
            f"an outbox needs PostgreSQL, MySQL, MariaDB or SQLite, not {dialect}"
        )
    if dialect != "sqlite":
        # At this level, skipped rows do not conflict, and inserts are not blocked.
        session.connection(execution_options={"isolation_level": "READ COMMITTED"})
    columns = table.c
    found = session.execute(
        select(columns.position, columns.id, columns.type, columns.data, columns.attempts, Now())
        .where(columns.available_at <= Now())
        .order_by(columns.position)
        .limit(batch)
        .with_for_update(skip_locked=True)
    ).all()
    if not found:
        return []
    attempts = found[0].attempts
    rows = found[:1] if attempts else list(takewhile(lambda row: not row.attempts, found))
    now = rows[0][-1]
    statement = (
        update(table)
        .where(columns.position.in_([row.position for row in rows]), columns.available_at <= now)
        .values(attempts=attempts + 1, available_at=now + lease)
    )
    try:
        changed = session.execute(statement)
    except OperationalError as error:
        # SQLite: others may write between the read and the write of a transaction.
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != SQLITE_BUSY:
            raise
        raise ClaimLost from error
    if cast("CursorResult[Any]", changed).rowcount != len(rows):
        raise ClaimLost
    return [Claimed(row.position, row.id, row.type, row.data, attempts + 1) for row in rows]


def settle(
    session: Session,
    table: Table,
    published: Sequence[Claimed],
    failed: Sequence[tuple[Claimed, float | None]],
    untried: Sequence[Claimed],
) -> None:
    """End a claim.

    Args:
        session: the session.
        table: the table.
        published: the events that have been published, which are deleted.
        failed: the events that could not be published, each with the seconds until the next
            attempt, or None to set it aside. If another relay has claimed an event meanwhile, it is
            not changed.
        untried: the events that become available again, under the same condition.
    """
    columns = table.c
    if published:
        positions = [one.position for one in published]
        session.execute(delete(table).where(columns.position.in_(positions)))
    for one, seconds in failed:
        session.execute(
            update(table)
            .where(columns.position == one.position, columns.attempts == one.attempts)
            .values(available_at=None if seconds is None else Now() + seconds)
        )
    if untried:
        positions = [one.position for one in untried]
        attempts = untried[0].attempts
        session.execute(
            update(table)
            .where(columns.position.in_(positions), columns.attempts == attempts)
            .values(attempts=attempts - 1, available_at=0)
        )
