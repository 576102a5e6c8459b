"""`RenewedKeys`: a key set that is loaded at the start and renewed between requests.

A failure never takes keys away: those that were loaded last go on. If none have ever been loaded,
tokens can't be verified, and requests with one get 503. The app starts all the same, since one that
needs its provider to start would be down longer than the provider.

Keys are loaded in a thread that ends with the loading. No request waits for it: it begins after a
response (`renew()`, `report_unknown()`), or in a readiness check. A process that was forked has the
keys of its parent, and renews them by itself.
"""

import json
import logging
import os
from collections.abc import Callable
from concurrent.futures import Future
from hashlib import sha256
from math import inf
from random import uniform
from time import monotonic
from typing import Final, NamedTuple

from mantlet._internal.event_loop import wait_for
from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.log_throttle import LogThrottle
from mantlet.authentication.errors import AuthenticationUnavailable
from mantlet.authentication.http import ProviderError
from mantlet.authentication.jwt.key_set import InvalidKeySet, KeySet
from mantlet.authentication.jwt.strict_json import parse_object
from mantlet.authentication.threads import Busy, ShortThreads
from mantlet.core.policy import HealthState

__all__ = ["LoadedKeys", "RenewedKeys"]

_log: Final = logging.getLogger("mantlet.authentication")

#: Seconds between two loadings because of unknown keys, which anyone can make up.
_UNKNOWN_INTERVAL: Final = 30.0
#: Seconds until the next attempt after a failure: the first delay, which each further failure
#: doubles, and the longest.
_FIRST_DELAY, _LONGEST_DELAY = 5.0, 60.0
#: The share of a period by which processes differ, so that not all load at the same time.
_JITTER: Final = 0.1


class LoadedKeys(NamedTuple):
    """A document with keys.

    Attributes:
        document: a JWK Set (RFC 7517, 5), as it came; None if it has certainly not changed.
        lifetime: seconds until it is to be loaded again.
    """

    document: bytes | None
    lifetime: float


