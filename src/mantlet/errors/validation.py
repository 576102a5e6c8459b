"""Input that pydantic has refused: what is wrong where, and no value of the input.

A member that the client should not have sent is named, since it is the place of the error.

Sources: pydantic 2 "Validation Errors"; JSON Pointer, RFC 6901.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mantlet.problem import Problem

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
_CODE: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")
#: Where FastAPI says that a value came from.
_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie"})
#: Codes whose messages pydantic makes of the schema alone. Others hold what a parser, a validator
#: of the app's or the input itself says, so of them the client sees the code.
_TELLING: Final = """
    bool_parsing bool_type bytes_too_long bytes_too_short bytes_type complex_str_parsing
    complex_type counter_type date_from_datetime_inexact date_future date_past date_type
    datetime_future datetime_past datetime_type decimal_max_digits decimal_max_places
    decimal_parsing decimal_type decimal_whole_digits deque_type dict_type enum extra_forbidden
    finite_number float_parsing float_type fraction_parsing fraction_type frozen_set_type
    greater_than greater_than_equal int_from_float int_parsing int_parsing_size int_type
    invalid_key iterable_type json_type less_than less_than_equal list_type literal_error
    missing missing_argument missing_keyword_only_argument missing_positional_only_argument
    multiple_of none_required set_type string_not_ascii string_pattern_mismatch string_too_long
    string_too_short string_type string_unicode time_delta_type time_type timezone_aware
    timezone_naive too_long too_short tuple_type unexpected_keyword_argument
    unexpected_positional_argument union_tag_not_found url_scheme url_too_long url_type
    uuid_type uuid_version
"""
_TELLING_CODES: Final = frozenset(_TELLING.split())


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
    code = str(error.get("type", ""))
    code = code if _CODE.fullmatch(code) else "invalid"
    where = [str(part) for part in error.get("loc", ())]
    entry = {}
    if where and where[0] in _PLACES:
        entry["in"] = where.pop(0)
    if code == "json_invalid":
        where = []  # pydantic and FastAPI give the place in the text
    entry["pointer"] = "".join(f"/{_escaped(part)}" for part in where)
    entry["code"] = code
    if code in _TELLING_CODES:
        entry["detail"] = str(error.get("msg", ""))
    return entry


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
