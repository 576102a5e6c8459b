"""Search for many byte strings at once: secrets in their many forms, and whatever else may leak."""

from mantlet.redact.registry import Registry

__all__ = ["Registry"]
