"""A rule: literals to find a candidate by, a shape to confirm it, and how far the leak goes."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchEnd, MatchFound, MatchResult
from mantlet.sanitize.rules.shape import Piece, Shape

__all__ = ["PAGE", "Extent", "Rule", "is_random", "to_end_of_text"]

#: Says how a leak goes on, by the bytes that were matched and by the body's media type.
Extent = Callable[[bytes, str | None], MatchEnd | None]

#: To the end of the body.
_BODY: Final = MatchEnd(None, 1)
#: To the end of a string in JSON: a quote that is not escaped.
_STRING: Final = MatchEnd(re.compile(rb'(?<!\\)(?:\\\\)*"'), 2)
#: To the end of an element's text.
_ELEMENT: Final = MatchEnd(re.compile(rb"</"), 2)
#: To a blank line.
_PARAGRAPH: Final = MatchEnd(re.compile(rb"\r?\n[ \t]{0,8}\r?\n"), 12)
#: Bits of entropy that a character of a random text has at least, on average.
_LEAST_ENTROPY: Final = 2.8


def PAGE(_matched: bytes, _media: str | None) -> MatchEnd:  # noqa: N802  # it stands for one
    """Say that a leak is all of a page."""
    return _BODY


def to_end_of_text(matched: bytes, media: str | None) -> MatchEnd:
    """Say that a leak goes on to the end of its text: its string, its element or its paragraph."""
    if media is not None and (media.endswith("json") or media == "text/event-stream"):
        return _STRING
    if rb"\n" in matched or rb"\"" in matched:
        return _STRING
    if media in ("text/html", "application/xhtml+xml", "image/svg+xml"):
        return _ELEMENT
    return _PARAGRAPH


class Rule:
    """What tells a leak.

    Args:
        id: what it is reported as.
        literals: one of them begins every match.
        pieces: what stands behind the literal.
        not_before: a class of characters, none of which comes before the literal.
        not_behind: a class of characters, none of which follows.
        check: told the matched bytes; says whether it is one.
        extent: how the leak goes on behind them; None: not at all.
    """

    __slots__ = ("_before", "_check", "_extent", "_shape", "id", "literals")

    fingerprint: Final = None

    def __init__(
        self,
        id: str,
        literals: Sequence[bytes],
        *pieces: Piece,
        not_before: bytes = b"",
        not_behind: bytes = b"",
        check: Callable[[bytes], bool] | None = None,
        extent: Extent | None = None,
    ) -> None:
        self.id = id
        self.literals = tuple(literals)
        self._shape = Shape(pieces, not_behind=not_behind) if pieces or not_behind else None
        self._before = re.compile(b"(?<![%s])" % not_before) if not_before else None
        self._check = check
        self._extent = extent

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Say what the literal at a place belongs to."""
        if self._before is not None and not self._before.match(data, start):
            return NO_MATCH
        stop = end
        if self._shape is not None:
            found = self._shape.match(data, end)
            if found is None:
                return NEED_MORE if more and self._shape.may_come(data, end) else NO_MATCH
            stop = found.end()
            if more and stop == len(data):
                return NEED_MORE  # it may be longer, or something else
        matched = data[start:stop]
        if self._check is not None and not self._check(matched):
            return NO_MATCH
        return MatchFound(start, stop, self._extent and self._extent(matched, media))

    def __repr__(self) -> str:
        return f"Rule({self.id!r})"


def is_random(matched: bytes) -> bool:
    """Return whether a key looks made at random, and not like an example or a placeholder."""
    key = matched.rpartition(b"_" if b"_" in matched[:12] else b"-")[2] or matched
    key = key if len(key) >= 12 else matched
    if b"EXAMPLE" in matched or b"xxxx" in matched.lower():
        return False
    counts = Counter(key).values()
    bits = -sum(count / len(key) * math.log2(count / len(key)) for count in counts)
    return bits >= _LEAST_ENTROPY
