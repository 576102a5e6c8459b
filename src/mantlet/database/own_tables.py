"""The tables of Mantlet itself, among those of the app.

Imported only where SQLAlchemy is there.
"""

from typing import Any

from sqlalchemy import MetaData, Table
from sqlalchemy.schema import SchemaItem

__all__ = ["own_table"]


# Any: the options of a table.
def own_table(
    metadata: MetaData | None, name: str, kind: str, *items: SchemaItem, **options: Any
) -> Table:
    """Return a table of Mantlet's; the one that is there, if it was made by the same call.

    So an app that is made several times in a process, as by tests, may say so each time.

    Args:
        metadata: that of the table; None for a metadata of its own.
        name: its name.
        kind: its purpose.
        items: its columns and indexes.
        options: those of a ``Table``.

    Raises:
        TypeError: ``metadata`` is not one.
        ValueError: it has another table of that name.
    """
    if metadata is None:
        metadata = MetaData()
    elif not isinstance(metadata, MetaData):
        raise TypeError(f"metadata must be a MetaData such as Base.metadata, not {metadata!r}")
    found = metadata.tables.get(name if metadata.schema is None else f"{metadata.schema}.{name}")
    if found is None:
        return Table(name, metadata, *items, info={"mantlet": kind}, **options)
    if found.info.get("mantlet") != kind:
        raise ValueError(
            f"the metadata has another table named {name!r} already: give this one another name"
        )
    return found
