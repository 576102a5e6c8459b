r"""The format of a body, and the strings that are open at a position in it.

In JSON each text is in a string. Elsewhere a string is found by its opening quote: one after
``=``, ``:``, ``,`` or a bracket that has not been closed since. Nested strings are told apart by
how their quotes are written: ``"``, ``\"``, ``\\\"`` or ``&quot;``.
"""

import re
from enum import Enum
from typing import Final, NamedTuple

__all__ = [
    "ENTITY_LEVEL",
    "LOOKBEHIND",
    "QUOTES",
    "BodyForm",
    "OpenString",
    "QuoteTracker",
    "backslashes",
    "body_form",
]

#: How many bytes already sent are kept, for the context of a leak.
LOOKBEHIND: Final = 2048
#: How many bytes before a leak are read for quotes, where they are at hand.
_READ_BACK: Final = 16 * 1024


class BodyForm(Enum):
    """The format of a body, as far as the ends of texts depend on it."""

    JSON = "json"
    EVENTS = "events"
    MARKUP = "markup"
    SCRIPT = "script"
    CSV = "csv"
    TEXT = "text"


#: The beginning of JSON, and of nothing else: after a byte order mark, a prefix against
#: inclusion as a script, or a record separator (RFC 7464).
_PREFIX: Final = rb"(?:\xef\xbb\xbf)?(?:\)\]\}',?)?[\s\x1e]*+"
_LOOKS_LIKE_JSON: Final = re.compile(_PREFIX + rb"(?:\{\s*+[\"}]|\[\s*+[\[{\"\]])")
_MAY_BE_JSON: Final = re.compile(_PREFIX + rb"(?:[\[{\"0-9tfn\-]|\Z)")
_LOOKS_LIKE_MARKUP: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*+<[!?A-Za-z]")


def body_form(media: str | None, beginning: bytes) -> BodyForm:
    """Return the form of a body.

    Args:
        media: the media type, if known; it may be wrong.
        beginning: the first bytes of the body.
    """
    media = media or ""
    if media == "text/event-stream":
        return BodyForm.EVENTS
    if _LOOKS_LIKE_JSON.match(beginning) or ("json" in media and _MAY_BE_JSON.match(beginning)):
        return BodyForm.JSON
    if "html" in media or "xml" in media or _LOOKS_LIKE_MARKUP.match(beginning):
        return BodyForm.MARKUP
    if "javascript" in media or "ecmascript" in media:
        return BodyForm.SCRIPT
    return BodyForm.CSV if media == "text/csv" else BodyForm.TEXT


def backslashes(data: bytes, at: int) -> int:
    """Return how many backslashes precede an offset, without a copy of all that does."""
    if data[at - 1 : at] != b"\\":
        return 0
    size = 16
    while True:
        before = data[max(0, at - size) : at]
        count = len(before) - len(before.rstrip(b"\\"))
        if count < len(before) or size >= at:
            return count
        size *= 8


#: A quote as it may be written: with backslashes before it, as an escape of JSON, or as an entity.
QUOTES: Final = re.compile(
    rb"""["'`\\&](?:(?<=["'`])(?<!\\["'`])
    |(?<=\\)(?<!\\\\)\\{0,62}(?:["'`]|u002[27]|&(?:amp;){0,3}(?:quot|\#0{0,3}34|\#[xX]0{0,3}22);)
    |(?<=&)(?<!\\&)(?:amp;){0,3}(?:quot|apos|\#0{0,3}3[49]|\#[xX]0{0,3}2[27]);)""",
    re.VERBOSE,
)
#: What a string follows: one of these, and white space, which JSON may have escaped.
_OPENING: Final = frozenset(b"=:,([{>+?")
_WORDS: Final = (b"return", b"throw", b"case")
_ESCAPED_SPACE: Final = (b"\\n", b"\\r", b"\\t")
#: How much of that is looked at.
_PREFIX_SIZE: Final = 100
#: Added to the level of a string whose quote is an entity.
ENTITY_LEVEL: Final = 9


class OpenString(NamedTuple):
    """A string that has been opened.

    Attributes:
        level: how many strings it is in, by how its quote is written.
        quote: its quote, without the backslashes before it.
        at: where it was opened, as an offset in the stream.
    """

    level: int
    quote: bytes
    at: int


class QuoteTracker:
    """The strings that are open at a place of a stream. It reads no part of it twice."""

    __slots__ = ("_in_field", "_open", "_until")

    def __init__(self) -> None:
        self._in_field = False
        self._open: dict[tuple[int, bytes], OpenString] = {}
        self._until = 0

    def open_at(self, data: bytes, offset: int, place: int) -> list[OpenString]:
        """Return the open strings, the innermost last.

        Args:
            data: a part of the stream.
            offset: the offset of the part in the stream.
            place: a place in the part; not before that of an earlier call, or nothing is read.
        """
        begin = max(self._until - offset, place - _READ_BACK, 0)
        opened = self._open
        if begin > self._until - offset:
            opened.clear()  # a part was skipped
        for found in QUOTES.finditer(data, begin, place):
            at = found.start()
            level, quote = _level(found[0])
            if quote not in (b"'", b"`"):
                for key in [key for key in opened if key[0] > level]:
                    del opened[key]
            if _is_opening(data[max(0, at - _PREFIX_SIZE) : at]):
                string = OpenString(level, quote, offset + found.end())
                opened[level, quote] = string
            else:
                opened.pop((level, quote), None)
        self._until = max(self._until, offset + place)
        place += offset
        return sorted((one for one in opened.values() if one.at <= place), key=_opened_at)

    def in_field(self, data: bytes, offset: int, place: int) -> bool:
        """Return whether a place in CSV is in a quoted field; as for `open_at()`."""
        begin = max(self._until - offset, 0)
        if begin > self._until - offset:
            self._in_field = False  # a part was skipped
        self._in_field ^= bool(data.count(b'"', begin, place) % 2)
        self._until = max(self._until, offset + place)
        return self._in_field


def _is_opening(before: bytes) -> bool:
    """Return whether a quote begins a string, by what is before it."""
    before = before.rstrip()
    while before.endswith(_ESCAPED_SPACE):
        before = before[:-2].rstrip(b"\\ \t\r\n")
    return bool(before) and (before[-1] in _OPENING or before.endswith(_WORDS))


def _level(token: bytes) -> tuple[int, bytes]:
    """Return how many strings a quote is in, and the quote without the backslashes before it."""
    quote = token.lstrip(b"\\")
    count = len(token) - len(quote)
    if quote.startswith(b"u"):
        return (count & -count).bit_length(), quote
    level = (~count & (count + 1)).bit_length() - 1
    return (level + ENTITY_LEVEL if quote.startswith(b"&") else level), quote


def _opened_at(string: OpenString) -> int:
    return string.at
