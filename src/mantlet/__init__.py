"""Mantlet wraps any WSGI or ASGI app in composable protections."""

from mantlet import asgi, wsgi
from mantlet._wrap import wrap
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
from mantlet.guard import BodyLimits, Contract, File, GraphQL, JsonRpc, RouteOptions, SchemaGuard
from mantlet.http.headers import Headers, MutableHeaders
from mantlet.ratelimit import Concurrency, Quota, RateLimiter, Rule, keys, on_status
from mantlet.sanitize import OutputSanitizer
from mantlet.secrets import Secret, SecretLoader, SecretModel, SecretsError, secret_field

__version__ = "0.1.0"

__all__ = [
    "BodyLimits",
    "BodyTooLarge",
    "ClientDisconnected",
    "Close",
    "Concurrency",
    "Contract",
    "ErrorEnvelope",
    "File",
    "GraphQL",
    "Headers",
    "JsonRpc",
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
    "RouteOptions",
    "Rule",
    "SchemaGuard",
    "Secret",
    "SecretLoader",
    "SecretModel",
    "SecretsError",
    "State",
    "StoreError",
    "StoreOutage",
    "asgi",
    "keys",
    "on_status",
    "secret_field",
    "state",
    "wrap",
    "wsgi",
]
