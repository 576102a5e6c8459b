"""Mantlet's own contenders: around the plain apps, fused and nested, and each policy alone."""

from collections.abc import Callable, Sequence
from typing import Any

import mantlet
from benchmarks import names
from benchmarks.method import Contender
from benchmarks.plain_apps import asgi_app, wsgi_app
from benchmarks.traffic import AsgiServer, Traffic, WsgiServer
from mantlet import ErrorEnvelope, Policy, RateLimiter, Reply, Request

#: A rate that refuses nothing, for all limiters alike.
GENEROUS = "1000000/second"


class Passing(Policy):
    """Lets every request pass, without response hooks."""

    def on_request(self, request: Request) -> Reply | None:
        return None


def two(rate: str = GENEROUS) -> list[Policy]:
    """Return the two policies that the targets refer to."""
    return [ErrorEnvelope(), RateLimiter(rate)]


def _fused(app: Any, policies: Sequence[Policy]) -> Any:
    for policy in reversed(policies):
        app = mantlet.wrap(app, policy, baseline=False)
    return app


def _nested(app: Any, policies: Sequence[Policy], apart: Callable[[Any], Any]) -> Any:
    app = mantlet.wrap(app, policies[-1], baseline=False)
    for policy in reversed(policies[:-1]):
        app = mantlet.wrap(apart(app), policy, baseline=False)
    return app


# A plain function between two stacks keeps them from fusing. It passes its arguments on.


def _apart_asgi(app: Any) -> Any:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return inner


def _apart_wsgi(app: Any) -> Any:
    def inner(environ: Any, start_response: Any) -> Any:
        return app(environ, start_response)

    return inner


async def contenders(protocol: str, traffic: Traffic) -> list[Contender]:
    """Return the contenders around the plain app, each shown to answer like it.

    Args:
        protocol: ``"ASGI"`` or ``"WSGI"``.
        traffic: the requests to send.
    """
    asgi = protocol == "ASGI"
    server = AsgiServer if asgi else WsgiServer
    app: Any = asgi_app(traffic) if asgi else wsgi_app(traffic)
    apart = _apart_asgi if asgi else _apart_wsgi
    stack = mantlet.asgi.Stack if asgi else mantlet.wsgi.Stack
    five = [Passing() for _ in range(5)]
    apps = {
        names.BARE: app,
        names.EMPTY: stack(app),
        names.FIVE: _fused(app, five),
        names.FIVE_NESTED: _nested(app, five, apart),
        names.ENVELOPE: _fused(app, [ErrorEnvelope()]),
        names.LIMITER: _fused(app, [RateLimiter(GENEROUS)]),
        names.TWO: _fused(app, two()),
        names.TWO_NESTED: _nested(app, two(), apart),
    }
    assert len(apps[names.TWO].policies) == 2, "adjacent stacks fuse"
    assert len(apps[names.TWO_NESTED].policies) == 1, "stacks that are apart do not"
    for name, wrapped in apps.items():
        assert await server(wrapped, traffic).answer() == (200, traffic.body), name
    return [Contender(name, server(wrapped, traffic).serve) for name, wrapped in apps.items()]
