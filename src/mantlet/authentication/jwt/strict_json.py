"""Parse JSON objects of tokens and key sets that every parser reads alike (RFC 8259; RFC 7493).

A token goes through several programs: a proxy may decide about the first ``sub`` of two, and an app
about the last one. So a text is refused if it has a duplicate name at any depth, NaN or Infinity, a
number that a double or 64 bits can't hold, half a surrogate pair, a byte-order mark, bytes that are
not UTF-8, or data after the object. Its structure is bounded before it is parsed.
"""

import json
import re
from math import isinf
from typing import Any, Final

__all__ = ["MAX_DEPTH", "NotStrictJson", "parse_object"]

#: How deep objects and arrays may be nested, the outermost object included.
MAX_DEPTH: Final = 16
#: The most objects and arrays, as each takes longer to parse than any other value of its length.
_MAX_CONTAINERS: Final = 500
#: 64 bits with a sign.
_MAX_INTEGER: Final = 20
_MAX_FLOAT: Final = 40
# A string without an end takes the rest of the text, so that no part of it is searched twice.
_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class NotStrictJson(ValueError):
    """A text is not a JSON object that is read alike everywhere. The message has nothing of it."""


class _Refused(ValueError):
    """The same, with the text's parser on the stack."""


# Any: values of JSON.
def parse_object(text: bytes) -> dict[str, Any]:
    """Return the object of a JSON text.

    Args:
        text: the whole text, whose length the caller has bounded.

    Raises:
        NotStrictJson: it is not one; without the parser's exception, which has the text.
    """
    value: Any = None
    reason = "is not a JSON object"
    try:
        characters = text.decode()
        _check_structure(characters)
        value = _decode(characters)
        if "\\u" in characters:
            json.dumps(value, ensure_ascii=False).encode()  # raises for half a surrogate pair
    except _Refused as refused:
        value, reason = None, str(refused)
    except UnicodeError:
        value, reason = None, "is not in UTF-8"
    except ValueError:
        value, reason = None, "is not JSON"
    if type(value) is dict:
        return value
    raise NotStrictJson(reason)


def _check_structure(text: str) -> None:
    opened = text.count("[") + text.count("{")
    if opened <= MAX_DEPTH:
        return
    if opened > _MAX_CONTAINERS:
        raise _Refused("has too many objects and arrays")
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _Refused("is nested too deeply")
        elif mark in "]}":
            depth -= 1


# Any: values of JSON.
def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused("has a duplicate name")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAX_INTEGER:
        raise _Refused("has a number that is out of range")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > _MAX_FLOAT or isinf(number := float(digits)):
        raise _Refused("has a number that is out of range")
    return number


def _constant(_name: str) -> float:
    raise _Refused("has NaN or Infinity")


_decode: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_constant
).decode
