"""What the contenders are called, in the results and in the report."""

from typing import Final

BARE: Final = "bare"
TWO: Final = "Mantlet: ErrorEnvelope + RateLimiter"
TWO_NESTED: Final = "Mantlet: the same two, nested"
ENVELOPE: Final = "Mantlet: ErrorEnvelope"
LIMITER: Final = "Mantlet: RateLimiter"
EMPTY: Final = "Mantlet: no policy"
FIVE: Final = "Mantlet: five that pass"
FIVE_NESTED: Final = "Mantlet: five that pass, nested"

SLOWAPI_ASGI: Final = "slowapi: ASGI middleware"
FLASK_LIMITER: Final = "flask-limiter"

#: Titles of the groups: contenders of one group share a baseline, and are measured side by side.
SIZES: Final = ("small", "medium", "streamed")
STARLETTE: Final = "Starlette"
FLASK: Final = "Flask"
CHECKS: Final = "one check"
