"""Find fields by name alone, in any depth, without parsing the document.

Most names contain bytes that occur only in strings. Their fields are found by a search for the name
with its quotes and the colon. Other names, such as ``:``, may also be the text between two strings,
so all strings are read from the beginning on.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from mantlet.sanitize.json_fields.editor import Editor, ValueReader
from mantlet.sanitize.json_fields.names import MAX_SPACE, Action, NamePatterns
from mantlet.sanitize.json_fields.prefilter import Prefilter

__all__ = ["NameScanner"]

_WHITESPACE: Final = b" \t\r\n\x1e"
#: A comma, with the text after it.
_COMMA: Final = re.compile(rb"[ \t\r\n\x1e]*+,[ \t\r\n\x1e]*+(?![ \t\r\n\x1e]|\Z)")
#: The beginning of a string that has not ended.
_UNENDED: Final = re.compile(rb'"(?<!\\")(?:[^"\\\x00-\x1f]++|\\.)*+\\?\Z', re.DOTALL)

_BACKSLASH: Final = 0x5C

#: Finds the next field in some data, from an offset on.
_Find = Callable[[bytes, int], re.Match[bytes] | None]


class NameScanner(Editor):
    """Edit the fields of one body that have certain names.

    Args:
        names: the names to search for.
        prefilter: finds literals of the names.
        anchored: whether all strings are read, from the beginning on.
    """

    __slots__ = (
        "_after_comma",
        "_anchored",
        "_find",
        "_is_fresh",
        "_is_unended",
        "_names",
        "_prefilter",
        "_skipped",
    )

    def __init__(self, names: NamePatterns, prefilter: Prefilter, *, anchored: bool) -> None:
        super().__init__()
        self._anchored = anchored
        self._find: _Find | None = None  # finds the next field in the data
        self._is_fresh = True
        self._names = names
        self._prefilter = prefilter
        self._after_comma = False  # the comma before the next field was sent already
        self._is_unended = False  # the data held back is a string that has not ended
        self._skipped: ValueReader | None = None  # a string longer than any name

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        if self._is_unended and more and b'"' not in chunk:
            held = self._held + chunk
            if len(held) <= self._names.max_size:
                self._held = held
                return b""
        self._is_unended = False
        return super().__call__(chunk, more)

    def on_data(self, more: bool) -> int:
        """Search the data."""
        fresh, self._is_fresh = self._is_fresh, False
        self._find = None
        if self._edit_state is not None or (self._anchored and (more or not fresh)):
            return 0
        if self._prefilter.find(self._data) if self._anchored else self._search():
            return 0
        if more:
            self._hold_tail(0)
        return len(self._data)

    def _search(self) -> bool:
        """Search for names that may be fields; return whether there are any."""
        data, names = self._data, self._names
        openings = self._prefilter.openings(data)
        if openings is None:
            self._find = names.find
        else:
            self._find = partial(_match_first, names.match, iter(openings))
        return openings != []

    def find_next(self, pos: int, more: bool) -> int:
        """Move to the next field whose name matches."""
        data, names = self._data, self._names
        size = len(data)
        if self._skipped is not None:
            pos = self._skipped.read(data, pos)
            if not self._skipped.ended:
                return pos
            self._skipped = None
        if self._find is None and not self._anchored:
            self._search()
        find, limit = self._find or names.find, names.max_size
        if not pos and self._ends_escaped and data[:1] == b'"' and not self._anchored:
            pos = 1
        while found := find(data, pos):
            start, end = found.span(NamePatterns.NAME)
            action = names.action(found) if end - start <= limit else None
            if action is None:
                pos = end + 1 if self._anchored else end
                continue
            pos = self._found(found, action, more)
            if self._edit_state is not None or self._hold < size:
                return pos
        if more:
            self._hold_tail(pos)
        return size

    def _found(self, found: re.Match[bytes], action: Action, more: bool) -> int:
        """Edit a field, or begin to; return where to go on."""
        group = found.lastindex
        if action == "mask" and group == NamePatterns.MASKED_TOO:
            self.mask(*found.span(NamePatterns.MASKED))
            return self.mask_all(*found.span(NamePatterns.MASKED_TOO), self._names.masked)
        if action == "mask" and group == NamePatterns.NULL:
            return found.end()
        colon = found.end(NamePatterns.COLON)
        quote, end = found.start(NamePatterns.NAME) - 1, found.end(NamePatterns.NAME) + 1
        action, cut = self._cut(action, quote, colon - end)
        first = cut == quote
        if colon < 0:
            if found.end() - end > MAX_SPACE:
                return self.begin_edit("mask", end, cut, first=first, colon=True)
            if more:
                self._hold = cut
            return len(self._data)
        if action == "drop" and group == NamePatterns.DROPPED:
            return self._drop_found(cut, found.end(), first=first)
        return self.begin_edit(action, colon, cut, first=first, colon=False)

    def _cut(self, action: Action, quote: int, space: int) -> tuple[Action, int]:
        """Return the action for a field, and where it begins with the comma that is dropped.

        Args:
            action: the action for its name.
            quote: where its name begins.
            space: how far from its name the colon is.
        """
        if action == "mask":
            return action, quote
        comma, far = self.comma_before(quote)
        sent = self._after_comma and not self._data[self._from : quote].strip(_WHITESPACE)
        if far or sent or space > MAX_SPACE + 1:
            action = "mask"
        return action, comma if comma >= 0 else quote

    def _drop_found(self, cut: int, end: int, *, first: bool) -> int:
        after = _COMMA.match(self._data, end) if first else None
        if after is None:
            return self.drop(cut, end, first=first)
        self._out.append(self._data[self._from : cut])
        self._from = after.end()
        self._after_comma = False
        return after.end()

    def on_edited(self, comma: bool) -> None:
        """Note whether a comma still precedes the next field."""
        if comma:
            self._after_comma = False

    def on_send(self, end: int) -> None:
        """Note whether the data sent ends with a comma."""
        if self._names.drops and end > self._from:
            comma, far = self.comma_before(end)
            if comma >= 0 or far or self._data[self._from : end].strip(_WHITESPACE):
                self._after_comma = comma >= 0 or far

    def _hold_tail(self, pos: int) -> None:
        """Hold back the possible beginning of a name, and the comma to be dropped with it."""
        data, names = self._data, self._names
        size = start = len(data)
        if not self._anchored:
            begin = max(pos, size - names.max_size - 1)
            quote = data.rfind(b'"', begin)
            if quote > 0 and data[quote - 1] != _BACKSLASH:
                unended = _UNENDED.match(data, quote)
            else:
                unended = _UNENDED.search(data, begin)
            start = unended.start() if unended else size
        else:
            plain = names.skip.match(data, pos)
            start = plain.end() if plain else pos
            if size - start > names.max_size + 1:
                self._skipped = ValueReader()
                self._skipped.read(data, start)
                return
        self._is_unended = start < size
        if names.drops:
            comma, _ = self.comma_before(start)
            if comma >= pos:
                start = comma
        self._hold = start


def _match_first(
    match: _Find, openings: Iterator[int], data: bytes, pos: int
) -> re.Match[bytes] | None:
    """Return the first field that begins with one of some quotes, from an offset on."""
    for quote in openings:
        if quote >= pos and (found := match(data, quote)):
            return found
    return None
