"""Mantlet wraps any WSGI or ASGI app in composable protections."""

from mantlet import asgi, wsgi
from mantlet.errors import ErrorEnvelope
from mantlet.exceptions import ClientDisconnected, MantletError, NoAnswer, ResponseTooLarge
from mantlet.headers import Headers, MutableHeaders
from mantlet.policy import Close, Message, Policy, Reply, Response
from mantlet.problem import BodyTooLarge, MalformedRequest, Problem
from mantlet.ratelimit import Quota, RateLimiter
from mantlet.request import Request, state
from mantlet.wrapping import wrap

__version__ = "0.1.0"

__all__ = [
    "BodyTooLarge",
    "ClientDisconnected",
    "Close",
    "ErrorEnvelope",
    "Headers",
    "MalformedRequest",
    "MantletError",
    "Message",
    "MutableHeaders",
    "NoAnswer",
    "Policy",
    "Problem",
    "Quota",
    "RateLimiter",
    "Reply",
    "Request",
    "Response",
    "ResponseTooLarge",
    "asgi",
    "state",
    "wrap",
    "wsgi",
]
