"""`wrap()`, and each policy as a conventional ASGI middleware.

A middleware's first argument is the app and the others are the policy's own, so that Starlette's
and FastAPI's ``add_middleware`` takes it and a type checker checks its options.
"""

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from mantlet._internal.asgi_types import AsgiApp
from mantlet.asgi.stack import Stack
from mantlet.core.policy import Policy
from mantlet.defaults import default_policies
from mantlet.errors import ErrorEnvelope
from mantlet.guard import SchemaGuard
from mantlet.ratelimit import RateLimiter
from mantlet.sanitize import OutputSanitizer
from mantlet.secrets import SecretLoader

__all__ = [
    "ErrorEnvelopeMiddleware",
    "OutputSanitizerMiddleware",
    "RateLimiterMiddleware",
    "SchemaGuardMiddleware",
    "SecretLoaderMiddleware",
    "wrap",
]

P = ParamSpec("P")


def wrap(app: AsgiApp, *policies: Policy) -> Stack:
    """Wrap an ASGI app in policies, the outermost first; without any, in the baseline.

    Raises:
        TypeError: one of the policies is none.
    """
    return Stack(app, policies or default_policies())


def _middleware(policy: Callable[P, Policy]) -> Callable[Concatenate[AsgiApp, P], Stack]:
    def middleware(app: AsgiApp, /, *args: P.args, **kwargs: P.kwargs) -> Stack:
        return Stack(app, [policy(*args, **kwargs)])

    return middleware


ErrorEnvelopeMiddleware = _middleware(ErrorEnvelope)
OutputSanitizerMiddleware = _middleware(OutputSanitizer)
RateLimiterMiddleware = _middleware(RateLimiter)
SecretLoaderMiddleware = _middleware(SecretLoader)
SchemaGuardMiddleware = _middleware(SchemaGuard)