class RenewedKeys:
    """The base of sources of keys that may change.

    Args:
        name: the kind of the source, for log records.
        timeout: seconds that a loading may take.
        clock: a monotonic clock, in seconds.

    Attributes:
        key_set: the newest keys; None until there are any.
        generation: another number whenever the keys have changed; it is set after `key_set`, so
            read it first.
        next_renewal: when `renew()` is due, by the clock.
    """

    def __init__(
        self, name: str, *, timeout: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self.key_set: KeySet | None = None
        self.generation = 0
        self.next_renewal = -inf
        self._name = name
        self._timeout = timeout
        self._clock = clock
        self._threads = ShortThreads(1)
        self._lock = ForkSafeLock()
        self._loading: tuple[int, Future[None]] | None = None
        self._began = -inf
        self._digest = b""
        self._failures = 0
        self._failure = ""
        self._throttle = LogThrottle(_log, clock)

    def load(self, deadline: float) -> LoadedKeys:
        """Load the keys, in a thread.

        Args:
            deadline: by ``time.monotonic()``.

        Raises:
            ProviderError: they can't be loaded.
        """
        raise NotImplementedError

    async def startup(self) -> None:
        """Load the keys, and wait until they are there or can't be loaded now."""
        if self.key_set is None or self._clock() >= self.next_renewal:
            loading = self._begin()
            if loading is not None:
                # The thread ends in time, unless it waits for the addresses of the host.
                await wait_for(loading, self._timeout + 1.0)

    def shutdown(self) -> None:
        """Do nothing: a thread that still loads the keys ends by itself."""

    def health(self) -> HealthState:
        """Return ``"stale"`` if the last loading has failed, ``"down"`` if each one has.

        It begins another one if that is due, since an app that is not ready gets no requests.
        """
        self.renew()
        if self.key_set is None:
            return "down"
        return "stale" if self._failures else "ok"

    def renew(self) -> None:
        """Begin to load the keys again, if it is time. To be called after a response."""
        if self._clock() >= self.next_renewal:
            self._begin()

    def report_unknown(self, kid: str) -> None:
        """Begin to load the keys again, as a token names a key that is not among them.

        At most once in 30 seconds, whatever tokens say; after a failure, when `renew()` is due. To
        be called after a response.

        Args:
            kid: the key's id, which is not used.
        """
        if self._failures:  # the provider may have asked to be left alone
            self.renew()
        elif self._clock() - self._began >= _UNKNOWN_INTERVAL:
            self._begin()

    def unavailable(self) -> AuthenticationUnavailable:
        """Return the error for a token that can't be verified, as no keys have been loaded yet."""
        seconds = max(1.0, self.next_renewal - self._clock())
        return AuthenticationUnavailable(
            f"{self._name}: no keys have been loaded yet", retry_after=seconds
        )

    def _begin(self) -> Future[None] | None:
        """Begin to load the keys, unless a thread does it already; return its future."""
        with self._lock.plain:
            # A process that was forked has none of its parent's threads.
            if self._loading is not None and self._loading[0] == os.getpid():
                return self._loading[1]
            before = self.next_renewal, self._began
            self._began = self._clock()
            # So that requests meanwhile do not ask for another one.
            self.next_renewal = self._began + self._timeout
            try:
                future = self._threads.submit(self._run)
            except Busy:  # out of threads: the next request tries again
                self.next_renewal, self._began = before
                return None
            self._loading = os.getpid(), future
            return future

    def _run(self) -> None:
        """Load the keys, in a thread."""
        try:
            try:
                self._take(self.load(monotonic() + self._timeout))
            except (ProviderError, InvalidKeySet) as error:
                self._note_failure(error)
            except Exception as error:  # noqa: BLE001  # a fault of the source's must not end renewal
                self._note_failure(ProviderError(f"can't be loaded: {type(error).__name__}"))
        finally:
            with self._lock.plain:
                self._loading = None

    def _take(self, loaded: LoadedKeys) -> None:
        """Use keys that have been loaded.

        Raises:
            InvalidKeySet: the document is not a key set, or has no key that can be used.
        """
        if loaded.document is not None:
            key_set = KeySet.from_json(loaded.document, previous=self.key_set)
            digest = _digest(loaded.document)
            if digest != self._digest:
                self.key_set = key_set  # before the generation: see there
                self._digest = digest
                self.generation += 1
                _log.info("%s: %d keys have been loaded", self._name, len(key_set))
        if self._failures:
            _log.warning("%s: the keys can be loaded again", self._name)
        self._failures, self._failure = 0, ""
        self.next_renewal = self._clock() + _jittered(loaded.lifetime)

    def _note_failure(self, error: ProviderError | InvalidKeySet) -> None:
        self._failures += 1
        self._failure = str(error)
        delay = min(_FIRST_DELAY * 2 ** min(self._failures - 1, 10), _LONGEST_DELAY)
        delay = _jittered(delay)
        if isinstance(error, ProviderError):
            delay = max(delay, error.retry_after)
        self.next_renewal = self._clock() + delay
        suppressed = self._throttle.suppressed(self._failure)
        if suppressed is not None:
            state = "no keys have been loaded" if self.key_set is None else "the last keys are used"
            more = f" (and {suppressed} more like it)" if suppressed else ""
            level = logging.ERROR if self.key_set is None else logging.WARNING
            _log.log(level, "%s: %s; %s%s", self._name, self._failure, state, more)


def _digest(document: bytes) -> bytes:
    """Return a digest of the keys of a document, in whatever order and form it has them."""
    keys = parse_object(document)["keys"]
    canonical = sorted(json.dumps(key, sort_keys=True) for key in keys)
    return sha256("\n".join(canonical).encode()).digest()


def _jittered(seconds: float) -> float:
    return seconds * uniform(1 - _JITTER, 1)  # noqa: S311  # spreads load, and guards nothing
