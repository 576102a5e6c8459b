"""`SecretLoader`: check an app's secrets at start, rotate them at run time, and keep them masked.

It stops: an app that starts with a missing, malformed, weak or placeholder secret; a rotation that
is taken over in part or without a check; a value in a log record, a problem document or a debug
page, and in any response that `OutputSanitizer` sees.

It does not stop: code of the app that sends or prints a revealed value where nothing masks it, and
anything that reads the memory of the process.

Files are polled on use, at most once per interval, by a few ``stat()`` calls. There is no thread
and no timer.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from importlib import import_module
from inspect import Parameter, Signature
from math import inf, isfinite
from time import monotonic
from typing import Any, Final, Generic, TypeVar, cast

from mantlet._internal.coroutines import is_plain_function
from mantlet._internal.event_loop import run_in_thread
from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.error_log import log_failure
from mantlet.core.modes import Mode, check_mode
from mantlet.core.policy import HealthState, Policy
from mantlet.core.request import Request
from mantlet.core.state import state
from mantlet.redact.masking import Masker
from mantlet.redact.registry import Registry
from mantlet.secrets.model import SecretModel, specs
from mantlet.secrets.report import SecretsError, SecretStatus
from mantlet.secrets.resolve import ResolveOptions, SourceReader, resolve
from mantlet.secrets.secret import as_bytes
from mantlet.secrets.sighup import hangups
from mantlet.secrets.sources.dotenv import read_example_values
from mantlet.secrets.sources.environment import Environment
from mantlet.secrets.sources.read import SETTLING_SECONDS
from mantlet.secrets.sources.source import SecretSource
from mantlet.secrets.unread import UnreadSnapshot, reads_nothing

__all__ = ["SecretLoader"]

M = TypeVar("M", bound=SecretModel)
Listener = Callable[[frozenset[str]], object]

log = logging.getLogger("mantlet.secrets")
#: The logger of all policies for the decisions that report mode does not enforce.
report_log = logging.getLogger("mantlet.report")

#: The environment variable with the fingerprint key of a loader that is not given one.
_KEY_VARIABLE: Final = "MANTLET_FINGERPRINT_KEY"
_MIN_KEY_LENGTH: Final = 16
#: The share of a remote source's lifetime after which `current` reads it rather than wait for the
#: end of a request.
_OVERDUE: Final = 1.25


class SecretLoader(Policy, Generic[M]):
    """Load an app's secrets, check them, rotate them, and mask them.

    The constructor raises one error with all problems. After that, `current` is a consistent
    snapshot of all secrets; a change replaces the whole snapshot or nothing. As a policy, the
    loader gives each request the snapshot of its beginning, as ``mantlet.state(...).secrets``, and
    `ErrorEnvelope` masks the values in problems, debug pages and the error log.

    Local sources are polled when a secret is read or a request arrives, at most every
    ``poll_interval`` seconds: there is no thread and no timer. Remote sources are read again at the
    end of their lifetime, after a response is complete; under ASGI in a thread of the event loop's
    pool, so that no other request waits.

    Args:
        model: the class that declares the secrets.
        sources: the sources, in the order of precedence: the first that has a secret wins. By
            default the environment alone.
        poll_interval: seconds between two polls of local sources.
        overlap: seconds for which a replaced value is still masked.
        example_file: a file whose values are rejected, since they are not secret. The
            ``.env.example`` next to a ``.env`` source is read as well.
        on_change: one or several functions, called with the names of the changed secrets after each
            change. Their exceptions are logged.
        reload_on_sighup: read all sources again after a ``SIGHUP``, and in each process that is
            forked, such as by ``gunicorn --preload``.
        fingerprint_key: the key of the fingerprints, 16 bytes or more; by default that in the
            environment variable ``MANTLET_FINGERPRINT_KEY``, or else a random one.
        ignore_names: names of variables and files that resemble a secret's on purpose.
        mode: whether values are checked: ``"enforce"`` rejects a value that breaks a rule;
            ``"report"`` uses it and logs the rule; ``"off"`` checks nothing beyond the type. A
            secret without a usable value is an error in each mode, and in each mode the secrets
            rotate and the app can read them.
        clock: a monotonic clock, in seconds.

    Attributes:
        registry: the values in all their encodings, for policies that search for them.
        secret_masker: masks the values in text.
        problems: the rules that the current values break; always empty unless the mode is
            ``"report"``.

    Raises:
        SecretsError: secrets are missing or invalid; the message lists all problems.
        TypeError: the model, a source or the mode has the wrong type.
        ValueError: an option is invalid, or ``reload_on_sighup`` is set in another thread than the
            main one; the message names it.
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
        if not isinstance(listeners, Sequence) or not all(map(is_plain_function, listeners)):
            raise ValueError(
                f"on_change must be one or several functions, not coroutines: {on_change!r}"
            )
        given = (Environment(),) if sources is None else tuple(sources)
        for source in given:
            if not isinstance(source, SecretSource):
                raise TypeError(
                    f"sources must be SecretSource objects, not {type(source).__name__}"
                )
        if not given:
            raise ValueError("sources must contain one or more sources")
        if isinstance(ignore_names, str):
            raise TypeError("ignore_names must be a collection of names, not a string")
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
        self._readers = tuple(
            SourceReader(source, clock, min(poll_interval, SETTLING_SECONDS)) for source in given
        )
        self._example_files = (
            *([example_file] if example_file else []),
            *(path for source in given for path in source.example_files),
        )
        self._ignored = frozenset(ignore_names)
        self._listeners: tuple[Listener, ...] = tuple(listeners)
        self._clock = clock
        self._poll_interval = poll_interval
        self._log_throttle = LogThrottle(log, clock)
        # A fork may have interrupted a reading: the child begins with one of its own.
        self._lock = ForkSafeLock(self._request_reload)
        self._reload_requested = False
        self._on_poll: Callable[[], object] = lambda: None
        self._report: tuple[SecretStatus, ...] = ()
        self.problems: tuple[str, ...] = ()
        #: Whether the last reading has failed.
        self._is_stale = False
        self._has_remote = any(source.is_remote for source in given)
        self.registry = Registry(overlap=overlap, key=_read_key(fingerprint_key), clock=clock)
        self.secret_masker = Masker(self.registry)
        self._load_first()
        if not self._has_remote:
            self.disabled_hooks = frozenset({"on_finish"})
        if reload_on_sighup:
            hangups.add(self._request_reload)

    # -- the API ----------------------------------------------------------------------------------

    @property
    def current(self) -> M:
        """The current snapshot of all secrets."""
        if self._clock() >= self._next_poll_at:
            self._update(_OVERDUE)
        return self._snapshot

    @property
    def model(self) -> type[M]:
        """The class that declares the secrets."""
        return self._model

    @property
    def report(self) -> tuple[SecretStatus, ...]:
        """The status of each secret and its location. It contains no value."""
        return self._report

    def fingerprint(self, name: str) -> str | None:
        """Return a keyed hash of a secret, which identifies its version and reveals nothing else.

        Args:
            name: the name of the attribute.

        Returns:
            12 hexadecimal digits; None for an optional secret that no source has.

        Raises:
            KeyError: the secret is unknown.
        """
        return {status.name: status.fingerprint for status in self._report}[name]

    def reload(self) -> frozenset[str]:
        """Read all sources again.

        Returns:
            The names of the changed secrets.

        Raises:
            SecretsError: a secret is missing or invalid; the last snapshot stays.
        """
        with self._lock.hold():
            self._reload_requested = False
            changed = self._load(lambda _: True)
        self._notify(changed)
        return changed

    def on_poll(self, call: Callable[[], object]) -> None:
        """Call a function at each poll; the next request or use of a secret polls at once."""
        self._on_poll = call
        if not isinstance(self._snapshot, UnreadSnapshot):
            self._next_poll_at = -inf

    def init_app(self, app: Any) -> None:
        """Add this loader to the ``extensions`` of a Flask or Quart app, as ``mantlet_secrets``."""
        app.extensions["mantlet_secrets"] = self

    @property
    def dependency(self) -> Callable[..., M]:
        """The secrets for FastAPI's ``Depends()``: the snapshot of the request, or else `current`.

        Raises:
            ImportError: Starlette is not installed.
        """

        def secrets(connection: Any) -> Any:
            snapshot = getattr(state(connection), "secrets", None)
            return self.current if snapshot is None else snapshot

        # FastAPI chooses the argument by the annotation.
        annotation = import_module("starlette.requests").HTTPConnection
        kind = Parameter.POSITIONAL_OR_KEYWORD
        parameter = Parameter("connection", kind, annotation=annotation)
        secrets.__signature__ = Signature([parameter])  # type: ignore[attr-defined]  # inspect reads it
        return secrets

    # -- the hooks --------------------------------------------------------------------------------

    def on_request(self, request: Request) -> None:
        """Give the request the current snapshot."""
        if self._clock() >= self._next_poll_at:
            self._update(inf)
        request.state.secrets = self._snapshot

    def on_finish(self, request: Request) -> Awaitable[None] | None:
        """Read remote sources that are due."""
        if self._clock() < self._next_refresh_at or self._lock.locked():  # another thread does it
            return None
        if request.is_async:
            return run_in_thread(self._update, 1.0)
        self._update(1.0)
        return None

    def health(self) -> Mapping[str, HealthState]:
        """Return ``"stale"`` for ``secrets`` if the last reading of the sources has failed."""
        return {"secrets": "stale" if self._is_stale else "ok"}

    # -- loading ----------------------------------------------------------------------------------

    def _load_first(self) -> None:
        if reads_nothing():
            self._snapshot: M = cast("M", UnreadSnapshot(self._model.__name__))
            self._next_poll_at = self._next_refresh_at = inf
        else:
            self._load(lambda _: True)

    def _load(self, needs_refresh: Callable[[SourceReader], bool]) -> frozenset[str]:
        """Resolve the secrets, replace the snapshot, and return the names of changed secrets."""
        try:
            examples = (
                frozenset() if self._checks == "off" else read_example_values(self._example_files)
            )
            options = ResolveOptions(
                self._specs, examples, self._ignored, self.registry.fingerprint, self._checks
            )
            resolution = resolve(options, self._readers, needs_refresh)
        finally:
            self._schedule()
        self._is_stale = bool(resolution.problems)
        if resolution.problems:
            raise SecretsError(self._model.__name__, resolution.problems, resolution.report)
        old = getattr(self, "_snapshot", None)
        new = resolution.values
        changed = frozenset(name for name in new if old is None or getattr(old, name) != new[name])
        # Equal values may be written differently, and each way of writing has to be masked.
        if changed or _fingerprints(resolution.report) != _fingerprints(self._report):
            # Masking comes first: no code has a value yet that could leak.
            self.registry.replace(resolution.masked)
        self._report = tuple(resolution.report)
        if changed:
            self._snapshot = self._model(**new)
        known, self.problems = self.problems, tuple(resolution.warnings)
        for problem in self.problems:
            if problem not in known:
                report_log.warning(
                    "SecretLoader would have rejected: %s",
                    problem,
                    extra={"policy": type(self).__name__},
                )
        return changed

    def _schedule(self) -> None:
        """Set the times of the next poll and of the next refresh."""
        is_unsettled = any(reader.is_unsettled for reader in self._readers)
        pause = min(self._poll_interval, SETTLING_SECONDS) if is_unsettled else self._poll_interval
        self._next_poll_at = self._clock() + pause
        self._next_refresh_at = min((reader.due_at for reader in self._readers), default=inf)

    def _update(self, share: float) -> None:
        """Take over changes, unless another thread is doing that.

        Args:
            share: the share of their lifetime after which remote sources are read; infinite for
                never.
        """
        changed: frozenset[str] = frozenset()
        with self._lock.hold(waits=False) as is_held:
            if is_held:
                hangups.restore()
                self._on_poll()
                changed = self._load_changes(share)
        self._notify(changed)

    def _load_changes(self, share: float) -> frozenset[str]:
        try:
            reload = self._reload_requested and (share < inf or not self._has_remote)
            due = {reader for reader in self._readers if reload or reader.is_due(share)}
            if due or self._reload_requested or any(one.has_changed() for one in self._readers):
                self._reload_requested = self._reload_requested and not reload
                return self._load(due.__contains__)
            self._schedule()
        except SecretsError as error:
            self._log_error(error)
        finally:
            # Requested during the reading, or left to a thread that may read remote sources.
            if self._reload_requested:
                self._next_refresh_at = -inf
                if share < inf or not self._has_remote:
                    self._next_poll_at = -inf
        return frozenset()

    def _log_error(self, error: SecretsError) -> None:
        if self._log_throttle.suppressed(str(error)) is not None:
            text = str(error).removeprefix("SecretLoader: ")
            log.error("SecretLoader keeps the last valid secrets: %s", text)

    def _notify(self, changed: frozenset[str]) -> None:
        """Log a change and call the listeners."""
        if not changed:
            return
        log.info("SecretLoader changed secrets: %s", ", ".join(sorted(changed)))
        for listener in self._listeners:
            try:
                listener(changed)
            except Exception as failure:  # noqa: BLE001  # the secrets have changed nevertheless
                log_failure(
                    log,
                    "SecretLoader",
                    "on_change",
                    failure,
                    throttle=self._log_throttle,
                    masks=(self.secret_masker,),
                )

    def _request_reload(self) -> None:
        """Have the next reader read all sources again."""
        self._reload_requested = True
        self._next_poll_at = -inf

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model.__name__})"


def _fingerprints(report: Iterable[SecretStatus]) -> list[str | None]:
    return [status.fingerprint for status in report]


def _read_key(given: str | bytes | None) -> bytes | None:
    key = os.environ.get(_KEY_VARIABLE) if given is None else given
    if key is None:
        return None
    data = as_bytes(key)
    if len(data) < _MIN_KEY_LENGTH:
        raise ValueError(f"fingerprint_key must have {_MIN_KEY_LENGTH} bytes or more")
    return blake2b(data, digest_size=32).digest()
