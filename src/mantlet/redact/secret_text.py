"""Match the characters of a secret value, each in any encoding, forwards from its first one."""

import re
from functools import cached_property
from typing import Final

from mantlet.redact.escapes import Reader
from mantlet.redact.glance import LEAD, Char, compile_glance
from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchFound, MatchResult, NoMatchYet
from mantlet.redact.variants import SecretVariant

__all__ = ["Char", "SecretText", "TextVariant"]

#: How far before a literal the escape of the first character may begin.
_MAX_LEAD: Final = 40
_ENDS_OF_LEADS: Final = frozenset(b"\\&%;#0xX23568BbCc")

#: The end of a line in a value, with the indentation of the next one.
_LINE_BREAK: Final = re.compile(r"[ \t]{0,16}[\r\n]\s{0,64}")
#: Characters that hardly any encoder escapes: a run of them is compared at once.
_RUN: Final = re.compile(r"[A-Za-z0-9_.~-]+", re.ASCII)


class SecretText:
    """A secret value as text, or as bytes that are no text.

    White space around the value is not part of it, and the end of a line stands for any text that
    may be written between two lines.

    Args:
        value: the value.

    Attributes:
        value: the value without white space around it.
        chars: its characters.
    """

    __slots__ = ("__dict__", "_runs", "chars", "value")

    def __init__(self, value: bytes) -> None:
        self.value = value.strip(b" \t\r\n") or value
        self.chars: tuple[Char, ...]
        #: The run of plain characters that begins at a character, with the index of its end.
        self._runs: dict[int, tuple[bytes, int]] = {}
        try:
            text = _LINE_BREAK.sub("\n", self.value.decode())
        except UnicodeDecodeError:
            self.chars = tuple(((byte,),) for byte in self.value)
        else:
            self.chars = tuple(() if char == "\n" else _spellings(char) for char in text)
            for run in _RUN.finditer(text):
                self._runs[run.start()] = run[0].encode(), run.end()

    @cached_property
    def glance(self) -> re.Pattern[bytes]:
        """The expression that finds out quickly whether the value may begin somewhere."""
        return compile_glance(self.chars)

    def end(self, data: bytes, at: int, more: bool) -> int | NoMatchYet:
        """Return where the value ends if it begins at an offset.

        Args:
            data: the data.
            at: the offset.
            more: whether more data follows.
        """
        if data.startswith(self.value, at) and self.value[-1] not in b'"%&\\':
            return at + len(self.value)
        reader = Reader(data)
        chars, runs = self.chars, self._runs
        places = [at]
        index, last = 0, len(chars) - 1
        starved = False
        while index <= last:
            run = runs.get(index)
            if run is not None:
                plain = [place + len(run[0]) for place in places if data.startswith(run[0], place)]
                if plain:
                    places, index = plain, run[1]
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


class TextVariant(SecretVariant):
    """A secret as text.

    Args:
        pattern: the literal.
        text: the secret.
        fingerprint: its fingerprint.
        is_escaped: whether the first character is escaped, and its escape may begin before the
            literal.
    """

    __slots__ = ("_is_escaped", "_text")

    def __init__(
        self, pattern: bytes, text: SecretText, fingerprint: str | None, *, is_escaped: bool
    ) -> None:
        super().__init__(pattern, fingerprint)
        self.whole = text.value
        self._text = text
        self._is_escaped = is_escaped

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the secret from the literal on, or from the beginning of its first escape."""
        result: MatchResult = NO_MATCH
        text = self._text
        glance = text.glance
        for begin in self._starts(data, start) if self._is_escaped else (start,):
            if glance.match(data, begin) is None:
                continue
            place = text.end(data, begin, more)
            if isinstance(place, int):
                if place >= end:
                    return MatchFound(begin, place)
            elif place is NEED_MORE:
                result = NEED_MORE
        return result

    def _starts(self, data: bytes, start: int) -> tuple[int, ...]:
        """Return where an escape may begin that the literal is a part of, the first one first."""
        if start == 0 or data[start - 1] not in _ENDS_OF_LEADS:
            return (start,)
        first = max(0, start - _MAX_LEAD)
        lead = LEAD.search(data, first, start)
        if lead is None:
            return (start,)
        # The lead may begin with an escape of another character.
        last = max(data.rfind(head, first, start) for head in (b"&", b"%", b"\\"))
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
_OPEN_ENDED: Final = frozenset(_spellings(char) for char in '"%&\\')


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
