"""Find where the text of a leak ends, so that the document around it stays well-formed.

A leak in a string is masked to the end of the string at most, and one in an element to the end of
the element. The delimiters stay, so that JSON, markup, scripts and events stay valid.
"""

import re
from enum import Enum
from functools import lru_cache
from typing import Final, Literal

from mantlet.redact.matches import MatchEnd
from mantlet.redact.open_strings import (
    ENTITY_LEVEL,
    LOOKBEHIND,
    QUOTES,
    BodyForm,
    OpenString,
    QuoteTracker,
    backslashes,
)

__all__ = ["END_OF_FLOOD", "END_OF_PAGE", "Ending", "LeakKind", "find_ending"]


class LeakKind(Enum):
    """The kind of a leak, which decides how much structure within it is kept."""

    #: A single value.
    VALUE = "value"
    #: A text that goes on to the end of its string, element or line.
    TEXT = "text"
    #: A text in several strings or elements.
    CROSSING = "crossing"
    #: A page, no structure of which is kept.
    PAGE = "page"


#: The level of the value of an attribute, in which a backslash escapes nothing.
_IN_TAG: Final = -1
#: What may follow the end of a string, besides a quote of the string around it.
_SPACE: Final = rb"(?:\s|\\{1,15}[nrt]){0,80}+"
_FOLLOWING: Final = rb"[,:;}\])>/+|?]|[A-Za-z_][\w:\-]{0,40}="
#: How many bytes nearly always suffice to match these.
_REACH: Final = 200
#: Elements that do not end a text: line breaks, and those that only format it. Also the names that
#: tracebacks write in angle brackets, which are no elements.
_INLINE: Final = (
    rb"(?:br|wbr|span|b|i|u|em|strong|code|font|tt|small|mark|a|nobr|anonymous|bound|class|frozen|"
    rb"function|genexpr|lambda|listcomp|dictcomp|setcomp|locals|module|stdin|string|"
    rb"ServerDescription|TopologyDescription)[\s/>]"
)
#: The end of content without elements.
_END_OF_DATA: Final = re.compile(rb"(?=\]\]>|-->)")
#: The end of an element, or of an attribute that began too far away: a quote before the next
#: attribute or before the end of the tag.
_END_OF_ELEMENT: Final = (
    rb"(?=</|<[!?]|<(?!%s)[A-Za-z]|\]\]>|-->"
    rb"|[\"'](?:[ \t\r\n]{1,16}+[A-Za-z_:][\w:.\-]{0,32}+=[\"']|[ \t\r\n]{0,16}+/?>))" % _INLINE
)
#: A blank line.
_END_OF_PARAGRAPH: Final = rb"(?=\r?\n[ \t]{0,8}\r?\n)"
_END_OF_LINE: Final = rb"(?=[\r\n])"
_BASES: Final = {
    BodyForm.JSON: rb'(?<!\\)(?:\\\\)*+(?=")',
    BodyForm.EVENTS: rb"(?=\r?\n\r?\n|\r\r)",
    BodyForm.MARKUP: _END_OF_ELEMENT,
    BodyForm.SCRIPT: _END_OF_PARAGRAPH,
    BodyForm.CSV: rb"(?=[,;\t\r\n])",
    BodyForm.TEXT: _END_OF_PARAGRAPH,
}
_SIZES: Final = {BodyForm.MARKUP: 60}
#: The forms whose parts end a leak even if its rule asks for another end.
_BOUNDED_FORMS: Final = (BodyForm.MARKUP, BodyForm.CSV, BodyForm.EVENTS)
_JSON_LINE: Final = rb'(?<!\\)(?:\\\\)*+(?=")|' + _END_OF_LINE
_EVENT_JSON: Final = re.compile(rb"(?:\A|[\r\n])(?:data:)?[ \t]*+[\[{\"][^\r\n]*+\Z")

#: How many bytes after the end of anything but a string are needed to recognize it.
_BASE_REACH: Final = 64
#: How many bytes are searched for all kinds of ends at first.
_FIRST_WIDTH: Final = 32


