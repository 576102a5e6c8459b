"""`KeySet`: the keys that an issuer signs its tokens with, and where a scheme gets them from.

A key set is parsed strictly. A key that can't be used is skipped, and logged once, without any of
its values; one bad key takes no other with it. `authentication.keys` has sources of key sets that
are fetched; `FixedKeys` has one that never changes.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from math import inf
from typing import Any, Final, Protocol, Self

from mantlet.authentication.errors import AuthenticationUnavailable
from mantlet.authentication.jwt.jwk import (
    UnusableKey,
    VerificationKey,
    parse_jwk,
    secret_key,
)
from mantlet.authentication.jwt.strict_json import NotStrictJson, parse_object
from mantlet.core.policy import HealthState

__all__ = ["MAX_CANDIDATES", "FixedKeys", "InvalidKeySet", "KeySet", "KeySource"]

#: The most keys of a set.
_MAX_KEYS: Final = 100
#: The most keys that a token without a ``kid`` is tried with.
MAX_CANDIDATES: Final = 4

_log: Final = logging.getLogger("mantlet.authentication")


class InvalidKeySet(ValueError):
    """A document is not a key set with a key that can be used. The message has no value of it."""


class KeySet:
    """Keys that verify tokens. Immutable.

    Args:
        keys: the keys.
        skipped: why others of the document can't be used.

    Attributes:
        skipped: the same.
    """

    __slots__ = ("_by_kid", "_keys", "_unnamed", "skipped")

    def __init__(self, keys: Iterable[VerificationKey], skipped: Iterable[str] = ()) -> None:
        self._keys = tuple(keys)
        self.skipped = tuple(skipped)
        self._by_kid: dict[tuple[str, str], tuple[VerificationKey, ...]] = {}
        unnamed: dict[str, tuple[VerificationKey, ...]] = {}
        for key in self._keys:
            for algorithm in key.algorithms:
                unnamed[algorithm] = (*unnamed.get(algorithm, ()), key)
                if key.kid is not None:
                    self._by_kid[key.kid, algorithm] = (key,)
        # Guessing among many keys would take an attacker's choice of work.
        self._unnamed = {
            algorithm: fitting
            for algorithm, fitting in unnamed.items()
            if len(fitting) <= MAX_CANDIDATES
        }

    @classmethod
    def from_json(cls, text: bytes, *, previous: "KeySet | None" = None) -> Self:
        """Return the set of a document in JSON (RFC 7517, 5).

        Args:
            text: the document, whose length the caller has bounded.
            previous: the set that this one replaces: what was skipped there is not logged again.

        Raises:
            InvalidKeySet: it is not strict JSON, not a key set, or has no key that can be used.
        """
        try:
            document = parse_object(text)
        except NotStrictJson as error:
            reason = str(error)
        else:
            return cls.from_jwks(document, previous=previous)
        raise InvalidKeySet(f"the key set {reason}")

    # Any: values of JSON.
    @classmethod
    def from_jwks(cls, document: Mapping[str, Any], *, previous: "KeySet | None" = None) -> Self:
        """Return the set of a parsed document (RFC 7517, 5).

        Args:
            document: with the member ``keys``.
            previous: the set that this one replaces: what was skipped there is not logged again.

        Raises:
            InvalidKeySet: it is not a key set, or has no key that can be used.
        """
        members = document.get("keys")
        if not isinstance(members, list):
            raise InvalidKeySet("a key set must have a list of keys")
        if len(members) > _MAX_KEYS:
            raise InvalidKeySet(f"a key set must have at most {_MAX_KEYS} keys")
        keys, skipped = _parse_keys(members)
        reasons = [f"key {position}: {skipped[position]}" for position in sorted(skipped)]
        if not keys:
            raise InvalidKeySet(
                "a key set must have a key that can be used"
                + (f" ({'; '.join(reasons[:10])})" if reasons else "")
            )
        known = previous.skipped if previous is not None else ()
        for reason in reasons:
            if reason not in known:
                _log.warning("A key of a key set is not used. %s", reason)
        return cls(keys.values(), reasons)

    @classmethod
    def from_secrets(cls, secrets: Iterable[bytes]) -> Self:
        """Return a set of shared secrets, for HMAC.

        Args:
            secrets: of at least 32 bytes each.
        """
        return cls([secret_key(secret) for secret in secrets])

    def candidates(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        """Return the keys that may have signed a token; few, whatever the token says.

        Args:
            kid: the id that the token names. It is only looked up. Where no key of the set has an
                id, it means nothing.
            algorithm: the token's algorithm.

        Returns:
            With a ``kid``, the key with that id, if it fits the algorithm; without one, all keys
            that fit, unless they are many.
        """
        if kid is None or not self._by_kid:
            return self._unnamed.get(algorithm, ())
        return self._by_kid.get((kid, algorithm), ())

    def knows(self, kid: str | None) -> bool:
        """Return whether a key of the set has an id.

        Args:
            kid: the id that a token names; None if it names none.
        """
        return any(key.kid == kid for key in self._keys if key.kid is not None)

    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms that some key fits."""
        return frozenset(name for key in self._keys for name in key.algorithms)

    def __iter__(self) -> Iterator[VerificationKey]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"<KeySet of {len(self._keys)} keys>"


