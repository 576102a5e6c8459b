"""Find leaks that are spread over several events of a stream, or several WebSocket messages.

Chat streams send a text token by token: ``data: {"delta": {"content": "sk-"}}``, then the next
part. No single event contains the leak. So their texts are joined: strings of JSON that have the
same path, other data as it is. Events and messages are held back only while the joined text may
still become a leak; if more than ``across`` are held, the oldest is sent. There are no timers: if
the stream pauses, held events wait for the next event or the end. A leak is masked in place, in
each event, which stays valid JSON.

Errors and tracebacks are not searched for in joined texts, since these don't show where they end.
"""

import re
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from itertools import islice, pairwise
from typing import Final, cast

from mantlet.core.policy import Message
from mantlet.redact.scanner import Scanner
from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize.event_stream import EVENT_END, last_event_end
from mantlet.sanitize.event_texts import PLAIN, Text, data_texts, json_texts, line_texts

__all__ = ["JoinedEvents", "JoinedMessages", "Joiner"]

#: Maximum number of paths whose texts are joined at a time.
_MAX_TEXTS: Final = 32
#: A string, and the colon if it is a name; or other text, and the line end after it. Unterminated
#: strings match too, so that no byte is read twice.
_TEXT_END: Final = re.compile(
    rb'"((?:[^"\\\r\n]++|\\.)*+)"?([ \t]*+:)?|([^"\r\n]++)(?:(?=([\r\n]))|\Z())?'
)
#: Groups of it: the colon of a name; text that does not end its line.
_NAME: Final = 2
_WITHIN: Final = 3
#: How many texts of a unit may be tested one by one: ``_FIRST_TAILS``, and one more for each
#: ``_BYTES_PER_TAIL`` bytes.
_FIRST_TAILS: Final = 4
_BYTES_PER_TAIL: Final = 64
#: Larger events are not held.
_MAX_EVENT: Final = 64 * 1024
_LINE_END: Final = re.compile(rb"\n")


class _Unit:
    """An event, line or message, or several in a row.

    Attributes:
        data: its bytes, masked as far as it has been decided.
        carried: an object that is returned with it.
    """

    __slots__ = ("carried", "data")

    def __init__(self, data: bytes | bytearray, carried: object = None) -> None:
        self.data = bytearray(data)
        self.carried = carried


class _JoinedText:
    """The text at one path of a stream.

    Args:
        scan: searches the text.

    Attributes:
        pieces: the parts of the text that are not decided yet: unit, start and end in its data.
    """

    __slots__ = ("pieces", "scan")

    def __init__(self, scan: StreamScan) -> None:
        self.scan = scan
        self.pieces: deque[tuple[_Unit, int, int]] = deque()

    def add(self, unit: _Unit, spans: list[tuple[int, int]]) -> None:
        """Append the texts of a unit, and search them."""
        data = bytes(unit.data)
        joined = b"".join([data[start:end] for start, end in spans])
        decided = self._decide(self.scan(joined, True))
        if not joined.startswith(decided):
            at = 0
            for start, end in spans:
                part = decided[at : at + end - start]
                unit.data[start : start + len(part)] = part
                at += len(part)
        left, at = len(joined) - len(decided), len(spans)
        pieces: list[tuple[_Unit, int, int]] = []
        while left > 0:
            at -= 1
            start, end = spans[at]
            pieces.append((unit, max(start, end - left), end))
            left -= end - start
        self.pieces.extend(reversed(pieces))

    def end(self) -> None:
        """Decide about the rest: nothing follows."""
        self._decide(self.scan(b"", False))

    def give_up(self, units: Collection[_Unit]) -> None:
        """Decide about the oldest units now, as if no leak went on after them."""
        size = 0
        for unit, start, end in self.pieces:
            if unit not in units:
                break
            size += end - start
        self._decide(self.scan.release(size))

    def _decide(self, decided: bytes) -> bytes:
        """Write decided text to the undecided pieces; return the text after these."""
        at = 0
        while self.pieces and at < len(decided):
            unit, start, end = self.pieces[0]
            part = decided[at : at + end - start]
            unit.data[start : start + len(part)] = part
            at += len(part)
            if start + len(part) < end:
                self.pieces[0] = (unit, start + len(part), end)
            else:
                self.pieces.popleft()
        return decided[at:]

    def split(self, unit: _Unit, ends: list[int], parts: list[_Unit]) -> None:
        """Move the pieces of a unit to its parts.

        Args:
            unit: the unit, which was added last.
            ends: where its parts end.
            parts: the parts.
        """
        moved: list[tuple[_Unit, int, int]] = []
        while self.pieces and self.pieces[-1][0] is unit:
            _, start, end = self.pieces.pop()
            index = bisect_right(ends, start)
            begin = ends[index - 1] if index else 0
            moved.append((parts[index], start - begin, end - begin))
        self.pieces.extend(reversed(moved))


