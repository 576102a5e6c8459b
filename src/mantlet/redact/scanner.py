"""The search for leaks in a stream, however it is cut into chunks.

Between chunks no more is held back than what may still become a leak: a tail that a needle or a
literal begins with, or a literal whose judge has not seen enough to decide. Nothing waits for a
clock.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from mantlet.redact.matcher import Matcher
from mantlet.redact.matches import MORE, Detector, Found, Judge, Until

__all__ = ["Scan", "Scanner", "Tell"]

#: Is told of each leak: its id, its fingerprint where that is known, its bytes as far as they are
#: there, and how many bytes of the stream come before it.
Tell = Callable[[str, str | None, bytes, int], None]

#: Begin and end, in the data that is looked at, and whether all of it may be a number.
Span = tuple[int, int, bool]

#: How much of what was sent is kept for judges that look behind them.
_BEHIND: Final = 16
#: The longest pattern of an automaton; what a longer literal begins with stands for all of it.
_LONGEST: Final = 64
_MASK: Final = b"*"
#: Stands for a digit of a number in JSON, where no asterisk may.
_DIGIT: Final = b"9"


class Scanner:
    """What to search for. Immutable; may be shared by threads.

    Args:
        judges: what to search for: each literal, with what judges it where it is found.
        detectors: what finds leaks that have no literal.
    """

    __slots__ = ("detectors", "judges", "matcher")

    def __init__(
        self, judges: Iterable[tuple[bytes, Judge]], detectors: Sequence[Detector] = ()
    ) -> None:
        pairs = [(literal[:_LONGEST], judge) for literal, judge in judges]
        self.matcher = Matcher(literal for literal, _ in pairs)
        self.judges = tuple(judge for _, judge in pairs)
        self.detectors = tuple(detectors)

    def clean(self, data: bytes, media: str | None = None) -> bool:
        """Return whether nothing in the data is worth a closer look."""
        if self.matcher.hits(data):
            return False
        return not self.detectors or not any(
            detector.find(data, 0, False, media) for detector in self.detectors
        )

    def mask(self, data: bytes, tell: Tell, media: str | None = None) -> bytes:
        """Return data with every leak in it masked; the same object where there is none."""
        return data if self.clean(data, media) else Scan(self, tell, media)(data, False)


class Scan:
    """The search through one stream: a filter of its chunks.

    Args:
        scanner: what to search for.
        tell: is told of each leak.
        media: the stream's media type, if it has one.
        masks: whether each byte of a leak is masked by another one; else leaks are only told.
    """

    __slots__ = (
        "_held",
        "_json",
        "_kept",
        "_masks",
        "_media",
        "_open",
        "_scanner",
        "_sent",
        "_tell",
    )

    def __init__(
        self, scanner: Scanner, tell: Tell, media: str | None = None, *, masks: bool = True
    ) -> None:
        self._scanner = scanner
        self._tell = tell
        self._media = media
        self._masks = masks
        self._json = media is not None and media.endswith(("json", "jsonl", "event-stream"))
        self._kept = b""  # the last of what was sent
        self._held = b""  # what may still become a leak
        self._sent = 0
        self._open: Until | None = None  # what ends a leak that goes on

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return what may be sent of it and of those before."""
        data = self._held + chunk if self._held else chunk
        if self._open is None and self._scanner.clean(data, self._media):
            # Nearly always, and so without what only a leak needs.
            certain = len(data) - self._tail(data) if more else len(data)
            out = data if certain == len(data) else data[:certain]
            self._kept = (self._kept + out[-_BEHIND:])[-_BEHIND:]
            self._held = data[certain:]
            self._sent += certain
            return out
        base = len(self._kept)
        data = self._kept + data
        spans, certain = self._look(data, base, more)
        out = data[base:certain]
        if self._masks and spans:
            out = self._mask(out, base, spans)
        self._kept = data[max(0, certain - _BEHIND) : certain]
        self._held = data[certain:]
        self._sent += certain - base
        return out

    def _tail(self, data: bytes) -> int:
        """Return how many bytes at the end may become a leak as more follow."""
        tail = self._scanner.matcher.tail(data)
        for detector in self._scanner.detectors:
            tail = max(tail, detector.tail(data))
        if self._json and _escaped(data, len(data) - tail):
            tail += 1  # no escape is left without what it escapes
        return tail

    def _look(self, data: bytes, base: int, more: bool) -> tuple[list[Span], int]:
        """Return what is a leak in the data, and where what is not certain yet begins.

        Args:
            data: with what was sent already before ``base``.
            base: where it begins to be looked at.
            more: whether more will follow.
        """
        spans: list[Span] = []
        masked, until = base, self._open
        if until is not None:
            end = _end(until, data, base)
            if end is None:
                certain = max(base, len(data) - until.size + 1) if more else len(data)
                return [(base, certain, False)], certain
            masked = end
        leaks, certain = self._judge(data, base, masked, more)
        if more:
            certain = min(certain, self._settled(data, leaks))
            if self._json and certain > base and _escaped(data, certain):
                certain -= 1
            certain = _before_cut(leaks, certain)
        if until is not None:
            spans.append((base, min(masked, certain), False))
            if masked <= certain:
                self._open = None
        for leak in leaks:
            if leak.begin < certain:
                end = min(leak.end, certain)
                spans.append((leak.begin, end, leak.short))
                self._open = leak.until or self._open
                place = self._sent + leak.begin - base
                self._tell(leak.id, leak.fingerprint, data[leak.begin : end], place)
        return spans, certain

    def _judge(self, data: bytes, base: int, masked: int, more: bool) -> tuple[list["_Leak"], int]:
        """Return the leaks in the data, one that goes on last, and where one may be.

        Args:
            data: as in `_look()`.
            base: as in `_look()`.
            masked: where the leak ends that goes on from before.
            more: whether more will follow.
        """
        scanner, media = self._scanner, self._media
        leaks: list[_Leak] = []
        undecided = len(data)
        for index, start, end in scanner.matcher.find(data):
            if start < base or end <= masked:
                continue  # it was sent, masked where it had to be; or it is a part of a leak
            judge = scanner.judges[index]
            verdict = judge.judge(data, start, end, more, media)
            if verdict is MORE:
                undecided = min(undecided, start)
            elif isinstance(verdict, Found):
                leak = self._leak(judge, verdict, data, base)
                leaks.append(leak)
                masked = max(masked, leak.end)
                if leak.until is not None:
                    return leaks, undecided
        for detector in scanner.detectors:
            leaks += (_Leak(*found) for found in detector.find(data, base, more, media))
        return leaks, undecided

    def _leak(self, judge: Judge, found: Found, data: bytes, base: int) -> "_Leak":
        begin, end, until = max(base, found.begin), found.end, found.until
        if until is not None:
            ended = _end(until, data, end)
            until, end = (until, len(data)) if ended is None else (None, ended)
        if self._json and _escaped(data, begin) and begin > base:
            begin -= 1
        return _Leak(judge.id, begin, end, judge.fingerprint, until, found.until is None)

    def _settled(self, data: bytes, leaks: list["_Leak"]) -> int:
        """Return how much of the data can't become a leak, or the end of one, any more."""
        going_on = leaks[-1] if leaks and leaks[-1].until else None
        if going_on is None or going_on.until is None:
            return len(data) - self._tail(data)
        return max(going_on.begin + 1, len(data) - going_on.until.size + 1)

    def _mask(self, out: bytes, base: int, spans: list[Span]) -> bytes:
        masked = bytearray(out)
        for begin, end, short in spans:
            place = slice(begin - base, end - base)
            number = short and self._json and out[place].isdigit()
            masked[place] = (_DIGIT if number else _MASK) * (end - begin)
        return bytes(masked)


class _Leak(NamedTuple):
    id: str
    begin: int
    end: int
    fingerprint: str | None = None
    #: What ends it, where that is not there yet.
    until: Until | None = None
    #: Whether it is none of those that go on.
    short: bool = True


def _before_cut(leaks: list[_Leak], certain: int) -> int:
    """Return where no leak is cut: one that isn't certain to its end is judged again later."""
    for leak in sorted(leaks, key=_begin, reverse=True):
        if leak.begin < certain < leak.end and leak.until is None:
            certain = leak.begin
    return certain


def _begin(leak: _Leak) -> int:
    return leak.begin


def _end(until: Until, data: bytes, start: int) -> int | None:
    """Return where a leak that goes on ends, or None if that is not there yet."""
    ended = until.pattern and until.pattern.search(data, start)
    return ended.start() if ended else None


def _escaped(data: bytes, at: int) -> bool:
    """Return whether an odd number of backslashes comes before a place."""
    before = data[:at]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1
