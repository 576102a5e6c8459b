"""What is safe for every app and needs no decision."""

from mantlet.core.policy import Policy
from mantlet.errors import ErrorEnvelope
from mantlet.sanitize import OutputSanitizer

__all__ = ["default_policies"]


def default_policies() -> tuple[Policy, ...]:
    """Return the policies that an app is wrapped in when none are named, the outermost first.

    A rate or a schema is a decision, so it is never among them.
    """
    return (OutputSanitizer(), ErrorEnvelope())
