"""Find the texts in events, in lines of JSON and in messages, so that they can be joined.

In JSON these are the strings that are values, each with its path. Other data is a single text.
"""

import re
from typing import Final

from mantlet.sanitize.event_stream import EVENT_END

__all__ = ["PLAIN", "Text", "data_texts", "json_texts", "line_texts"]

#: A text within data: its path, its start and its end.
Text = tuple[bytes, int, int]

#: Maximum number of texts that are read in a document. A shorter one has at most ``_FIRST_TEXTS``,
#: and one more for each ``_BYTES_PER_TEXT`` bytes.
_MAX_TEXTS: Final = 32
_FIRST_TEXTS: Final = 4
_BYTES_PER_TEXT: Final = 32
#: Maximum nesting depth of a text.
_MAX_DEPTH: Final = 32
_TOKEN: Final = re.compile(
    rb'"((?:[^"\\]++|\\.)*+)(?:"([ \t\r\n]*+:)?|(\Z|\\))|[{}\[\],]', re.DOTALL
)
#: The data of a line, and the first byte of JSON if it begins like that.
_DATA_LINE: Final = re.compile(
    rb"data:(?:(?<![^\r\n]data:)|(?<=\A\xef\xbb\xbfdata:))[ ]?"
    rb"(?=[ \t]*+([\[{\"])?)([^\r\n]*+)"
)
_LINE: Final = re.compile(rb"[^\n]++")
_JSON: Final = (b"{", b"[", b'"')
_QUOTE: Final = 0x22
_COMMA: Final = 0x2C
#: The first step into an object or an array, by its opening bracket.
_OPENING: Final[dict[int, bytes | int]] = {0x7B: b"", 0x5B: 0}
#: The path of data that is not JSON. No path of JSON is empty.
PLAIN: Final = b""


def data_texts(events: bytes) -> list[Text]:
    """Return the texts in the data of some events (HTML, 9.2.6)."""
    texts: list[Text] = []
    last = until = 0
    for line in _DATA_LINE.finditer(events):
        start, end = line.span(2)
        if end <= until:
            continue  # it was read with its event
        if line[1] and (not last or EVENT_END.search(events, last, line.start())):
            found, until = _event_texts(events, start, end)
            texts += found or [(PLAIN, start, end)]
        else:
            texts.append((PLAIN, start, end))
        last = end
    return texts


def _event_texts(events: bytes, start: int, end: int) -> tuple[list[Text], int]:
    """Return the strings of the JSON in an event, and the end of the lines that were read.

    Args:
        events: some events.
        start: where the data of its first line begins.
        end: where it ends.
    """
    ended = EVENT_END.search(events, end)
    until = ended.start() if ended else len(events)
    if until > end:
        lines = [line.span(2) for line in _DATA_LINE.finditer(events, end, until)]
        if lines:
            blank = bytearray(b" " * (until - start))
            for begin, stop in [(start, end), *lines]:
                blank[begin - start : stop - start] = events[begin:stop]
            found = _strings(bytes(blank), 0, len(blank))
            texts = [(path, start + begin, start + stop) for path, begin, stop in found]
            return texts, until if texts else end
    return _strings(events, start, end), end


def line_texts(lines: bytes) -> list[Text]:
    """Return the texts of lines, each of which is a JSON document or a single text."""
    return [
        (path, line.start() + start, line.start() + end)
        for line in _LINE.finditer(lines)
        for path, start, end in json_texts(line[0])
    ]


def json_texts(data: bytes) -> list[Text]:
    """Return the texts of a JSON document, or all of the data if it is not JSON."""
    if data[:64].lstrip()[:1] in _JSON:
        texts = _strings(data, 0, len(data))
        if texts:
            return texts
    return [(PLAIN, 0, len(data))]


def _strings(data: bytes, start: int, end: int) -> list[Text]:
    """Return the strings of a JSON document that are values, each with its path."""
    texts: list[Text] = []
    most = min(_MAX_TEXTS, _FIRST_TEXTS + (end - start) // _BYTES_PER_TEXT)
    # For each enclosing object and array, the name or the index of the current member.
    path: list[bytes | int] = []
    for token in _TOKEN.finditer(data, start, end):
        byte = data[token.start()]
        if byte in _OPENING:
            path.append(_OPENING[byte])
        elif byte != _QUOTE:
            _move_on(path, byte)
        elif token[3] is not None:
            break  # a string that does not end
        elif token[2] is None:
            texts.append((b"/".join((b"", *map(_step, path), b"")), *token.span(1)))
        elif path:
            path[-1] = token[1]
        if len(texts) == most or len(path) > _MAX_DEPTH:
            break
    return texts


def _move_on(path: list[bytes | int], byte: int) -> None:
    """Go to the next element of an array, or leave an object or an array."""
    if not path:
        return
    if byte != _COMMA:
        path.pop()
    elif isinstance(path[-1], int):
        path[-1] += 1


def _step(step: bytes | int) -> bytes:
    return b"%d" % step if isinstance(step, int) else step
