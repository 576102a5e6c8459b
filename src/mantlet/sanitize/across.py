"""Find leaks that are spread over several events of a stream, or several WebSocket messages.

Chat streams send a text token by token: ``data: {"delta": {"content": "sk-"}}``, then the next
part. No event has the whole leak. So the texts are joined: the strings of JSON by their paths,
other data as it is. An event or a message is held back only while the joined text may still become
a leak, and at most as many as the option ``across`` says: after that the first one is sent. There
are no timers: if the stream pauses, held events wait for the next one, or for the end. A leak is
masked where it is, in each event, which stays valid JSON.

Errors and tracebacks are not searched for in joined texts, since they have no end there.
"""

import re
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, cast

from mantlet.core.policy import Message
from mantlet.redact.scanner import Scanner
from mantlet.redact.stream_scan import StreamScan

__all__ = ["JoinedEvents", "JoinedMessages", "Joiner", "data_texts", "json_texts"]

#: A text within a unit: its path, its start and its end.
Text = tuple[bytes, int, int]

#: The most texts of a unit that are joined, and the most that are joined at a time.
_MAX_TEXTS: Final = 32
#: Of a small unit, these are joined, and one for so many bytes.
_FIRST_TEXTS: Final = 4
_BYTES_PER_TEXT: Final = 32
#: A string, and its colon if it is a name; or other text, and the line end after it. A string that
#: does not end is one all the same, so that no byte is looked at twice.
_TEXT_END: Final = re.compile(
    rb'"((?:[^"\\\r\n]++|\\.)*+)"?([ \t]*+:)?|([^"\r\n]++)(?:(?=([\r\n]))|\Z())?'
)
#: Groups of it: the colon of a name; text that goes on in its line.
_NAME: Final = 2
_WITHIN: Final = 3
#: The deepest text.
_MAX_DEPTH: Final = 32
#: Larger events are not held.
_MAX_EVENT: Final = 64 * 1024
_TOKEN: Final = re.compile(
    rb'"((?:[^"\\]++|\\.)*+)(?:"([ \t\r\n]*+:)?|(\Z|\\))|[{}\[\],]', re.DOTALL
)
_DATA_LINE: Final = re.compile(rb"(?:(?<=[\r\n])|\A(?:\xef\xbb\xbf)?)data:[ ]?([^\r\n]*+)")
_EVENT_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LINE_END: Final = re.compile(rb"\n")
_JSON: Final = (b"{", b"[", b'"')
_QUOTE: Final = 0x22
_COMMA: Final = 0x2C
#: The first step into an object or an array, by its opening bracket.
_OPENING: Final[dict[int, bytes | int]] = {0x7B: b"", 0x5B: 0}
#: The path of data that is not JSON. No path of JSON is empty.
_PLAIN: Final = b""


class _Unit:
    """An event, line or message.

    Attributes:
        data: its bytes, masked as far as they are decided.
        undecided: how many of its texts are not decided.
        carried: anything that belongs to it.
    """

    __slots__ = ("carried", "data", "undecided")

    def __init__(self, data: bytes, carried: object) -> None:
        self.data = bytearray(data)
        self.undecided = 0
        self.carried = carried


class _JoinedText:
    """The text at one path of a stream.

    Args:
        scan: searches it.
    """

    __slots__ = ("_pieces", "scan")

    def __init__(self, scan: StreamScan) -> None:
        self.scan = scan
        #: Pieces that are not decided: the unit, and their start and end in it.
        self._pieces: deque[tuple[_Unit, int, int]] = deque()

    def add(self, unit: _Unit, start: int, end: int) -> None:
        """Join a text of a unit."""
        piece = bytes(unit.data[start:end])
        self._pieces.append((unit, start, end))
        unit.undecided += 1
        self._decide(self.scan(piece, True))

    def end(self) -> None:
        """Decide about the rest, since nothing follows."""
        self._decide(self.scan(b"", False))

    def give_up(self, unit: _Unit) -> None:
        """Leave a unit as it is, the oldest one with a text here."""
        while self._pieces and self._pieces[0][0] is unit:
            _, start, end = self._pieces[0]
            self._decide(self.scan.release(end - start))

    def _decide(self, decided: bytes) -> None:
        while decided:
            unit, start, end = self._pieces[0]
            part = decided[: end - start]
            unit.data[start : start + len(part)] = part
            decided = decided[len(part) :]
            if start + len(part) < end:
                self._pieces[0] = (unit, start + len(part), end)
                return
            self._pieces.popleft()
            unit.undecided -= 1


