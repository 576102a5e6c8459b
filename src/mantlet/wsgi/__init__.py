"""The WSGI face: `wrap()`, `Stack`, and each policy as a middleware."""

from mantlet.wsgi.middleware import (
    ErrorEnvelopeMiddleware,
    OutputSanitizerMiddleware,
    RateLimiterMiddleware,
    SchemaGuardMiddleware,
    SecretLoaderMiddleware,
    wrap,
)
from mantlet.wsgi.stack import Stack

__all__ = [
    "ErrorEnvelopeMiddleware",
    "OutputSanitizerMiddleware",
    "RateLimiterMiddleware",
    "SchemaGuardMiddleware",
    "SecretLoaderMiddleware",
    "Stack",
    "wrap",
]
