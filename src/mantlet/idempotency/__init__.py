"""`Idempotency`: requests that are safe to repeat."""
