"""`KeyRule` and `LabeledRule`: a key by its prefix, and a value by the label beside it."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from mantlet.redact.matches import NO_MATCH, MatchFound, MatchResult
from mantlet.sanitize.rules.incremental_regex import PatternPart, repeat
from mantlet.sanitize.rules.keys.checks import is_documented, is_random, unescape
from mantlet.sanitize.rules.rule import LeakRule

__all__ = ["GAP", "KeyRule", "LabeledRule", "Verify", "base64_text", "may_begin"]

#: Called with the literal and what follows it; returns whether that is a key.
Verify = Callable[[bytes, bytes], bool]

#: Where a key may begin: not within a word, but after an escape (``\n``, ``%3D``, ``\u0026``).
_START: Final = re.compile(
    rb"(?<![A-Za-z0-9_])|(?<=\\[bfnrt])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u00[0-9A-Fa-f]{2})"
)
#: How far a context may stand before a key. The scanner keeps this much of what was sent.
_CONTEXT: Final = 64

_BASE64_CHAR: Final = (
    rb"(?:[A-Za-z0-9+/]|\\{1,4}/|\\{1,4}u00(?:2[bBfF])|%2[bBfF]|&#(?:43|47|x2[bBfF]);)"
)
_PAD_CHAR: Final = rb"(?:=|\\{1,4}u003[dD]|%3[dD]|&#(?:61|x3[dD]);)"
_PART_OF_ESCAPE: Final = (
    rb"(?:\\{1,4}(?:u[0-9A-Fa-f]{0,3})?|%[23]?|&(?:#[0-9x]?[0-9A-Fa-f]{0,2})?)?"
)


def base64_text(least: int, most: int, *, padding: tuple[int, int] = (0, 2)) -> PatternPart:
    """Return a part that matches base64, whose ``+/=`` may be escaped for JSON, HTML or a URL.

    Args:
        least: minimum number of characters without padding.
        most: maximum number of them.
        padding: minimum and maximum number of ``=``.
    """
    return PatternPart(
        b"%s{%d,%d}+%s{%d,%d}+" % (_BASE64_CHAR, least, most, _PAD_CHAR, *padding),
        b"%s{0,%d}+%s{0,%d}+%s" % (_BASE64_CHAR, most, _PAD_CHAR, padding[1], _PART_OF_ESCAPE),
        9 * (most + padding[1]),
    )


#: What may stand between a label and its value: quotes, brackets, ``=``, ``:``, ``=>``, tags.
_BETWEEN: Final = (
    rb"(?:[ \t\"'`=:>,|()\[\]{}\\]|&quot;|&#(?:3[49]|x2[27]);|u00(?:2[27]|3[aAdD])"
    rb"|%(?:2[027]|3[ADad])|</?[a-zA-Z]{1,8}>|\n[ \t])"
)
GAP: Final = PatternPart(
    rb"%s{1,16}+" % _BETWEEN,
    rb"%s{0,16}+(?:[&\\%%<][A-Za-z0-9#/]{0,8})?" % _BETWEEN,
    16 * 10,
)


def may_begin(data: bytes, start: int) -> bool:
    """Return whether a key may begin at an offset: it is not in the middle of a word."""
    return _START.match(data, start) is not None


class KeyRule(LeakRule):
    """A key that begins with a prefix of its provider.

    Args:
        id: the id that it is reported under.
        literals: the prefixes.
        parts: the pattern after the prefix.
        chars: the class of characters that the key consists of, none of which may follow it.
        verify: called with the prefix and the rest of the key; returns whether it is a real one.
        after: matches what must precede the key, in place of the beginning of a word.
        unless: matches what must not precede it: a context in which it is public.
    """

    __slots__ = ("_after", "_unless", "_verify")

    def __init__(
        self,
        id: str,
        literals: Sequence[bytes],
        *parts: PatternPart,
        chars: bytes = b"",
        verify: Verify = is_random,
        after: bytes = b"",
        unless: bytes = b"",
    ) -> None:
        super().__init__(id, literals, *parts, not_followed_by=chars)
        self._verify = verify
        self._after = re.compile(after) if after else _START
        self.begins_word = not after
        self._unless = re.compile(unless + rb"\Z") if unless else None

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where its literal was found."""
        if not self._after.match(data, start):
            return NO_MATCH
        found = super().match(data, start, end, more, media)
        if not isinstance(found, MatchFound):
            return found
        literal, body = data[start:end], unescape(data[end : found.end])
        if not self._verify(literal, body) or is_documented(literal + body):
            return NO_MATCH
        if self._unless is not None and self._unless.search(data[max(0, start - _CONTEXT) : start]):
            return NO_MATCH
        return found


class LabeledRule(LeakRule):
    """A value without a form of its own, which only the label before it tells from other data.

    Only the value is masked.

    Args:
        id: the id that it is reported under.
        literals: the labels, or parts of them.
        value: the pattern of the value.
        rest: the pattern of the rest of the label.
        gap: the pattern of what stands between label and value.
        chars: the class of characters that the value consists of, none of which may follow it.
        verify: called with the label and the value; returns whether that is a secret.
        after: matches what must precede the label.
    """

    __slots__ = ("_after", "_before_value", "_verify")

    def __init__(
        self,
        id: str,
        literals: Sequence[bytes],
        *value: PatternPart,
        rest: PatternPart | None = None,
        gap: PatternPart = GAP,
        chars: bytes = b"",
        verify: Verify = is_random,
        after: bytes = b"",
    ) -> None:
        before = (rest or repeat(rb"A-Za-z_.\-", 0, 24, possessive=True), gap)
        super().__init__(id, literals, *before, *value, not_followed_by=chars)
        self.is_label = True
        self._before_value = re.compile(b"".join(part.whole for part in before))
        self._verify = verify
        self._after = re.compile(after) if after else None

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where its label was found."""
        if self._after is not None and not self._after.match(data, start):
            return NO_MATCH
        found = super().match(data, start, end, more, media)
        before = self._before_value.match(data, end)
        if not isinstance(found, MatchFound) or before is None:
            return found
        value = unescape(data[before.end() : found.end])
        if not self._verify(data[start:end], value) or is_documented(value):
            return NO_MATCH
        return MatchFound(before.end(), found.end)
