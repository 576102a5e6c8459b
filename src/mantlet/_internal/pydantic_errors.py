"""Extract the public part of pydantic's errors: about the schema, never about the input.

Source: pydantic 2, "Validation Errors".
"""

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["public_error"]

_CODE: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")
#: Codes whose messages pydantic derives from the schema alone. Other messages contain text of a
#: parser, of one of the app's validators or of the input, so clients see only their codes.
_PUBLIC: Final = """
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
_PUBLIC_CODES: Final = frozenset(_PUBLIC.split())


# Any: errors of several versions of pydantic, and of FastAPI.
def public_error(error: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the code of an error, and its message if that derives from the schema alone.

    Args:
        error: an item of ``ValidationError.errors()``.
    """
    code = str(error.get("type", ""))
    if not _CODE.fullmatch(code):
        return "invalid", None
    return code, str(error.get("msg", "")) if code in _PUBLIC_CODES else None
