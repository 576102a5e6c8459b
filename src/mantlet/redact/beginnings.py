"""Choose the literals that find where a secret value begins, in any encoding.

Each literal costs time in every search, so they are few; and a literal that innocent text contains
costs time for this text, so they are long. Up to the first character that encoders escape, one
literal finds the value; from there on, each way to escape that character takes one more, however
its escape goes on. A text of which every character is escaped has literals of its own.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from mantlet.redact.secret_text import Char, SecretText

__all__ = ["Beginning", "escaped_beginnings", "hex_beginnings", "raw_beginning", "text_beginnings"]

#: A literal, and whether it may be preceded by the first bytes of an escape that it belongs to.
Beginning = tuple[bytes, bool]


class _Path(NamedTuple):
    """An unfinished literal."""

    path: bytes
    #: How many characters it has.
    size: int
    #: What the escapes in it begin with, if it begins with one.
    head: bytes = b""
    #: Whether it is in UTF-8 (0) or in Latin-1 (1), if it has a character that is not ASCII.
    coding: int | None = None


#: Characters that encoders leave as they are, unless they escape all.
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")
#: A literal of plain characters ends before the next other one if it has this many bytes.
_ENOUGH: Final = 8
#: The longest literal.
_LONGEST: Final = 24
#: The least bytes of a literal that ends within an escape.
_LEAST: Final = 4
#: The index of a literal that is finished.
_DONE: Final = 1 << 30
#: A value that begins with one of these may have a backslash before it.
_AFTER_BACKSLASH: Final = frozenset(b"\"'/\\")
#: In how many letters among hexadecimal digits the case may vary.
_MAX_MIXED: Final = 3
_ENTITIES: Final = {
    ord('"'): b"quot;",
    ord("&"): b"amp;",
    ord("'"): b"apos;",
    ord("<"): b"lt;",
    ord(">"): b"gt;",
}
_LETTERS: Final = {8: b"b", 9: b"t", 10: b"n", 12: b"f", 13: b"r", 34: b'"', 39: b"'", 47: b"/"}


def raw_beginning(text: SecretText) -> bytes:
    """Return the first bytes of the value itself."""
    first = text.value.partition(b"\n")[0].rstrip()
    return (first if len(first) >= _ENOUGH else text.value)[:_LONGEST]


def text_beginnings(text: SecretText) -> Iterator[Beginning]:
    """Yield literals for a value of which some characters are escaped.

    They are complete if encoders escape a character in the same way wherever it is.
    """
    chars = text.chars
    least = _least_index(text)
    paths = [_Path(b"", 0)]
    while paths:
        path, index, head, coding = paths.pop(0)
        while index < len(chars) and _is_plain(chars[index]) and len(path) < _LONGEST:
            path += _raws(chars[index])[0]
            index += 1
        is_long = len(path) >= _ENOUGH and index >= least
        is_rare = head and len(path) >= _LEAST and index > 1
        if index >= len(chars) or not chars[index] or len(path) >= _LONGEST or is_long or is_rare:
            yield path, bool(head) or path[0] in _AFTER_BACKSLASH
        elif not path:
            paths += _first_escapes(chars[0])
        else:
            char = chars[index]
            is_ascii = char[0][0] < 0x80
            if is_ascii or not head:
                for number, raw in enumerate(_raws(char)):
                    if is_ascii or coding in (None, number):
                        chosen = coding if is_ascii else number
                        paths.append(_Path(path + raw, index + 1, head, chosen))
            stems = _next_escapes(path, head, char) if head else _stems(char, path, coding)
            yield from ((path + stem, bool(head)) for stem in dict.fromkeys(stems))


def _least_index(text: SecretText) -> int:
    """Return how many characters a literal must have to be more than the scheme of a URL."""
    at = text.value.find(b"://", 0, _LONGEST - 4)
    return at + 4 if at > 0 and text.chars and all(text.chars[: at + 3]) else 0


def _is_plain(char: Char) -> bool:
    return bool(char) and char[0][0] in _PLAIN


def _raws(char: Char) -> list[bytes]:
    """Return a character as it is in UTF-8 and in Latin-1."""
    return [bytes(units) for units in reversed(char) if max(units) <= 0xFF]


def _first_escapes(char: Char) -> Iterator[_Path]:
    """Yield the first character of a value in each encoding.

    Parts that are repeated in nested encodings are left out at the beginning.
    """
    code = char[0][0]
    for number, raw in enumerate(_raws(char)):
        yield _Path(raw, 1, b"", None if code < 0x80 else number)
    if code == ord('"'):
        yield _Path(b'""', 1)
    escapes = _in_backslashes(char)
    if code != ord("-"):
        escapes += _in_percent(char) + _in_html(code)
    for escape, head in dict.fromkeys(escapes):
        yield _Path(escape, 1, head)
    if code > 0xFFFF:
        # The first surrogate, before the escaped backslash of the second one.
        for digits in _cases(b"%04x" % char[-1][0]):
            yield from (_Path(b"u" + digits + end, _DONE, b"\\") for end in (b"\\\\", b"%", b"&"))


def _in_backslashes(char: Char) -> list[tuple[bytes, bytes]]:
    code = char[0][0]
    found = [b"u" + digits for digits in _unicode_digits(char)]
    if code < 0x20 and code in _LETTERS:
        found.append(_LETTERS[code])
    if code > 0x7E:
        found += [b"x" + pair for raw in _raws(char) for pair in _cases(b"%02x" % raw[0])]
        found += [b"U%08x" % code] if code > 0xFFFF else []
    return [(escape, b"\\") for escape in found]


def _in_percent(char: Char) -> list[tuple[bytes, bytes]]:
    return [
        (escape, b"%")
        for raw in _raws(char)
        for digits in _cases(raw.hex("%").encode())
        for escape in (b"%" + digits, b"25" + digits.replace(b"%", b"%25"))
    ]


def _in_html(code: int) -> list[tuple[bytes, bytes]]:
    found = [b"#%d;" % code, *(b"#x" + digits + b";" for digits in _cases(b"%x" % code))]
    found += [_ENTITIES[code]] if code in _ENTITIES else []
    escapes = [(escape, b"&") for escape in found]
    if code > 0x7E or code in _ENTITIES:
        # Escaped for a URL after that.
        escapes += [
            (one.replace(b"#", b"%23").replace(b";", b"%3B"), b"%26")
            for one in dict.fromkeys(found)
        ]
    return escapes


def _unicode_digits(char: Char) -> Iterator[bytes]:
    """Yield the four digits of a character in JSON; the second surrogate follows the first."""
    code = char[0][0]
    if code <= 0xFFFF:
        return _cases(b"%04x" % code)
    high, low = (b"%04x" % unit for unit in char[-1])
    return _cases(high + b"\\u" + low)


def _next_escapes(path: bytes, head: bytes, char: Char) -> Iterator[bytes]:
    """Yield the first bytes of a character after one that was escaped."""
    if head in (b"&", b"%26"):
        yield from [head] if char[0][0] > 0x7E else (b"&", b"%", b"\\")
    elif head == b"%":
        level = b"%25" if path[:2] == b"25" else b"%"
        if char[0][0] < 0x80:
            yield level
        else:
            firsts = (pair for raw in _raws(char) for pair in _cases(b"%02x" % raw[0]))
            # Or of an escape that is escaped again.
            yield from (level + pair for pair in (*firsts, b"26", b"5C", b"5c"))
    elif char[0][0] < 0x80:
        yield from (b"\\", b"%", b"&")
    else:
        yield from (b"\\u" + digits for digits in _unicode_digits(char))
        yield from (b"\\x", b"\\\\", b"%", b"&")


def _stems(char: Char, path: bytes, coding: int | None) -> Iterator[bytes]:
    """Yield the first bytes of the encodings of a character, fewer after more plain ones.

    After a character that is not ASCII and stands there as it is, others do so too.
    """
    code = char[0][0]
    size = max(1, _LEAST - len(path))
    if code == ord("-"):
        yield b"\\u"[:size]
        return
    if code > 0x7E and coding is not None:
        if not chr(code).isprintable():
            yield b"\\"
        return
    escapes = [b"\\u00", b"\\\\", b"%25", b"&#", b"&a"]
    if code > 0x7E or code in b"\"'\\/<>&":
        escapes += [b"%5C", b"%5c", b"%26"]  # of an escape that is escaped again
    escapes += [b"\\" + _LETTERS[code]] if code in _LETTERS else []
    escapes += [b"%" + pair for raw in _raws(char) for pair in _cases(b"%02x" % raw[0])]
    escapes += [b"&" + _ENTITIES[code]] if code in _ENTITIES else []
    escapes += [b"\\x", b"\\u", b"\\U"] if code > 0x7E else []
    escapes += [b"+"] if code == ord(" ") else []
    yield from (escape[:size] for escape in escapes)
    if code == ord('"'):
        yield b'""'


def _cases(digits: bytes) -> Iterator[bytes]:
    """Yield hexadecimal digits in lower and in upper case."""
    yield from dict.fromkeys((digits, digits.upper().replace(b"U", b"u")))


def escaped_beginnings(text: SecretText) -> Iterator[Beginning]:
    """Yield literals for a value of which each character is escaped, in the same way.

    They have two characters where they can, so that input repeats them only if it knows these.
    """
    if len(text.chars) < 2 or not all(text.chars[:2]):
        return
    first, second = text.chars[:2]
    code = first[0][0]
    for case in (bytes.lower, bytes.upper):
        units = [case(b"%04x" % unit) for char in (first, second) for unit in _utf16(char)][:2]
        found = [b"\\u" + b"\\u".join(units), b"u" + units[0] + b"\\\\"]
        for raw in _both_raws(first, second):
            pairs = [case(b"%02x" % byte) for byte in raw[:2]]
            found += [b"\\x" + b"\\x".join(pairs), b"x" + pairs[0] + b"\\\\"]
            found += [b"%" + b"%".join(pairs), b"25" + b"%25".join(pairs)]
        digits = case(b"%x" % code)
        # One zero stands for any number of them.
        found += [b"#%d;" % code, b"0%d;" % code, b"x" + digits + b";", b"0" + digits + b";"]
        yield from ((one, True) for one in found)


def _utf16(char: Char) -> tuple[int, ...]:
    return char[-1] if char[0][0] > 0xFFFF else char[0]


def _both_raws(first: Char, second: Char) -> list[bytes]:
    """Return two characters as they are in UTF-8 and in Latin-1."""
    raws = _raws(first), _raws(second)
    found = [raws[0][0] + raws[1][0]]
    if all(char[0][0] <= 0xFF for char in (first, second)):
        found.append(raws[0][-1] + raws[1][-1])
    return found


def hex_beginnings(beginning: bytes) -> Iterator[bytes]:
    """Yield literals for the hexadecimal digits of a value, with and without separators."""
    digits = beginning[:4].hex()
    for size in (8, 6):
        if sum(map(str.isalpha, digits[:size])) <= 2 or size == 6:
            digits = digits[:size]
            break
    letters = sum(map(str.isalpha, digits))
    if letters <= _MAX_MIXED:
        for cased in product(*({digit, digit.upper()} for digit in digits)):
            yield "".join(cased).encode()
    for case in (str.lower, str.upper) if letters else (str.lower,):
        pairs = [case(f"{byte:02x}").encode() for byte in beginning[:3]]
        if letters > _MAX_MIXED:
            yield b"".join(pairs)
        yield from (separator.join(pairs) for separator in (b":", b"-", b" "))
        yield b"0x" + pairs[0] + b","
