"""Requests over a quota that wait for their tokens instead of being refused, under ASGI.

A request waits only if its tokens will be there within the limiter's ``delay``, after those of the
requests with the same key that wait already; else it is refused at once. While it waits it holds no
tokens, and the memory of its connection, so the number of waiting requests is bounded. A
request waits in its process: another worker may take the tokens first, and then it waits again as
long as its time allows.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from mantlet._internal.event_loop import is_on_loop, now
from mantlet._internal.options import check_number
from mantlet.core.request import Request
from mantlet.core.request_view import RequestView
from mantlet.ratelimit.engine import LimitResult
from mantlet.ratelimit.stores.base import TokenRequest

__all__ = ["Queue"]

#: In seconds.
_MAX_DELAY: Final = 60.0


class Queue:
    """The requests that wait for tokens.

    Args:
        delay: the longest wait of a request, in seconds.
        places: how many requests may wait at once, at least one.

    Raises:
        TypeError: the delay is not a number.
        ValueError: it is out of range.
    """

    #: See `Policy.wsgi_reason`.
    wsgi_reason = (
        "delay has no effect, since waiting would occupy a worker thread: requests over a quota "
        "are refused at once"
    )

    def __init__(self, delay: float, places: int) -> None:
        self._delay = check_number("delay", delay, most=_MAX_DELAY)
        self._free = places
        #: The waiting requests of each bucket, in the order they came.
        self._lines: dict[str, list[object]] = {}

    async def take(
        self, request: Request, result: LimitResult, take: Callable[[], Awaitable[LimitResult]]
    ) -> LimitResult:
        """Wait until a refused request gets its tokens, or its time is over.

        Args:
            request: the request.
            result: the refusal.
            take: takes the tokens; called after each wait.

        Returns:
            The result that admits the request, or the last refusal.

        Raises:
            ClientDisconnected: the client has gone meanwhile.
        """
        if not request.is_async or isinstance(request, RequestView):
            return result  # a worker thread must not wait, and report mode must not delay
        if not is_on_loop():  # one of another library
            return result
        end = now() + self._delay
        bucket, step = _refusing_bucket(result)
        line = self._lines.get(bucket, [])
        if not self._free or not 0 < result.decision.retry_after + len(line) * step <= self._delay:
            return result
        place = object()
        self._lines[bucket] = line
        line.append(place)
        self._free -= 1
        try:
            while not result.decision.allowed:
                ahead = line.index(place)
                wait = result.decision.retry_after
                if wait:
                    wait += ahead * step
                if not 0 < wait <= end - now():
                    break
                await request.pause(wait)
                result = await take()
        finally:
            line.remove(place)
            self._free += 1
            if not line:
                self._lines.pop(bucket, None)
        return result


def _refusing_bucket(result: LimitResult) -> tuple[str, float]:
    """Return the bucket that refuses for longest, and the seconds that one request of it takes."""
    pairs = zip(result.hits, result.decision.parts, strict=True)
    refusing = [(one.retry_after, hit.store_request) for hit, one in pairs if not one.allowed]
    _, needed = max(refusing, key=lambda pair: pair[0])
    if not isinstance(needed, TokenRequest) or needed.quota.window:
        return needed.key, 0.0
    return needed.key, needed.cost * needed.quota.interval / needed.quota.second
