"""The patterns, constants and C code that policies work with, for middlewares written by hand."""

import re
from contextvars import ContextVar
from os import urandom
from typing import Any

from pydantic import TypeAdapter

from benchmarks.traffic import Order
from mantlet.guard.bodies.json_limits import JsonLimits
from mantlet.guard.limits import BodyLimits
from mantlet.sanitize.headers.csp import Csp
from mantlet.sanitize.headers.security import PRESETS

#: In the scope or the environ: a dict of what the policies leave for the app.
KEY = "by_hand.state"


class Unusual(Exception):
    """Raised for a request or a response that is not the usual one."""


def look(_status: Any, _headers: Any, _body: bytes) -> None:
    """Stand for the response hook of a policy."""


# -- ErrorEnvelope: the request id ----------------------------------------------------------------

VALID = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}").fullmatch
CURRENT: ContextVar[str] = ContextVar("by_hand_request_id")
SPARE: list[str] = []


def new_id() -> str:
    """Return 128 random bits, of which many come from one system call."""
    SPARE.extend(urandom(16 * 64).hex("-", 16).split("-"))
    return SPARE.pop()


# -- RateLimiter: one token bucket ----------------------------------------------------------------

MAX_BUCKETS = 100_000
REFUSAL = (
    b'{"type": "https://iana.org/assignments/http-problem-types#quota-exceeded", '
    b'"title": "Request cannot be satisfied as assigned quota has been exceeded", '
    b'"status": 429, "violated-policies": ["default"]}'
)
#: Names of response headers by which the app's own headers would have to change.
TAKEN = frozenset({"x-request-id", "ratelimit-policy", "ratelimit", "access-control-allow-origin"})
TAKEN_BYTES = frozenset(name.encode() for name in TAKEN)

# -- OutputSanitizer: headers and body ------------------------------------------------------------

NO_STORE = ("Cache-Control", "no-store")
SECURITY = [
    (name, value.value() if isinstance(value, Csp) else value)
    for name, value in PRESETS["api"].values()
    if name != "Strict-Transport-Security"  # over https alone
]
SECURITY.append(NO_STORE)
SMALL = 8 * 1024
LESS, GREATER, AND, SEPARATOR, HIGH = *b"<>&", 0xE2, b"\xfe"
#: Two of the three bytes of U+2028 and U+2029.
LINES = b"\xe2\x80"

# -- SchemaGuard: one model -----------------------------------------------------------------------

ROUTES = {("POST", "/orders"): TypeAdapter(Order).validator.validate_json}
LIMITS = BodyLimits()
JSON = JsonLimits(LIMITS)
#: A text of at most so many bytes needs no bounds on the number of errors.
MODEL_SIZE = 500
RARE = frozenset(
    {
        "content-encoding",
        "if-match",
        "range",
        "traceparent",
        "transfer-encoding",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
    }
)
RARE_BYTES = frozenset(name.encode() for name in RARE)
RARE_KEYS = frozenset("HTTP_" + name.upper().replace("-", "_") for name in RARE)
