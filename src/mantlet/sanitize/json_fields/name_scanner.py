"""Find fields by name alone, at memory speed: only the text around a name is parsed.

The prefilter searches for bytes that occur only in strings, or for a name with its quotes. So the
string around a match can be found without parsing the document from its beginning: it lasts from
the last quote before the match to the next quote. It is a field name if a colon follows.
"""

from typing import Final

from mantlet.sanitize.json_fields.editor import MAX_SPACE, NAME, WHITESPACE, Editor, skip_space
from mantlet.sanitize.json_fields.names import Action, FieldNames, decode_string
from mantlet.sanitize.json_fields.prefilter import Prefilter

__all__ = ["NameScanner"]

_QUOTE: Final = 0x22
_COLON: Final = 0x3A
_BACKSLASH: Final = 0x5C


class NameScanner(Editor):
    """Edit the fields of one body that have certain names.

    Args:
        names: the names to search for.
        prefilter: finds the literals of the names, all of them selective.
    """

    __slots__ = ("_after_comma", "_hits", "_names", "_next_hit", "_prefilter")

    def __init__(self, names: FieldNames, prefilter: Prefilter) -> None:
        super().__init__()
        self._names = names
        self._prefilter = prefilter
        self._hits: list[int] = []
        self._next_hit = 0
        self._after_comma = False  # the comma before the next field was sent already

    def on_data(self, more: bool) -> int:
        """Search the data."""
        hits = self._hits = self._prefilter.find(self._data)
        if hits or self._edit_state is not None:
            self._next_hit = 0
            return 0
        if more:
            self._hold_tail(0)
        return len(self._data)

    def find_next(self, pos: int, more: bool) -> int:
        """Move to the next field whose name matches."""
        data, hits, size = self._data, self._hits, len(self._data)
        while self._next_hit < len(hits):
            start = hits[self._next_hit]
            self._next_hit += 1
            quote = self._opening_quote(start, pos) if start >= pos else -1
            if quote < 0:
                continue
            end = self._name_end(quote)
            if end >= size - 1 and (end >= size or data[end] == _BACKSLASH):
                break  # the rest of it has yet to arrive
            # Not after the quote: in invalid JSON, it may open another string.
            pos = end
            if data[end] != _QUOTE:  # it is longer than any name, or not a string
                continue
            action = self._names.action(decode_string(data[quote + 1 : end]))
            colon = skip_space(data, end + 1) if action else 0
            if action and (colon == size or data[colon] == _COLON):
                return self._begin(action, quote, end + 1, colon, more)
        if more:
            self._hold_tail(pos)
        return size

    def _begin(self, action: Action, quote: int, end: int, colon: int, more: bool) -> int:
        """Begin to edit the field whose name ends at ``end``, or wait for its colon."""
        data, size = self._data, len(self._data)
        first, cut = True, quote
        if action == "drop":
            comma, far = self.comma_before(quote)
            if comma >= 0:
                first, cut = False, comma
            sent = self._after_comma and not data[self._from : quote].strip(WHITESPACE)
            if not (far or sent) and colon == size and colon - end <= MAX_SPACE and more:
                self._hold = cut
                return size
            if far or sent or colon == size or colon - end > MAX_SPACE:
                action = "mask"
        if colon == size:
            return self.begin_edit(action, end, cut, first=first, colon=True)
        return self.begin_edit(action, colon + 1, cut, first=first, colon=False)

    def on_edited(self, comma: bool) -> None:
        """Note whether a comma still precedes the next field."""
        if comma:
            self._after_comma = False

    def on_send(self, end: int) -> None:
        """Note whether the data sent ends with a comma."""
        if self._names.drops and end > self._from:
            comma, far = self.comma_before(end)
            if comma >= 0 or far or self._data[self._from : end].strip(WHITESPACE):
                self._after_comma = comma >= 0 or far

    def _opening_quote(self, start: int, pos: int) -> int:
        """Return where the string around a match begins, or -1."""
        data = self._data
        if data[start] == _QUOTE and not self.is_escaped(start):
            return start
        if data[start] == _BACKSLASH and self.is_escaped(start):
            return -1
        return self._last_quote(max(pos, start - self._names.max_size - 1), start)

    def _last_quote(self, low: int, high: int) -> int:
        quote = self._data.rfind(b'"', low, high)
        while quote >= 0 and self.is_escaped(quote):
            quote = self._data.rfind(b'"', low, quote)
        return quote

    def _name_end(self, quote: int) -> int:
        found = NAME.match(self._data, quote + 1, quote + 2 + self._names.max_size)
        return found.end() if found else quote + 1

    def _hold_tail(self, pos: int) -> None:
        """Hold back the possible beginning of a name, and the comma to be dropped with it."""
        data, names = self._data, self._names
        size = start = len(data)
        quote = self._last_quote(max(pos, size - names.max_size - 1), size)
        if quote >= 0 and names.may_begin_with(data[quote + 1 :]):
            start = quote
        if names.drops:
            comma, _ = self.comma_before(start)
            if comma >= pos:
                start = comma
        self._hold = start