class Ending:
    """The end of a leak.

    Args:
        strings: matches the ends of the strings that the leak is in.
        at_end: the same, where the body ends.
        base: matches the end of the element, field or paragraph that the leak is in.
        own: the end that the leak's rule defines; None for the end of the text.
        size: maximum number of bytes that are needed to recognize an end.
        breaks: whether a line end means that there was no string.
        clips: whether a match that goes beyond ``base`` is cut there; ``"data"`` if a match that
            begins with a tag is not.
        kind: the kind of the leak.
    """

    __slots__ = ("_at_end", "_base", "_breaks", "_clips", "_own", "_strings", "kind", "size")

    def __init__(
        self,
        strings: re.Pattern[bytes] | None = None,
        at_end: re.Pattern[bytes] | None = None,
        base: re.Pattern[bytes] | None = None,
        own: MatchEnd | None = None,
        size: int = 1,
        *,
        breaks: bool = False,
        clips: Literal["all", "data", ""] = "",
        kind: LeakKind = LeakKind.TEXT,
    ) -> None:
        self._strings = strings
        self._at_end = at_end
        self._base = base
        self._own = own
        self._breaks = breaks
        self._clips = clips
        self.kind = kind
        self.size = size

    def clip(self, data: bytes, start: int, end: int, more: bool) -> int | None:
        """Return where a match ends, since its string does; None if more data is needed."""
        if self._clips:
            has_tags = self._clips == "data" and data[start : start + 1] == b"<"
            end = self._first(_END_OF_DATA if has_tags else self._base, data, start, end)
        if self._strings is not None:
            if self._breaks and data.find(b"\n", start, end) >= 0:
                return end
            if more and len(data) - end < self.size and QUOTES.search(data, start, end):
                return None
            is_last = not more and len(data) - end < self.size
            end = self._first(self._at_end if is_last else self._strings, data, start, end)
        return end

    def find(self, data: bytes, start: int, more: bool) -> int | None:
        """Return where the leak ends, or None if that has not arrived."""
        width = _FIRST_WIDTH
        while start < len(data):
            limit = min(start + width, len(data))
            end = self._find_before(data, start, limit, more)
            if end < limit:
                return end
            if limit == len(data):
                break
            width *= 8  # look for all kinds of ends nearby before looking far ahead
        return None

    def _find_before(self, data: bytes, start: int, limit: int, more: bool) -> int:
        """Return where the leak ends, or a limit."""
        end = limit
        if self._own is not None and self._own.pattern is not None:
            found = self._own.pattern.search(data, start, limit + self._own.size)
            end = min(found.start(), limit) if found else limit
        end = self._first(self._base, data, start, end)
        line = data.find(b"\n", start, end) if self._breaks else -1
        within = end if line < 0 else line
        is_last = not more and limit == len(data)
        inner = self._first(self._at_end if is_last else self._strings, data, start, within)
        return inner if inner < within else end

    def _first(self, pattern: re.Pattern[bytes] | None, data: bytes, start: int, end: int) -> int:
        """Return where the first match of a pattern ends, or ``end`` if that comes first."""
        if pattern is None or start >= end:
            return end
        reach = _BASE_REACH if pattern is self._base else self.size
        found = pattern.search(data, start - backslashes(data, start), end + reach)
        return min(max(found.end(), start), end) if found else end

    def after(self, data: bytes, start: int) -> "Ending":
        """Return the ending for the data after a part in which no end was found."""
        if self._breaks and data.find(b"\n", start) >= 0:
            return Ending(None, None, self._base, self._own, self.size, kind=self.kind)
        return self


#: The ending of a page: the end of the body.
END_OF_PAGE: Final = Ending(kind=LeakKind.PAGE)
#: The ending of a flood of leaks: the end of the body, whose structure is kept.
END_OF_FLOOD: Final = Ending(kind=LeakKind.CROSSING)


