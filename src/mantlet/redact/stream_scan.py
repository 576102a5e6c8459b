"""Search a stream, and redact it, however it is split into chunks.

Between chunks, only data that may still become a leak is held back: a tail that a literal begins
with, or a literal whose matcher needs more data to decide. No data is held back for a time.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from mantlet.redact.endings import (
    END_OF_FLOOD,
    END_OF_PAGE,
    Ending,
    LeakKind,
    find_ending,
)
from mantlet.redact.mask_bytes import (
    UNESCAPED_FORMS,
    after_escape,
    before_escape,
    before_structure,
    mask_leak,
)
from mantlet.redact.matches import (
    NEED_MORE,
    NO_MATCH,
    MatchEnd,
    Matcher,
    MatchFound,
    NoMatchYet,
)
from mantlet.redact.open_strings import LOOKBEHIND, BodyForm, QuoteTracker, body_form
from mantlet.redact.scanner import MAX_LITERAL, Scanner

__all__ = ["OnMatch", "StreamScan"]

#: Called with each leak: its id, its fingerprint if known, its bytes as far as they have arrived,
#: and its offset in the stream.
OnMatch = Callable[[str, str | None, bytes, int], None]
#: A part of the data to mask: its start, its end, and its kind.
Span = tuple[int, int, LeakKind]

#: Maximum number of candidates of one stream that prove not to be leaks: ``_CANDIDATES``, and one
#: more for each ``_BYTES_A_CANDIDATE`` bytes. Text about leaks has fewer; a flood has more.
_CANDIDATES: Final = 2_000
_BYTES_A_CANDIDATE: Final = 32
#: A chunk with fewer bytes is not charged for candidates that still wait for more data.
_SMALL_CHUNK: Final = 256
#: Maximum number of leaks of one stream that are masked one by one: ``_LEAKS``, and one more for
#: each ``_BYTES_A_LEAK`` bytes. A leak that is a text counts twice. After them all text is masked.
_LEAKS: Final = 8_000
_BYTES_A_LEAK: Final = 512
#: How many bytes of a body are read to recognize its format.
_BEGINNING: Final = 64
#: How many of the last bytes sent are kept, to see whether a word or an escape goes on.
_NEAR: Final = 8
#: The end of a leak that ends with its string, element or paragraph.
_TEXT: Final = MatchEnd(None, 1)
_CROSSING: Final = LeakKind.CROSSING


class StreamScan:
    """A filter that scans one stream, and masks the leaks in it.

    Args:
        scanner: the literals and detectors.
        on_match: called with each leak.
        media: the media type of the stream, if known.
        masks: whether to replace each byte of a leak; False to only call ``on_match``.
    """

    __slots__ = (
        "_arrived",
        "_beginning",
        "_failed",
        "_form",
        "_held",
        "_leaks",
        "_lookbehind",
        "_masks",
        "_media",
        "_on_match",
        "_open",
        "_overlaps",
        "_quotes",
        "_scanner",
        "_sent",
        "_solid",
    )

    def __init__(
        self, scanner: Scanner, on_match: OnMatch, media: str | None = None, *, masks: bool = True
    ) -> None:
        self._scanner = scanner
        self._on_match = on_match
        self._media = media
        self._masks = masks
        self._beginning = b""
        self._failed: Counter[str] = Counter()
        self._leaks = 0
        self._solid = 0  # the offset in the stream at which the match of ``_open`` ends
        self._arrived = 0  # the size of the last chunk
        self._form: BodyForm | None = None  # None until the body has begun
        self._quotes: QuoteTracker | None = None
        self._lookbehind = b""  # the last bytes sent
        self._held = b""  # data that may still become a leak
        self._sent = 0
        self._open: Ending | None = None  # the end of the match that continues
        self._overlaps = False  # whether what was sent may hold the beginning of another leak

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        if self._form is None:
            self._begin(chunk, more)
        data = self._held + chunk if self._held else chunk
        if (
            self._open is None
            and not self._overlaps
            and self._scanner.is_clean(data, self._media, self._lookbehind)
        ):
            # The usual case, without the work that only a leak needs.
            certain = len(data)
            if more:
                # A short chunk may go on with a word, or an escape.
                seen = data if certain > _SMALL_CHUNK else self._lookbehind[-_NEAR:] + data
                certain -= min(certain, self._tail(seen))
                self._overlaps = self._scanner.literals.ends_in_label(seen)
            out = data if certain == len(data) else data[:certain]
            self._keep(out)
            self._held = data[certain:]
            return out
        self._arrived = len(chunk)
        base = len(self._lookbehind)
        data = self._lookbehind + data
        spans, certain = self._scan(data, base, more)
        out = data[base:certain]
        if self._masks and spans:
            masked = bytearray(out)
            for start, end, kind in spans:
                new = mask_leak(data, start, end, self._form or BodyForm.TEXT, kind)
                masked[start - base : end - base] = new
            sent, out = out, bytes(masked)
            self._keep(sent)
        else:
            self._keep(out)
        self._held = data[certain:]
        return out

    def _begin(self, chunk: bytes, more: bool) -> None:
        """Look at the first bytes of the body for its form."""
        self._beginning = (self._beginning + chunk[:_BEGINNING])[:_BEGINNING]
        started = self._beginning.removeprefix(b"\xef\xbb\xbf").strip()
        if len(started) > 1 or not more or len(self._beginning) == _BEGINNING:
            self._form = body_form(self._media, self._beginning)

    def _keep(self, sent: bytes) -> None:
        """Keep the last bytes sent, for expressions that look behind."""
        self._sent += len(sent)
        if len(sent) < LOOKBEHIND and self._lookbehind:
            sent = self._lookbehind + sent
        self._lookbehind = sent[-LOOKBEHIND:]

    @property
    def is_open(self) -> bool:
        """Whether a leak, or a possible one, goes on."""
        return bool(self._held) or self._open is not None

    def release(self, size: int) -> bytes:
        """Give up on the first bytes that are held back, and return them.

        They are masked if they may only be the end of a leak that has begun.

        Args:
            size: how many.
        """
        out, self._held = self._held[:size], self._held[size:]
        self._keep(out)
        return b"*" * len(out) if self._open is not None and self._masks else out

    def _tail(self, data: bytes) -> int:
        """Return how many bytes at the end may become a leak when more follow."""
        tail = self._scanner.tail(data)
        return len(data) - self._between_escapes(data, len(data) - tail)

    def _between_escapes(self, data: bytes, at: int) -> int:
        """Move an offset back so that it is not within an escape."""
        return at if self._form in UNESCAPED_FORMS else before_escape(data, at)

    def _scan(self, data: bytes, base: int, more: bool) -> tuple[list[Span], int]:
        """Return the leaks in the data, and the offset from which on it must be held back.

        Args:
            data: the data, preceded by bytes already sent.
            base: offset of the first byte not yet sent.
            more: whether more data follows.
        """
        spans: list[Span] = []
        masked, ending = base, self._open
        if ending is not None:
            start = max(base, self._solid - self._sent + base)  # not within the match itself
            end = ending.find(data, start, more)
            if end is None:
                certain = len(data)
                if more:
                    certain = max(base, self._settled(data, base, ending))
                self._open = ending.after(data[:certain], start)
                return [(base, certain, ending.kind)], certain
            masked = end
        leaks, certain = self._find_leaks(data, base, masked, more)
        if more:
            certain = self._certain(data, base, leaks, certain)
        if ending is not None:
            spans.append((base, min(masked, certain), ending.kind))
            if masked <= certain:
                self._open = None
        found = [leak for leak in leaks if leak.start < certain]
        for leak in found:
            if leak.ending is not None:
                self._open = leak.ending.after(data[:certain], leak.solid)
                self._solid = self._sent + leak.solid - base
            place = self._sent + leak.start - base
            leaked = data[leak.start : min(leak.end, certain)]
            self._on_match(leak.id, leak.fingerprint, leaked, place)
        spans += [(one.start, min(one.end, certain), one.kind) for one in found if one.masks]
        return spans, certain

    def _certain(self, data: bytes, base: int, leaks: list["_Leak"], certain: int) -> int:
        """Return how much of the data, of some that is decided, can be sent before more arrives."""
        last = leaks[-1] if leaks else None
        if last is not None and last.ending is not None:
            settled = self._settled(data, last.start + 1, last.ending)
        else:
            settled = len(data) - self._tail(data)
        certain = max(base, min(certain, settled))
        cut = _after_cut_leak(leaks, certain)
        self._overlaps = (
            cut > certain
            or (self._overlaps and certain == base)
            or self._scanner.literals.ends_in_label(data)
        )
        return cut

    def _settled(self, data: bytes, start: int, ending: Ending) -> int:
        """Return how much of an open-ended leak may be masked before more of it arrives."""
        certain = max(start, len(data) - ending.size + 1)
        return max(start, before_structure(data, certain, self._form or BodyForm.TEXT))

    def _find_leaks(
        self, data: bytes, base: int, masked: int, more: bool
    ) -> tuple[list["_Leak"], int]:
        """Return the leaks in the data, an open-ended one last, and the first undecided offset.

        Args:
            data: as in `_scan()`.
            base: as in `_scan()`.
            masked: where the match that continues from earlier chunks ends.
            more: whether more data follows.
        """
        scanner = self._scanner
        leaks: list[_Leak] = []
        undecided = len(data)
        begin = max(0, base - MAX_LITERAL) if self._overlaps else base
        for index, start, end in scanner.literals.find(data, begin):
            if end <= masked:
                continue  # it is part of another leak
            leak = self._look_at(scanner.matchers[index], (start, end), data, base, more)
            if leak is NEED_MORE:
                undecided = min(undecided, start)
            elif leak is not NO_MATCH:
                self._leaks += 1 if leak.kind is LeakKind.VALUE else 2
                if self._leaks > _LEAKS + (self._sent + start) // _BYTES_A_LEAK:
                    leak = _Leak(leak.id, leak.start, len(data), None, END_OF_FLOOD, _CROSSING)
                leaks.append(leak)
                masked = max(masked, leak.end) if leak.masks else masked
                if leak.ending is not None:
                    return leaks, undecided
        for detector in scanner.detectors:
            for id, start, end in detector.find(data, base, more, self._media):
                begin = max(base, self._between_escapes(data, start))
                leaks.append(_Leak(id, begin, end))
                self._leaks += 1
                if self._leaks > _LEAKS + (self._sent + start) // _BYTES_A_LEAK:
                    leaks = [leak for leak in leaks if leak.start < begin]
                    leaks.append(_Leak(id, begin, len(data), None, END_OF_FLOOD, _CROSSING))
                    return leaks, undecided
        return leaks, undecided

    def _look_at(
        self, matcher: Matcher, place: tuple[int, int], data: bytes, base: int, more: bool
    ) -> "_Leak | NoMatchYet":
        """Match a candidate; after too many candidates of a rule failed, each counts as a leak."""
        start, end = place
        seen = self._sent + start - base
        failed, id = self._failed, matcher.id
        if failed and failed[id] > _CANDIDATES + seen // _BYTES_A_CANDIDATE:
            flood = MatchFound(start, end, _TEXT)
            return self._leak(matcher, flood, data, base, more) or NEED_MORE
        result = matcher.match(data, start, end, more, self._media)
        if isinstance(result, NoMatchYet):
            is_large = self._arrived >= _SMALL_CHUNK
            if result is NO_MATCH or is_large:
                # Data that is held back is looked at again with each small chunk.
                is_new = is_large or end > len(data) - self._arrived
                failed[id] += getattr(matcher, "cost", 1) if is_new else 1
            return result
        return self._leak(matcher, result, data, base, more) or NEED_MORE

    def _leak(
        self, matcher: Matcher, found: MatchFound, data: bytes, base: int, more: bool
    ) -> "_Leak | None":
        """Return the leak of a match, or None if its end depends on data that follows."""
        id, fingerprint, until = matcher.id, matcher.fingerprint, found.until
        start, end = max(base, found.start), found.end
        if self._form not in UNESCAPED_FORMS:
            start, after = max(base, before_escape(data, start)), after_escape(data, end)
            if after is None and more:
                return None
            end = max(start + 1, end if after is None else after)
        if until is None:
            kind = LeakKind.CROSSING if found.crosses else LeakKind.VALUE
            return _Leak(id, start, end, fingerprint, None, kind, masks=found.masks)
        if self._form is BodyForm.CSV:  # a pair of quotes is not split
            end = max(start + 1, start + len(data[start:end].rstrip(b'"')))
        ending = self._ending(data, start, until, found)
        if not found.crosses:
            clipped = ending.clip(data, start, end, more)
            if clipped is None:
                return None
            if clipped < end:
                return _Leak(id, start, clipped, fingerprint, None, ending.kind)
        last = ending.find(data, end, more)
        if last is None:
            return _Leak(id, start, len(data), fingerprint, ending, ending.kind, end)
        return _Leak(id, start, last, fingerprint, None, ending.kind)

    def _ending(self, data: bytes, start: int, until: MatchEnd, found: MatchFound) -> Ending:
        form = self._form or BodyForm.TEXT
        offset = self._sent - len(self._lookbehind)
        is_page = until.page is not None and not offset and until.page.fullmatch(data, 0, start)
        if is_page and form is not BodyForm.JSON:
            return END_OF_PAGE
        own = None if until.pattern is None else until
        if found.crosses and own is not None:
            return Ending(own=own, size=own.size, kind=LeakKind.CROSSING)
        if self._quotes is None:
            self._quotes = QuoteTracker()
        kind = LeakKind.CROSSING if found.crosses else LeakKind.TEXT
        return find_ending(data, offset, start, form, self._quotes, own=own, kind=kind)


class _Leak(NamedTuple):
    id: str
    start: int
    end: int
    fingerprint: str | None = None
    #: The end of the leak, if that has not arrived yet.
    ending: Ending | None = None
    kind: LeakKind = LeakKind.VALUE
    #: The end of the match of an open-ended leak, which ends there or later.
    solid: int = 0
    #: Whether it is masked; if not, it is only reported.
    masks: bool = True


def _after_cut_leak(leaks: list[_Leak], certain: int) -> int:
    """Move an offset within a leak to its end: another leak may begin in it, and go on."""
    for leak in sorted(leaks, key=_start):
        if leak.start < certain < leak.end and leak.ending is None:
            certain = leak.end
    return certain


def _start(leak: _Leak) -> int:
    return leak.start
