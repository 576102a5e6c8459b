"""Extract the public part of pydantic's errors: about the schema, never about the input.

Source: pydantic 2, "Validation Errors".
"""

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["public_error", "value_list"]

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
#: Messages in place of those that contain text of a parser.
_MESSAGES: Final = {
    code: f"Input should be {kind}"
    for codes, kind in {
        "bytes_invalid_encoding": "correctly encoded bytes",
        "date_from_datetime_parsing date_parsing": "a valid date",
        "datetime_from_date_parsing datetime_object_invalid datetime_parsing": "a valid datetime",
        "json_invalid": "valid JSON",
        "time_delta_parsing": "a valid duration",
        "time_parsing": "a valid time",
        "url_parsing url_syntax_violation": "a valid URL",
        "uuid_parsing": "a valid UUID",
    }.items()
    for code in codes.split()
}

#: The values that a message lists, and its longest list in characters.
_MAX_LISTED: Final = 10
_MAX_LIST: Final = 200
#: A value as pydantic lists it: a text, the member of an enumeration, or another literal.
_VALUE: Final = re.compile(
    r"""(?P<member><\w+\.\w+: )?(?P<value>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|[^\s,>]++)>?"""
)
_LISTS: Final = frozenset({"enum", "literal_error"})
_SHOULD_BE: Final = "Input should be "


# Any: errors of several versions of pydantic, and of FastAPI.
def public_error(error: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the code of an error, and its message if that derives from the schema alone.

    Args:
        error: an item of ``ValidationError.errors()``.
    """
    code = str(error.get("type", ""))
    if not _CODE.fullmatch(code):
        return "invalid", None
    if code not in _PUBLIC_CODES:
        return code, _MESSAGES.get(code)
    message = str(error.get("msg", ""))
    if code in _LISTS and message.startswith(_SHOULD_BE):
        message = _SHOULD_BE + value_list(message.removeprefix(_SHOULD_BE))
    return code, message


def value_list(listed: str) -> str:
    """Return values that pydantic lists, such as ``'a', 'b' or <Kind.b: 'b'>``, each once.

    Of more than ten values, or 200 characters, the first ones and the number of all are left.
    """
    found = [match for match in _VALUE.finditer(listed) if match[0] != "or"]
    values = list(dict.fromkeys(match["value"] for match in found))
    shown: list[str] = []
    size = 0
    for value in values[:_MAX_LISTED]:
        size += len(value) + 2
        if size > _MAX_LIST:
            break
        shown.append(value)
    if len(shown) < len(values):
        return f"one of {', '.join([*shown, '...'])} ({len(values)} values)"
    *first, last = shown or [""]
    return f"{', '.join(first)} or {last}" if first else last
