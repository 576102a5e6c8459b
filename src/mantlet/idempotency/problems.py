"""The responses to requests that do not run (section 2.7 of the header's draft)."""

from typing import Final

from mantlet.core.problem import FixedProblem

__all__ = [
    "MALFORMED",
    "MISSING",
    "NO_RESPONSE",
    "OUTSTANDING",
    "REUSED",
    "UNAVAILABLE",
    "UNKNOWN",
]

_DRAFT: Final = (
    "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07#section-2.7"
)
MISSING: Final = FixedProblem(
    400,
    type=_DRAFT,
    title="Idempotency-Key is missing",
    detail="This operation needs an Idempotency-Key header, by which it can be repeated safely.",
)
MALFORMED: Final = FixedProblem(
    400,
    detail='The Idempotency-Key header must be one string such as "8e03978e-40d5", with 1 to 255 '
    "printable characters of ASCII.",
)
OUTSTANDING: Final = FixedProblem(
    409,
    type=_DRAFT,
    title="A request is outstanding for this Idempotency-Key",
    detail="A request with this key is being processed. Repeat it later.",
    headers={"Retry-After": "1"},
)
REUSED: Final = FixedProblem(
    422,
    type=_DRAFT,
    title="Idempotency-Key is already used",
    detail="This key was used for another request. Take a new key for each operation.",
)
NO_RESPONSE: Final = FixedProblem(
    409,
    detail="The request with this key has been processed, and its response was not kept. It is not "
    "processed again.",
)
UNKNOWN: Final = FixedProblem(
    409,
    detail="Whether the request with this key has been processed is unknown. It is not processed "
    "again.",
)
UNAVAILABLE: Final = FixedProblem(
    503,
    detail="Requests with an Idempotency-Key can't be processed at the moment.",
    headers={"Retry-After": "1"},
)
