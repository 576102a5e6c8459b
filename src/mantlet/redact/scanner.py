"""`Scanner`: search by literals with matchers, and by detectors."""

from collections.abc import Iterable, Sequence
from typing import Final

from mantlet.redact.literal_search import LiteralSearch
from mantlet.redact.matches import Detector, Matcher

__all__ = ["MAX_LITERAL", "Scanner"]

#: Maximum length of a literal, in bytes. Longer ones are represented by their beginning.
MAX_LITERAL: Final = 64


class Scanner:
    """A compiled set of literals and detectors. Immutable; may be shared by threads.

    Args:
        matchers: the literals, each with the matcher that decides about its occurrences.
        detectors: finders of leaks that have no literal.
    """

    __slots__ = ("detectors", "literals", "matchers")

    def __init__(
        self, matchers: Iterable[tuple[bytes, Matcher]], detectors: Sequence[Detector] = ()
    ) -> None:
        pairs = [(literal[:MAX_LITERAL], matcher) for literal, matcher in matchers]
        anywhere = {
            literal for literal, matcher in pairs if not getattr(matcher, "begins_word", False)
        }
        words = {literal for literal, _ in pairs} - anywhere
        shown = {literal for literal, matcher in pairs if not getattr(matcher, "is_label", False)}
        labels = {literal for literal, _ in pairs} - shown
        self.literals = LiteralSearch((literal for literal, _ in pairs), words, labels)
        self.matchers = tuple(matcher for _, matcher in pairs)
        self.detectors = tuple(detectors)

    def is_clean(self, data: bytes, media: str | None = None, before: bytes = b"") -> bool:
        """Return whether the data contains no literal and no detectable leak.

        Data that is not clean may still turn out to be harmless on a closer look.

        Args:
            data: the data.
            media: its media type, if known.
            before: what precedes it, for detectors that look at labels.
        """
        if self.literals.hits(data):
            return False
        if before:
            data = before + data
        for detector in self.detectors:
            mark = detector.mark
            if (mark is None or mark in data) and detector.hits(data, len(before)):
                return False
        return True

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a leak when more follow."""
        tail = self.literals.tail(data)
        for detector in self.detectors:
            tail = max(tail, detector.tail(data))
        return tail
