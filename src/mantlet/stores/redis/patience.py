"""Timeouts that do not count time in which the event loop was blocked.

While something blocks the loop, nothing is read: a reply that arrives in time is read only later,
when the timer has run out as well. So these timeouts end only after the loop has had the chance to
read the data that had arrived.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

__all__ = ["MIN_DELAY", "TOO_LATE", "patient_timeout"]

#: Seconds. uvloop treats a shorter delay as zero.
MIN_DELAY: Final = 0.001
#: Seconds of delay of a timer, or of one turn of the loop, from which the loop counts as blocked.
TOO_LATE: Final = 0.005
#: The number of turns that a blocked loop gets in addition. Connecting and its handshake take ten.
_TURNS: Final = 16


@asynccontextmanager
async def patient_timeout(seconds: float) -> AsyncGenerator[None, None]:
    """Limit the time of a block, as `asyncio.timeout()`, but don't count time the loop was blocked.

    When the time is over, the loop gets one more turn. If it was blocked, it gets as much more time
    as the timer was late, up to ``seconds``, and 16 turns.

    Args:
        seconds: the time limit; at least a millisecond.

    Raises:
        TimeoutError: the time is over.
    """
    async with asyncio.timeout(None) as scope:
        patience = _Patience(scope, seconds)
        try:
            yield
        finally:
            patience.timer.cancel()


class _Patience:
    """Ends a timeout once the time is over and the event loop has had its turns."""

    def __init__(self, scope: asyncio.Timeout, seconds: float) -> None:
        self._scope = scope
        self._loop = asyncio.get_running_loop()
        self._seconds = max(seconds, MIN_DELAY)
        self._turns = 0
        self._is_blocked = False
        self._until = 0.0
        self._set_timer(self._seconds)

    def _set_timer(self, delay: float) -> None:
        self._due = monotonic() + delay
        self.timer = self._loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        now = monotonic()
        late = now - self._due
        self._is_blocked = self._is_blocked or late > TOO_LATE
        if not self._turns:
            self._until = now + min(late, self._seconds)
        if self._turns >= (_TURNS if self._is_blocked else 1) and now >= self._until:
            self._scope.reschedule(self._loop.time())
            return
        self._turns += 1
        self._set_timer(MIN_DELAY)
