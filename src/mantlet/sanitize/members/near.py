"""Members found by their names alone, at memory speed: only what is near a name is read.

The search is for bytes that are in strings and nowhere else, or for a name with its quotes. So the
string that they are in can be told from what is around it, without reading the document from its
begin: it goes from the last quote before them to the next one. It is a member's name if a colon
follows.
"""

import re
from typing import Final

from mantlet.sanitize.members.editing import MOST_SPACE, WHITE, Editor, space_end
from mantlet.sanitize.members.finding import Finder
from mantlet.sanitize.members.names import Action, Names, decoded

__all__ = ["NAME", "Near"]

#: What of a name is between its quotes, as far as it is there.
NAME: Final = re.compile(rb'[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*', re.DOTALL)

_QUOTE: Final = 0x22
_COLON: Final = 0x3A
_BACKSLASH: Final = 0x5C


class Near(Editor):
    """The search through one body.

    Args:
        names: what to search for.
        finder: finds bytes that betray the names, all of them telling.
    """

    __slots__ = ("_finder", "_hits", "_names", "_next", "_parted")

    def __init__(self, names: Names, finder: Finder) -> None:
        super().__init__()
        self._names = names
        self._finder = finder
        self._hits: list[int] = []
        self._next = 0
        self._parted = False  # the comma before what comes has been sent

    def begin(self, more: bool) -> int:
        """Search the data."""
        hits = self._hits = self._finder.find(self._data)
        if hits or self._step is not None:
            self._next = 0
            return 0
        if more:
            self._keep_tail(0)
        return len(self._data)

    def seek(self, pos: int, more: bool) -> int:
        """Go on to the next name."""
        data, hits, size = self._data, self._hits, len(self._data)
        while self._next < len(hits):
            start = hits[self._next]
            self._next += 1
            quote = self._opening(start, pos) if start >= pos else -1
            if quote < 0:
                continue
            end = self._name_end(quote)
            if end >= size - 1 and (end >= size or data[end] == _BACKSLASH):
                break  # the rest of it is still to come
            # Not behind the quote: in what is no JSON, it may be another string's first.
            pos = end
            if data[end] != _QUOTE:  # it is longer than any name, or no string
                continue
            action = self._names.action(decoded(data[quote + 1 : end]))
            colon = space_end(data, end + 1) if action else 0
            if action and (colon == size or data[colon] == _COLON):
                return self._found(action, quote, end + 1, colon, more)
        if more:
            self._keep_tail(pos)
        return size

    def _found(self, action: Action, quote: int, end: int, colon: int, more: bool) -> int:
        """Begin to edit the member whose name ends at ``end``, or wait for its colon."""
        data, size = self._data, len(self._data)
        first, cut = True, quote
        if action == "drop":
            comma, far = self.comma_before(quote)
            if comma >= 0:
                first, cut = False, comma
            sent = self._parted and not data[self._from : quote].strip(WHITE)
            if not (far or sent) and colon == size and colon - end <= MOST_SPACE and more:
                self._hold = cut
                return size
            if far or sent or colon == size or colon - end > MOST_SPACE:
                action = "mask"
        if colon == size:
            return self.start(action, end, cut, first=first, colon=True)
        return self.start(action, colon + 1, cut, first=first, colon=False)

    def edited(self, comma: bool) -> None:
        """Take note that a member is done with."""
        if comma:
            self._parted = False

    def sent(self, end: int) -> None:
        """Take note whether what is sent ends with a comma."""
        if self._names.drops and end > self._from:
            comma, far = self.comma_before(end)
            if comma >= 0 or far or self._data[self._from : end].strip(WHITE):
                self._parted = comma >= 0 or far

    def _opening(self, start: int, pos: int) -> int:
        """Return where the string begins that a hit is in, or -1."""
        data = self._data
        if data[start] == _QUOTE and not self.is_escaped(start):
            return start
        if data[start] == _BACKSLASH and self.is_escaped(start):
            return -1
        return self._last_quote(max(pos, start - self._names.longest - 1), start)

    def _last_quote(self, low: int, high: int) -> int:
        quote = self._data.rfind(b'"', low, high)
        while quote >= 0 and self.is_escaped(quote):
            quote = self._data.rfind(b'"', low, quote)
        return quote

    def _name_end(self, quote: int) -> int:
        found = NAME.match(self._data, quote + 1, quote + 2 + self._names.longest)
        return found.end() if found else quote + 1

    def _keep_tail(self, pos: int) -> None:
        """Hold back what may be a name's begin, and the comma that would go with the member."""
        data, names = self._data, self._names
        size = start = len(data)
        quote = self._last_quote(max(pos, size - names.longest - 1), size)
        if quote >= 0 and names.may_begin(data[quote + 1 :]):
            start = quote
        if names.drops:
            comma, _ = self.comma_before(start)
            if comma >= pos:
                start = comma
        self._hold = start
