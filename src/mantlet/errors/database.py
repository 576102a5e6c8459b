"""Map the exceptions of databases to problems."""

from typing import Final

from mantlet._internal.database_errors import (
    CONFLICT,
    FAULT,
    INVALID,
    RETRY,
    TIMEOUT,
    UNAVAILABLE,
    database_meaning,
)
from mantlet.core.problem import FixedProblem, Problem

__all__ = ["database_problem"]

_PROBLEMS: Final = {
    CONFLICT: FixedProblem(409),
    INVALID: FixedProblem(422),
    FAULT: FixedProblem(500),
    UNAVAILABLE: FixedProblem(503),
    TIMEOUT: FixedProblem(504),
    RETRY: FixedProblem(503, headers={"Retry-After": "1"}),
}


def database_problem(error: BaseException) -> Problem | None:
    """Return the problem for an exception of a database, a driver or a wrapper, else None."""
    meaning = database_meaning(error)
    return None if meaning is None else _PROBLEMS[meaning]
