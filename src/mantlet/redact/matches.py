"""What is said of a place where something was found that may be a leak."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

__all__ = ["MORE", "NO", "Detector", "Found", "Judge", "Undecided", "Until", "Verdict"]


class Undecided(Enum):
    """It is no leak, or can't be told before more bytes come."""

    NO = "no"
    MORE = "more"


NO: Final = Undecided.NO
MORE: Final = Undecided.MORE


@dataclass(frozen=True, slots=True)
class Until:
    """How far a leak goes on, perhaps over many chunks.

    Attributes:
        pattern: the leak ends before this; None: with the body.
        size: the most bytes that one match of it takes.
    """

    pattern: re.Pattern[bytes] | None
    size: int


@dataclass(frozen=True, slots=True)
class Found:
    """A leak.

    Attributes:
        begin: where it begins in the data.
        end: where what is known of it ends.
        until: None if that is all.
    """

    begin: int
    end: int
    until: Until | None = None


Verdict = Found | Undecided


class Judge(Protocol):
    """What tells whether a literal that was found is a leak."""

    @property
    def id(self) -> str:
        """What the leak is reported as."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """What tells like leaks from others; None where it is made of what is found."""
        ...

    def judge(self, data: bytes, start: int, end: int, more: bool, media: str | None) -> Verdict:
        """Say what ``data[start:end]``, the literal, belongs to.

        Args:
            data: what is there of the body; some of it may have been sent.
            start: where the literal begins.
            end: where it ends.
            more: whether more of the body will come.
            media: the media type, if there is one.

        Returns:
            ``MORE`` only while what is there may still become a leak, and never if not ``more``.
        """
        ...


class Detector(Protocol):
    """What finds leaks that have no literal in common."""

    def find(
        self, data: bytes, start: int, more: bool, media: str | None
    ) -> "list[tuple[str, int, int]]":
        """Return each leak that begins at ``start`` or behind it: its id, its begin and its end."""
        ...

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a leak as more follow."""
        ...
