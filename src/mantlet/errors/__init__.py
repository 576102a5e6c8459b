"""Errors that say what a client needs, and nothing internal."""

from mantlet.errors.catalogue import Catalogue, ProblemType
from mantlet.errors.context import RequestIdFilter, add_request_id, current_request_id
from mantlet.errors.policy import ErrorEnvelope

__all__ = [
    "Catalogue",
    "ErrorEnvelope",
    "ProblemType",
    "RequestIdFilter",
    "add_request_id",
    "current_request_id",
]
