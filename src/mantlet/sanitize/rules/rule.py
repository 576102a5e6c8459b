"""`LeakRule` and `PatternDetector`: the two ways to describe a leak."""

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchEnd, MatchFound, MatchResult
from mantlet.sanitize.rules.incremental_regex import IncrementalPattern, PatternPart

__all__ = [
    "NUMBER_END",
    "NUMBER_START",
    "WORD_CHARS",
    "Extent",
    "Label",
    "LeakPattern",
    "LeakRule",
    "PatternDetector",
    "digits_of",
    "is_random",
    "luhn",
    "to_end_of_body",
    "to_end_of_text",
]

#: Returns the end of an open-ended leak, from the matched bytes and the media type of the body.
Extent = Callable[[bytes, str | None], MatchEnd | None]

#: The id of a leak, its expression, a check of a match, and its shapes.
LeakPattern = tuple[str, bytes, Callable[[re.Match[bytes]], bool], *tuple[str, ...]]

#: Characters that neither precede nor follow a number.
WORD_CHARS: Final = rb"0-9A-Za-z_"
NUMBER_START: Final = rb"(?<![%s.\-])" % WORD_CHARS
NUMBER_END: Final = rb"(?![%s]|[.\-][0-9])" % WORD_CHARS

#: A match in a page, and not in data or in a text: nothing but a document's own markup precedes
#: it. What a user has written stands in an element of the body.
_PAGE: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+(?:<(?:!doctype|!--|/?(?:html|head|meta|link|title|style|script|base)\b)"
    rb"(?:[^<>\"']|\"[^\"]*+\"|'[^']*+')*+>[^<]*+)*+"
    rb"(?:<meta\b[^<>]*+)?+",
    re.IGNORECASE,
)
#: An escape that ends in what could be part of a word.
_ESCAPE: Final = re.compile(rb"(?:\\(?:u[0-9A-Fa-f]{4}|[nrtbfv])|%[0-9A-Fa-f]{2})\Z")
_END_OF_BODY: Final = MatchEnd(None, 1, _PAGE)
_END_OF_TEXT: Final = MatchEnd(None, 1)
#: Minimum entropy of random text, in bits per character.
_MIN_ENTROPY: Final = 2.8
_LETTERS: Final = re.compile(rb"[a-z+]+")
_OPERATORS: Final = re.compile(rb"\\b|.\?")
#: How many bytes before a number are searched for a label.
_LABEL_REACH: Final = 40


def to_end_of_body(matched: bytes, _media: str | None) -> MatchEnd:
    """Extend a leak to the end of the body, as for a page.

    The match has to have a tag, in the head of a page; in the body of one, in JSON and in
    other texts the leak ends as with `to_end_of_text()`.
    """
    return _END_OF_BODY if b"<" in matched else _END_OF_TEXT


def to_end_of_text(_matched: bytes, _media: str | None) -> MatchEnd:
    """Extend a leak to the end of the string, element or paragraph that contains it.

    The match ends there too, if the pattern has gone beyond it.
    """
    return _END_OF_TEXT


