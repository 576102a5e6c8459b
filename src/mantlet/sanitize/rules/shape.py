"""What stands behind a literal: as an expression, and as one for each beginning of it.

A stream may end within what an expression would match, and Python's expressions can't say so. So a
shape is made of pieces, of which both can be made: what matches all of it, and what matches every
proper beginning up to the end of the data. Both take bounded time: no piece can match without end,
and a beginning is only looked for where the data ends before the shape would have to.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Piece", "Shape", "any_of", "run", "text"]


class Piece(NamedTuple):
    """A part of a shape.

    Attributes:
        whole: matches all of it.
        beginning: matches any beginning of it, also an empty one and all of it.
        most: how many bytes it is at most.
    """

    whole: bytes
    beginning: bytes
    most: int


def text(literal: bytes) -> Piece:
    """Return a piece that is just these bytes."""
    beginning = b""
    for at in range(len(literal), 0, -1):
        beginning = b"(?:" + re.escape(literal[at - 1 : at]) + beginning + b")?"
    return Piece(re.escape(literal), beginning, len(literal))


def any_of(*literals: bytes) -> Piece:
    """Return a piece that is one of several texts."""
    pieces = [text(literal) for literal in sorted(literals, key=len, reverse=True)]
    return Piece(
        b"(?:" + b"|".join(piece.whole for piece in pieces) + b")",
        b"(?:" + b"|".join(piece.beginning + rb"(?=\Z)" for piece in pieces) + b")",
        max(map(len, literals)),
    )


def run(chars: bytes, least: int, most: int, *, whole: bool = False) -> Piece:
    """Return a piece of characters of one class.

    Args:
        chars: what stands in the brackets of an expression.
        least: how many there are at least.
        most: how many there are at most.
        whole: whether it takes all that there are, and gives none of them back to what follows.
    """
    return Piece(
        b"[%s]{%d,%d}%s" % (chars, least, most, b"+" if whole else b""),
        b"[%s]{0,%d}" % (chars, most),
        most,
    )


class Shape:
    """Pieces, one after the other.

    Args:
        pieces: what there is.
        not_behind: a class of characters, none of which follows.
    """

    __slots__ = ("_beginning", "_most", "_whole")

    def __init__(self, pieces: Sequence[Piece], *, not_behind: bytes = b"") -> None:
        self._most = sum(piece.most for piece in pieces)
        whole = b"".join(piece.whole for piece in pieces)
        self._whole = re.compile(whole + (b"(?![%s])" % not_behind if not_behind else b""))
        beginning = b""
        for piece in reversed(pieces):
            rest = b"|" + piece.whole + b"(?:" + beginning + b")" if beginning else b""
            beginning = b"(?:" + piece.beginning + rb"\Z" + rest + b")"
        self._beginning = re.compile(beginning or rb"\Z")

    def match(self, data: bytes, start: int) -> re.Match[bytes] | None:
        """Return the match that begins at a place."""
        return self._whole.match(data, start)

    def may_come(self, data: bytes, start: int) -> bool:
        """Return whether what stands from a place on to the end is a beginning of it."""
        return len(data) - start <= self._most and self._beginning.match(data, start) is not None
