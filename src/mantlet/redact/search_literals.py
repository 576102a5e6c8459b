"""Choose the literals that find where a secret value begins, in any encoding.

The first characters of the value are encoded, by stacks of up to three encoders, so that the value
is found whatever they are. A literal begins after the lead of its first escape, such as backslashes
or ``&amp;``, so that it does not matter how often the escape was escaped itself. Text whose
characters are all escaped has literals of its own.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from itertools import product
from typing import Final, NamedTuple
from urllib.parse import quote_from_bytes

from mantlet.redact.encoders import encode_again, encode_commonly, encode_first
from mantlet.redact.escapes import LEAD

__all__ = ["encoded_once", "hex_beginnings", "text_beginnings"]

#: How many of the first characters are encoded: the first number with few enough encodings.
_CHARS: Final = (8, 6, 5, 4, 3)
#: The number of encodings by two encoders that counts as few, and up to which all encoders encode
#: them once more.
_MAX_ENCODED: Final = 300
_MAX_AGAIN: Final = 300
#: If there are more literals than ``_MANY``, those that share their beginning with at least
#: ``_CROWD`` others are cut, to the first length that makes them few enough.
_MANY: Final = 70
_CROWD: Final = 3
_LENGTHS: Final = (12, 10, 8, 7, 6, 5)
_LENGTHS_OF_SHARED: Final = (64, 40, 32, 24, 16, 12)
#: The longest literal, in bytes.
_LONGEST: Final = 64
#: A beginning that many values share: a scheme, the prefix of a key, the first line of a PEM file.
_SHARED: Final = re.compile(
    r"[a-z][a-z0-9+.-]{1,15}://|[a-z]{2,12}[_-](?:[a-z]{2,8}[_-])?|-----BEGIN [A-Z ]{1,30}-----"
)
#: How many characters of a literal follow such a beginning.
_AFTER_SHARED: Final = 4
#: After some characters that are never escaped, the first bytes of an escape of any depth suffice.
_PLAIN_FIRST: Final = re.compile(rb"[A-Za-z0-9]{4,}[\\%&=].", re.DOTALL)
#: The longest literal of text whose characters are all escaped. Later digits may have more zeros
#: before them.
_WHOLE_LENGTH: Final = 7
#: Maximum number of letters among hexadecimal digits that are searched in both cases.
_MAX_MIXED: Final = 3


class _Whole(NamedTuple):
    """An encoder that escapes every character."""

    coding: str
    #: The size of a code unit in this coding.
    size: int
    mark: str
    digits: str
    end: str

    def write(self, text: str, case: Callable[[str], str]) -> str:
        """Return the first two code units of a text, with their digits in a case."""
        data = text.encode(self.coding, errors="surrogatepass")[: 2 * self.size]
        return "".join(
            self.mark
            + case(format(int.from_bytes(data[at : at + self.size]), self.digits))
            + self.end
            for at in range(0, len(data), self.size)
        )


_WHOLE: Final = (
    _Whole("utf-16-be", 2, "\\u", "04x", ""),
    _Whole("utf-8", 1, "\\x", "02x", ""),
    _Whole("utf-8", 1, "%", "02x", ""),
    _Whole("utf-32-be", 4, "&#", "d", ";"),
    _Whole("utf-32-be", 4, "&#x", "x", ";"),
)


def text_beginnings(value: bytes) -> set[bytes]:
    """Return the literals for a value in stacks of encodings that escape some or all characters.

    Args:
        value: text as UTF-8, or any bytes.
    """
    text, known = _text(value)
    shared = _SHARED.match(text)
    if shared:
        texts = _in_stacks(text, (shared.end() + _AFTER_SHARED,))
    else:
        texts = _in_stacks(text, _CHARS)
    return _literals(texts, known, is_shared=shared is not None).union(_whole(text))


def _text(value: bytes) -> tuple[str, set[bytes]]:
    """Return the beginning of a value as text, and its encodings if the value is not text."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        data = value[: _CHARS[0]]
        shown = quote_from_bytes(data), quote_from_bytes(data).lower(), repr(data)[2:-1]
        return value.decode("latin-1"), {one.encode() for one in encode_again(shown)}
    first, _, rest = text.partition("\n")
    # A line end has many encodings, so it is used only if the first line is short.
    return (first.rstrip() if len(first) >= _LENGTHS[-1] else f"{first}\n{rest}"), set()


