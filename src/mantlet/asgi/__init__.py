"""The ASGI face: `wrap()`, `Stack`, and each policy as a middleware."""

from mantlet.asgi.middleware import (
    ErrorEnvelopeMiddleware,
    OutputSanitizerMiddleware,
    RateLimiterMiddleware,
    SchemaGuardMiddleware,
    SecretLoaderMiddleware,
    wrap,
)
from mantlet.asgi.stack import Stack

__all__ = [
    "ErrorEnvelopeMiddleware",
    "OutputSanitizerMiddleware",
    "RateLimiterMiddleware",
    "SchemaGuardMiddleware",
    "SecretLoaderMiddleware",
    "Stack",
    "wrap",
]
