"""The values that must not get out: those of now, and for a while those of before."""

import hmac
import os
import warnings
from collections.abc import Callable, Iterable
from hashlib import blake2b
from time import monotonic
from typing import Final, Protocol
from weakref import WeakSet

from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.options import check_number
from mantlet.redact.variants import Needle, forms, weakness

__all__ = ["Known", "Registry", "Values", "registry_of"]

_FINGERPRINT_BYTES: Final = 6


class _Searcher(Protocol):
    def rebuild(self, needles: tuple[Needle, ...]) -> None: ...


class Registry:
    """Secret values, in all the forms that they are searched for in.

    Args:
        values: text or bytes. One that is shorter than 8 bytes, or easy to guess, is left out
            with a warning, since masking it would destroy answers that have it by chance.
        overlap: seconds that a value is still searched for after it was replaced.
        key: what fingerprints are made with, up to 64 bytes; by default one of this process alone.
        clock: gives the time in seconds.

    Raises:
        TypeError: a value is neither text nor bytes.
        ValueError: ``overlap`` is negative or no number, or the key too long.

    Attributes:
        needles: what to search for now, each form once; another object after each change.
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
        self._old: dict[bytes, float] = {}
        self._made: dict[bytes, tuple[Needle, ...]] = {}
        self._searchers: WeakSet[_Searcher] = WeakSet()
        self.needles: tuple[Needle, ...] = ()
        self.replace(values)

    def replace(self, values: Iterable[str | bytes]) -> None:
        """Make these the values of now. Those that were, and are not any more, stay for a while.

        Args:
            values: as in the constructor.
        """
        checked = tuple(dict.fromkeys(_checked(values)))
        with self._lock.hold():
            now = self._clock()
            self._old |= dict.fromkeys(self._values, now + self._overlap)
            self._values = checked
            self._rebuild(now)

    def expire(self) -> None:
        """Forget old values whose time is over; it costs nothing where there are none."""
        if not self._old:
            return
        with self._lock.hold(waits=False) as is_held:
            now = self._clock()
            if is_held and any(until <= now for until in self._old.values()):
                self._rebuild(now)

    def _rebuild(self, now: float) -> None:
        self._old = {
            value: until
            for value, until in self._old.items()
            if until > now and value not in self._values
        }
        self._made = {
            value: self._made.get(value) or self._needles(value)
            for value in (*self._old, *self._values)
        }
        by_form = {needle.form: needle for made in self._made.values() for needle in made}
        needles = tuple(by_form.values())
        for searcher in tuple(self._searchers):
            searcher.rebuild(needles)
        self.needles = needles

    def _needles(self, value: bytes) -> tuple[Needle, ...]:
        fingerprint = self.fingerprint(value)
        return tuple(Needle(form, fingerprint) for form in forms(value))

    def attach(self, searcher: _Searcher) -> None:
        """Have a searcher told of the needles: those of now, and of each change before it counts.

        So no answer waits for a search to be made ready but that which brought the change. It is
        not kept alive.
        """
        with self._lock.hold():
            searcher.rebuild(self.needles)
            self._searchers.add(searcher)

    def fingerprint(self, value: bytes) -> str:
        """Return a short keyed hash of a value: alike for like values and like keys."""
        return blake2b(value, digest_size=_FINGERPRINT_BYTES, key=self._key).hexdigest()

    def __contains__(self, value: object) -> bool:
        if isinstance(value, str):
            value = value.encode()
        values = (*self._values, *self._old)
        return isinstance(value, bytes) and any(hmac.compare_digest(value, v) for v in values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._values)} values, {len(self._old)} old)"


def _checked(values: Iterable[str | bytes]) -> Iterable[bytes]:
    if isinstance(values, (str, bytes)):
        raise TypeError("secrets must be several values in a list or the like, not one of them")
    for index, value in enumerate(values):
        if not isinstance(value, (str, bytes)):
            raise TypeError(f"secrets[{index}] must be text or bytes, not {type(value).__name__}")
        needle = value.encode(errors="surrogateescape") if isinstance(value, str) else value
        weak = weakness(needle)
        if weak is None:
            yield needle
        else:
            warnings.warn(f"secrets[{index}] is not searched for: {weak}", stacklevel=4)


class Known(Protocol):
    """What has a registry, as a `SecretLoader` does."""

    @property
    def registry(self) -> Registry:
        """Return the secrets that it knows."""
        ...


#: A registry, what has one, or the values for one.
Values = Registry | Known | Iterable[str | bytes]


def registry_of(secrets: Values) -> Registry | None:
    """Return the registry of a loader, or one of the values given; None where there are none."""
    registry = getattr(secrets, "registry", secrets)
    if isinstance(registry, Registry):
        return registry
    if not isinstance(secrets, Iterable) or isinstance(secrets, (str, bytes)):
        raise TypeError(
            f"secrets must be a SecretLoader or several values, not {type(secrets).__name__}"
        )
    values = tuple(secrets)
    return Registry(values) if values else None