class Joiner:
    """Joins the texts of units, and holds back those that may have the beginning of a leak.

    Args:
        most: the most units that are held back.
        scanner: finds leaks.
        make_scan: returns a search of a new stream by it, by whether it is JSON.
    """

    def __init__(
        self, most: int, scanner: Scanner, make_scan: Callable[[bool], StreamScan]
    ) -> None:
        self._most = most
        self._scanner = scanner
        self._make_scan = make_scan
        self._held: deque[_Unit] = deque()
        self._joined: OrderedDict[bytes, _JoinedText] = OrderedDict()

    def add(
        self, data: bytes, find_texts: Callable[[bytes], list[Text]], carried: object = None
    ) -> list[tuple[bytes, object]]:
        """Take a unit; return those that may be sent now, with what they carry.

        Args:
            data: the unit.
            find_texts: returns the texts in it, in their order.
            carried: anything to return with it.
        """
        if self.passes(data):  # the usual case
            return [(data, carried)]
        unit = _Unit(data, carried)
        self._held.append(unit)
        most = _FIRST_TEXTS + len(data) // _BYTES_PER_TEXT
        for path, start, end in find_texts(data)[:most]:
            if start < end:
                self._text(path).add(unit, start, end)
        if len(self._held) > self._most and self._held[0].undecided:
            for joined in self._joined.values():
                joined.give_up(self._held[0])
        return self._decided()

    def passes(self, data: bytes) -> bool:
        """Return whether nothing is held, and no text of some units has or may begin a leak.

        Then they need not be added.
        """
        scanner = self._scanner
        if self._held or any(joined.scan.is_open for joined in self._joined.values()):
            return False
        if not scanner.is_clean(data):
            return False
        tail = scanner.tail
        for found in _TEXT_END.finditer(data):
            last = found.lastindex
            if last not in (_NAME, _WITHIN) and tail(found[1] or found[3] or b""):
                return False
        self._joined.clear()
        return True

    def end(self) -> list[tuple[bytes, object]]:
        """Return all units that are held, since nothing follows."""
        for joined in self._joined.values():
            joined.end()
        self._joined.clear()
        return self._decided()

    def _text(self, path: bytes) -> _JoinedText:
        joined = self._joined.get(path)
        if joined is None:
            if len(self._joined) == _MAX_TEXTS:
                self._joined.popitem(last=False)[1].end()
            joined = self._joined[path] = _JoinedText(self._make_scan(path != _PLAIN))
        else:
            self._joined.move_to_end(path)
        return joined

    def _decided(self) -> list[tuple[bytes, object]]:
        decided = []
        while self._held and not self._held[0].undecided:
            unit = self._held.popleft()
            decided.append((bytes(unit.data), unit.carried))
        return decided


