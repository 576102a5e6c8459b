"""Match a secret value forwards from its first character, with each character in any encoding."""

import re
from typing import Final

from mantlet.redact.escapes import LEAD_END, Reader
from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchFound, MatchResult, NoMatchYet
from mantlet.redact.variants import SecretVariant

__all__ = ["ESCAPED_COST", "SecretText", "TextVariant"]

#: One character of a value: the ways to write it, as code points, bytes or surrogates.
Char = tuple[tuple[int, ...], ...]

#: The cost of a candidate whose escapes have to be read, and the lengths of literals that are rare
#: in innocent text; those of shared beginnings are longer.
ESCAPED_COST: Final = 8
_RARE: Final = range(7, 13)
#: How far before a literal the escape of the first character may begin.
_MAX_LEAD: Final = 40
_ENDS_OF_LEADS: Final = frozenset(b"\\&%=;#0xX1234568BbCcDd")

#: The end of a line in a value, with the indentation of the next one.
_LINE_BREAK: Final = re.compile(r"[ \t]{0,16}[\r\n]\s{0,64}")
#: Characters that stand for themselves wherever they are raw. A run of them is compared at once.
_RUN: Final = re.compile(rb"[^\x00-\x1f\x7f-\xff\\%&=\"']+")


class SecretText:
    """A secret value as text, or as bytes that are not text.

    White space around the value is ignored, and a line end matches anything that may be written
    between two lines.

    Args:
        value: the value.

    Attributes:
        value: the value without white space around it.
        chars: its characters.
    """

    __slots__ = ("_plain", "chars", "value")

    def __init__(self, value: bytes) -> None:
        self.value = value.strip(b" \t\r\n") or value
        self.chars: tuple[Char, ...]
        try:
            text = _LINE_BREAK.sub("\n", self.value.decode())
        except UnicodeDecodeError:
            self.chars = tuple(((byte,),) for byte in self.value)
            text = self.value.decode("latin-1")
        else:
            self.chars = tuple(() if char == "\n" else _spellings(char) for char in text)
        #: The characters, with another byte for each one that is not ASCII.
        self._plain = text.encode("ascii", "replace").replace(b"?", b"\xff")

    def end(self, data: bytes, at: int, more: bool) -> int | NoMatchYet:
        """Return where the value ends if it begins at an offset.

        Args:
            data: the data.
            at: the offset.
            more: whether more data follows.
        """
        if data.startswith(self.value, at) and self.value[-1] not in b"\"'%&=\\":
            return at + len(self.value)
        reader = Reader(data)
        chars = self.chars
        places = [at]
        index, last = 0, len(chars) - 1
        starved = False
        while index <= last:
            same = self._run(data, places[0], index) if len(places) == 1 else 0
            if same:
                places, index = [places[0] + same], index + same
                continue
            if index == last:
                starved, reader.starved = reader.starved, False
            places = _after(reader, places, chars[index], is_last=index == last)
            if not places:
                return NEED_MORE if more and (starved or reader.starved) else NO_MATCH
            index += 1
        # The readings of earlier characters that lacked data have proved wrong.
        if more and reader.starved and chars[last] in _OPEN_ENDED:
            return NEED_MORE
        return places[-1]

    def _run(self, data: bytes, at: int, index: int) -> int:
        """Return how many characters, from an index on, stand unescaped in the data."""
        run = _RUN.match(self._plain, index)
        if run is None or data.startswith(run[0], at):
            return len(run[0]) if run else 0
        text, same, other = run[0], 0, min(len(run[0]), len(data) - at + 1)
        while other - same > 1:
            middle = (same + other) // 2
            if data.startswith(text[:middle], at):
                same = middle
            else:
                other = middle
        return same


class TextVariant(SecretVariant):
    """A secret as text.

    Args:
        pattern: the literal.
        text: the secret.
        fingerprint: its fingerprint.
    """

    __slots__ = ("_text", "cost")

    def __init__(self, pattern: bytes, text: SecretText, fingerprint: str | None) -> None:
        super().__init__(pattern, fingerprint)
        self.whole = text.value
        self._text = text
        is_rare = len(pattern) in _RARE and not text.value.startswith(pattern)
        #: How much work a candidate is, as a multiple of a simple one.
        self.cost = ESCAPED_COST if is_rare else 1

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the secret from the literal on, or from the beginning of its first escape."""
        result: MatchResult = NO_MATCH
        for begin in _starts(data, start):
            place = self._text.end(data, begin, more)
            if isinstance(place, int):
                if place >= end:
                    return MatchFound(begin, place)
            elif place is NEED_MORE:
                result = NEED_MORE
        return result


def _starts(data: bytes, start: int) -> tuple[int, ...]:
    """Return the offsets where the escape that a literal is part of may begin, in order."""
    if start == 0 or data[start - 1] not in _ENDS_OF_LEADS:
        return (start,)
    first = max(0, start - _MAX_LEAD)
    lead = LEAD_END.search(data, first, start)
    if lead is None:
        return (start,)
    # The lead may begin with an escape of another character.
    last = max(data.rfind(head, first, start) for head in (b"&", b"%", b"\\", b"="))
    return tuple(dict.fromkeys((lead.start(), last, start)))


def _spellings(char: str) -> Char:
    """Return the ways to write a character: code point, UTF-8, UTF-16."""
    code = ord(char)
    found: dict[tuple[int, ...], None] = {(code,): None}
    if code > 0x7F:
        found[tuple(char.encode(errors="surrogatepass"))] = None
        units = char.encode("utf-16-be", "surrogatepass")
        pairs = zip(units[::2], units[1::2], strict=True)
        found[tuple(high << 8 | low for high, low in pairs)] = None
    return tuple(found)


#: A last character whose raw form may be the beginning of an escape for it.
_OPEN_ENDED: Final = frozenset(_spellings(char) for char in "\"'%&=\\")


def _after(reader: Reader, places: list[int], char: Char, *, is_last: bool) -> list[int]:
    """Return the places after a character."""
    found: set[int] = set()
    for place in places:
        if not char:
            found.update(reader.separators(place))
        for spelling in char:
            ends = {place}
            for unit in spelling:
                ends = {end for start in ends for end in reader.ends(start, unit, is_last=is_last)}
            found |= ends
    return sorted(found)
