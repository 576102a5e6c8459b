"""Where a JSON value ends, however the bytes that it is in are cut."""

import re
from typing import Final

__all__ = ["SPACE", "Value"]

#: Whitespace (RFC 8259, 2), and the separator of JSON text sequences (RFC 7464, 2.2).
SPACE: Final = re.compile(rb"[ \t\r\n\x1e]*+")
# The expressions have alternatives that begin with different bytes, and so take linear time.
_STRING: Final = rb'[^"\\]*+(?:\\.[^"\\]*+)*'
_IN_STRING: Final = re.compile(_STRING, re.DOTALL)
# A container without containers is read at once: most are.
_FLAT: Final = rb'[^"\[\]{}]*+(?:"' + _STRING + rb'"[^"\[\]{}]*+)*'
_NESTED: Final = re.compile(
    rb'(?:[^"\[\]{}]++|"' + _STRING + rb'"|[\[{]' + _FLAT + rb"[\]}])*", re.DOTALL
)
# A number, true, false or null; or what is none of these.
_SCALAR: Final = re.compile(rb'[^ \t\r\n\x1e,:"\[\]{}]*+')
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_OPEN: Final = b"[{"


class Value:
    """Reads one value from its first byte on, and keeps nothing of it.

    It holds no stack: in JSON it is enough to count brackets, whichever they are.

    Attributes:
        ended: whether all of it was read. A number or a name ends only where something else begins.
    """

    __slots__ = ("_begun", "_cut", "_depth", "_string", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._begun = False
        self._depth = 0
        self._string = False  # what comes is inside of a string
        self._cut = False  # what comes is the byte behind a backslash

    def read(self, data: bytes, pos: int, size: int | None = None) -> int:
        """Read on from ``data[pos]``; return where the value ends, or the end of the data.

        Args:
            data: what the value is in.
            pos: where to go on.
            size: where the data ends, if not at its end.
        """
        if size is None:
            size = len(data)
        if not self._begun:
            self._begun = True
            first = data[pos]
            if first == _QUOTE:
                self._string = True
                pos += 1
            elif first in _OPEN:
                self._depth = 1
                pos += 1
        while pos < size:
            if self._string:
                pos = self._read_string(data, pos, size)
            elif self._depth:
                pos = self._read_nested(data, pos, size)
            else:
                pos = _match_end(_SCALAR, data, pos, size)
                self.ended = pos < size
                return pos
            if self.ended:
                break
        return pos

    def _read_string(self, data: bytes, pos: int, size: int) -> int:
        if self._cut:
            self._cut = False
            pos += 1
        quote = data.find(b'"', pos, size)
        end = size if quote < 0 else quote
        # A search for one byte is far faster than an expression.
        has_escapes = data.find(b"\\", pos, end) >= 0
        pos = _match_end(_IN_STRING, data, pos, size) if has_escapes else end
        if pos < size:
            if data[pos] == _BACKSLASH:
                self._cut = True  # it is the last byte
            else:
                self._string = False
                self.ended = not self._depth
            pos += 1
        return pos

    def _read_nested(self, data: bytes, pos: int, size: int) -> int:
        pos = _match_end(_NESTED, data, pos, size)
        if pos < size:
            byte = data[pos]
            if byte == _QUOTE:
                self._string = True
            elif byte in _OPEN:
                self._depth += 1
            else:
                self._depth -= 1
                self.ended = not self._depth
            pos += 1
        return pos


def _match_end(pattern: re.Pattern[bytes], data: bytes, pos: int, size: int) -> int:
    found = pattern.match(data, pos, size)
    return found.end() if found else pos