class LeakRule:
    """A leak that begins with a literal.

    Args:
        id: the id that it is reported under.
        literals: alternatives, one of which begins every match.
        parts: the pattern after the literal.
        not_preceded_by: a class of characters that must not precede the literal.
        not_followed_by: a class of characters that must not follow the match.
        check: called with the matched bytes; returns whether they are a leak.
        extent: returns how far the leak extends after the match; None if it does not.
        crosses: whether the match goes on over the ends of strings and elements, as one of several
            lines that are items of a JSON array. What separates them is kept. An extent with an
            end of its own does so too.
    """

    __slots__ = (
        "_check",
        "_crosses",
        "_extent",
        "_pattern",
        "_preceding",
        "begins_word",
        "cost",
        "id",
        "is_label",
        "literals",
    )

    fingerprint: Final = None

    def __init__(
        self,
        id: str,
        literals: Sequence[bytes],
        *parts: PatternPart,
        not_preceded_by: bytes = b"",
        not_followed_by: bytes = b"",
        check: Callable[[bytes], bool] | None = None,
        extent: Extent | None = None,
        crosses: bool = False,
    ) -> None:
        self.id = id
        self._crosses = crosses
        #: How much work a candidate is, as a multiple of a simple one.
        self.cost = 1 + sum(part.size for part in parts) // 100
        self.literals = tuple(literals)
        self._pattern = None
        if parts or not_followed_by:
            self._pattern = IncrementalPattern(parts, not_followed_by=not_followed_by)
        self._preceding = re.compile(b"(?<![%s])" % not_preceded_by) if not_preceded_by else None
        #: Whether the literal is of no use after a letter, a digit or an underscore.
        self.begins_word = not_preceded_by.startswith(rb"A-Za-z0-9_")
        #: Whether the literal itself is not masked.
        self.is_label = False
        self._check = check
        self._extent = extent

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where its literal was found."""
        if self._preceding is not None and not (
            self._preceding.match(data, start) or _ESCAPE.search(data, max(0, start - 6), start)
        ):
            return NO_MATCH
        stop = end
        if self._pattern is not None:
            found = self._pattern.match(data, end)
            if found is None:
                return NEED_MORE if more and self._pattern.may_match(data, end) else NO_MATCH
            stop = found.end()
            if more and stop == len(data):
                return NEED_MORE  # the match may become longer, or fail
        matched = data[start:stop]
        if self._check is not None and not self._check(matched):
            return NO_MATCH
        until = self._extent and self._extent(matched, media)
        return MatchFound(start, stop, until, self._crosses)

    def __repr__(self) -> str:
        return f"LeakRule({self.id!r})"


#: Finds something in data.
Search = Callable[[bytes], "re.Match[bytes] | None"]
_Compiled = tuple[str, re.Pattern[bytes], Callable[[re.Match[bytes]], bool]]


class PatternDetector:
    """Leaks that have no literal in common: found by regular expressions, confirmed by checks.

    Args:
        patterns: for each leak its id, its expression, a check of a match, and the names of the
            shapes that it may have; none if ``shapes`` is None.
        tail: matches data, at the end of the body so far, that may still become a match.
        reach: maximum length of that data in bytes.
        shapes: an expression that matches wherever one of the patterns may, and whose last group
            names the shape. So the data is read once for all of them.

    Attributes:
        mark: a byte that each of these leaks has, or None.
    """

    mark: int | None = None

    def __init__(
        self,
        patterns: Iterable[LeakPattern],
        tail: bytes,
        reach: int,
        shapes: bytes | None = None,
    ) -> None:
        self._sources = tuple(patterns)
        self._patterns = [(id, re.compile(form), check) for id, form, check, *_ in self._sources]
        self._shapes = None if shapes is None else re.compile(shapes)
        self._by_shape: dict[str | None, list[_Compiled]] = {}
        for source, compiled in zip(self._sources, self._patterns, strict=True):
            for name in source[3:]:
                self._by_shape.setdefault(name, []).append(compiled)
        #: For the shapes that only count with a label, a search for what every label has.
        self._labels: dict[str | None, Search] = {}
        for shape, found in self._by_shape.items():
            labels = [check for _, _, check in found if isinstance(check, Label)]
            if len(labels) == len(found):
                self._labels[shape] = any_of(chain.from_iterable(one.letters for one in labels))
        self._tail = tail
        self._end = re.compile(tail + rb"\Z")
        self._reach = reach

    @property
    def ids(self) -> frozenset[str]:
        """The ids that leaks are reported under."""
        return frozenset(source[0] for source in self._sources)

    def without(self, ids: Collection[str]) -> "PatternDetector":
        """Return a detector without some of the leaks."""
        kept = [source for source in self._sources if source[0] not in ids]
        shapes = None if self._shapes is None else self._shapes.pattern
        return type(self)(kept, self._tail, self._reach, shapes)

    def find(
        self, data: bytes, start: int, more: bool, media: str | None
    ) -> list[tuple[str, int, int]]:
        """Return the leaks that begin at or after ``start``, each as its id, start and end."""
        size = len(data)
        found = [one for one in self._matches(data, start) if not (more and one[2] == size)]
        return sorted(found, key=_start)

    def _matches(self, data: bytes, start: int) -> Iterator[tuple[str, int, int]]:
        if self._shapes is not None:
            yield from self._shaped(self._shapes, data, start)
            return
        for id, pattern, check in self._patterns:
            for match in pattern.finditer(data, start):
                if check(match):
                    yield id, match.start(), match.end()

    def _shaped(
        self, shapes: re.Pattern[bytes], data: bytes, start: int
    ) -> Iterator[tuple[str, int, int]]:
        by_shape, labels = self._by_shape, self._labels
        for place in shapes.finditer(data, start):
            shape, at = place.lastgroup, place.start()
            if shape in labels and not labels[shape](before_label(data, at)):
                continue
            for id, pattern, check in by_shape.get(shape, ()):
                found = pattern.match(data, at)
                if found is not None and check(found):
                    yield id, at, found.end()

    def hits(self, data: bytes, start: int) -> bool:
        """Return whether a leak begins at or after ``start``."""
        return any(True for _ in self._matches(data, start))

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a leak when more follow."""
        match = self._end.search(data, max(0, len(data) - self._reach))
        return len(data) - match.start() if match else 0


