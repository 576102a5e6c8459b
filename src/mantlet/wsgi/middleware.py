"""`wrap()`, and each policy as a conventional WSGI middleware.

A middleware's first argument is the app and the others are the policy's own, checked by a type
checker.
"""

from collections.abc import Callable
from typing import Concatenate, ParamSpec
from wsgiref.types import WSGIApplication

from mantlet.core.policy import Policy
from mantlet.defaults import default_policies
from mantlet.errors import ErrorEnvelope
from mantlet.guard import SchemaGuard
from mantlet.ratelimit import RateLimiter
from mantlet.sanitize import OutputSanitizer
from mantlet.secrets import SecretLoader
from mantlet.wsgi.stack import Stack

__all__ = [
    "ErrorEnvelopeMiddleware",
    "OutputSanitizerMiddleware",
    "RateLimiterMiddleware",
    "SchemaGuardMiddleware",
    "SecretLoaderMiddleware",
    "wrap",
]

P = ParamSpec("P")


def wrap(app: WSGIApplication, *policies: Policy) -> Stack:
    """Wrap a WSGI app in policies, the outermost first; without any, in the baseline.

    Raises:
        TypeError: one of the policies is none.
    """
    return Stack(app, policies or default_policies())


def _middleware(policy: Callable[P, Policy]) -> Callable[Concatenate[WSGIApplication, P], Stack]:
    def middleware(app: WSGIApplication, /, *args: P.args, **kwargs: P.kwargs) -> Stack:
        return Stack(app, [policy(*args, **kwargs)])

    return middleware


ErrorEnvelopeMiddleware = _middleware(ErrorEnvelope)
OutputSanitizerMiddleware = _middleware(OutputSanitizer)
RateLimiterMiddleware = _middleware(RateLimiter)
SecretLoaderMiddleware = _middleware(SecretLoader)
SchemaGuardMiddleware = _middleware(SchemaGuard)
