"""What the limiter decided, for the app, the header fields and whoever asks outside of HTTP."""

from abc import abstractmethod
from collections.abc import Sequence
from math import inf, nextafter

from mantlet.ratelimit.concurrency import Concurrency
from mantlet.ratelimit.quota import Quota

__all__ = ["SECOND", "BucketDecision", "ConcurrencyDecision", "Decision", "joint", "seconds"]

#: In nanoseconds.
SECOND = 1_000_000_000


class Decision:
    """What the limiter decided about one request.

    Attributes:
        is_within_limit: whether it is within the quota; in report mode, one that is not may pass
            all the same.
        name: of the quota that it was decided by: of several, the one that refused for longest, or
            that has least left.
        quota: that quota, or the `Concurrency`.
        is_report_only: whether that is only tried out.
    """

    __slots__ = ("is_report_only", "is_within_limit", "name", "quota")

    name: str
    quota: Quota | Concurrency
    is_report_only: bool
    is_within_limit: bool

    @property
    def allowed(self) -> bool:
        """Whether the request may pass."""
        return self.is_within_limit or self.is_report_only

    @property
    @abstractmethod
    def remaining(self) -> int:
        """Whole requests that may follow at once."""
        raise NotImplementedError

    @property
    @abstractmethod
    def reset(self) -> int:
        """Whole seconds, rounded up, until one more request may follow than now."""
        raise NotImplementedError

    @property
    @abstractmethod
    def retry_after(self) -> float:
        """Seconds after which a refused request would be admitted, exact and never too early.

        0 for one that was admitted, and infinity where its cost is more than a full bucket holds.
        """
        raise NotImplementedError

    @property
    def parts(self) -> "Sequence[Decision]":
        """The decisions of each quota that the request counts for."""
        return (self,)

    @abstractmethod
    def given_back(self) -> "Decision":
        """Return the decision as it stands when nothing was taken, or all of it was given back."""
        raise NotImplementedError

    def parameters(self, latest: int | None = None) -> str:
        """Return the parameters of a `RateLimit` item, as text.

        Args:
            latest: ``t`` is not to be later than this, in seconds: the answer's ``Retry-After``.
        """
        if self.retry_after == inf:
            return f";r={self.remaining}"
        reset = self.reset if latest is None else min(self.reset, latest)
        return f";r={self.remaining};t={reset}"

    def __repr__(self) -> str:
        verdict = "allowed" if self.allowed else "refused"
        return f"<Decision of {self.name}: {verdict}, {self.remaining} remaining>"


class BucketDecision(Decision):
    """A token bucket's.

    Args:
        name: the quota's.
        quota: it was decided by.
        room: what is left in the bucket after the request, in ticks; what is missing, if negative.
        cost: of the request, in tokens.
        is_report_only: whether it is only tried out.
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
        """Whole requests that may follow at once."""
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
        """Seconds after which a refused request would be admitted."""
        if self.is_within_limit:
            return 0.0
        if self._cost > self.quota.burst:
            return inf
        return seconds(-(self._room // self.quota.scale))

    def parameters(self, latest: int | None = None) -> str:
        """Return the parameters of a `RateLimit` item, as text."""
        quota, room = self.quota, self._room
        if room < 0 or latest is not None:
            return super().parameters(latest)
        interval = quota.interval
        remaining = room // interval
        return f";r={remaining};t={-((room - (remaining + 1) * interval) // quota.second)}"

    def given_back(self) -> "BucketDecision":
        """Return the decision as it stands when nothing was taken, or all of it was given back."""
        room = min(self._room + self._cost * self.quota.interval, self.quota.capacity)
        return BucketDecision(self.name, self.quota, room, 0, self.is_report_only)


class ConcurrencyDecision(Decision):
    """Of a bound on what is in flight. When a place becomes free can't be known.

    Args:
        name: the bound's.
        quota: it was decided by.
        room: how many places are left.
        is_report_only: whether it is only tried out.
    """

    __slots__ = ("_room",)

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
        """Whole requests that may follow at once."""
        return max(self._room, 0)

    @property
    def reset(self) -> int:
        """Return 0: it can't be known."""
        return 0

    @property
    def retry_after(self) -> float:
        """Return 0: it can't be known."""
        return 0.0

    def given_back(self) -> "ConcurrencyDecision":
        """Return the decision as it stands when nothing was taken, or all of it was given back."""
        return ConcurrencyDecision(self.name, self.quota, self._room + 1, self.is_report_only)

    def parameters(self, latest: int | None = None) -> str:
        """Return the parameters of a `RateLimit` item, as text."""
        return f";r={self.remaining}"


class CombinedDecision(Decision):
    """Of several quotas: that of the one that refuses for longest, else that has least left."""

    __slots__ = ("_decisive", "_each")

    def __init__(self, each: Sequence[Decision]) -> None:
        refusing = [one for one in each if not one.allowed]
        self._each = each
        self._decisive = decisive = (
            max(refusing, key=lambda one: one.retry_after)
            if refusing
            else min(each, key=lambda one: one.remaining)
        )
        self.name = decisive.name
        self.quota = decisive.quota
        self.is_report_only = all(one.is_report_only for one in each)
        self.is_within_limit = all(
            one.is_within_limit for one in each if self.is_report_only or not one.is_report_only
        )

    @property
    def remaining(self) -> int:
        """Whole requests that may follow at once."""
        return self._decisive.remaining

    @property
    def reset(self) -> int:
        """Whole seconds, rounded up, until one more request may follow than now."""
        return self._decisive.reset

    @property
    def retry_after(self) -> float:
        """Seconds after which a refused request would be admitted."""
        return self._decisive.retry_after

    @property
    def parts(self) -> Sequence[Decision]:
        """The decisions of each quota that the request counts for."""
        return self._each

    def given_back(self) -> "CombinedDecision":
        """Return the decision as it stands when nothing was taken, or all of it was given back."""
        return CombinedDecision([one.given_back() for one in self._each])


def joint(each: Sequence[Decision]) -> Decision:
    """Return the decision that several make together, or the only one."""
    return each[0] if len(each) == 1 else CombinedDecision(each)


def seconds(nanoseconds: int) -> float:
    """Return nanoseconds as seconds, never fewer."""
    nearest = nanoseconds / SECOND
    numerator, denominator = nearest.as_integer_ratio()
    short = numerator * SECOND < nanoseconds * denominator
    return nextafter(nearest, inf) if short else nearest
