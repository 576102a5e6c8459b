"""Requests of many clients to one app, from several threads or tasks at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.drive import Adapter, Answer, AsgiAdapter, ask_asgi, drive_wsgi, make_scope
from tests.servers.server import poll

if TYPE_CHECKING:
    from mantlet._internal.asgi_types import Scope

__all__ = ["HOT", "Load", "Seen"]

#: Busy clients. Between their requests come those of others, one of each.
HOT = [f"192.0.2.{number}" for number in range(1, 6)]
WORKERS = 6


class Seen(NamedTuple):
    """The outcome of one request."""

    client: str
    answer: Answer
    seconds: float


class Load:
    """Requests sent as fast as they are answered, every other one by a busy client.

    Args:
        adapter: the app's protocol.
        app: the app.
        total: number of requests.
    """

    def __init__(self, adapter: Adapter, app: Any, total: int) -> None:
        self.seen: list[Seen] = []
        self._app = app
        self._total = total
        self._numbers = count()
        work = [self._loop] if isinstance(adapter, AsgiAdapter) else [self._thread] * WORKERS
        self._threads = [Thread(target=one, daemon=True) for one in work]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(600)
        assert not any(thread.is_alive() for thread in self._threads), "a request waits for ever"
        assert len(self.seen) == self._total

    def reach(self, part: float) -> None:
        """Wait until this part of the requests has been answered."""
        wanted = int(part * self._total)
        poll(lambda: len(self.seen) >= wanted, f"answers to {wanted} requests")

    def _clients(self) -> Any:
        while (number := next(self._numbers)) < self._total:
            high, low = divmod(number, 250)
            yield HOT[number // 2 % len(HOT)] if number % 2 else f"10.0.{high}.{low}"

    def _thread(self) -> None:
        for client in self._clients():
            started = time.monotonic()
            answer = drive_wsgi(self._app, client=client)
            self.seen.append(Seen(client, answer, time.monotonic() - started))

    def _loop(self) -> None:
        async def worker() -> None:
            for client in self._clients():
                started, answer = time.monotonic(), Answer()
                scope: Scope = make_scope(client=client)
                try:
                    await ask_asgi(self._app, scope, [_NO_BODY], answer)
                except Exception as error:
                    answer.error = error
                self.seen.append(Seen(client, answer, time.monotonic() - started))
                await asyncio.sleep(0)

        async def main() -> None:
            await asyncio.gather(*(worker() for _ in range(WORKERS)))

        asyncio.run(main())

    # -- what came of it --------------------------------------------------------------------------

    @property
    def statuses(self) -> Counter[int | None]:
        """The number of responses by status code."""
        return Counter(one.answer.status for one in self.seen)

    @property
    def errors(self) -> list[BaseException]:
        """The exceptions that reached the server."""
        return [one.answer.error for one in self.seen if one.answer.error is not None]

    @property
    def longest(self) -> float:
        """Seconds that the slowest request took."""
        return max(one.seconds for one in self.seen)

    @property
    def admitted(self) -> Counter[str]:
        """The number of admitted requests of each busy client."""
        return Counter(
            one.client for one in self.seen if one.answer.status == 200 and one.client in HOT
        )


_NO_BODY = {"type": "http.request", "body": b"", "more_body": False}
