"""An app whose limiter keys logins by a field of the body, and counts requests in flight."""

from __future__ import annotations

import mantlet
from mantlet import Concurrency, RateLimiter, Rule, keys
from tests.drive import AsgiAdapter, WsgiAdapter, hello

LIMITER = RateLimiter(
    rules=[Rule("POST /login", "100/minute", key=keys.field("username", missing="share"))],
    concurrency=Concurrency(3),
)

asgi = mantlet.asgi.wrap(AsgiAdapter().app(hello), LIMITER, baseline=False)
wsgi = mantlet.wsgi.wrap(WsgiAdapter().app(hello), LIMITER, baseline=False)