class Joiner:
    """Joins the texts of units, and holds back units that may contain the beginning of a leak.

    Args:
        most: maximum number of units that are held back.
        scanner: finds leaks.
        make_scan: called with whether a text is a string of JSON; returns a new search by the
            scanner.
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
        self,
        data: bytes,
        find_texts: Callable[[bytes], list[Text]],
        carried: object = None,
        *,
        ends: re.Pattern[bytes] | None = None,
    ) -> list[tuple[bytes, object]]:
        """Take a unit, or several in a row; return those that may be sent now.

        Args:
            data: the unit, or several.
            find_texts: returns the texts in it, in order.
            carried: an object to return with the unit.
            ends: matches the end of each unit, where there are several.
        """
        if self._passes(data):  # the usual case
            return [(data, carried)]
        unit = _Unit(data, carried)
        self._held.append(unit)
        by_path: dict[bytes, list[tuple[int, int]]] = {}
        for path, start, end in find_texts(data):
            by_path.setdefault(path, []).append((start, end))
        for path, spans in by_path.items():
            self._text(path).add(unit, spans)
        if ends is not None:
            self._split(unit, ends)
        decided = self._decided()
        over = len(self._held) - self._most
        if over > 0:
            oldest = set(islice(self._held, over))
            for joined in self._joined.values():
                joined.give_up(oldest)
            decided += self._decided()
        return decided

    def _passes(self, data: bytes) -> bool:
        """Return whether nothing is held, and no text in the data has or begins a leak."""
        scanner = self._scanner
        if self._held or any(joined.scan.is_open for joined in self._joined.values()):
            return False
        if not scanner.is_clean(data):
            return False
        tail, most = scanner.tail, _FIRST_TAILS + len(data) // _BYTES_PER_TAIL
        for found in _TEXT_END.finditer(data):
            last = found.lastindex
            if last in (_NAME, _WITHIN):
                continue
            most -= 1
            if most < 0 or tail(found[1] or found[3] or b""):
                return False
        self._joined.clear()
        return True

    def end(self) -> list[tuple[bytes, object]]:
        """Return all held units: nothing follows."""
        for joined in self._joined.values():
            joined.end()
        self._joined.clear()
        return self._decided()

    def _text(self, path: bytes) -> _JoinedText:
        joined = self._joined.get(path)
        if joined is None:
            if len(self._joined) == _MAX_TEXTS:
                self._joined.popitem(last=False)[1].end()
            joined = self._joined[path] = _JoinedText(self._make_scan(path != PLAIN))
        else:
            self._joined.move_to_end(path)
        return joined

    def _split(self, unit: _Unit, pattern: re.Pattern[bytes]) -> None:
        """Split units that were added as one, if they are not all decided."""
        waiting = [joined for joined in self._joined.values() if joined.pieces]
        starts = [start for one in waiting for held, start, _ in one.pieces if held is unit]
        if not starts:
            return
        data = unit.data
        ends = [found.end() for found in pattern.finditer(data)]
        if not ends or ends[-1] < len(data):
            ends.append(len(data))
        # The units before the first undecided one stay together.
        ends = ends[max(0, bisect_right(ends, min(starts)) - 1) :]
        parts = [_Unit(data[start:end]) for start, end in pairwise([0, *ends])]
        for joined in waiting:
            joined.split(unit, ends, parts)
        self._held.pop()
        self._held.extend(parts)

    def _decided(self) -> list[tuple[bytes, object]]:
        waiting = {joined.pieces[0][0] for joined in self._joined.values() if joined.pieces}
        decided = []
        while self._held and self._held[0] not in waiting:
            unit = self._held.popleft()
            decided.append((bytes(unit.data), unit.carried))
        return decided


class JoinedEvents:
    """A filter of an event stream, or of lines of JSON, that searches the joined texts.

    Args:
        joiner: joins the texts.
        events: whether it is an event stream.
    """

    __slots__ = ("_buffer", "_end", "_find_texts", "_is_large", "_joiner", "_last_end", "_read")

    def __init__(self, joiner: Joiner, *, events: bool) -> None:
        self._joiner = joiner
        self._end = EVENT_END if events else _LINE_END
        self._last_end = last_event_end if events else _last_line_end
        self._find_texts = data_texts if events else line_texts
        self._buffer = bytearray()
        self._read = 0  # the length of the buffer's beginning in which no event ends
        self._is_large = False

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        buffer, joiner = self._buffer, self._joiner
        buffer += chunk
        out: list[bytes] = []
        if self._is_large:
            found = self._end.search(buffer, self._read)
            if found is not None:
                out.append(bytes(buffer[: found.end()]))
                del buffer[: found.end()]
                self._is_large = False
                self._read = 0
        end = 0 if self._is_large else self._last_end(buffer, self._read)
        if end:
            added = joiner.add(bytes(buffer[:end]), self._find_texts, ends=self._end)
            out += [data for data, _ in added]
            del buffer[:end]
        self._read = max(0, len(buffer) - 3)
        if len(buffer) > _MAX_EVENT:
            out += [data for data, _ in joiner.end()]
            out.append(bytes(buffer))
            del buffer[:]
            self._read = 0
            self._is_large = True
        if not more:
            find_texts = _no_texts if self._is_large else self._find_texts
            out += [data for data, _ in joiner.add(bytes(buffer), find_texts)]
            out += [data for data, _ in joiner.end()]
            del buffer[:]
        return b"".join(out)


def _last_line_end(data: bytes | bytearray, start: int) -> int:
    return data.rfind(b"\n", start) + 1


class JoinedMessages:
    """Searches the joined texts of the messages of one WebSocket.

    Args:
        joiner: joins the texts.
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
        """Return all held messages: nothing follows."""
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
