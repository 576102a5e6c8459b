"""Estimate how hard a value is to guess, and how unlikely a response contains it by chance.

For text, the estimate is the number of characters that say something new, times the bits of their
alphabet; for other bytes, the entropy of their frequencies (Shannon, 1948).
A character says nothing new in a repetition, in a sequence such as ``abcd``, in a run over the
keyboard, or within one of a few common words. No random value of twelve or more characters of any
alphabet of ten or more is taken for a weak one.
"""

import itertools
import math
import re
from collections import Counter
from typing import Final

__all__ = ["MIN_SECRET_BITS", "MIN_SECRET_BYTES", "weak_reason"]

#: Minimum length of a secret in bytes.
MIN_SECRET_BYTES: Final = 8
#: Minimum strength of a secret in bits.
MIN_SECRET_BITS: Final = 25
#: The number of bytes that are judged: more can only make a value stronger.
_JUDGED: Final = 512
#: Minimum length of a value of letters or digits alone. A shorter one may be a word or a date.
_MIN_PLAIN: Final = 12
_PLAIN: Final = re.compile(rb"[0-9]+|[A-Z]?[a-z]+|[A-Z]+")
_TEXT: Final = re.compile(rb"[\t\n\r -~]+")
#: Alphabets, each with its size; the first that has all characters counts.
_ALPHABETS: Final = (
    (re.compile(rb"[0-9]+"), 10),
    (re.compile(rb"[0-9a-f]+|[0-9A-F]+"), 16),
    (re.compile(rb"[a-z]+|[A-Z]+"), 26),
    (re.compile(rb"[a-z0-9]+|[A-Z0-9]+"), 36),
    (re.compile(rb"[A-Za-z0-9]+"), 62),
    (_TEXT, 95),
)
#: Words of passwords, and the long ones of everyday texts: a shorter word is never strong.
_WORDS: Final = b"""
    accommodation account admin administration administrator administrators advertisement
    announcement applications approximately architecture articulation authentication authorization
    availability certification championship characteristic characteristics circumstances
    collaboration communication communications compatibility comprehensive concentration
    configuration configurations confirmation congratulations consideration construction
    consultation contributions conversation cryptography default demonstration descriptions
    determination development discrimination distribution documentation dragon encyclopedia
    entertainment environmental establishment example experimental football headquarters
    identification iloveyou implementation improvements independence infrastructure installation
    institutional instructions intelligence international interpretation introduction
    investigation jurisdiction laboratories letmein login manufacturer manufacturing master monkey
    multiplication nevertheless notification notifications organization organizations participants
    participation particularly password photographer possibilities presentation princess
    production professional psychological publications qualification qwerty recommendation
    recommendations registration relationship relationships representation representative
    requirements reservations responsibilities responsibility satisfaction secret server shadow
    significantly specification specifications staging straightforward subscription summer
    sunshine superman sustainability system technologies transactions transformation
    transportation troubleshooting undergraduate understanding unfortunately universities
    verification visualization welcome winter
""".split()
#: A common word counts as this many characters.
_WORD_COST: Final = 2
#: The positions on a keyboard: four to a column, so that a row and a column are both steps.
_ROWS: Final = (b"1234567890", b"qwertyuiop", b"asdfghjkl;", b"zxcvbnm,./")
_KEYS: Final = {
    char: 1000 + 4 * column + row
    for row, chars in enumerate(_ROWS)
    for column, char in enumerate(chars)
}


def weak_reason(value: bytes) -> str | None:
    """Return why a value is too weak to search for, without revealing it; None if it is not."""
    if len(value) < MIN_SECRET_BYTES:
        return f"it is shorter than {MIN_SECRET_BYTES} bytes"
    is_plain = len(value) < _MIN_PLAIN and _PLAIN.fullmatch(value)
    if is_plain or _estimate_bits(value[:_JUDGED]) < MIN_SECRET_BITS:
        return "it is a common word, or has too few different characters"
    return None


def _estimate_bits(value: bytes) -> float:
    if not _TEXT.fullmatch(value):
        counts = Counter(value).values()
        return -sum(count * math.log2(count / len(value)) for count in counts)
    lower = value.lower()
    known = _repeated_steps(value) | _repeated_steps([_KEYS.get(char, char) for char in lower])
    for word in _WORDS:
        at = lower.find(word)
        while at >= 0:
            known |= set(range(at + _WORD_COST, at + len(word)))
            at = lower.find(word, at + 1)
    size = next((size for chars, size in _ALPHABETS if chars.fullmatch(value)))
    # Few different characters are a small alphabet, whichever they are from.
    return (len(value) - len(known)) * math.log2(min(size, 2 * len(set(value))))


def _repeated_steps(codes: "bytes | list[int]") -> set[int]:
    """Return the places whose last three steps from a character to the next occurred before."""
    steps = [after - before for before, after in itertools.pairwise(codes)]
    seen: set[tuple[int, int, int]] = set()
    known: set[int] = set()
    for at, last in enumerate(zip(steps, steps[1:], steps[2:], strict=False), 3):
        if last in seen:
            known.add(at)
        seen.add(last)
    return known
