"""JSON that every parser reads alike, and within its bounds (RFC 8259; RFC 7493, I-JSON).

The bounds are held before a parser makes anything of a text (`json_limits`). Then it is parsed, and
refused where parsers differ: a name that comes twice in one object, also once with an escape; NaN
and Infinity; numbers that no double can hold; a byte-order mark, UTF-16 and UTF-32, invalid UTF-8,
half a surrogate pair; and anything behind the value.
"""

import re
from typing import Any, Final

from mantlet._internal.extras import import_extra
from mantlet.guard.errors import Fault, Invalid, Place
from mantlet.guard.limits import BodyLimits

__all__ = ["Structure"]

_WORDS: Final = {
    "json_depth": "Arrays and objects are nested too deeply",
    "json_digits": "A number has too many digits",
    "json_duplicate_key": "An object has a name twice",
    "json_empty": "There is no JSON",
    "json_encoding": "Must be UTF-8 without a byte-order mark",
    "json_invalid": "Is no JSON",
    "json_items": "An array has too many items",
    "json_members": "An object has too many members",
    "json_number": "A number is too large for a double",
    "json_string": "A string is too long",
    "json_surrogate": "An escape is half a surrogate pair",
    "json_trailing": "Something follows the value",
}
# What jiter's messages tell, by how they begin. Its words may hold the client's, so none is told.
_MESSAGES: Final = (
    ("Detected duplicate key", "json_duplicate_key"),
    ("recursion limit", "json_depth"),
    ("number out of range", "json_digits"),
    ("trailing characters", "json_trailing"),
    ("invalid unicode code point", "json_encoding"),
    ("lone leading surrogate", "json_surrogate"),
    ("unexpected end of hex escape", "json_surrogate"),
)
#: Where the first object of a list of them must begin for it to be read as such a list.
_BEGINNING: Final = 64
_PLACE: Final = re.compile(r" at line (\d+) column (\d+)\Z")


class Structure:
    """Reads JSON texts.

    Args:
        limits: its ``depth``, ``members``, ``items``, ``string`` and ``digits`` are held.

    Raises:
        ImportError: jiter is not installed.
    """

    __slots__ = ("_bounds", "_certain", "_depth", "_forms", "_huge", "_parse", "_run", "_short")

    def __init__(self, limits: BodyLimits) -> None:
        self._parse = import_extra("jiter", "guard").from_json
        # It needs jiter too.
        from mantlet.guard import json_limits  # noqa: PLC0415

        self._bounds = bounds = json_limits.Bounds(limits)
        self._forms, self._huge = json_limits.FORMS, json_limits.HUGE
        self._short, self._certain, self._run = bounds.short, bounds.certain, bounds.run
        self._depth = limits.depth

    # Any: a value of JSON.
    def read(self, text: bytes, place: Place = "body") -> Any:
        """Return the value that a text is.

        Args:
            text: the whole of it.
            place: where it stands, for the fault.

        Raises:
            Invalid: with 400.
        """
        forms = text.translate(self._forms, b"+")
        size = len(text)
        # Where a text is short, `rpartition()` takes half as long as `find()` and "in".
        if (
            size > self._short
            or forms.count(b"[") > self._depth
            or (size > self._certain and forms.rpartition(self._run)[1])
            or forms.rpartition(self._huge)[1]
        ):
            code = self._bounds.broken(text, forms)
            if code is not None:
                raise Invalid(400, [Fault(place, "", code, _WORDS[code])])
        del forms
        try:
            # Looking for names that come twice makes parsing take twice as long, and most texts are
            # an object, or a list of them, with no others inside: there it is enough to count.
            if size <= self._short:
                if not text.rpartition(b"{")[0]:
                    value = self._parse(text, allow_inf_nan=False)
                    if value.__class__ is not dict or len(value) == text.count(b":"):
                        return value
            elif _is_list(text):
                value = self._parse(text, allow_inf_nan=False)
                if _has_all_names(value, text.count(b":")):
                    return value
            return self._parse(text, allow_inf_nan=False, catch_duplicate_keys=True)
        except ValueError as error:
            fault = _fault(str(error), text, place)
        raise Invalid(400, [fault])


def _is_list(text: bytes) -> bool:
    """Return whether a text is most likely a list of objects, without others and colons in them."""
    start = text.find(b"{", 0, _BEGINNING)
    return (
        text[:1] == b"["
        and text.find(b"}", start) < text.find(b"{", start + 1)
        and text.count(b":") == text.count(b'":')
    )


# Any: a value of JSON.
def _has_all_names(value: Any, colons: int) -> bool:
    """Return whether a list of objects has a name for each colon of its text: none came twice."""
    return set(map(type, value)) == {dict} and sum(map(len, value)) == colons


def _fault(message: str, text: bytes, place: Place) -> Fault:
    code = next((code for begins, code in _MESSAGES if message.startswith(begins)), "json_invalid")
    if text.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or b"\0" in text[:4]:
        code = "json_encoding"
    elif not text.strip(b" \t\r\n"):
        return Fault(place, "", "json_empty", _WORDS["json_empty"])
    where = _PLACE.search(message)
    words = _WORDS[code]
    return Fault(
        place, "", code, f"{words}, at line {where[1]}, column {where[2]}" if where else words
    )