class JoinedEvents:
    """A filter of an event stream, or of lines of JSON, that searches the joined texts.

    Args:
        joiner: joins them.
        events: whether it is an event stream.
    """

    __slots__ = ("_buffer", "_end", "_ends", "_in_unit", "_is_large", "_joiner", "_read")

    def __init__(self, joiner: Joiner, *, events: bool) -> None:
        self._joiner = joiner
        self._end = _EVENT_END if events else _LINE_END
        self._ends = (b"\n\n", b"\r\n\r\n") if events else (b"\n",)
        self._in_unit = data_texts if events else json_texts
        self._buffer = bytearray()
        self._read = 0  # how much of the buffer has no end of an event
        self._is_large = False

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        buffer, joiner = self._buffer, self._joiner
        buffer += chunk
        out: list[bytes] = []
        start = self._last_end()
        if start and not self._is_large and joiner.passes(bytes(buffer[:start])):
            out.append(bytes(buffer[:start]))
            self._read = start
        else:
            start = 0
        while (found := self._end.search(buffer, max(start, self._read))) is not None:
            unit = bytes(buffer[start : found.end()])
            out += [data for data, _ in joiner.add(unit, self._find_texts)]
            start = self._read = found.end()
            self._is_large = False
        del buffer[:start]
        self._read = max(0, len(buffer) - 3)
        if len(buffer) > _MAX_EVENT:
            out += [data for data, _ in joiner.end()]
            out.append(bytes(buffer))
            del buffer[:]
            self._read = 0
            self._is_large = True
        if not more:
            rest = bytes(buffer)
            out += [data for data, _ in joiner.add(rest, self._find_texts)]
            out += [data for data, _ in joiner.end()]
            del buffer[:]
        return b"".join(out)

    def _last_end(self) -> int:
        """Return an offset after an event, or several; 0 if none is known to end."""
        at = ((self._buffer.rfind(end), end) for end in self._ends)
        return max((found + len(end) for found, end in at if found >= 0), default=0)

    def _find_texts(self, unit: bytes) -> list[Text]:
        return [] if self._is_large else self._in_unit(unit)


class JoinedMessages:
    """Searches the joined texts of the messages of one WebSocket.

    Args:
        joiner: joins them.
    """

    def __init__(self, joiner: Joiner) -> None:
        self._joiner = joiner

    def add(self, message: Message) -> tuple[Message, ...]:
        """Take a message; return those that may be sent now."""
        data = message.data
        encoded = data.encode(errors="surrogatepass") if isinstance(data, str) else data
        is_large = len(encoded) > _MAX_EVENT
        decided = self._joiner.end() if is_large else []
        decided += self._joiner.add(encoded, _no_texts if is_large else json_texts, message)
        return _messages(decided)

    def end(self) -> tuple[Message, ...]:
        """Return all messages that are held, since nothing follows."""
        return _messages(self._joiner.end())


def _messages(decided: list[tuple[bytes, object]]) -> tuple[Message, ...]:
    return tuple(_message(data, cast("Message", original)) for data, original in decided)


def _message(data: bytes, original: Message) -> Message:
    if isinstance(original.data, bytes):
        return original if data == original.data else Message(data, "out")
    text = data.decode(errors="surrogatepass")
    return original if text == original.data else Message(text, "out")


def _no_texts(_data: bytes) -> list[Text]:
    return []


def data_texts(event: bytes) -> list[Text]:
    """Return the texts in the data of an event (HTML, 9.2.6)."""
    lines = [found.span(1) for found in _DATA_LINE.finditer(event)]
    if len(lines) == 1:
        start, end = lines[0]
        is_json = event[start:end].lstrip(b" \t")[:1] in _JSON
        return (is_json and _strings(event, start, end)) or [(_PLAIN, start, end)]
    if lines and event[lines[0][0] : lines[0][1]].lstrip(b" \t")[:1] in _JSON:
        blank = bytearray(b" " * len(event))
        for start, end in lines:
            blank[start:end] = event[start:end]
        texts = _strings(bytes(blank), 0, len(blank))
        if texts:
            return texts
    return [(_PLAIN, start, end) for start, end in lines[:_MAX_TEXTS]]


def json_texts(data: bytes) -> list[Text]:
    """Return the strings of a JSON document, or all of the data if it is not one."""
    if data[:64].lstrip()[:1] in _JSON:
        texts = _strings(data, 0, len(data))
        if texts:
            return texts
    return [(_PLAIN, 0, len(data))]


def _strings(data: bytes, start: int, end: int) -> list[Text]:
    """Return the strings of a JSON document that are values, each with its path."""
    texts: list[Text] = []
    # The name or the index of the current member of each object and array around.
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
        if len(texts) == _MAX_TEXTS or len(path) > _MAX_DEPTH:
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
