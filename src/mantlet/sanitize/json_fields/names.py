"""Match field names of a document against names and globs."""

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from typing import Final, Literal

from mantlet.sanitize.json_fields.prefilter import parse_pattern

__all__ = ["MAX_RAW_NAME", "Action", "FieldNames", "decode_string", "merge_actions"]

Action = Literal["mask", "drop"]

#: Maximum length of a name in a document that is compared with globs, in bytes.
MAX_RAW_NAME: Final = 4096
#: Maximum length of an encoded character: two escapes, for a surrogate pair.
_MAX_ENCODED_CHAR: Final = 12

_WHOLE_CHARACTERS: Final = re.compile(rb'(?:[^\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*', re.DOTALL)
_PARTIAL_ESCAPE: Final = re.compile(rb"(?:\\u?[0-9a-fA-F]{0,3})?")


class FieldNames:
    """Names and globs, with the action for the fields that they match.

    Args:
        patterns: names and globs as in `JsonField`. If several match a name, ``drop`` wins over
            ``mask``.

    Attributes:
        drops: whether any field is dropped.
        max_size: maximum length of a name that can match, in bytes.
    """

    __slots__ = ("_exact", "_globs", "drops", "max_size")

    def __init__(self, patterns: Mapping[str, Action]) -> None:
        self._exact: dict[str, Action] = {}
        self._globs: list[tuple[re.Pattern[str], Action]] = []
        self.drops = "drop" in patterns.values()
        for pattern, action in sorted(patterns.items(), key=lambda item: item[1]):  # drop, mask
            name, _ = parse_pattern(pattern)
            if name is None:
                self._globs.append((re.compile(translate(pattern)), action))
            else:
                self._exact.setdefault(name, action)
        self.max_size = MAX_RAW_NAME
        if not self._globs:
            self.max_size = _MAX_ENCODED_CHAR * max(map(len, self._exact), default=0)

    def action(self, name: str) -> Action | None:
        """Return the action for fields with a name; None for most names."""
        found = self._exact.get(name)
        if found == "drop":
            return found
        for glob, action in self._globs:
            if glob.match(name):
                return found if action == "mask" and found else action
        return found

    def may_begin_with(self, raw: bytes) -> bool:
        """Return whether the undecoded beginning of a string may be that of a matching name."""
        if any(byte < 0x20 for byte in raw):
            return False
        if self._globs:
            return len(raw) <= self.max_size
        whole = _WHOLE_CHARACTERS.match(raw)
        end = whole.end() if whole else 0
        if not _PARTIAL_ESCAPE.fullmatch(raw, end):
            return False
        name = decode_string(raw[:end], "ignore")
        if "\ud800" <= name[-1:] <= "\udbff":
            name = name[:-1]
        return any(exact.startswith(name) for exact in self._exact)


def decode_string(raw: bytes, errors: str = "replace") -> str:
    """Decode the content of a JSON string; never raise.

    Args:
        raw: the bytes between the quotes.
        errors: how to handle bytes that are not UTF-8.
    """
    try:
        text = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", errors)
    if "\\" not in text:
        return text
    try:
        decoded: str = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text  # it has an invalid escape, so no parser accepts it
    return decoded


def merge_actions(patterns: Iterable[tuple[str, Action]]) -> dict[str, Action]:
    """Return the action for each pattern; ``drop`` wins for a pattern given twice."""
    merged: dict[str, Action] = {}
    for pattern, action in patterns:
        if merged.get(pattern) != "drop":
            merged[pattern] = action
    return merged
