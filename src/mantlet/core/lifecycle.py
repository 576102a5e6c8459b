"""Start and stop the policies of a stack, and check their health.

A policy that can't start stops the server. Where that is impossible, because the server has no
lifespan or the process was forked later, or not wanted, with ``startup="lazy"``, a policy starts
when the first request needs it. Until it has started, these requests are refused with 503, and the
start is attempted again from time to time.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from contextvars import ContextVar
from math import ceil, inf
from time import monotonic
from typing import Final, Literal, get_args

from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.printable import printable
from mantlet.core.dry_run import Switch, mode_of
from mantlet.core.error_log import log_failure
from mantlet.core.policy import HealthState, Policy, has_hook
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.exceptions import MantletError, StartupError

__all__ = [
    "Gate",
    "Lifecycle",
    "Startup",
    "check_startup",
    "is_startup_disabled",
    "without_startup",
]

#: When policies start: before the first request, or when one needs them.
Startup = Literal["eager", "lazy"]

_log = logging.getLogger("mantlet.startup")
#: The user and the password in a URI.
_CREDENTIALS: Final = re.compile(r"//\S{1,300}@")
#: Maximum number of lines of an error message that are logged, and of bytes in each.
_MAX_LINES: Final = 50
_MAX_LINE: Final = 1000
#: Seconds between two attempts to start: the first delay, which each failure doubles, and the
#: longest.
_MIN_DELAY, _MAX_DELAY = 1.0, 10.0
#: Seconds after which an unchanged reason is logged again.
_REMINDER: Final = 60.0
#: Seconds for which the results of health checks are cached.
_CACHE_SECONDS: Final = 1.0
_STATES: Final = frozenset(get_args(HealthState))

_startup_disabled: ContextVar[bool] = ContextVar("_startup_disabled", default=False)


@contextmanager
def without_startup() -> Iterator[None]:
    """Let the stacks that are made in this context start no policy before a request needs it.

    For tools that import the module of an app.
    """
    token = _startup_disabled.set(True)
    try:
        yield
    finally:
        _startup_disabled.reset(token)


def is_startup_disabled() -> bool:
    """Return whether a stack that is made now starts no policy; see `without_startup()`."""
    return _startup_disabled.get()


def check_startup(startup: Startup) -> Startup:
    """Return the option ``startup``.

    Raises:
        ValueError: it is unknown.
    """
    if startup not in ("eager", "lazy"):
        raise ValueError(f'startup must be "eager" or "lazy", not {startup!r}')
    return startup


class Lifecycle:
    """Starts and stops the policies of a stack, and checks their health.

    Args:
        policies: the policies of the stack, the outermost first.
        hold: returns an asynchronous lock: one caller at a time starts, stops or checks policies.
        started: the policies that have already started, in a stack that this one replaces.
        clock: a monotonic clock, in seconds.

    Attributes:
        policies: the policies whose mode is not ``"off"``.
        pending: the policies that have not started yet.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        hold: Callable[[], AbstractAsyncContextManager[object]],
        *,
        started: Sequence[Policy] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.policies = tuple(policy for policy in policies if policy.mode != "off")
        self._hold = hold
        self._clock = clock
        self._startable = tuple(one for one in self.policies if has_hook(one, "startup"))
        self._stoppable = tuple(one for one in self.policies if has_hook(one, "shutdown"))
        self.pending = tuple(_without(self._startable, started))
        self._masks = tuple(
            one.secret_masker for one in self.policies if one.secret_masker is not None
        )
        self._throttle = LogThrottle(_log, clock)
        self._delay = _MIN_DELAY / 2
        self._retry_at = self._cached_until = -inf
        self._states: tuple[tuple[Policy, Mapping[str, HealthState]], ...] = ()
        #: By the id of a policy: why its last start failed, and when that was logged.
        self._logged: dict[int, tuple[str, float]] = {}

    @property
    def is_needed(self) -> bool:
        """Whether any policy has `startup()` or `shutdown()`."""
        return bool(self._startable or self._stoppable)

    @property
    def started(self) -> tuple[Policy, ...]:
        """The policies that have started."""
        return tuple(_without(self._startable, self.pending))

    def is_pending(self, policy: Policy) -> bool:
        """Return whether a policy has not started."""
        return any(policy is one for one in self.pending)

    async def start(self) -> None:
        """Start the policies that have not started, the outermost first.

        Raises:
            StartupError: one of them can't start. It has been logged, and those that had started
                have been stopped.
        """
        async with self._hold():
            before = self.pending
            for policy in before:
                try:
                    await _run(policy.startup)
                except Exception as error:  # noqa: BLE001  # raised as a StartupError
                    failure = StartupError(type(policy).__name__, self._reason(error))
                    self._log_failure(logging.CRITICAL, policy, str(failure), error)
                    self.pending, pending = before, self.pending
                    with suppress(Exception):  # the first error stops the server
                        await self._stop(_without(before, pending))
                    raise failure from None
                self._note_started(policy)

    async def attempt(self) -> None:
        """Start the policies that have not started, unless an attempt has just failed.

        Failures are logged.
        """
        async with self._hold():
            await self._attempt()

    async def stop(self) -> None:
        """Stop the policies, the innermost first; they may start again after it."""
        async with self._hold():
            running = _without(self._stoppable, self.pending)
            self.reset()
            await self._stop(running)

    def reset(self) -> None:
        """Let all policies start again, such as in a process that was forked after they started."""
        self.pending = self._startable
        self._delay = _MIN_DELAY / 2
        self._retry_at = self._cached_until = -inf

    async def health(self) -> Sequence[tuple[Policy, Mapping[str, HealthState]]]:
        """Return each policy that reports its health, with its states; see `Policy.health`.

        Policies that have not started are started first. One that can't start has the states
        ``{"startup": "down"}``. The result is cached for a second.
        """
        async with self._hold():
            await self._attempt()
            if self._clock() >= self._cached_until:
                found = [(policy, await self._health_of(policy)) for policy in self.policies]
                self._states = tuple(pair for pair in found if pair[1])
                self._cached_until = self._clock() + _CACHE_SECONDS
            return self._states

    @property
    def problem(self) -> Problem:
        """The response to a request that needs a policy that has not started."""
        seconds = max(1, ceil(self._retry_at - self._clock()))
        return Problem(
            503,
            detail="The service is still starting.",
            headers={"Retry-After": str(seconds)},
        )

    async def _attempt(self) -> None:
        if not self.pending or self._clock() < self._retry_at:
            return
        for policy in self.pending:
            try:
                await _run(policy.startup)
            except Exception as error:  # noqa: BLE001  # tried again later
                self._note_failed(policy, error)
            else:
                self._note_started(policy)
        if self.pending:
            self._delay = min(2 * self._delay, _MAX_DELAY)
            self._retry_at = self._clock() + self._delay

    async def _stop(self, policies: Sequence[Policy]) -> None:
        for policy in reversed(policies):
            if has_hook(policy, "shutdown"):
                await _run(policy.shutdown)

    def _note_started(self, policy: Policy) -> None:
        self.pending = tuple(_without(self.pending, (policy,)))
        self._cached_until = -inf
        had_failed = self._logged.pop(id(policy), None)
        name = type(policy).__name__
        if had_failed:
            _log.warning("%s has started, after all", name, extra={"policy": name})
        else:
            _log.info("%s has started", name, extra={"policy": name})

    def _note_failed(self, policy: Policy, error: Exception) -> None:
        reason = self._reason(error)
        last, logged_at = self._logged.get(id(policy), ("", -inf))
        if reason == last and self._clock() < logged_at + _REMINDER:
            return
        self._logged[id(policy)] = reason, self._clock()
        message = (
            f"{type(policy).__name__} can't start yet: {reason}\n"
            f"Until it can, the requests that it decides about are refused with 503."
        )
        self._log_failure(logging.ERROR, policy, message, error)

    def _reason(self, error: Exception) -> str:
        """Return the message of an exception, masked and in printable lines."""
        text = _CREDENTIALS.sub("//***@", str(error))
        for mask in self._masks:
            text = mask.text(text)
        if not isinstance(error, MantletError):
            text = f"{type(error).__qualname__}: {text}" if text else type(error).__qualname__
        return "\n".join(printable(line, _MAX_LINE) for line in text.splitlines()[:_MAX_LINES])

    def _log_failure(self, level: int, policy: Policy, message: str, error: Exception) -> None:
        """Log why a policy can't start, with a traceback first if the error is unexpected."""
        name = type(policy).__name__
        if not isinstance(error, (MantletError, OSError)):
            log_failure(_log, name, "startup()", error, throttle=self._throttle, masks=self._masks)
        _log.log(level, "%s", message, extra={"policy": name})

    async def _health_of(self, policy: Policy) -> Mapping[str, HealthState]:
        if self.is_pending(policy):
            return {"startup": "down"}
        if not has_hook(policy, "health"):
            return {}
        try:
            found = policy.health()
            states = found if isinstance(found, Mapping) else await found
            unknown = set(states.values()) - _STATES
            if unknown:
                raise ValueError(
                    f"states of health() must be in {sorted(_STATES)}, not {unknown!r}"
                )
        except Exception as error:  # noqa: BLE001  # reported as down
            name = type(policy).__name__
            log_failure(_log, name, "health()", error, throttle=self._throttle, masks=self._masks)
            return {"health": "down"}
        return states


