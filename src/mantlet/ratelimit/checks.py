"""The limiter outside of HTTP: the same buckets, asked by whoever has a key."""

from collections.abc import Sequence

from mantlet._internal.coroutines import run_sync
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.book import Book
from mantlet.ratelimit.compiled import Ask
from mantlet.ratelimit.decision import BucketDecision, Decision, joint
from mantlet.ratelimit.engine import Counter
from mantlet.ratelimit.keys.texts import bounded, is_digest
from mantlet.ratelimit.rules import check_cost
from mantlet.ratelimit.stores.base import TokenRequest

__all__ = ["Checks"]

_LONGEST_BAN = 10 * 365 * 86_400


class Checks:
    """Methods that ask the limiter by a key, for jobs, sockets of other kinds, and operators.

    A key is what the limiter's key function returns for a request: for the client address,
    ``"192.0.2.1"`` or ``"2001:db8::/64"``. ``rule`` is the pattern of a rule; without it the
    limiter's own quotas are meant. The plain methods block where the store is on the network; those
    with an ``a`` before their names are for asyncio.
    """

    _book: Book
    _counter: Counter
    _on_outage: str

    def check(self, key: str, *, cost: int = 1, rule: str | None = None) -> Decision:
        """Take tokens, if all quotas have them, and return what was decided.

        Args:
            key: whose bucket.
            cost: how many tokens.
            rule: the pattern of the rule whose quotas are meant.

        Raises:
            LookupError: there is no such rule, or the limiter has no quota of its own.
            TypeError: the quota is a function of the request, and there is none here.
            StoreOutage: the store can't be used at the moment, and ``on_outage`` is ``"refuse"``.
        """
        return run_sync(self._take(key, cost, rule, waits=False))

    async def acheck(self, key: str, *, cost: int = 1, rule: str | None = None) -> Decision:
        """Take tokens on an event loop; see `check()`."""
        return await self._take(key, cost, rule, waits=True)

    def peek(self, key: str, *, cost: int = 1, rule: str | None = None) -> Decision:
        """Return what `check()` would decide, and take nothing."""
        return run_sync(self._take(key, cost, rule, waits=False, peek=True))

    async def apeek(self, key: str, *, cost: int = 1, rule: str | None = None) -> Decision:
        """Return on an event loop what `acheck()` would decide, and take nothing."""
        return await self._take(key, cost, rule, waits=True, peek=True)

    def refund(self, key: str, *, cost: int = 1, rule: str | None = None) -> None:
        """Give tokens back that were taken. A bucket never holds more than its burst.

        Raises:
            TypeError: one of the quotas is a window, which takes nothing back.
            StoreOutage: the store can't be used at the moment.
        """
        run_sync(self._refund(key, cost, rule, waits=False))

    async def arefund(self, key: str, *, cost: int = 1, rule: str | None = None) -> None:
        """Give tokens back on an event loop; see `refund()`."""
        await self._refund(key, cost, rule, waits=True)

    def reset(self, key: str, *, rule: str | None = None) -> None:
        """Make a key's buckets full, its windows empty and its bans void.

        Raises:
            StoreOutage: the store can't be used at the moment.
        """
        run_sync(self._reset(key, rule, waits=False))

    async def areset(self, key: str, *, rule: str | None = None) -> None:
        """Make a key's buckets full on an event loop; see `reset()`."""
        await self._reset(key, rule, waits=True)

    def ban(self, key: str, seconds: float, *, rule: str | None = None) -> None:
        """Refuse everything of a key for so many ``seconds``, and then let one request pass.

        Raises:
            TypeError: none of the quotas is a token bucket.
            ValueError: ``seconds`` is not positive, or more than ten years.
            StoreOutage: the store can't be used at the moment.
        """
        run_sync(self._ban(key, seconds, rule, waits=False))

    async def aban(self, key: str, seconds: float, *, rule: str | None = None) -> None:
        """Refuse everything of a key on an event loop; see `ban()`."""
        await self._ban(key, seconds, rule, waits=True)

    # -- one piece of code for both ---------------------------------------------------------------

    async def _take(
        self, key: str, cost: int, rule: str | None, *, waits: bool, peek: bool = False
    ) -> Decision:
        asks = self._asks(key, cost, rule)
        try:
            return (await self._counter.take(asks, waits, peek=peek)).decision
        except StoreOutage:
            if self._on_outage != "allow":
                raise
        full = [
            BucketDecision(ask.limit.name, claim.quota, claim.quota.capacity - claim.quota.interval)
            for ask, claim in zip(asks, _claims(asks), strict=True)
        ]
        return joint(full)

    async def _refund(self, key: str, cost: int, rule: str | None, *, waits: bool) -> None:
        claims = _claims(self._asks(key, cost, rule))
        if any(claim.quota.window for claim in claims):
            raise TypeError("a window takes nothing back; a token bucket does")
        waiting = self._counter.bound(waits).give_back(claims)
        if waiting is not None:
            await waiting

    async def _reset(self, key: str, rule: str | None, *, waits: bool) -> None:
        await self._counter.forget(_claims(self._asks(key, 1, rule)), waits)

    async def _ban(self, key: str, seconds: float, rule: str | None, *, waits: bool) -> None:
        if not 0 < seconds <= _LONGEST_BAN:
            raise ValueError(f"seconds must be more than 0 and at most ten years, not {seconds}")
        claims = [one for one in _claims(self._asks(key, 1, rule)) if not one.quota.window]
        if not claims:
            raise TypeError("a ban needs a token bucket, and there are only windows")
        waiting = self._counter.bound(waits).block(claims, int(seconds * 1_000_000_000))
        if waiting is not None:
            await waiting

    def _asks(self, key: str, cost: int, rule: str | None) -> list[Ask]:
        if callable(check_cost(cost, ())):
            raise TypeError("cost must be a number here, since there is no request")
        charges = self._book.charges(rule)
        if not charges:
            what = "no quota of its own" if rule is None else f"no rule {rule!r} with a quota"
            raise LookupError(f"the limiter has {what}")
        # One that has been hashed is as the limiter has it already.
        key = key if is_digest(key) else bounded(key)
        asks: list[Ask] = []
        for charge in charges:
            if charge.limits is None:
                raise TypeError(f"the quota of {charge.name!r} needs a request to be known")
            asks += charge.claims(charge.limits, key, cost)
        return asks


def _claims(asks: Sequence[Ask]) -> list[TokenRequest]:
    return [ask.claim for ask in asks if isinstance(ask.claim, TokenRequest)]
