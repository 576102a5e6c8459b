"""Mantlet wraps any WSGI or ASGI app in composable protections."""

from mantlet import asgi, wsgi
from mantlet._wrap import install, wrap
from mantlet.core.policy import Close, Message, Policy, Reply
from mantlet.core.problem import BodyTooLarge, MalformedRequest, Problem
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.core.state import State, state
from mantlet.errors import ErrorEnvelope
from mantlet.exceptions import (
    ClientDisconnected,
    MantletError,
    NoResponse,
    ResponseTooLarge,
    StoreError,
    StoreOutage,
)
from mantlet.guard import Contract, File, GraphQL, Handling, JsonRpc, Limits, SchemaGuard
from mantlet.http.headers import Headers, MutableHeaders
from mantlet.ratelimit import Concurrency, Quota, RateLimiter, Rule, keys, on_status
from mantlet.sanitize import OutputSanitizer
from mantlet.secrets import Secret, SecretLoader, Secrets, SecretsError, secret

__version__ = "0.1.0"

__all__ = [
    "BodyTooLarge",
    "ClientDisconnected",
    "Close",
    "Concurrency",
    "Contract",
    "ErrorEnvelope",
    "File",
    "GraphQL",
    "Handling",
    "Headers",
    "JsonRpc",
    "Limits",
    "MalformedRequest",
    "MantletError",
    "Message",
    "MutableHeaders",
    "NoResponse",
    "OutputSanitizer",
    "Policy",
    "Problem",
    "Quota",
    "RateLimiter",
    "Reply",
    "Request",
    "Response",
    "ResponseTooLarge",
    "Rule",
    "SchemaGuard",
    "Secret",
    "SecretLoader",
    "Secrets",
    "SecretsError",
    "State",
    "StoreError",
    "StoreOutage",
    "asgi",
    "install",
    "keys",
    "on_status",
    "secret",
    "state",
    "wrap",
    "wsgi",
]
