"""The clock of the database, since the clocks of the app's processes may differ.

Imported only if SQLAlchemy is installed.
"""

from typing import Any, Final

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

__all__ = ["CLOCKS", "Now"]

#: The SQL expression of each database.
CLOCKS: Final = {
    "postgresql": "CAST(EXTRACT(EPOCH FROM statement_timestamp()) AS DOUBLE PRECISION)",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    # Not UNIX_TIMESTAMP(NOW()): a local time is ambiguous in the hour when summer time ends.
    "mysql": "(UNIX_TIMESTAMP() + MICROSECOND(NOW(6)) / 1e6)",
    "mariadb": "(UNIX_TIMESTAMP() + MICROSECOND(NOW(6)) / 1e6)",
}


class Now(FunctionElement[float]):
    """The time of the database at the start of the statement, as Unix time in seconds."""

    type = Double()
    inherit_cache = True


# Any: SQLAlchemy's own compiler and options.
@compiles(Now)
def _compile_now(_element: Now, compiler: Any, **_options: Any) -> str:
    return CLOCKS[compiler.dialect.name]
