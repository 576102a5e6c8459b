"""`Outbox`: events stored in the same transaction as the data.

If an event is published after a commit, it is lost if the process dies in between. If it is
published before the commit, it reports a change that may never happen. An event that is stored in
the same transaction exists exactly if the data do, and `relay_outbox()` publishes it later, at
least once.
"""

import json
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.extras import import_extra
from mantlet._internal.options import KnowsOptions, check_int
from mantlet.events.event import Event

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

__all__ = ["Outbox"]

_MAX_SIZE: Final = 256 * 1024
#: The largest value that the column can hold in every database.
_LARGEST: Final = 16 * 1024 * 1024 - 1


class Outbox(KnowsOptions):
    """A table of events that are not published yet.

    Create it like any other table: by migrations, or by ``outbox.table.create(engine)``. An event
    is deleted once it is published, so the table stays small.

    Args:
        metadata: the ``MetaData`` that the table belongs to, so that migrations find it; by default
            a separate one. A second outbox with the same metadata and name shares the table.
        name: the table's name.
        max_size: the largest ``data`` of an event, in bytes of JSON.

    Attributes:
        table: the table.

    Raises:
        ImportError: SQLAlchemy, of the extra ``database``, is not installed.
        TypeError: an option has the wrong type.
        ValueError: ``name`` is empty or taken by another table, or ``max_size`` is out of range.
    """

    def __init__(
        self,
        *,
        metadata: "MetaData | None" = None,
        name: str = "outbox",
        max_size: int = _MAX_SIZE,
    ) -> None:
        import_extra("sqlalchemy", "database")
        if not isinstance(name, str):
            raise TypeError(f'name must be a table\'s name such as "outbox", not {name!r}')
        if not name:
            raise ValueError('name must be a table\'s name such as "outbox", not empty')
        self._max_size = check_int("max_size", max_size, most=_LARGEST, unit="bytes")
        from mantlet.database.outbox_table import make_table

        self.table: Table
        self.table, self._row = make_table(metadata, name)

    def add(self, session: "Session | AsyncSession", event: Event) -> None:
        """Store an event with the next flush of a session, in its transaction.

        Args:
            session: the session.
            event: the event.

        Raises:
            TypeError: ``event`` is not an `Event`, or its data are not JSON values.
            ValueError: its data are too large, or contain a number that JSON can't represent.
        """
        if not isinstance(event, Event):
            raise TypeError(f"an outbox stores events such as Event('order.paid'), not {event!r}")
        data = json.dumps(event.data, allow_nan=False, separators=(",", ":"))
        if len(data) > self._max_size:
            raise ValueError(
                f"the data of the event {event.type} take {len(data)} bytes of JSON; max_size is "
                f"{self._max_size}"
            )
        # Any: the class that is mapped to the table.
        row: Any = self._row(id=event.id, type=event.type, data=data)
        session.add(row)
