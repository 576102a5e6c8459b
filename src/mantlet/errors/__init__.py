"""Error responses that tell clients what they need, and nothing internal."""

from mantlet.core.context import current_request_id
from mantlet.errors.policy import ErrorEnvelope
from mantlet.errors.problem_types import Catalogue, ProblemType
from mantlet.errors.request_id import RequestId, RequestIdFilter, add_request_id

__all__ = [
    "Catalogue",
    "ErrorEnvelope",
    "ProblemType",
    "RequestId",
    "RequestIdFilter",
    "add_request_id",
    "current_request_id",
]
