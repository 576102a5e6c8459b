"""`Decision`: the outcome for one request, of one limit or of several."""

from abc import abstractmethod
from collections.abc import Sequence
from math import ceil, inf, nextafter

from mantlet.ratelimit.quota import Concurrency, Quota

__all__ = [
    "SECOND",
    "BucketDecision",
    "CombinedDecision",
    "ConcurrencyDecision",
    "Decision",
    "DeniedDecision",
    "combine",
    "parameters_within",
    "seconds",
]

#: In nanoseconds.
SECOND = 1_000_000_000


class Decision:
    """The limiter's decision about one request.

    Attributes:
        is_within_limit: whether the request is within the limit; in report mode, one that is not
            may pass all the same.
        name: the name of the quota that decided: of several, the one that refused for longest, or
            that has the fewest requests left.
        quota: that `Quota` or `Concurrency`; None for a client that is denied by its network.
        is_report_only: whether the quota is in report mode.
    """

    __slots__ = ("is_report_only", "is_within_limit", "name", "quota")

    name: str
    quota: Quota | Concurrency | None
    is_report_only: bool
    is_within_limit: bool

    @property
    def allowed(self) -> bool:
        """Whether the request may pass."""
        return self.is_within_limit or self.is_report_only

    @property
    @abstractmethod
    def remaining(self) -> int:
        """The number of whole requests that may follow at once."""
        raise NotImplementedError

    @property
    @abstractmethod
    def reset(self) -> int:
        """Whole seconds, rounded up, until one more request may follow than now."""
        raise NotImplementedError

    @property
    @abstractmethod
    def retry_after(self) -> float:
        """Seconds until a refused request would be admitted, exact and never too early.

        0 if the request was admitted, and infinity if it costs more than a full bucket holds.
        """
        raise NotImplementedError

    @property
    def is_final(self) -> bool:
        """Whether the request would be refused however long the client waits."""
        return self.retry_after == inf

    @property
    def whole_seconds(self) -> int | None:
        """`retry_after` rounded up; None for 0 and for infinity."""
        exact = self.retry_after
        return ceil(exact) if 0 < exact < inf else None

    @property
    def is_banned(self) -> bool:
        """Whether the key is banned, for longer than an empty bucket takes to get a token."""
        return any(one.is_banned for one in self.parts if one is not self)

    @property
    def parts(self) -> "Sequence[Decision]":
        """The decisions of all quotas that the request counts for."""
        return (self,)

    @abstractmethod
    def refunded(self) -> "Decision":
        """Return the decision as if nothing had been taken, or all of it had been returned."""
        raise NotImplementedError

    def parameters(self, latest: int | None = None) -> str:
        """Return the parameters of its item in ``RateLimit``.

        Args:
            latest: the largest value of ``t``, in seconds: the response's ``Retry-After``.
        """
        if self.is_final:
            return f";r={self.remaining}"
        reset = self.reset if latest is None else min(self.reset, latest)
        return f";r={self.remaining};t={reset}"

    def __repr__(self) -> str:
        verdict = "allowed" if self.allowed else "refused"
        return f"<Decision of {self.name}: {verdict}, {self.remaining} remaining>"


