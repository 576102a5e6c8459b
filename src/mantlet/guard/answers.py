"""How a refusal is answered: a problem that lists what is wrong (RFC 9457)."""

from typing import Final

from mantlet.core.problem import Problem
from mantlet.guard.errors import Invalid

__all__ = ["problem_of"]

_DETAILS: Final = {
    400: "The request can't be read in one way only.",
    401: "The request must have valid credentials.",
    404: "The API has no such path.",
    405: "The path does not have this method.",
    413: "The request is larger than is taken.",
    414: "The target of the request is longer than is taken.",
    415: "The body is of a type or in a coding that is not taken.",
    422: "The request is not what the API takes.",
}


def problem_of(invalid: Invalid) -> Problem:
    """Return the problem that states what is wrong."""
    return Problem(
        invalid.status,
        detail=_DETAILS.get(invalid.status),
        headers=invalid.headers,
        extensions={"errors": [fault.as_json() for fault in invalid.faults]},
    )
