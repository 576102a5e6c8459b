"""Keep the secret values of an app: the current ones, and for a while the replaced ones."""

import hmac
import os
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Protocol
from weakref import WeakSet

from mantlet._internal.fingerprint import keyed_fingerprint
from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.options import check_number
from mantlet._internal.user_warnings import warn_user
from mantlet.redact.strength import weak_reason
from mantlet.redact.variant_builder import build_variants
from mantlet.redact.variants import SecretVariant

__all__ = ["HasRegistry", "Registry", "SecretValues", "registry_of"]


class _Subscriber(Protocol):
    def rebuild(self, variants: tuple[SecretVariant, ...]) -> None: ...


class Registry:
    """Secret values, in every encoding that they are searched for in.

    Args:
        values: text or bytes. Values shorter than 8 bytes, or easy to guess, are left out with a
            warning, since masking them would damage responses that contain them by chance.
        overlap: seconds for which a value is still searched for after it was replaced.
        key: the key of the fingerprints, at most 64 bytes; by default a random one per process.
        clock: returns the time in seconds.

    Raises:
        TypeError: a value is neither text nor bytes.
        ValueError: ``overlap`` is negative or not a number, or the key is too long.

    Attributes:
        variants: the literals to search for, and what matches them; a new tuple on each change.
        has_replaced: whether replaced values are still searched for.
    """

    def __init__(
        self,
        values: Iterable[str | bytes] = (),
        *,
        overlap: float = 300,
        key: bytes | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._overlap = check_number("overlap", overlap, least=0)
        self._clock = clock
        self._key = os.urandom(32) if key is None else key
        self._lock = ForkSafeLock()
        self._values: tuple[bytes, ...] = ()
        self._replaced: dict[bytes, float] = {}
        self._cache: dict[bytes, tuple[SecretVariant, ...]] = {}
        self._subscribers: WeakSet[_Subscriber] = WeakSet()
        self.has_replaced = False
        self.variants: tuple[SecretVariant, ...] = ()
        self.replace(values)

    def replace(self, values: Iterable[str | bytes]) -> None:
        """Replace the current values. The previous ones stay for ``overlap`` seconds.

        Args:
            values: as in the constructor.
        """
        checked = tuple(dict.fromkeys(_checked(values)))
        with self._lock.hold():
            now = self._clock()
            self._replaced |= dict.fromkeys(self._values, now + self._overlap)
            self._values = checked
            self._rebuild(now)

    def expire(self) -> None:
        """Drop replaced values whose overlap is over. Cheap without any."""
        if not self.has_replaced:
            return
        with self._lock.hold(waits=False) as is_held:
            now = self._clock()
            if is_held and any(until <= now for until in self._replaced.values()):
                self._rebuild(now)

    def _rebuild(self, now: float) -> None:
        self._replaced = {
            value: until
            for value, until in self._replaced.items()
            if until > now and value not in self._values
        }
        self._cache = {
            value: self._cache.get(value) or self._make_variants(value)
            for value in (*self._replaced, *self._values)
        }
        variants = tuple(variant for made in self._cache.values() for variant in made)
        for subscriber in tuple(self._subscribers):
            subscriber.rebuild(variants)
        self.variants = variants
        self.has_replaced = bool(self._replaced)

    def _make_variants(self, value: bytes) -> tuple[SecretVariant, ...]:
        return build_variants(value, self.fingerprint(value))

    def attach(self, subscriber: _Subscriber) -> None:
        """Subscribe an object to changes: it gets the variants now, and before each change applies.

        So no response waits for a search to be built except the one that triggered the change. Only
        a weak reference to the subscriber is kept.
        """
        with self._lock.hold():
            subscriber.rebuild(self.variants)
            self._subscribers.add(subscriber)

    def fingerprint(self, value: bytes) -> str:
        """Return a short keyed hash of a value: the same for equal values and equal keys."""
        return keyed_fingerprint(value, self._key)

    def __contains__(self, value: object) -> bool:
        if isinstance(value, str):
            value = value.encode()
        values = (*self._values, *self._replaced)
        return isinstance(value, bytes) and any(hmac.compare_digest(value, v) for v in values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._values)} values, {len(self._replaced)} old)"


def _checked(values: Iterable[str | bytes]) -> Iterable[bytes]:
    if isinstance(values, (str, bytes)):
        raise TypeError("secrets must be several values, such as a list, not a single one")
    for index, value in enumerate(values):
        if not isinstance(value, (str, bytes)):
            raise TypeError(f"secrets[{index}] must be text or bytes, not {type(value).__name__}")
        data = value.encode(errors="surrogateescape") if isinstance(value, str) else value
        reason = weak_reason(data)
        if reason is None:
            yield data
        else:
            warn_user(f"secrets[{index}] is not searched for: {reason}")


class HasRegistry(Protocol):
    """An object with a registry, such as a `SecretLoader`."""

    @property
    def registry(self) -> Registry:
        """Return the registry of its secrets."""
        ...


#: A registry, an object that has one, or the values for one.
SecretValues = Registry | HasRegistry | Iterable[str | bytes]


def registry_of(secrets: SecretValues) -> Registry | None:
    """Return the registry of a loader, or a new one for values; None without values."""
    registry = getattr(secrets, "registry", secrets)
    if isinstance(registry, Registry):
        return registry
    if not isinstance(secrets, Iterable) or isinstance(secrets, (str, bytes)):
        raise TypeError(
            f"secrets must be a SecretLoader or several values, not {type(secrets).__name__}"
        )
    values = tuple(secrets)
    return Registry(values) if values else None
