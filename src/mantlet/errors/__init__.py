"""Errors that say what a client needs, and nothing internal."""

from mantlet.errors.policy import ErrorEnvelope

__all__ = ["ErrorEnvelope"]
