"""Find numbers that were chosen to have the same hash, so that a set takes quadratic time.

Python reduces numbers modulo 2^61-1 (the documentation of the standard types, "Hashing of numeric
types"), ints, floats and decimals alike; a UUID has the hash of its number.
Numbers of less than 61 bits are their own hashes. Larger ones practically never collide by chance.
jsonschema-rs hashes the double that is closest to an integer.
"""

import re
import sys
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from math import inf
from typing import Any, Final

__all__ = ["collides", "share_doubles"]

_MODULUS: Final = sys.hash_info.modulus
#: How many numbers of a value may have the hash of another one.
_MAX_COLLISIONS: Final = 16
#: How many integers of a value may have the same closest double.
_MAX_SHARED: Final = 40
#: Integers that doubles hold exactly.
_EXACT: Final = 2**53
#: The shortest text of a number that may be larger than the modulus by its digits.
_SHORTEST: Final = 15
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{32}")
_UUID_MARKS: Final = str.maketrans("", "", "{}-")
#: Longer texts are no numbers of any model: `int()` and the guard's decimals take fewer digits.
_LONGEST: Final = 5_000


# Any: a value of JSON.
def collides(value: Any) -> bool:
    """Return whether a value contains more than a few different numbers of the same hash.

    Texts count as the numbers that they may be read as, and names of members too.
    """
    seen: dict[int, Any] = {}
    left = _MAX_COLLISIONS
    for number in _candidates(value):
        if seen.setdefault(hash(number), number) != number:
            left -= 1
            if left < 0:
                return True
    return False


def _candidates(value: Any, least: int = _MODULUS) -> Iterator[Any]:
    """Yield the fractions in a value, and the numbers that are not smaller than the least."""
    later = [[value]]
    while later:
        for one in later.pop():
            kind = one.__class__
            if kind is int or kind is float:
                if not -least < one < least or one % 1:
                    yield one
            elif kind is str:
                if _SHORTEST <= len(one) <= _LONGEST:
                    yield from _numbers(one)
            elif kind is list:
                later.append(one)
            elif kind is dict:
                later += [list(one), list(one.values())]


# Any: a value of JSON.
def share_doubles(value: Any) -> bool:
    """Return whether a value contains more than a few different integers with the same double."""
    # Sorted, since a set of them takes quadratic time too.
    integers = sorted(one for one in _candidates(value, _EXACT) if one.__class__ is int)
    count = 0
    for smaller, larger in pairwise(integers):
        if smaller != larger:
            count = count + 1 if _double(smaller) == _double(larger) else 0
            if count > _MAX_SHARED:
                return True
    return False


def _double(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return inf


def _numbers(text: str) -> Iterator[Any]:
    """Yield the numbers that a text may be read as: a decimal, and the bits of a UUID."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        pass
    else:
        if number.is_finite():
            yield number
    digits = text.lower().removeprefix("urn:uuid:").translate(_UUID_MARKS)
    if _HEXADECIMAL.fullmatch(digits):
        yield int(digits, 16)
