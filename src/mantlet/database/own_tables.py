"""Mantlet's own tables, next to those of the app.

Imported only if SQLAlchemy is installed.
"""

from typing import Any

from sqlalchemy import MetaData, Table
from sqlalchemy.schema import SchemaItem

__all__ = ["own_table"]


# Any: the options of a table.
def own_table(
    metadata: MetaData | None, name: str, kind: str, *items: SchemaItem, **options: Any
) -> Table:
    """Return one of Mantlet's tables, or the existing one if it was made by the same call.

    So an app that is created several times in a process, as in tests, can repeat the call.

    Args:
        metadata: the metadata of the table; None for a separate metadata.
        name: the name of the table.
        kind: the purpose of the table.
        items: the columns and indexes.
        options: the options of the ``Table``.

    Raises:
        TypeError: ``metadata`` is not a ``MetaData``.
        ValueError: the metadata has another table of that name.
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
