"""Compile names and globs to one expression that finds their fields."""

import json
import re
from collections.abc import Mapping
from typing import Final, Literal

from mantlet.redact.names import NameMatcher, parse_name
from mantlet.sanitize.json_fields.expressions import (
    MAX_RAW_NAME,
    SIMPLE,
    STRING,
    VALUE,
    WS,
    name_in_json,
)

__all__ = ["MAX_SPACE", "Action", "NamePatterns", "decode_string"]

Action = Literal["mask", "drop"]

#: Maximum length of whitespace held back together with a name or a comma, in bytes.
MAX_SPACE: Final = 1024
#: Maximum length of an encoded character: two escapes, for a surrogate pair.
_MAX_ENCODED_CHAR: Final = 12
#: Maximum length of separators between two words.
_MAX_JOIN: Final = 8 * _MAX_ENCODED_CHAR
#: Names with their actions that are kept, and their size, so that few are decoded twice.
_MAX_CACHED: Final = 1024


class NamePatterns:
    """Names and globs, with the action for the fields that they match.

    Args:
        patterns: names and globs as in `JsonField`. If several match a name, ``drop`` wins over
            ``mask``.
        anchored: whether the text is read from outside of any string on, so that the names are told
            from the text between two strings.

    Attributes:
        drops: whether any field is dropped.
        max_size: maximum length of a name that can match, in bytes.
        find: finds the next field, from an offset on. Its groups have the numbers below.
        match: matches a field at an offset.
        masked: matches one of the fields in the last group, up to its value.
        skip: matches strings, and the text between them, up to the next field; empty if the text is
            not read from outside of strings on.
    """

    __slots__ = (
        "_cache",
        "_drop",
        "_loose",
        "_mask",
        "drops",
        "find",
        "masked",
        "match",
        "max_size",
        "skip",
    )

    NAME: Final = 1
    DROP: Final = 2
    COLON: Final = 3
    DROPPED: Final = 4
    NULL: Final = 5
    MASKED: Final = 6
    MASKED_TOO: Final = 7

    def __init__(self, patterns: Mapping[str, Action], *, anchored: bool) -> None:
        by_action: dict[Action, list[str]] = {"drop": [], "mask": []}
        self.max_size = 0
        self._loose = False
        for pattern, action in patterns.items():
            by_action[action].append(pattern)
            size = 0
            for token in parse_name(pattern):
                size += {"char": _MAX_ENCODED_CHAR, "any": MAX_RAW_NAME}.get(token.kind, _MAX_JOIN)
                self._loose |= token.kind == "set"
            self.max_size = min(max(size, self.max_size), MAX_RAW_NAME)
        self.drops = bool(by_action["drop"])
        self._drop = NameMatcher(by_action["drop"])
        self._mask = NameMatcher(by_action["mask"])
        self._cache: dict[bytes, Action | None] = {}
        # Names without wildcards first, since they are compared faster.
        drop, mask = (
            b"|".join(map(name_in_json, sorted(by_action[way], key=_has_wildcard))) or b"(?!)"
            for way in ("drop", "mask")
        )
        far = rb"(?<=[ \t\r\n\x1e]{%d})" % (MAX_SPACE + 1)
        # Several fields are edited at once, if their names are certain.
        certain = b"(?!)" if self._loose else rb'(?=[^"\\]{0,%d}+")' % MAX_RAW_NAME
        dropped = rb',%b"%b(?:%b)"%b:%b%b' % (WS, certain, drop, WS, WS, VALUE)
        head = rb'[ \t\r\n\x1e,\[\]{}]*+"%b(?!(?:%b)")(?:%b)"%b:%b(?!null)' % (
            certain, drop, mask, WS, WS,
        )  # fmt: skip
        self.masked = re.compile(rb"(%b)%b" % (head, SIMPLE), re.DOTALL)
        to_drop = rb"(%b(?:%b)*+)" % (VALUE, dropped)
        # A missing value, in invalid JSON, is left alone like null.
        to_mask = rb"(null(?=[,\]} \t\r\n\x1e])|(?=[,\]}]))|(?!null)(%b)((?:%b%b)*+)" % (
            VALUE, head, VALUE,
        )  # fmt: skip
        field = rb'"%b((?:(%b)|%b))"%b(?:(:)%b(?(2)%b|(?:%b))?|%b|\Z)' % (
            b"" if anchored else rb'(?<!\\")', drop, mask, WS, WS, to_drop, to_mask, far,
        )  # fmt: skip
        plain = b""
        if anchored:
            plain = rb'(?:[^"]++|(?!"(?:%b|%b)"%b(?::|%b|\Z))%b)*+' % (drop, mask, WS, far, STRING)
        self.skip = re.compile(plain, re.DOTALL)
        found = re.compile(plain + field, re.DOTALL)
        self.match = found.match
        self.find = found.match if anchored else found.search

    def action(self, found: re.Match[bytes]) -> Action | None:
        """Return the action for a field that was found; None if its name does not match."""
        raw = found[self.NAME]
        if not self._loose and b"\\" not in raw:
            return "mask" if found[self.DROP] is None else "drop"
        if raw in self._cache:
            return self._cache[raw]
        name = decode_string(raw)
        action: Action | None = None
        if self._drop.matches(name):
            action = "drop"
        elif self._mask.matches(name):
            action = "mask"
        if len(raw) < _MAX_CACHED and len(self._cache) < _MAX_CACHED:
            self._cache[raw] = action
        return action


def _has_wildcard(pattern: str) -> bool:
    return any(token.kind in ("any", "set", "one") for token in parse_name(pattern))


def decode_string(raw: bytes) -> str:
    """Decode the content of a JSON string; never raise."""
    try:
        text = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
    if "\\" not in text:
        return text
    try:
        decoded: str = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text  # it has an invalid escape, so no parser accepts it
    return decoded
