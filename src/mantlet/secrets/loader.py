"""`SecretLoader`: secrets that are checked at start, rotate while running, and cannot get out."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from inspect import iscoroutinefunction
from math import inf, isfinite
from time import monotonic
from typing import Any, Final, Generic, TypeVar

from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.error_log import log_exception
from mantlet.core.modes import Mode, check_mode
from mantlet.core.policy import Policy
from mantlet.core.request import Request
from mantlet.redact.masking import Masker
from mantlet.redact.registry import Registry
from mantlet.secrets.dependency import dependency
from mantlet.secrets.examples import values_of
from mantlet.secrets.model import SecretModel, specs
from mantlet.secrets.report import SecretsError, SecretStatus
from mantlet.secrets.resolve import Asked, Terms, read_all
from mantlet.secrets.secret import as_bytes
from mantlet.secrets.sources.environment import Environment
from mantlet.secrets.sources.source import SecretSource

__all__ = ["SecretLoader"]

M = TypeVar("M", bound=SecretModel)
Listener = Callable[[frozenset[str]], object]

log = logging.getLogger("mantlet.secrets")

#: The variable that has the key of fingerprints, where the loader is not given it.
_KEY_VARIABLE: Final = "MANTLET_FINGERPRINT_KEY"
_LEAST_KEY: Final = 16
#: Of a lifetime, after which values are too old to be used without asking first.
_OVERDUE: Final = 1.25


class SecretLoader(Policy, Generic[M]):
    """Load an app's secrets, keep them current, and keep them in.

    Every problem with any of them is told at once, when the loader is made. `current` then is one
    state of all of them; a change is taken over as a whole or not at all. As a policy it gives each
    exchange the state of its beginning, as ``mantlet.state(...).secrets``, and has problems,
    debug pages and the log of `ErrorEnvelope` masked.

    Files are looked at when a secret is wanted, at most every ``poll_interval`` seconds: there is
    no thread, and no timer. Remote sources are asked again after their lifetime, behind an
    answer that is complete; under ASGI in one of the event loop's own threads, so that no other
    answer waits.

    Args:
        model: what the app needs.
        sources: where the secrets are, in the order in which they are asked: the first that has
            one wins. The environment alone by default.
        poll_interval: seconds between two looks at local sources.
        overlap: seconds that a replaced value is still kept from getting out.
        example_file: a file whose values are no secrets. ``.env.example`` beside a ``.env`` counts
            too.
        on_change: called with the names of the secrets that have changed, once they have; one
            function or several. What they raise is logged.
        reload_on_sighup: read everything anew after a ``SIGHUP``.
        fingerprint_key: what fingerprints are made with, 16 bytes or more; else the environment's
            ``MANTLET_FINGERPRINT_KEY``; else one of this process alone.
        ignore_names: names of variables and files that resemble a secret's, and are meant so.
        mode: whether values are checked: ``"enforce"`` rejects a value that breaks a rule;
            ``"report"`` logs and uses it; ``"off"`` only parses values. In each mode the app gets
            its secrets, and a secret without a usable value is an error.
        clock: seconds, from any beginning.

    Attributes:
        problems: the rules that the current values break; empty unless the mode is ``"report"``.
        registry: the values in all forms, for who keeps them from getting out.
        secret_masker: masks them in texts.

    Raises:
        SecretsError: a secret is missing, or can't be taken; it says all that is wrong.
        TypeError: the model, or a source, is none.
        ValueError: an option that can't be; the message says which.
    """

    secret_masker: Masker

    def __init__(
        self,
        model: type[M],
        *,
        sources: Iterable[SecretSource] | None = None,
        poll_interval: float = 10.0,
        overlap: float = 300.0,
        example_file: str | os.PathLike[str] | None = ".env.example",
        on_change: Listener | Sequence[Listener] = (),
        reload_on_sighup: bool = False,
        fingerprint_key: str | bytes | None = None,
        ignore_names: Iterable[str] = (),
        mode: Mode = "enforce",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if not (poll_interval >= 0 and isfinite(poll_interval)):
            raise ValueError(f"poll_interval must be 0 seconds or more, not {poll_interval}")
        listeners: Any = (on_change,) if callable(on_change) else on_change
        if not isinstance(listeners, Sequence) or not all(map(_is_plain, listeners)):
            raise ValueError(f"on_change must be a plain function or several: {on_change!r}")
        given = (Environment(),) if sources is None else tuple(sources)
        for source in given:
            if not isinstance(source, SecretSource):
                raise TypeError(f"sources must be sources, not {type(source).__name__}")
        if not given:
            raise ValueError("sources must be one or more")
        if isinstance(ignore_names, str):
            raise TypeError("ignore_names must be several names in a list or the like, not text")
        if not isinstance(mode, str):
            raise TypeError(
                f'mode must be "enforce", "report" or "off": secrets have no routes, not {mode!r}'
            )
        checks = check_mode(mode)
        # `Policy.mode` stays "enforce": a policy that is off has no hooks, and the app needs its
        # secrets in every mode.
        self._checks: Mode = checks if isinstance(checks, str) else "enforce"
        self._model = model
        self._specs = specs(model)
        self._asked = tuple(Asked(source, clock) for source in given)
        self._examples = (
            *([example_file] if example_file else []),
            *(e for s in given for e in s.example_files),
        )
        self._ignored = frozenset(ignore_names)
        self._listeners: tuple[Listener, ...] = tuple(listeners)
        self._clock = clock
        self._interval = poll_interval
        self._storms = LogThrottle(clock)
        self._lock = ForkSafeLock(self._hang_up)
        self._hung_up = False
        self._report: tuple[SecretStatus, ...] = ()
        self.problems: tuple[str, ...] = ()
        self._is_remote = any(source.is_remote for source in given)
        self.registry = Registry(overlap=overlap, key=_key(fingerprint_key), clock=clock)
        self.secret_masker = Masker(self.registry)
        self._load(lambda _: True)
        if not self._is_remote:
            self.disabled_hooks = frozenset({"on_finish"})
        if reload_on_sighup:
            self._listen()

    def _load(self, anew: Callable[[Asked], bool]) -> frozenset[str]:
        """Read all that is to be read anew, and take over what is there; return what changed."""
        try:
            terms = Terms(
                self._specs,
                frozenset() if self._checks == "off" else values_of(self._examples),
                self._ignored,
                self.registry.fingerprint,
                self._checks,
            )
            reading = read_all(terms, self._asked, anew)
        finally:
            self._plan()
        if reading.problems:
            raise SecretsError(self._model.__name__, reading.problems, reading.report)
        old = getattr(self, "_snapshot", None)
        new = reading.values
        changed = frozenset(name for name in new if old is None or getattr(old, name) != new[name])
        # One value may be written in several ways, each of which is searched for.
        if changed or _prints(reading.report) != _prints(self._report):
            # What is searched for first: nobody has a value that could still get out.
            self.registry.replace(reading.needles)
        self._report = tuple(reading.report)
        if changed:
            self._snapshot = self._model(**new)
        known, self.problems = self.problems, tuple(reading.warnings)
        for problem in reading.warnings:
            if problem not in known:
                log.warning("Secret used in report mode: %s", problem)
        return changed

    def _plan(self) -> None:
        """Say when the sources are looked at next."""
        self._look_at = self._clock() + self._interval
        self._refresh_at = min((one.due_at for one in self._asked), default=inf)

    @property
    def current(self) -> M:
        """The secrets as they are now: one state of all of them."""
        if self._clock() >= self._look_at:
            self._look(_OVERDUE)
        return self._snapshot

    @property
    def report(self) -> tuple[SecretStatus, ...]:
        """What was found of each secret, and where. No value is in it."""
        return self._report

    def fingerprint(self, name: str) -> str | None:
        """Return a keyed hash of a secret, which tells its versions apart, and nothing else.

        Args:
            name: the attribute's.

        Returns:
            12 hexadecimal digits; None where the app does without the secret.

        Raises:
            KeyError: there is no such secret.
        """
        return {entry.name: entry.fingerprint for entry in self._report}[name]

    def reload(self) -> frozenset[str]:
        """Read all sources anew.

        Returns:
            The names of the secrets that have changed.

        Raises:
            SecretsError: something is wrong; the last good state stays.
        """
        with self._lock.hold():
            self._hung_up = False
            changed = self._load(lambda _: True)
        self._tell(changed)
        return changed

    def on_request(self, request: Request) -> None:
        """Give the exchange the secrets of now."""
        if self._clock() >= self._look_at:
            self._look(inf)
        request.state.secrets = self._snapshot

    def on_finish(self, request: Request) -> Awaitable[None] | None:
        """Ask remote sources again whose time has come."""
        if self._clock() < self._refresh_at or self._lock.locked():  # somebody asks already
            return None
        if request.is_async:
            return asyncio.to_thread(self._look, 1.0)
        self._look(1.0)
        return None

    def _look(self, overdue: float) -> None:
        """Take over what has changed, unless somebody is at it.

        Args:
            overdue: the share of their lifetime after which remote sources are asked.
        """
        changed: frozenset[str] = frozenset()
        with self._lock.hold(waits=False) as is_held:
            if is_held:
                changed = self._look_again(overdue)
        self._tell(changed)

    def _look_again(self, overdue: float) -> frozenset[str]:
        try:
            hung_up = self._hung_up and (overdue < inf or not self._is_remote)
            wanted = {one for one in self._asked if hung_up or one.changed() or one.due(overdue)}
            if wanted or self._hung_up:
                self._hung_up = self._hung_up and not hung_up
                return self._load(wanted.__contains__)
            self._plan()
        except SecretsError as error:
            self._log(error)
        finally:
            if self._hung_up:
                self._refresh_at = -inf
                if overdue < inf or not self._is_remote:
                    self._look_at = -inf  # it came while that before was done
        return frozenset()

    def _log(self, error: SecretsError) -> None:
        if self._storms.suppressed(str(error)) is not None:
            log.error("Secrets stay as they were: %s", error)

    def _tell(self, changed: frozenset[str]) -> None:
        """Tell who listens what has changed."""
        if not changed:
            return
        log.info("Secrets changed: %s", ", ".join(sorted(changed)))
        for listener in self._listeners:
            try:
                listener(changed)
            except Exception as failure:  # noqa: BLE001  # the secrets have changed all the same
                self._log_failure(failure)

    def _log_failure(self, failure: Exception) -> None:
        words = ("SecretLoader: on_change failed with %s", type(failure).__qualname__)
        with suppress(Exception):  # of a handler or a filter
            log_exception(log, logging.ERROR, words, failure, extra={}, masks=(self.secret_masker,))

    def init_app(self, app: Any) -> None:
        """Have a Flask or Quart app's ``extensions`` know this loader, as ``mantlet_secrets``."""
        app.extensions["mantlet_secrets"] = self

    @property
    def dependency(self) -> Callable[..., M]:
        """What FastAPI's ``Depends()`` takes: the secrets that the exchange began with.

        Raises:
            ImportError: Starlette is not installed.
        """
        return dependency(self)

    def _hang_up(self) -> None:
        """Have everything read anew by who looks next."""
        self._hung_up = True
        self._look_at = -inf

    def _listen(self) -> None:
        before = signal.getsignal(signal.SIGHUP)

        def hang_up(number: int, frame: Any) -> None:
            self._hang_up()
            if callable(before):
                before(number, frame)

        signal.signal(signal.SIGHUP, hang_up)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model.__name__})"


def _is_plain(listener: object) -> bool:
    waits = any(map(iscoroutinefunction, (listener, getattr(listener, "__call__", None))))  # noqa: B004  # what it is
    return callable(listener) and not waits


def _prints(report: Iterable[SecretStatus]) -> list[str | None]:
    return [entry.fingerprint for entry in report]


def _key(given: str | bytes | None) -> bytes | None:
    key = os.environ.get(_KEY_VARIABLE) if given is None else given
    if key is None:
        return None
    data = as_bytes(key)
    if len(data) < _LEAST_KEY:
        raise ValueError(f"fingerprint_key must have {_LEAST_KEY} bytes or more")
    return blake2b(data, digest_size=32).digest()