def find_ending(
    data: bytes,
    offset: int,
    start: int,
    form: BodyForm,
    tracker: QuoteTracker,
    *,
    own: MatchEnd | None,
    kind: LeakKind,
) -> Ending:
    """Return the ending of a leak.

    Args:
        data: the data, which includes some before the leak.
        offset: the offset of the data in the stream.
        start: where the leak begins, in the data.
        form: the format of the body.
        tracker: tracks the open strings of the stream.
        own: the end that the leak's rule defines; None for the end of the text.
        kind: the kind of the leak.
    """
    window = data[max(0, start - LOOKBEHIND) : start] if form is BodyForm.EVENTS else b""
    in_event_json = bool(window) and _EVENT_JSON.search(window) is not None
    is_json = form is BodyForm.JSON or in_event_json
    closers: list[tuple[int, bytes, bool]] = []
    if form is BodyForm.CSV:
        closers += [(0, b'"', False)] if tracker.in_field(data, offset, start) else []
        return _ending(tuple(closers), form, in_event_json, own, kind)
    for string in tracker.open_at(data, offset, start):
        if is_json:
            if string.level and string.quote not in (b"'", b"`"):
                closers.append((string.level, string.quote, False))
        else:
            closer = _closer_in_text(string, data, offset, start, form)
            if closer is not None and closer[0] == _IN_TAG and closers and closers[0][0] == _IN_TAG:
                closer = string.level, string.quote, False  # a string in the value of an attribute
            closers += [closer] if closer else []
    strict = [closer for closer in closers if closer[2]]
    loose = [closer for closer in closers if not closer[2]]
    key = (*strict[-2:], *loose[-3:])
    return _ending(key, form, in_event_json, own, kind)


def _closer_in_text(
    string: OpenString, data: bytes, offset: int, start: int, form: BodyForm
) -> tuple[int, bytes, bool] | None:
    at = string.at - offset
    if form is BodyForm.MARKUP and string.level == 0:
        low = max(0, at - LOOKBEHIND)
        if at >= 0 and data.rfind(b"<", low, at) > data.rfind(b">", low, at):
            return _IN_TAG, string.quote, True
    if string.quote == b"`":
        if form not in (BodyForm.SCRIPT, BodyForm.MARKUP):
            return None
    elif at < 0 or data.find(b"\n", at, start) >= 0:
        return None  # strings contain no line ends, so this is not one
    return string.level, string.quote, form is BodyForm.SCRIPT


@lru_cache(maxsize=256)
def _ending(
    closers: tuple[tuple[int, bytes, bool], ...],
    form: BodyForm,
    in_event_json: bool,
    own: MatchEnd | None,
    kind: LeakKind,
) -> Ending:
    is_json = form is BodyForm.JSON or in_event_json
    base: re.Pattern[bytes] | None = re.compile(_JSON_LINE if in_event_json else _BASES[form])
    strings = at_end = None
    if closers:
        if form is BodyForm.CSV:
            base = None
            ends = [_END_OF_FIELD % b"", _END_OF_FIELD % rb"|\Z"]
        else:
            ends = [b"|".join(_closer(*one, end) for one in closers) for end in (b"", rb"|\Z")]
        strings, at_end = map(re.compile, ends)
    loose = any(not strict for _, _, strict in closers)
    strict = any(strict for _, _, strict in closers)
    size = _REACH if loose else 80 if closers else _SIZES.get(form, 12)
    if own is not None and own.pattern is not None:
        size = max(size, own.size)
        if not is_json and form not in _BOUNDED_FORMS:
            base = None
    elif is_json and not loose:
        size = 2
    breaks = loose and not strict and not is_json and form is not BodyForm.CSV
    clips: Literal["all", "data", ""] = "data" if form is BodyForm.MARKUP else ""
    if is_json or form is BodyForm.CSV:
        clips = "all"
    return Ending(strings, at_end, base, own, size, breaks=breaks, clips=clips, kind=kind)


#: The end of a quoted field of CSV, in which a quote is doubled (RFC 4180).
_END_OF_FIELD: Final = rb'(?<!")(?:"")*+(?="(?:[,;\t\r\n]%b))'


def _closer(level: int, quote: bytes, strict: bool, at_end: bytes) -> bytes:
    """Return an expression for the end of a string: what precedes its quote."""
    follows = b""
    if not strict:
        outer = rb"|\\{0,63}+[\"'`]" if level else b""
        follows = _SPACE + b"(?:" + _FOLLOWING + outer + at_end + b")"
    if level == _IN_TAG:
        return b"(?=" + quote + b")"
    if level >= ENTITY_LEVEL:
        level -= ENTITY_LEVEL
    run = 2 ** (level - 1) if quote.startswith(b"u") else 2**level - 1
    return rb"(?<!\\)(?:\\{%d})*+(?=\\{%d}%b%b)" % (2 ** (level + 1), run, quote, follows)
