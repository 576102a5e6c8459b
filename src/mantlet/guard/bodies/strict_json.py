"""Parse JSON that every parser reads alike, within limits (RFC 8259; RFC 7493, I-JSON).

The limits are checked before the text is parsed (`json_limits`). Then anything that parsers read
differently is rejected: a duplicate key, also one written with an escape; NaN and Infinity; numbers
that a double can't hold; a byte-order mark, UTF-16 and UTF-32, invalid UTF-8, half a surrogate
pair; and any data after the value.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from mantlet._internal.extras import import_extra
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.readers import Schema
from mantlet.http.media_types import UTF_8, MediaType

__all__ = ["JsonBodyReader", "StrictJson", "check_json_parameters"]

_DETAILS: Final = {
    "json_checks": "Needs too many checks",
    "json_depth": "JSON is nested too deeply",
    "json_digits": "Number has too many digits",
    "json_duplicate_key": "Duplicate key",
    "json_empty": "Empty JSON text",
    "json_encoding": "JSON must be UTF-8 without a byte-order mark",
    "json_invalid": "Invalid JSON",
    "json_items": "Array has too many items",
    "json_members": "Object has too many members",
    "json_number": "Number is out of range for a double",
    "json_string": "String is too long",
    "json_surrogate": "Unpaired surrogate",
    "json_trailing": "Unexpected data after the JSON value",
}
# Codes by the beginning of jiter's messages. The messages may contain input, so none is disclosed.
_MESSAGES: Final = (
    ("Detected duplicate key", "json_duplicate_key"),
    ("recursion limit", "json_depth"),
    ("number out of range", "json_digits"),
    ("trailing characters", "json_trailing"),
    ("invalid unicode code point", "json_encoding"),
    ("lone leading surrogate", "json_surrogate"),
    ("unexpected end of hex escape", "json_surrogate"),
)
#: A list of objects is recognized if its first object begins within this many bytes.
_BEGINNING: Final = 64
#: A longer text is parsed in milliseconds.
_LONG: Final = 64 * 1024
_POSITION: Final = re.compile(r" at line (\d+) column (\d+)\Z")

#: Parameters that media types with the suffix +json are registered with and that do not change how
#: they are read: RFC 6906 (profile), JSON:API 1.1 (ext), versions in content negotiation.
_HARMLESS: Final = frozenset({"profile", "ext", "version", "v"})


class StrictJson:
    """Parses JSON texts.

    Args:
        limits: ``depth``, ``members``, ``items``, ``string``, ``digits`` and ``checks`` apply.

    Raises:
        ImportError: jiter is not installed.
    """

    __slots__ = (
        "_certain",
        "_count_members",
        "_depth",
        "_folding",
        "_from_json",
        "_huge",
        "_limits",
        "_run",
        "_short",
    )

    def __init__(self, limits: BodyLimits) -> None:
        self._from_json = import_extra("jiter", "guard").from_json
        from mantlet.guard.bodies import json_limits  # it needs jiter too

        self._limits = bounds = json_limits.JsonLimits(limits)
        self._count_members = json_limits.count_members
        self._folding, self._huge = json_limits.FOLDING, json_limits.HUGE
        self._short = min(bounds.short, _LONG)
        self._certain, self._run = bounds.certain, bounds.run
        self._depth = limits.depth

    # Any: a value of JSON.
    def parse(self, text: bytes, place: Place = "body") -> Any:
        """Return the value of a JSON text.

        Args:
            text: the complete text.
            place: where it stands, for the error.

        Raises:
            ValidationFailed: with 400.
        """
        size = len(text)
        if size > self._short:
            return self._parse_longer(text, place)
        folded = text.translate(self._folding)
        # `rpartition()` takes half as long as `find()` and "in" here.
        outer = folded.rpartition(b"[")[0]  # which has all brackets but one
        if (
            (outer and outer.count(b"[") >= self._depth)
            or (size > self._certain and folded.rpartition(self._run)[1])
            or folded.rpartition(self._huge)[1]
        ):
            self._check(text, place)
        try:
            # Looking for duplicate keys makes parsing take twice as long. Most texts are an object
            # without nested objects; for these it is enough to count colons.
            if not outer or not text.rpartition(b"{")[0]:
                value = self._from_json(text, allow_inf_nan=False)
                if type(value) is not dict or len(value) == text.count(b":"):
                    return value
            return self._from_json(text, allow_inf_nan=False, catch_duplicate_keys=True)
        except ValueError as error:
            item = _error_item(str(error), text, place)
        raise ValidationFailed(400, [item])

    # Any: a value of JSON.
    def _parse_longer(self, text: bytes, place: Place) -> Any:
        """Return the value of a text that is not short; see `parse()`."""
        self._check(text, place)
        try:
            if len(text) > _LONG:
                return self._parse_long(text)
            if _is_list_of_objects(text):
                value = self._from_json(text, allow_inf_nan=False)
                if _has_all_keys(value, text.count(b":")):
                    return value
            return self._from_json(text, allow_inf_nan=False, catch_duplicate_keys=True)
        except ValueError as error:
            item = _error_item(str(error), text, place)
        raise ValidationFailed(400, [item])

    def _check(self, text: bytes, place: Place) -> None:
        """Check the limits of a text that may exceed them.

        Raises:
            ValidationFailed: with 400.
        """
        code = self._limits.violation(text, text.translate(self._folding, b"+"))
        if code is not None:
            raise ValidationFailed(400, [ErrorItem(place, "", code, _DETAILS[code])])

    # Any: a value of JSON.
    def _parse_long(self, text: bytes) -> Any:
        """Return the value of a long text.

        The parser is one call, which keeps the GIL, so duplicate keys are looked for afterwards.

        Raises:
            ValueError: the parser's.
        """
        value = self._from_json(text, allow_inf_nan=False)
        keys = _count_keys(value)
        # Each member has a colon, and so may strings.
        if keys == text.count(b":") or keys == self._count_members(text):
            return value
        return self._from_json(text, allow_inf_nan=False, catch_duplicate_keys=True)


def _is_list_of_objects(text: bytes) -> bool:
    """Return whether a text is most likely a list of objects without nested objects and colons."""
    start = text.find(b"{", 0, _BEGINNING)
    return (
        text[:1] == b"["
        and text.find(b"}", start) < text.find(b"{", start + 1)
        and text.count(b":") == text.count(b'":')
    )


# Any: a value of JSON.
def _count_keys(value: Any) -> int:
    """Return the number of keys of all objects in a value."""
    count = 0
    later: list[Any] = [[value]]
    while later:
        container = later.pop()
        if container.__class__ is dict:
            count += len(container)
            container = container.values()
        for one in container:
            if one.__class__ is dict or one.__class__ is list:
                later.append(one)  # noqa: PERF401  # a list for each container takes twice as long
    return count


# Any: a value of JSON.
def _has_all_keys(value: Any, colons: int) -> bool:
    """Return whether a list of objects has a key for each colon of its text: no duplicates."""
    return set(map(type, value)) == {dict} and sum(map(len, value)) == colons


def _error_item(message: str, text: bytes, place: Place) -> ErrorItem:
    code = next((code for start, code in _MESSAGES if message.startswith(start)), "json_invalid")
    if text.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or b"\0" in text[:4]:
        code = "json_encoding"
    elif not text.strip(b" \t\r\n"):
        return ErrorItem(place, "", "json_empty", _DETAILS["json_empty"])
    position = _POSITION.search(message)
    detail = _DETAILS[code]
    if position:
        detail = f"{detail} at line {position[1]}, column {position[2]}"
    return ErrorItem(place, "", code, detail)


class JsonBodyReader:
    """Reads JSON bodies; a `FullBodyReader`.

    Args:
        schema: the schema of the body.
        limits: bounds on its structure.
        parameters: those of its media type that requests may have, with their values.
    """

    __slots__ = ("_parameters", "_parse", "_schema")

    def __init__(
        self, schema: Schema, limits: BodyLimits, parameters: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._parameters = frozenset(one for one in parameters if one[0] != "charset")
        self._schema = schema
        self._parse = StrictJson(limits).parse

    # Any: whatever the schema makes of it.
    def read(self, body: bytes, media: MediaType) -> Any:
        """Return the value of a body.

        Raises:
            ValidationFailed: with 400 for invalid JSON, 415 for unknown parameters of the media
                type, 422 for a body that the schema does not allow.
        """
        if media.parameters:
            check_json_parameters(media, self._parameters)
        return self._schema.load(body, self._parse(body, "body"), "body")

    def dump(self, value: Any) -> bytes:
        """Serialize a value that `read()` returned in its canonical form."""
        return self._schema.dump(value)


def check_json_parameters(
    media: MediaType, declared: Collection[tuple[str, str]] = frozenset()
) -> None:
    """Reject parameters of a JSON media type that could change how the body is read.

    ``charset`` has no meaning for JSON (RFC 8259, 11), but many clients send it, and a parser that
    honors it would read another text. So it must be UTF-8.

    Args:
        media: the media type of a request.
        declared: further parameters that it may have, with their values.

    Raises:
        ValidationFailed: with 415.
    """
    harmless = _HARMLESS if media.kind.endswith("+json") else ()
    for name, value in media.parameters:
        if name == "charset" and value.lower() in UTF_8:
            continue
        if name not in harmless and (name, value) not in declared:
            detail = "Unsupported media type parameter; only charset=utf-8 is allowed"
            error = ErrorItem("header", "/Content-Type", "media_parameter", detail)
            raise ValidationFailed(415, [error])