class Gate(Switch):
    """Runs a policy's hooks once it has started; until then, refuses requests with 503.

    Args:
        policy: the policy.
        started: the policy, wrapped as its mode requires; see `with_mode()`.
        lifecycle: the lifecycle of the stack.
    """

    def __init__(self, policy: Policy, started: Policy, lifecycle: Lifecycle) -> None:
        super().__init__(policy)
        self.disabled_hooks -= {"on_request"}
        self._started = started
        self._has_request_hook = has_hook(started, "on_request")
        self._lifecycle = lifecycle

    def _chosen(self, request: Request) -> Policy:
        chosen: Policy = request.local(self).get("policy", self._started)
        return chosen

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Run the hook if the policy has started, or the request does not need that."""
        must_start = (
            self._lifecycle.is_pending(self._policy)
            and mode_of(self._policy, request) != "off"
            and self._policy.needs_startup(request)
        )
        if must_start:
            return self._start(request)
        return self._run(request)

    def _run(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Do what the policy does with a request once it has started."""
        for name, value in self._started.response_headers.items():
            request.add_response_header(name, value)
        return self._started.on_request(request) if self._has_request_hook else None

    async def _start(self, request: Request) -> Reply | None:
        """Try to start the policy; run its hook if it has started, else refuse the request."""
        await self._lifecycle.attempt()
        if not self._lifecycle.is_pending(self._policy):
            reply = self._run(request)
            return reply if reply is None or isinstance(reply, Reply) else await reply
        request.local(self)["policy"] = Policy()  # its hooks do nothing
        if mode_of(self._policy, request) == "enforce":
            raise self._lifecycle.problem
        return None


async def _run(hook: Callable[[], Awaitable[None] | None]) -> None:
    waiting = hook()
    if waiting is not None:
        await waiting


def _without(policies: Sequence[Policy], others: Sequence[Policy]) -> list[Policy]:
    """Return policies without others; they are compared by identity."""
    return [one for one in policies if not any(one is other for other in others)]
