"""`LogThrottle`: log the first occurrences of a repeated event, then counts, within a budget."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from logging import Logger
from time import monotonic
from typing import Final, NamedTuple

from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.printable import printable

__all__ = ["Admitted", "LogThrottle"]

_WINDOW: Final = 60.0
#: The occurrences of one kind that are logged within `_WINDOW` seconds; then the 100th, ...
_MAX_IN_FULL: Final = 10
#: The most kinds that are counted at a time; the least recent one is forgotten.
_MAX_KINDS: Final = 1024
#: The budget of a window, for all kinds together.
MAX_RECORDS: Final = 200
MAX_BYTES: Final = 1024 * 1024
#: The most kinds, and the most parts of kinds, that are known to be new once the budget is spent.
_MAX_NEW_KINDS: Final = 256
_MAX_NEW_PARTS: Final = 1024
#: The most kinds that are counted apart in a summary, and of these, that it names.
_MAX_COUNTED: Final = 100
_MAX_NAMED: Final = 20
_OTHERS: Final = "other kinds"
_MAX_LABEL: Final = 120
_SPENT: Final = (
    f"The budget of this log is spent for this minute ({MAX_RECORDS} records or {MAX_BYTES} bytes, "
    f"half of it for repetitions): more records are suppressed and counted, except for new kinds"
)


class Admitted(NamedTuple):
    """An event that is to be logged.

    Attributes:
        suppressed: how many events of its kind were suppressed since the last one.
        in_short: whether the budget is spent, so that one line is all there is room for.
        new_parts: the parts of its kind that are new in this minute.
    """

    suppressed: int
    in_short: bool
    new_parts: tuple[str, ...] = ()


@dataclass(slots=True)
class _Burst:
    """Recent occurrences of one kind, and the number of the next one that is worth a record."""

    began: float
    label: str
    count: int = 0
    suppressed: int = 0
    next: int = 1


class LogThrottle:
    """Decides which events are logged, so that no client can flood a log or hide an event in it.

    Of each kind, ten events a minute are logged, then the 100th, the 1,000th and so on, with a
    count. All kinds together have a budget of `MAX_RECORDS` records and `MAX_BYTES` bytes a minute.
    Repetitions may take half of it, so that one kind leaves room for others. Once the budget is
    spent, the first event of a kind is still logged, in short; beyond 256 kinds a minute, only if
    a part of it is new, such as the line that raised. Two records of the throttle's own tell when
    the budget was spent, and, in a later minute, how many events of which kinds were suppressed.

    Args:
        log: the logger for its own records.
        clock: returns seconds since any fixed time.
    """

    def __init__(self, log: Logger, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = ForkSafeLock()
        self._bursts: OrderedDict[str, _Burst] = OrderedDict()
        self._began = clock()
        self._records = self._bytes = 0
        self._new_kinds: set[str] = set()
        self._new_parts: set[str] = set()
        self._is_spent = False
        self._over: dict[str, int] = {}

    def suppressed(self, kind: str, parts: Iterable[str] = ()) -> int | None:
        """Return how many events of this kind were suppressed; None to suppress this one too.

        For events of a line each; see `admit()`.
        """
        admitted = self.admit(kind, parts, kind)
        return None if admitted is None else admitted.suppressed

    def admit(
        self, kind: str, parts: Iterable[str] = (), label: str = "", *, is_minor: bool = False
    ) -> Admitted | None:
        """Count an event, and return whether to log it: None to suppress it.

        Args:
            kind: events of the same kind are counted as one.
            parts: of the kind; clients must not be able to make up many.
            label: names the kind in a summary.
            is_minor: whether it leaves half of the budget to others, as a repetition does.
        """
        now = self._clock()
        notices: list[str] = []
        with self._lock.plain:
            if now - self._began >= _WINDOW:
                self._renew(now, notices)
            burst = self._burst(kind, now, label or kind)
            if burst.count != burst.next:
                burst.suppressed += 1  # as in a flood, which is to cost little
                admitted = None
            else:
                burst.next = burst.count * 10 if burst.count >= _MAX_IN_FULL else burst.count + 1
                new_parts = self._note_parts(parts)
                is_new = self._note_kind(kind) or bool(new_parts)
                share = 2 if is_minor or burst.count > 1 else 1
                admitted = self._decide(burst, notices, share, new_parts, is_new=is_new)
        for notice in notices:
            with suppress(Exception):  # raised by a handler or a filter
                self._log.warning("%s", notice)
        return admitted

    def charge(self, size: int) -> None:
        """Take the bytes of a record from the budget.

        Args:
            size: in bytes.
        """
        with self._lock.hold():
            self._bytes += size

    def _burst(self, kind: str, now: float, label: str) -> _Burst:
        burst = self._bursts.get(kind)
        if burst is None:
            burst = self._bursts[kind] = _Burst(now, label[:_MAX_LABEL])
            if len(self._bursts) > _MAX_KINDS:
                _, forgotten = self._bursts.popitem(last=False)
                if forgotten.suppressed:
                    self._count_over(forgotten.label, forgotten.suppressed)
        else:
            self._bursts.move_to_end(kind)
        if now - burst.began >= _WINDOW:
            burst.began, burst.count, burst.next = now, 0, 1
        burst.count += 1
        return burst

    def _note_kind(self, kind: str) -> bool:
        """Return whether a kind is new in this window."""
        if kind in self._new_kinds or len(self._new_kinds) >= _MAX_NEW_KINDS:
            return False
        self._new_kinds.add(kind)
        return True

    def _note_parts(self, parts: Iterable[str]) -> tuple[str, ...]:
        """Return those parts of a kind that are new in this window."""
        known = self._new_parts
        new = [part for part in parts if part not in known][: _MAX_NEW_PARTS - len(known)]
        known.update(new)
        return tuple(new)

    def _decide(
        self,
        burst: _Burst,
        notices: list[str],
        share: int,
        new_parts: tuple[str, ...],
        *,
        is_new: bool,
    ) -> Admitted | None:
        is_spent = self._records >= MAX_RECORDS // share or self._bytes >= MAX_BYTES // share
        if is_spent and not is_new:
            self._count_over(burst.label, 1)
            if not self._is_spent:
                self._is_spent = True
                notices.append(_SPENT)
            return None
        self._records += not is_spent
        suppressed, burst.suppressed = burst.suppressed, 0
        return Admitted(suppressed, is_spent, new_parts)

    def _count_over(self, label: str, count: int) -> None:
        over = self._over
        if label not in over and len(over) >= _MAX_COUNTED:
            label = _OTHERS
        over[label] = over.get(label, 0) + count

    def _renew(self, now: float, notices: list[str]) -> None:
        """Begin a window, and summarize the events that the budget of earlier ones suppressed."""
        self._began = now
        self._records = self._bytes = 0
        self._new_kinds.clear()
        self._new_parts.clear()
        self._is_spent = False
        over = self._over
        if over:
            self._over = {}
            most = sorted(over.items(), key=lambda pair: (pair[0] == _OTHERS, -pair[1]))
            named = [f"{printable(label)}: {count}" for label, count in most[:_MAX_NAMED]]
            rest = sum(count for _, count in most[_MAX_NAMED:])
            if rest:
                named.append(f"{_OTHERS}: {rest}")
            notices.append(f"{sum(over.values())} records were suppressed: {', '.join(named)}")
