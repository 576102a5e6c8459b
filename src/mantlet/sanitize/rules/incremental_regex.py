"""Regular expressions that can tell whether the beginning of a match may be completed.

A stream may end within a match, and Python's regular expressions cannot report that. So a pattern
consists of parts, from which two expressions are built: one for the whole pattern, and one for
every proper beginning of it up to the end of the data. Both take bounded time: no part has
unlimited length, and a beginning is only searched for if the data ends before the pattern would
have to.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["IncrementalPattern", "PatternPart", "literal", "one_of", "repeat"]


class PatternPart(NamedTuple):
    """A part of a pattern.

    Attributes:
        whole: an expression for the part.
        beginning: an expression for any beginning of it, including an empty one and all of it.
        size: its maximum length in bytes.
    """

    whole: bytes
    beginning: bytes
    size: int


def literal(text: bytes) -> PatternPart:
    """Return a part that matches exactly these bytes."""
    beginning = b""
    for at in range(len(text), 0, -1):
        beginning = b"(?:" + re.escape(text[at - 1 : at]) + beginning + b")?"
    return PatternPart(re.escape(text), beginning, len(text))


def one_of(*texts: bytes) -> PatternPart:
    """Return a part that matches one of several texts."""
    parts = [literal(text) for text in sorted(texts, key=len, reverse=True)]
    return PatternPart(
        b"(?:" + b"|".join(part.whole for part in parts) + b")",
        b"(?:" + b"|".join(part.beginning + rb"(?=\Z)" for part in parts) + b")",
        max(map(len, texts)),
    )


def repeat(chars: bytes, least: int, most: int, *, possessive: bool = False) -> PatternPart:
    """Return a part that matches a run of characters.

    Args:
        chars: the class of characters, as within the brackets of an expression.
        least: minimum length.
        most: maximum length.
        possessive: whether to take as many as there are, and give none back to the next part.
    """
    return PatternPart(
        b"[%s]{%d,%d}%s" % (chars, least, most, b"+" if possessive else b""),
        b"[%s]{0,%d}" % (chars, most),
        most,
    )


class IncrementalPattern:
    """A sequence of parts.

    Args:
        parts: the parts.
        not_followed_by: a class of characters that must not follow.
    """

    __slots__ = ("_beginning", "_size", "_whole")

    def __init__(self, parts: Sequence[PatternPart], *, not_followed_by: bytes = b"") -> None:
        self._size = sum(part.size for part in parts)
        whole = b"".join(part.whole for part in parts)
        if not_followed_by:
            whole += b"(?![%s])" % not_followed_by
        self._whole = re.compile(whole)
        beginning = b""
        for part in reversed(parts):
            rest = b"|" + part.whole + b"(?:" + beginning + b")" if beginning else b""
            beginning = b"(?:" + part.beginning + rb"\Z" + rest + b")"
        self._beginning = re.compile(beginning or rb"\Z")

    def match(self, data: bytes, start: int) -> re.Match[bytes] | None:
        """Return the match that begins at ``start``."""
        return self._whole.match(data, start)

    def may_match(self, data: bytes, start: int) -> bool:
        """Return whether the data from ``start`` to its end is the beginning of a match."""
        return len(data) - start <= self._size and self._beginning.match(data, start) is not None
