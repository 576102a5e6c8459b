"""The protocols of matchers and detectors, and the results that a matcher returns."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

__all__ = [
    "NEED_MORE",
    "NO_MATCH",
    "Detector",
    "MatchEnd",
    "MatchFound",
    "MatchResult",
    "Matcher",
    "NoMatchYet",
]


class NoMatchYet(Enum):
    """The result of a matcher that has not found a match."""

    #: No match at this position, however the data goes on.
    NO_MATCH = "no match"
    #: More data is needed to decide.
    NEED_MORE = "need more"


NO_MATCH: Final = NoMatchYet.NO_MATCH
NEED_MORE: Final = NoMatchYet.NEED_MORE


@dataclass(frozen=True, slots=True)
class MatchEnd:
    """The end of an open-ended match, which may span many chunks.

    Attributes:
        pattern: the match ends before this pattern, and in any case with the string or element
            that it stands in; None if it ends with that, or with the paragraph.
        size: maximum length of a match of the pattern, in bytes.
        page: matches a body from its first byte to the match if the whole body is to be masked
            from there on; None if it never is.
    """

    pattern: re.Pattern[bytes] | None
    size: int
    page: re.Pattern[bytes] | None = None


@dataclass(frozen=True, slots=True)
class MatchFound:
    """A match.

    Attributes:
        start: offset of its first byte in the data.
        end: offset of the end of the part matched so far.
        until: where an open-ended match ends; None if it ends at ``end``.
        crosses: whether it goes on over the ends of strings and elements, which are kept.
        masks: whether it is masked; False for a match that is only reported.
    """

    start: int
    end: int
    until: MatchEnd | None = None
    crosses: bool = False
    masks: bool = True


MatchResult = MatchFound | NoMatchYet


class Matcher(Protocol):
    """Decide whether a literal found in the data is part of a leak."""

    @property
    def id(self) -> str:
        """The id that the leak is reported under."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """Identify the leaked value; None to derive the fingerprint from the matched bytes."""
        ...

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the data around a literal found at ``data[start:end]``.

        Args:
            data: the part of the body seen so far; the beginning may already have been sent.
            start: offset of the literal.
            end: offset of the end of the literal.
            more: whether more of the body follows.
            media: the media type, if known.

        Returns:
            ``NEED_MORE`` only while the data may still become a leak, and never if ``more`` is
            False.
        """
        ...


class Detector(Protocol):
    """Find leaks that have no literal in common.

    Attributes:
        mark: a byte that each of these leaks has, or None. Data without it is not looked at.
    """

    @property
    def mark(self) -> int | None:
        """Return the byte."""
        ...

    def hits(self, data: bytes, start: int) -> bool:
        """Return whether a leak begins at or after ``start``, as if no more data followed."""
        ...

    def find(
        self, data: bytes, start: int, more: bool, media: str | None
    ) -> "list[tuple[str, int, int]]":
        """Return the leaks that begin at or after ``start``, each as its id, start and end."""
        ...

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a leak when more follow."""
        ...
