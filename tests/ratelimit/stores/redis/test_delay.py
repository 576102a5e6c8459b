"""Requests that wait for their tokens in a store on the network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import mantlet
from mantlet import RateLimiter
from tests.drive import Answer, AsgiAdapter, ask_asgi, hello, make_scope

if TYPE_CHECKING:
    from tests.stores.redis.servers import Valkey


def test_requests_wait_for_tokens_of_the_server(valkey: Valkey) -> None:
    """In spite of the process's memory of refused keys; and one that is too late is refused."""
    uri = f"redis://{valkey.place}"

    async def main() -> list[int]:
        limiter = RateLimiter("2/second", burst=1, delay=5, max_delayed=2, store=uri, timeout=5)
        app = mantlet.asgi.wrap(AsgiAdapter().app(hello), limiter, baseline=False)
        answers = [Answer() for _ in range(4)]
        body = {"type": "http.request", "body": b""}
        await asyncio.gather(*(ask_asgi(app, make_scope(), [body], answer) for answer in answers))
        return sorted(answer.status or 0 for answer in answers)

    assert asyncio.run(main()) == [200, 200, 200, 429]
