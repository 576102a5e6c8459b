"""What one of pydantic's errors says of the schema, and nothing that it says of the input.

Source: pydantic 2, "Validation Errors".
"""

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["public_error"]

_CODE: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")
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


# Any: pydantic's own, of several versions, and FastAPI's.
def public_error(error: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the code of an error, and its message where that is made of the schema alone.

    Args:
        error: one entry of what ``ValidationError.errors()`` returns.
    """
    code = str(error.get("type", ""))
    if not _CODE.fullmatch(code):
        return "invalid", None
    return code, str(error.get("msg", "")) if code in _TELLING_CODES else None
