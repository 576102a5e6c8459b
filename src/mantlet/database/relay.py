"""`relay_outbox()`: publish the events of an outbox."""

import json
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from inspect import isawaitable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from mantlet._internal.coroutines import is_coroutine_function, run_sync
from mantlet._internal.extras import import_extra
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.options import check_int, check_number
from mantlet.core.error_log import log_exception
from mantlet.database.outbox import Outbox
from mantlet.events.event import Event
from mantlet.exceptions import StoreOutage

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import async_sessionmaker
    from sqlalchemy.orm import Session

    from mantlet.database.outbox_table import Claimed

__all__ = ["relay_outbox"]

_log: Final = logging.getLogger("mantlet.database")
_throttle: Final = LogThrottle(_log)

#: The largest batch, which limits the number of events in memory.
_MAX_BATCH: Final = 1000
#: The maximum number of attempts at a claim, if other relays are faster.
_CLAIMS: Final = 5
#: The longest pause before the next attempt to publish an event, in seconds.
_MAX_PAUSE: Final = 3600.0

T = TypeVar("T")
# Any: functions of a session and any other arguments, and their results.
#: A function that runs such a function in a transaction.
_Run = Callable[..., Coroutine[Any, Any, Any]]


# Any: sessions of any class.
@overload
def relay_outbox(
    sessions: "async_sessionmaker[Any]",
    publish: Callable[[Event], object],
    *,
    outbox: Outbox,
    batch: int = 100,
    max_attempts: int = 20,
    lease: float = 60,
) -> Coroutine[Any, Any, int]: ...
@overload
def relay_outbox(
    sessions: "Callable[[], Session]",
    publish: Callable[[Event], object],
    *,
    outbox: Outbox,
    batch: int = 100,
    max_attempts: int = 20,
    lease: float = 60,
) -> int: ...
def relay_outbox(
    sessions: "async_sessionmaker[Any] | Callable[[], Session]",
    publish: Callable[[Event], object],
    *,
    outbox: Outbox,
    batch: int = 100,
    max_attempts: int = 20,
    lease: float = 60,
) -> int | Coroutine[Any, Any, int]:
    """Publish a batch of events, each at least once, and delete them from the outbox.

    The function returns after one batch. Call it in a loop, in a separate process or thread or in a
    task of the app, and pause when it returns 0. Any number of relays may run at once.

    If ``publish`` raises for an event, the event is tried again after 1, 2, 4, ... seconds, at most
    an hour. Other events may overtake it. After ``max_attempts`` it is set aside: it stays in the
    table, and its ``available_at`` is null. If ``publish`` raises a `mantlet.StoreOutage`, nothing
    can be published at the moment: the batch ends, the attempt does not count, and the caller gets
    the exception.

    If the relay is killed, the events that it had claimed are published again once its lease has
    ended, including those that it had already published.

    Args:
        sessions: a ``sessionmaker``, or an ``async_sessionmaker``.
        publish: called with each event, in the order of insertion. With an ``async_sessionmaker``,
            it may be an ``async def``; otherwise it must not block the event loop.
        outbox: the outbox.
        batch: the maximum number of events in one call, 1 to 1000.
        max_attempts: the maximum number of attempts to publish an event.
        lease: how long other relays leave the events of a batch alone, in seconds. After this time,
            the batch does not begin to publish another event.

    Returns:
        The number of events that were published or tried; with an ``async_sessionmaker``, an
        awaitable of it.

    Raises:
        StoreOutage: ``publish`` raised it.
        TypeError: an argument has the wrong type, or ``publish`` is async and the sessions are not.
        ValueError: an argument is out of range.
    """
    if not isinstance(outbox, Outbox):
        raise TypeError(f"outbox must be the Outbox of the UnitOfWork, not {outbox!r}")
    check_int("batch", batch, most=_MAX_BATCH, unit="events")
    check_int("max_attempts", max_attempts, unit="attempts")
    check_number("lease", lease)
    for name, value in (("sessions", sessions), ("publish", publish)):
        if not callable(value):
            raise TypeError(f"{name} must be callable, not {value!r}")
    async_kind = import_extra("sqlalchemy.ext.asyncio", "database").async_sessionmaker
    waits = isinstance(sessions, async_kind)
    if is_coroutine_function(publish) and not waits:
        raise _NeedsLoop
    run = partial(_run_async if waits else _run, sessions)
    relay = _relay(
        run,
        partial(_publish, publish, waits=waits),
        outbox,
        batch=batch,
        max_attempts=max_attempts,
        lease=lease,
    )
    return relay if waits else run_sync(relay)


class _NeedsLoop(TypeError):
    """The result of ``publish`` has to be awaited, but the sessions are sync."""

    def __init__(self) -> None:
        super().__init__("an async publish needs an async_sessionmaker")


class _Unsettled(Exception):
    """Every relay that tried to publish an event has died, or took longer than its lease."""


# Any: sessions of one kind or the other.
async def _run(sessions: Callable[[], Any], step: Callable[..., T], *args: object) -> T:
    with sessions() as session, session.begin():
        return step(session, *args)


async def _run_async(sessions: Callable[[], Any], step: Callable[..., T], *args: object) -> T:
    async with sessions() as session, session.begin():
        result: T = await session.run_sync(step, *args)
        return result


async def _relay(
    run: _Run,
    publish: Callable[["Claimed"], Coroutine[Any, Any, None]],
    outbox: Outbox,
    *,
    batch: int,
    max_attempts: int,
    lease: float,
) -> int:
    from mantlet.database.outbox_table import settle

    end = monotonic() + lease
    untried = await _claim(run, outbox, batch, lease)
    published: list[Claimed] = []
    failed: list[tuple[Claimed, float | None]] = []
    if not untried:
        return 0
    try:
        while untried and monotonic() < end:
            event = untried[0]
            try:
                if event.attempts > max_attempts:
                    raise _Unsettled
                await publish(event)
            except (StoreOutage, _NeedsLoop):
                raise
            except Exception as error:  # noqa: BLE001  # any exception is logged
                pause = _pause(event, max_attempts)
                failed.append((event, pause))
                _log_failure(event, error, pause)
            else:
                published.append(event)
            untried.popleft()
    finally:
        await run(settle, outbox.table, published, failed, list(untried))
    return len(published) + len(failed)


async def _claim(run: _Run, outbox: Outbox, batch: int, lease: float) -> "deque[Claimed]":
    from mantlet.database.outbox_table import ClaimLost, claim

    for _ in range(_CLAIMS):
        try:
            return deque(await run(claim, outbox.table, batch, lease))
        except ClaimLost:
            continue
    return deque()  # other relays have claimed the events


async def _publish(publish: Callable[[Event], object], event: "Claimed", *, waits: bool) -> None:
    result = publish(Event(event.type, json.loads(event.data), event.id))
    if isawaitable(result):
        if not waits:
            getattr(result, "close", bool)()  # a coroutine warns if it is never awaited
            raise _NeedsLoop
        await result


def _pause(event: "Claimed", max_attempts: int) -> float | None:
    """Return the seconds until the next attempt, or None after the last attempt."""
    if event.attempts >= max_attempts:
        return None
    return min(2.0 ** min(event.attempts - 1, 30), _MAX_PAUSE)


def _log_failure(event: "Claimed", error: Exception, pause: float | None) -> None:
    outcome = "is set aside" if pause is None else f"will be tried again in {pause:g} s"
    log_exception(
        _log,
        logging.WARNING if pause else logging.ERROR,
        ("Event %s (%s) %s, attempt %d failed", event.id, event.type, outcome, event.attempts),
        error,
        throttle=_throttle,
        masks=(),
    )
