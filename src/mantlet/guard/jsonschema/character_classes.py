"""Character classes of regular expressions as ranges of code points, and how the engine reads them.

Sources: ECMA-262, 2024, 22.2.2.9 (CharacterClassEscape); POSIX.1-2017, 9.3.5.
"""

from typing import Final

__all__ = [
    "ANY_CHARACTER",
    "CLASSES",
    "JAVA",
    "LAST",
    "LINE_ENDS",
    "NO_CHARACTER",
    "POSIX",
    "SURROGATES",
    "Ranges",
    "complement",
    "write_character",
    "write_class",
    "write_item",
]

#: The last code point.
LAST: Final = 0x10FFFF

#: Inclusive ranges of code points.
Ranges = tuple[tuple[int, int], ...]

_DIGITS: Final[Ranges] = ((0x30, 0x39),)
_WORD: Final[Ranges] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
#: 22.2.2.9: WhiteSpace and LineTerminator.
_SPACE: Final[Ranges] = (
    (0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
LINE_ENDS: Final[Ranges] = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
#: The first and the last surrogate.
SURROGATES: Final = (0xD800, 0xDFFF)


def complement(ranges: Ranges) -> Ranges:
    """Return the ranges of all other code points."""
    starts = [0, *(last + 1 for _, last in ranges)]
    ends = [*(first - 1 for first, _ in ranges), LAST]
    return tuple((start, end) for start, end in zip(starts, ends, strict=True) if start <= end)


CLASSES: Final = {
    "d": _DIGITS,
    "D": complement(_DIGITS),
    "w": _WORD,
    "W": complement(_WORD),
    "s": _SPACE,
    "S": complement(_SPACE),
}
_ALPHA: Final[Ranges] = ((0x41, 0x5A), (0x61, 0x7A))
#: The ASCII classes of POSIX.
POSIX: Final = {
    "alnum": (*_DIGITS, *_ALPHA),
    "alpha": _ALPHA,
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": _DIGITS,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "xdigit": (*_DIGITS, (0x41, 0x46), (0x61, 0x66)),
}
#: The POSIX classes that are properties in Java, by names that Unicode does not have.
JAVA: Final = frozenset(
    ("Alnum", "Blank", "Cntrl", "Digit", "Graph", "Print", "Punct", "Space", "XDigit")
)
#: A class of all characters, and one that no character is in.
ANY_CHARACTER: Final = r"[\x{0}-\x{10ffff}]"
NO_CHARACTER: Final = r"[^\x{0}-\x{10ffff}]"


def write_character(code: int) -> str:
    """Write a character outside of a class."""
    if SURROGATES[0] <= code <= SURROGATES[1]:
        return NO_CHARACTER
    character = chr(code)
    if character.isascii() and (character.isalnum() or character in "_-/"):
        return character
    return f"\\x{{{code:x}}}"


def write_item(item: int | str | Ranges) -> str:
    """Write an item of a class, without surrogates, which no valid text has."""
    if isinstance(item, str):
        return item
    ranges = ((item, item),) if isinstance(item, int) else item
    written = []
    for start, end in ranges:
        for first, last in (
            (start, min(end, SURROGATES[0] - 1)),
            (max(start, SURROGATES[1] + 1), end),
        ):
            if first == last:
                written.append(f"\\x{{{first:x}}}")
            elif first < last:
                written.append(f"\\x{{{first:x}}}-\\x{{{last:x}}}")
    return "".join(written)


def write_class(ranges: Ranges) -> str:
    """Write a class."""
    return f"[{write_item(ranges)}]"