def _in_stacks(text: str, sizes: Iterable[int]) -> set[str]:
    """Return the encodings of the first characters, by stacks of encoders."""
    found: set[str] = set()
    for size in sizes:
        found = encode_again(encode_again([text[:size]]))
        if len(found) <= _MAX_ENCODED:
            break
    if len(found) <= _MAX_AGAIN:
        found = encode_again(found)
    else:
        found = found.union(*map(encode_commonly, found))
    return found.union(encode_again(encode_first(text[:size])))


def encoded_once(value: bytes) -> Iterator[bytes]:
    """Yield the first bytes of a value as each encoder writes them, the value's own first."""
    first = value[:_LONGEST]
    yield first
    with suppress(UnicodeDecodeError):
        text = value.decode()[: _CHARS[0]]
        known = text.encode()
        for one in sorted(encode_commonly(text)):
            shown = one.encode(errors="surrogatepass")
            if shown != known:
                yield shown


def _literals(texts: Iterable[str], known: set[bytes], *, is_shared: bool) -> set[bytes]:
    """Return the beginnings of encoded texts, shorter ones if there are too many."""
    whole = set(map(_without_lead, known))
    for text in texts:
        whole.add(_without_lead(text.encode(errors="surrogatepass")))
        with suppress(UnicodeEncodeError):
            whole.add(_without_lead(text.encode("latin-1")))
    lengths = _LENGTHS_OF_SHARED if is_shared else _LENGTHS
    found = {_cut(one, lengths[0], is_shared=is_shared) for one in whole}
    for length in lengths[1:]:
        if len(found) <= _MANY:
            break
        counts = Counter(one[:length] for one in found)
        found = {one[:length] if counts[one[:length]] > _CROWD else one for one in found}
    return _without_longer(found)


def _cut(text: bytes, length: int, *, is_shared: bool) -> bytes:
    plain = None if is_shared else _PLAIN_FIRST.match(text)
    return plain[0] if plain else text[:length]


def _without_lead(text: bytes) -> bytes:
    """Return an encoded text without the part of its first escape that may be repeated."""
    lead = LEAD.match(text)
    rest = text[lead.end() :] if lead else text
    return rest if len(rest) >= _LENGTHS[-1] else text


def _without_longer(literals: Collection[bytes]) -> set[bytes]:
    """Return the literals that do not begin with another one."""
    return {
        one for one in literals if not any(one[:size] in literals for size in range(1, len(one)))
    }


def _whole(text: str) -> Iterator[bytes]:
    """Yield literals for a text of which each character is escaped, in the same way."""
    pairs = {pair[:2] for pair in encode_commonly(text[:2])}
    for form in _WHOLE:
        for case in (str.lower, str.upper):
            for nested in encode_commonly(form.write(text[:2], case)):
                yield _bare(nested)[:_WHOLE_LENGTH]
            yield from (_bare(form.write(pair, case)) for pair in pairs)
            if form.end:
                yield _bare(form.write(text[:1], case) + form.mark + "0")


def _bare(text: str) -> bytes:
    return _without_lead(text.encode(errors="surrogatepass"))


def hex_beginnings(beginning: bytes, *, is_raw: bool) -> Iterator[bytes]:
    """Yield literals for the hexadecimal digits of a value, with and without separators.

    Args:
        beginning: the first bytes of the value, or of the encoded value.
        is_raw: whether they are those of the value itself, whose digits may have either case, and
            separators.
    """
    if not is_raw:
        yield from (case(beginning[:6].hex()).encode() for case in (str.lower, str.upper))
        return
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