class BucketDecision(Decision):
    """The decision of a token bucket.

    Args:
        name: the quota's name.
        quota: the quota.
        room: the room left in the bucket after the request, in ticks; the missing room if negative.
        cost: the cost of the request, in tokens.
        is_report_only: whether the quota is in report mode.
    """

    __slots__ = ("_cost", "_room")

    quota: Quota

    def __init__(
        self, name: str, quota: Quota, room: int, cost: int = 1, is_report_only: bool = False
    ) -> None:
        self.name = name
        self.quota = quota
        self.is_report_only = is_report_only
        self.is_within_limit = room >= 0
        self._room = room
        self._cost = cost

    @property
    def remaining(self) -> int:
        """The number of whole requests that may follow at once."""
        interval = self.quota.interval
        room = self._room if self._room >= 0 else self._room + self._cost * interval
        return max(room // interval, 0)

    @property
    def reset(self) -> int:
        """Whole seconds, rounded up, until one more request may follow than now."""
        quota, room = self.quota, self._room
        missing = -room if room < 0 else quota.interval - room % quota.interval
        return -(-missing // quota.second)

    @property
    def retry_after(self) -> float:
        """Seconds until a refused request would be admitted."""
        if self.is_within_limit:
            return 0.0
        if self._cost > self.quota.burst:
            return inf
        return seconds(-(self._room // self.quota.scale))

    @property
    def is_final(self) -> bool:
        """Whether the request would be refused however long the client waits."""
        return self._room < 0 and self._cost > self.quota.burst

    @property
    def whole_seconds(self) -> int | None:
        """`retry_after` rounded up; None for 0 and for infinity."""
        if self._room >= 0 or self._cost > self.quota.burst:
            return None
        return -(self._room // self.quota.second)

    def parameters(self, latest: int | None = None) -> str:
        """Return the parameters of its item in ``RateLimit``."""
        quota, room = self.quota, self._room
        if room >= 0:
            if latest is None:
                return parameters_within(quota, room)
        elif self._cost <= quota.burst:
            remaining = max(room // quota.interval + self._cost, 0)
            reset = -(room // quota.second)
            if latest is not None and latest < reset:
                reset = latest
            return f";r={remaining};t={reset}"
        return super().parameters(latest)

    @property
    def is_banned(self) -> bool:
        """Whether the key is banned, for longer than an empty bucket takes to get a token."""
        return self._room + self._cost * self.quota.interval < 0

    def banned(self, nanoseconds: int) -> "BucketDecision":
        """Return the decision for a key that this request has banned for some time."""
        quota = self.quota
        room = quota.interval * (1 - self._cost) - nanoseconds * quota.scale
        room = min(self._room, room)
        return BucketDecision(self.name, quota, room, self._cost, self.is_report_only)

    def refunded(self) -> "BucketDecision":
        """Return the decision as if nothing had been taken, or all of it had been returned."""
        room = min(self._room + self._cost * self.quota.interval, self.quota.capacity)
        return BucketDecision(self.name, self.quota, room, 0, self.is_report_only)


class ConcurrencyDecision(Decision):
    """The decision of a concurrency limit. When a slot becomes free is unknown.

    Args:
        name: the limit's name.
        quota: the limit.
        room: the number of slots left; negative if the request was refused.
        is_report_only: whether the limit is in report mode.
    """

    __slots__ = ("_room",)

    quota: Quota | Concurrency

    def __init__(
        self, name: str, quota: Quota | Concurrency, room: int, is_report_only: bool = False
    ) -> None:
        self.name = name
        self.quota = quota
        self.is_report_only = is_report_only
        self.is_within_limit = room >= 0
        self._room = room

    @property
    def remaining(self) -> int:
        """The number of whole requests that may follow at once."""
        return max(self._room, 0)

    @property
    def reset(self) -> int:
        """Always 0: it is unknown."""
        return 0

    @property
    def retry_after(self) -> float:
        """Always 0: it is unknown."""
        return 0.0

    def refunded(self) -> "ConcurrencyDecision":
        """Return the decision as if nothing had been taken, or all of it had been returned."""
        return ConcurrencyDecision(self.name, self.quota, self._room + 1, self.is_report_only)

    def parameters(self, latest: int | None = None) -> str:
        """Return the parameters of its item in ``RateLimit``."""
        return f";r={self.remaining}"


class DeniedDecision(Decision):
    """The decision on a client whose network is denied: it is never admitted."""

    __slots__ = ()

    def __init__(self) -> None:
        self.name = "deny"
        self.quota = None
        self.is_report_only = False
        self.is_within_limit = False

    @property
    def remaining(self) -> int:
        """Always 0."""
        return 0

    @property
    def reset(self) -> int:
        """Always 0: there is nothing to wait for."""
        return 0

    @property
    def retry_after(self) -> float:
        """Always infinity."""
        return inf

    def refunded(self) -> "DeniedDecision":
        """Return the decision itself, since nothing was taken."""
        return self


class CombinedDecision(Decision):
    """The decision of several quotas: of the one that refuses longest, or has the fewest left."""

    __slots__ = ("_decisive", "_parts")

    def __init__(self, parts: Sequence[Decision]) -> None:
        refusing = [one for one in parts if not one.allowed]
        self._parts = parts
        self._decisive = decisive = (
            max(refusing, key=lambda one: one.retry_after)
            if refusing
            else min(parts, key=lambda one: one.remaining)
        )
        self.name = decisive.name
        self.quota = decisive.quota
        self.is_report_only = all(one.is_report_only for one in parts)
        self.is_within_limit = all(
            one.is_within_limit for one in parts if self.is_report_only or not one.is_report_only
        )

    @property
    def remaining(self) -> int:
        """The number of whole requests that may follow at once."""
        return self._decisive.remaining

    @property
    def reset(self) -> int:
        """Whole seconds, rounded up, until one more request may follow than now."""
        return self._decisive.reset

    @property
    def retry_after(self) -> float:
        """Seconds until a refused request would be admitted."""
        return self._decisive.retry_after

    @property
    def parts(self) -> Sequence[Decision]:
        """The decisions of all quotas that the request counts for."""
        return self._parts

    def refunded(self) -> "CombinedDecision":
        """Return the decision as if nothing had been taken, or all of it had been returned."""
        return CombinedDecision([one.refunded() for one in self._parts])


def parameters_within(quota: Quota, room: int) -> str:
    """Return the parameters of a quota that a request of one token is within, in ``RateLimit``.

    Args:
        quota: the quota.
        room: the room left in the bucket, in ticks.
    """
    interval = quota.interval
    remaining, rest = divmod(room, interval)
    return f";r={remaining};t={-((rest - interval) // quota.second)}"


def combine(parts: Sequence[Decision]) -> Decision:
    """Combine several decisions into one; return a single one unchanged."""
    return parts[0] if len(parts) == 1 else CombinedDecision(parts)


def seconds(nanoseconds: int) -> float:
    """Convert nanoseconds to seconds, never rounding down."""
    nearest = nanoseconds / SECOND
    numerator, denominator = nearest.as_integer_ratio()
    short = numerator * SECOND < nanoseconds * denominator
    return nextafter(nearest, inf) if short else nearest
