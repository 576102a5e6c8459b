"""Input that pydantic has refused: what is wrong where, and no value of the input.

A member that the client should not have sent is named, since it is the place of the error.

Sources: pydantic 2 "Validation Errors"; JSON Pointer, RFC 6901.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mantlet._internal.pydantic_errors import public_error
from mantlet.core.problem import Problem
from mantlet.http.json_pointer import join_pointer

__all__ = ["INVALID_INPUT", "invalid_input", "validation_problem"]

#: The exceptions, by the dotted names of their classes.
INVALID_INPUT: Final = frozenset(
    {
        "fastapi.exceptions.RequestValidationError",
        "pydantic.error_wrappers.ValidationError",
        "pydantic.v1.error_wrappers.ValidationError",
        "pydantic_core._pydantic_core.ValidationError",
    }
)

#: The most errors that are listed.
_MOST: Final = 100
#: Where FastAPI says that a value came from.
_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie"})


def validation_problem(error: BaseException) -> Problem:
    """Return the problem that a pydantic or FastAPI exception for refused input is."""
    errors: Any = error.errors  # type: ignore[attr-defined]  # theirs
    try:
        found = errors(include_url=False, include_context=False, include_input=False)
    except TypeError:  # pydantic 1 and FastAPI take no options
        found = errors()
    return invalid_input(found)


def invalid_input(errors: Iterable[Any], status: int = 422) -> Problem:
    """Return the problem that a list of pydantic's errors is.

    Args:
        errors: pydantic's, with ``loc``, ``msg`` and ``type``. At most 100 are listed.
        status: the problem's.
    """
    listed = [_entry(error) for error, _ in zip(errors, range(_MOST), strict=False)]
    return Problem(status, extensions={"errors": listed})


def _entry(error: Mapping[str, Any]) -> dict[str, str]:
    code, words = public_error(error)
    where = [str(part) for part in error.get("loc", ())]
    entry = {}
    if where and where[0] in _PLACES:
        entry["in"] = where.pop(0)
    if code == "json_invalid":
        where = []  # pydantic and FastAPI give the place in the text
    entry["pointer"] = join_pointer(where)
    entry["code"] = code
    if words is not None:
        entry["detail"] = words
    return entry
