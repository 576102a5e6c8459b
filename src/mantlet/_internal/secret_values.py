"""The value of a secret that an option takes: plain, or in an object that hides it."""

from typing import Any

__all__ = ["revealed", "secret_bytes"]


# Any: what an app has its secrets in.
def revealed(secret: Any) -> Any:
    """Return the value of a `mantlet.Secret`, or of pydantic's ``SecretStr``; else the argument."""
    for name in ("reveal", "get_secret_value"):
        reveal = getattr(secret, name, None)
        if callable(reveal):
            return reveal()
    return secret


# Any: the same.
def secret_bytes(option: str, secret: Any) -> bytes:
    """Return the value of a secret as bytes; text in UTF-8.

    Raises:
        TypeError: it is neither bytes, text nor an object with one of these. The message does not
            contain it.
    """
    value = revealed(secret)
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        raise TypeError(
            f"{option} must be bytes, text or a Secret of one, or a list of these, not one of type "
            f"{type(value).__name__}"
        )
    return value
