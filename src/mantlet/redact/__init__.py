"""Find and mask secrets in text and streams, in every encoding in which they may appear."""

from mantlet.redact.registry import Registry

__all__ = ["Registry"]
