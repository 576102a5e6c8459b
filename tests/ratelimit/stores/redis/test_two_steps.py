"""Limits that are taken before a body is read, and given back if a later one refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mantlet import Concurrency, RateLimiter, Rule, keys
from tests.drive import ADAPTERS, CLIENT, hello
from tests.ratelimit.test_stalled_bodies import log_in

if TYPE_CHECKING:
    from tests.stores.redis.servers import Valkey

_, WSGI = ADAPTERS


def test_a_late_refusal_gives_back_what_was_taken(valkey: Valkey) -> None:
    """The tokens and the slot, on the server."""
    limiter = RateLimiter(
        "10/day",
        rules=[Rule("POST /login", "2/day", key=keys.field("username"))],
        concurrency=Concurrency(1),
        store=f"redis://{valkey.place}",
        on_outage="refuse",
        timeout=5,
    )
    app = WSGI.wrap(hello, limiter)
    during: list[int | None] = []
    first = log_in(WSGI, app, stall=lambda: during.append(WSGI.drive(app).status))
    assert (first.status, during) == (200, [429])
    assert [log_in(WSGI, app).status for _ in range(10)] == [200] + [429] * 9
    assert limiter.peek(CLIENT).remaining == 7
    limiter.shutdown()
