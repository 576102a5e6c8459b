"""Findings: the kinds of requests that are refused, or would be in report mode."""

from mantlet.guard.findings.finding import Finding

__all__ = ["Finding"]
