"""What the limiter decided, for the app, the header fields and whoever asks outside of HTTP."""

from abc import abstractmethod
from collections.abc import Sequence
from math import inf, nextafter

from mantlet.ratelimit.concurrency import Concurrency
from mantlet.ratelimit.quota import Quota

__all__ = ["SECOND", "BucketDecision", "Decision", "PlaceDecision", "joint", "seconds"]

#: In nanoseconds.
SECOND = 1_000_000_000


class Decision:
    """What the limiter decided about one request.

    Attributes:
        within: whether it is within the quota; in shadow mode one that is not may pass all the
            same.
        name: of the quota that it was decided by: of several, the one that refused for longest, or
            that has least left.
        quota: that quota, or the `Concurrency`.
        shadow: whether that is only tried out.
    """

    __slots__ = ("name", "quota", "shadow", "within")

    name: str
    quota: Quota | Concurrency
    shadow: bool
    within: bool

    @property
    def allowed(self) -> bool:
        """Whether the request may pass."""
        return self.within or self.shadow

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
    def each(self) -> "Sequence[Decision]":
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
        shadow: whether it is only tried out.
    """

    __slots__ = ("_cost", "_room")

    quota: Quota

    def __init__(
        self, name: str, quota: Quota, room: int, cost: int = 1, shadow: bool = False
    ) -> None:
        self.name = name
        self.quota = quota
        self.shadow = shadow
        self.within = room >= 0
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
        if self.within:
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
        return BucketDecision(self.name, self.quota, room, 0, self.shadow)


class PlaceDecision(Decision):
    """Of a bound on what is in flight. When a place becomes free can't be known.

    Args:
        name: the bound's.
        quota: it was decided by.
        room: how many places are left.
        shadow: whether it is only tried out.
    """

    __slots__ = ("_room",)

    def __init__(
        self, name: str, quota: Quota | Concurrency, room: int, shadow: bool = False
    ) -> None:
        self.name = name
        self.quota = quota
        self.shadow = shadow
        self.within = room >= 0
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

    def given_back(self) -> "PlaceDecision":
        """Return the decision as it stands when nothing was taken, or all of it was given back."""
        return PlaceDecision(self.name, self.quota, self._room + 1, self.shadow)

    def parameters(self, latest: int | None = None) -> str:
        """Return the parameters of a `RateLimit` item, as text."""
        return f";r={self.remaining}"


class JointDecision(Decision):
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
        self.shadow = all(one.shadow for one in each)
        self.within = all(one.within for one in each if self.shadow or not one.shadow)

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
    def each(self) -> Sequence[Decision]:
        """The decisions of each quota that the request counts for."""
        return self._each

    def given_back(self) -> "JointDecision":
        """Return the decision as it stands when nothing was taken, or all of it was given back."""
        return JointDecision([one.given_back() for one in self._each])


def joint(each: Sequence[Decision]) -> Decision:
    """Return the decision that several make together, or the only one."""
    return each[0] if len(each) == 1 else JointDecision(each)


def seconds(nanoseconds: int) -> float:
    """Return nanoseconds as seconds, never fewer."""
    nearest = nanoseconds / SECOND
    numerator, denominator = nearest.as_integer_ratio()
    short = numerator * SECOND < nanoseconds * denominator
    return nextafter(nearest, inf) if short else nearest