# Any: values of JSON.
def _parse_keys(members: list[Any]) -> tuple[dict[int, VerificationKey], dict[int, str]]:
    """Return the keys of a set by their positions, and why the others can't be used."""
    keys: dict[int, VerificationKey] = {}
    skipped: dict[int, str] = {}
    for position, member in enumerate(members, 1):
        if member in members[: position - 1]:
            continue  # the same key twice is one key
        try:
            keys[position] = parse_jwk(member)
        except UnusableKey as error:
            skipped[position] = str(error)
    # RFC 7517, 4.5: keys should have different ids. Of two for one algorithm, nobody can tell which
    # one is meant.
    ids = Counter((key.kid, name) for key in keys.values() for name in key.algorithms)
    for position, key in list(keys.items()):
        if key.kid is not None and any(ids[key.kid, name] > 1 for name in key.algorithms):
            del keys[position]
            skipped[position] = "another key for its algorithm has the same kid"
    return keys, skipped


class KeySource(Protocol):
    """Where a scheme gets its key set from."""

    @property
    def key_set(self) -> KeySet | None:
        """The newest one; None until there is one. A failure never takes it away."""

    @property
    def generation(self) -> int:
        """Another number whenever `key_set` has changed; read before it, for each token.

        A source must change `key_set` first, so that nobody takes old keys for new ones.
        """
        ...

    @property
    def next_renewal(self) -> float:
        """When `renew()` is due, by ``time.monotonic()``."""
        ...

    def renew(self) -> None:
        """Begin to renew the key set, if it is time. Called after a response."""

    def unavailable(self) -> AuthenticationUnavailable:
        """Return the error for a token that can't be verified, as there has been no key set yet."""
        ...

    def report_unknown(self, kid: str) -> None:
        """Note that no key of the set has signed a token, so that the set may be renewed.

        Called after the response, unless the token names a key of the set. Anyone can cause that.

        Args:
            kid: the key's id, as the token has it; "" if it has none.
        """

    def startup(self) -> Awaitable[None] | None:
        """Load the key set, as `Scheme.startup`."""

    def shutdown(self) -> Awaitable[None] | None:
        """Release the resources of `startup`."""

    def health(self) -> HealthState:
        """Return the state of the source, as `Scheme.health`."""


class FixedKeys:
    """A `KeySource` whose key set never changes.

    Args:
        key_set: the keys.
    """

    next_renewal = inf

    def __init__(self, key_set: KeySet | None) -> None:
        self.key_set = key_set

    @property
    def generation(self) -> int:
        """Always the same number."""
        return 0

    def renew(self) -> None:
        """Do nothing: no other keys will come."""

    def unavailable(self) -> AuthenticationUnavailable:
        """Return an error that is never needed, as there are keys."""
        return AuthenticationUnavailable("there are no keys", retry_after=inf)

    def report_unknown(self, kid: str) -> None:
        """Do nothing: no other keys will come."""

    def startup(self) -> None:
        """Do nothing."""

    def shutdown(self) -> None:
        """Do nothing."""

    def health(self) -> HealthState:
        """Return ``"ok"``."""
        return "ok"
