"""`Nonces`: nonces that this server provides for DPoP proofs (RFC 9449, 8), without any state."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Any, Final

from mantlet._internal.secret_values import secret_bytes

__all__ = ["Nonces"]

#: RFC 9449, 8: a nonce must not be predictable. As long as the output of SHA-256.
_MIN_SECRET: Final = 32
_CONTEXT: Final = b"mantlet DPoP nonce "
_MAX_LENGTH: Final = 64


class Nonces:
    """Nonces made of a secret and the time: all workers that have the secret agree on them.

    A nonce is the HMAC of the number of the current period. It is accepted in this period and the
    next one, and in the one before, for the clocks of other hosts.

    Args:
        secrets: a secret of 32 bytes or more, as bytes, text or a `Secret`, or a list of them: the
            first one makes nonces, and those of the others are accepted too, so that the secret can
            be replaced.
        period: in seconds.
        clock: returns Unix time in seconds.

    Raises:
        TypeError: a secret is neither bytes, text nor a `Secret`.
        ValueError: there is none, or one is too short.
    """

    __slots__ = ("_clock", "_known", "_period", "_secrets")

    # Any: a `Secret` of another package of this one, or what an app has in its place.
    def __init__(self, secrets: Any, *, period: int, clock: Callable[[], float]) -> None:
        several = isinstance(secrets, Iterable) and not isinstance(secrets, str | bytes)
        self._secrets = tuple(_checked(one) for one in (secrets if several else (secrets,)))
        if not self._secrets:
            raise ValueError("nonce must hold at least one secret")
        self._period = period
        self._clock = clock
        #: The number of a period, and the nonces that are accepted in it, the current one first.
        self._known: tuple[int, tuple[bytes, ...]] = (-1, ())

    @property
    def current(self) -> str:
        """The nonce for new proofs."""
        return self._accepted()[0].decode()

    def check(self, nonce: object) -> bool | None:
        """Return whether a proof's nonce is the current one; None if it is not accepted.

        Args:
            nonce: the claim ``nonce``, of any type.
        """
        if not isinstance(nonce, str) or len(nonce) > _MAX_LENGTH or not nonce.isascii():
            return None
        given = nonce.encode()
        matches = [compare_digest(given, one) for one in self._accepted()]
        return matches[0] if any(matches) else None

    def _accepted(self) -> tuple[bytes, ...]:
        number = int(self._clock() // self._period)
        known, accepted = self._known
        if known != number:
            accepted = tuple(
                self._make(secret, each)
                for each in (number, number - 1, number + 1)
                for secret in self._secrets
            )
            self._known = (number, accepted)
        return accepted

    @staticmethod
    def _make(secret: bytes, number: int) -> bytes:
        made = digest(secret, _CONTEXT + str(number).encode(), sha256)
        return urlsafe_b64encode(made[:24])


def _checked(secret: Any) -> bytes:
    value = secret_bytes("nonce", secret)
    if len(value) < _MIN_SECRET:
        raise ValueError(
            f"a secret for nonces must have {_MIN_SECRET} bytes or more, such as those of "
            f"secrets.token_bytes(32), not {len(value)}"
        )
    return value