def _start(found: tuple[str, int, int]) -> int:
    return found[1]


def is_random(matched: bytes) -> bool:
    """Return whether a key looks random, and not like an example or a placeholder."""
    key = matched.rpartition(b"_" if b"_" in matched[:12] else b"-")[2] or matched
    key = key if len(key) >= 12 else matched
    if b"EXAMPLE" in matched or b"xxxx" in matched.lower():
        return False
    counts = Counter(key).values()
    bits = -sum(count / len(key) * math.log2(count / len(key)) for count in counts)
    return bits >= _MIN_ENTROPY


class Label:
    """Checks whether a match follows a label, such as ``"cardNumber": "``.

    Args:
        words: an expression for the words of a label, in lower case. One of them must be within the
            40 bytes before the match, with only letters, punctuation and spaces between them. Each
            alternative contains letters in a row that are not part of an operator.
        check: called for a match with a label; returns whether it is a leak.

    Attributes:
        letters: every label in lower case contains at least one of these texts.
    """

    __slots__ = ("_check", "_expression", "_may_be_in", "letters")

    def __init__(
        self, words: bytes, check: Callable[[re.Match[bytes]], bool] | None = None
    ) -> None:
        self._expression = re.compile(rb"(?:%s)[^0-9\r\n]{0,24}\Z" % words)
        self._check = check
        plain = [_LETTERS.findall(_OPERATORS.sub(b" ", one)) for one in words.split(b"|")]
        self.letters = frozenset(max(found, key=len) for found in plain)
        self._may_be_in = any_of(self.letters)

    def __call__(self, match: re.Match[bytes]) -> bool:
        """Return whether the match follows a label, and is a leak."""
        before = before_label(match.string, match.start())
        if not self._may_be_in(before) or self._expression.search(before) is None:
            return False
        return self._check is None or self._check(match)


def any_of(texts: Iterable[bytes]) -> Search:
    """Return a search for any of some texts."""
    return re.compile(b"|".join(map(re.escape, sorted(texts)))).search


def before_label(data: bytes, at: int) -> bytes:
    """Return the bytes before a number that may contain its label, in lower case."""
    return data[max(0, at - _LABEL_REACH) : at].lower()


#: The values of digits, all other bytes, and the sum of the digits of twice a value.
_VALUES: Final = bytes(byte - 48 if 48 <= byte <= 57 else 0 for byte in range(256))
_OTHERS: Final = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
_DOUBLED: Final = bytes(sum(divmod(2 * value, 10)) if value < 10 else 0 for value in range(256))


def digits_of(matched: bytes) -> bytes:
    """Return the values of the digits in the matched bytes."""
    return matched.translate(_VALUES, _OTHERS)


def luhn(digits: bytes) -> bool:
    """Return whether the last digit is the Luhn check digit (ISO/IEC 7812-1, annex B)."""
    return (sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED))) % 10 == 0
