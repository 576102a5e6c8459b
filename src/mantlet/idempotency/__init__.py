"""`Idempotency`: requests that are safe to repeat."""

from mantlet.idempotency.policy import Idempotency

__all__ = ["Idempotency"]
