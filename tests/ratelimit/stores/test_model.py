"""Every store compared with the exact model, after arbitrary operations on both.

To run more examples than the test command does, for example for an hour on one store::

    MANTLET_EXAMPLES=100000 pytest tests/ratelimit/stores/test_model.py -k lmdb
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from math import inf, nextafter
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantlet import Quota
from mantlet.ratelimit.decision import BucketDecision
from mantlet.ratelimit.stores.base import SlotRequest, Strikes, TokenRequest
from tests.ratelimit.stores.conftest import START
from tests.ratelimit.stores.model import DAY, SECOND, Bucket, Model
from tests.ratelimit.stores.subject import Subject, agree

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

YEAR = Quota("1/year").period * SECOND
EXAMPLES = int(os.environ.get("MANTLET_EXAMPLES", "120"))
thorough = settings(deadline=None, max_examples=EXAMPLES)
short = settings(deadline=None, max_examples=EXAMPLES // 2)

#: The latest time of a clock: the maximum of a signed 64-bit number of nanoseconds.
LATEST = START + 200 * YEAR
Fresh = Callable[[], "AbstractContextManager[Subject]"]

# -- what there is --------------------------------------------------------------------------------

rates = st.one_of(
    st.sampled_from(
        ["1/year", "1/second", "90/minute", "1000000/second", "999983/hour", "7/3 hours", "100/day"]
    ),
    st.builds(
        "{}/{} {}".format,
        st.integers(1, 1_000_000),
        st.integers(1, 13),
        st.sampled_from(["second", "minute", "hour", "day", "month", "year"]),
    ),
)
bursts = st.one_of(st.integers(1, 5), st.integers(1, 1_000_000))
quotas = st.builds(Quota, rates, burst=bursts)

# -- what is done ---------------------------------------------------------------------------------


@pytest.mark.slow
@dataclass(frozen=True)
class Tokens:
    """Tokens of a quota, by its index, for a client: a number, and a fraction of the burst."""

    quota: int
    client: int
    cost: int
    share: Fraction = Fraction(0)
    is_report_only: bool = False


@dataclass(frozen=True)
class Seat:
    """A slot of a client."""

    client: int
    is_report_only: bool = False


@dataclass(frozen=True)
class Take:
    wanted: Sequence[Tokens | Seat]


@dataclass(frozen=True)
class Peek:
    wanted: Sequence[Tokens | Seat]


@dataclass(frozen=True)
class TakeOne:
    tokens: Tokens


@dataclass(frozen=True)
class WaitAndTake:
    """Take, wait as long as told if denied, and take again."""

    tokens: Tokens


@dataclass(frozen=True)
class WaitUntilFull:
    """Let time pass until a bucket is full; or a nanosecond less, or more."""

    tokens: Tokens
    late: int


@dataclass(frozen=True)
class Give:
    """Give back tokens that were taken some nanoseconds ago."""

    tokens: Tokens
    age: int = 0


@dataclass(frozen=True)
class Strike:
    """Record a refusal."""

    tokens: Tokens
    strikes: Strikes


@dataclass(frozen=True)
class ForgetAll:
    """Reset all keys that start in certain ways."""

    beginnings: Sequence[str]


@dataclass(frozen=True)
class Leave:
    """Give back one of the slots taken so far, perhaps for the second time."""

    which: int


@dataclass(frozen=True)
class Hold:
    tokens: Tokens
    nanoseconds: int


@dataclass(frozen=True)
class Forget:
    tokens: Tokens


@dataclass(frozen=True)
class Pass:
    """Let nanoseconds pass, plus the time of some tokens of a quota."""

    nanoseconds: int
    quota: int
    tokens: int


Deed = (
    Take
    | Peek
    | TakeOne
    | WaitAndTake
    | WaitUntilFull
    | Give
    | Strike
    | Leave
    | Hold
    | Forget
    | ForgetAll
    | Pass
)

numbers = st.integers(0, 2)
shares = st.sampled_from([Fraction(0), Fraction(0), Fraction(1, 3), Fraction(1)])
tokens = st.builds(Tokens, numbers, st.integers(0, 1), st.integers(0, 3), shares, st.booleans())
seats = st.builds(Seat, st.integers(0, 1), st.booleans())
several = st.lists(
    st.one_of(tokens, tokens, seats),
    min_size=1,
    max_size=4,
    unique_by=lambda one: (type(one), getattr(one, "quota", None), one.client),
)
times = st.one_of(
    st.just(0), st.integers(0, 3), st.integers(0, 2 * SECOND), st.integers(0, 5 * YEAR)
)
deeds = st.one_of(
    st.builds(Take, several),
    st.builds(Take, several),
    st.builds(TakeOne, tokens),
    st.builds(WaitAndTake, tokens),
    st.builds(WaitUntilFull, tokens, st.integers(-1, 1)),
    st.builds(Peek, several),
    st.builds(Give, tokens, st.one_of(st.just(0), times)),
    st.builds(
        Strike,
        tokens,
        st.builds(Strikes, st.integers(1, 3), times.filter(bool), times.filter(bool)),
    ),
    st.builds(Leave, st.integers(0, 20)),
    st.builds(Hold, tokens, times),
    st.builds(Forget, tokens),
    st.builds(ForgetAll, st.lists(st.sampled_from(["limit0", "limit1:", "seats", "x", "client"]))),
    st.builds(Pass, st.sampled_from([-1, 0, 0, 1]), numbers, st.integers(0, 3)),
    st.builds(Pass, times, numbers, st.just(0)),
)
# By default, generated lists are short.
histories = st.integers(0, 40).flatmap(lambda size: st.lists(deeds, min_size=size, max_size=size))


class Trial:
    """A store and the model, to both of which the same operations are applied."""

    def __init__(self, store: Subject, pool: Sequence[Quota]) -> None:
        self.store = store
        self.model = Model()
        self.pool = pool
        self.seated: list[SlotRequest] = []
        self.holders = count()

    def claim(self, tokens: Tokens, *, is_report_only: bool = False) -> TokenRequest:
        """Return the token request that is meant."""
        quota = self.pool[tokens.quota]
        cost = tokens.cost + int(tokens.share * quota.burst)
        key = f"limit{tokens.quota}:client{tokens.client}"
        return TokenRequest(key, quota, cost, is_report_only and tokens.is_report_only)

    def wanted(self, which: Sequence[Tokens | Seat]) -> list[TokenRequest | SlotRequest]:
        """Return the requests that are meant."""
        return [
            self.claim(one, is_report_only=True)
            if isinstance(one, Tokens)
            else SlotRequest(
                f"seats:client{one.client}",
                one.client + 1,
                20 * SECOND,
                f"{next(self.holders):016x}",
                one.is_report_only,
            )
            for one in which
        ]

    def do(self, deed: Deed) -> None:
        """Apply an operation to both, and compare the results."""
        store, model, now = self.store, self.model, self.store.now
        match deed:
            case Take(which):
                wanted = self.wanted(which)
                self.seated += [one for one in wanted if isinstance(one, SlotRequest)]
                rooms = model.take(wanted, now, leases=store.leases)
                assert agree(store.take(*wanted), rooms)
            case Peek(which):
                wanted = self.wanted(which)
                assert agree(store.peek(*wanted), model.peek(wanted, now))
            case TakeOne(tokens):
                claim = self.claim(tokens)
                rooms = model.take([claim], now, leases=store.leases)
                assert [store.take_one(*claim[:3])] == rooms
            case WaitAndTake(tokens):
                self.wait_and_take(self.claim(tokens))
            case WaitUntilFull(tokens, late):
                claim = self.claim(tokens)
                self.wait(model.bucket(claim, now).wait(claim.quota.burst) + late)
            case Give(tokens, age):
                given = self.claim(tokens)._replace(age=age - age % store.grain)
                store.give_back(given)
                model.give_back([given], now)
            case Strike(tokens, strikes):
                after, within, duration = strikes
                grain = store.grain
                strikes = Strikes(after, -(-within // grain) * grain, -(-duration // grain) * grain)
                claim = self.claim(tokens)
                assert store.strike(claim, strikes) is model.strike(claim, strikes, now)
            case ForgetAll(beginnings):
                store.reset_all(*beginnings)
                model.reset_all(beginnings)
            case Leave(which_one) if self.seated:
                place = self.seated[which_one % len(self.seated)]
                store.give_back(place)
                model.give_back([place], now)
            case Hold(tokens, nanoseconds):
                nanoseconds -= nanoseconds % store.grain
                store.block(nanoseconds, self.claim(tokens))
                model.block([self.claim(tokens)], nanoseconds, now)
            case Forget(tokens):
                keys = [self.claim(tokens).key, f"seats:client{tokens.client}"]
                store.reset(*keys)
                model.reset(keys)
            case Pass(nanoseconds, number, intervals):
                quota = self.pool[number]
                self.wait(nanoseconds + intervals * quota.period * SECOND // quota.amount)

    def wait(self, nanoseconds: int) -> None:
        """Let time pass, within the range of clocks."""
        clock = self.store.clock
        clock.now = max(clock.now, min(clock.now + nanoseconds, LATEST))

    def wait_and_take(self, claim: TokenRequest) -> None:
        """Compare the wait told to a denied client with the instant at which it is admitted."""
        store, model = self.store, self.model
        (room,) = store.peek(claim)
        assert room is not None
        decision = BucketDecision("default", claim.quota, room, claim.cost)
        bucket = model.bucket(claim, store.now)
        assert decision.is_within_limit is bucket.has(claim.cost)
        if claim.cost > claim.quota.burst:
            assert decision.retry_after == inf
            return
        wait = bucket.wait(claim.cost)
        # The shortest sufficient time in seconds; a float can't represent every nanosecond.
        assert Fraction(decision.retry_after) * SECOND >= wait
        assert Fraction(nextafter(decision.retry_after, -1)) * SECOND < wait or not wait
        instant = -(-(store.now + wait) // store.grain) * store.grain
        if instant > LATEST:
            return
        if wait:
            store.clock.now = instant - 1
            missing = model.peek([claim], store.now)
            assert missing[0] < 0
            assert [store.take_one(*claim[:3])] == store.take(claim) == missing
            store.clock.now = instant
        rooms = model.take([claim], store.now, leases=store.leases)
        assert store.take(claim) == rooms
        assert model.bucket(claim, store.now).tokens >= 0


@thorough
@given(st.lists(quotas, min_size=3, max_size=3), histories)
def test_a_store_follows_the_model(
    fresh: Fresh, pool: Sequence[Quota], done: Sequence[Deed]
) -> None:
    """Every result equals the model's, to the last tick, whatever was done before."""
    everything = [Tokens(quota, client, 1) for quota in range(3) for client in range(2)]
    with fresh() as store:
        trial = Trial(store, pool)
        for deed in done:
            trial.do(deed)
        trial.do(Peek([*everything, Seat(0), Seat(1)]))
        for tokens in everything:
            trial.do(WaitAndTake(tokens))


@short
@given(
    quotas,
    st.lists(st.tuples(st.integers(0, 4), times, st.sampled_from([1, -1])), max_size=25),
)
@example(Quota("1/second", burst=2), [(3, DAY, -1), (3, DAY, 1), (1, SECOND, 1), (1, 0, 1)])
@example(Quota("1000000/second", burst=1), [(0, 702_689, 1), (1, 311, 1), (1, 0, 1)])
def test_no_clock_that_steps_back_has_more_admitted_than_the_time_that_passed_gives(
    fresh: Fresh, quota: Quota, done: Sequence[tuple[int, int, int]]
) -> None:
    """The model counts only steps forward, so a step back takes away what the next one adds."""
    claim = TokenRequest("api:1", quota)
    passed = admitted = possible = 0
    bound = Bucket(quota, passed)
    with fresh() as store:
        for requests, step, direction in done:
            admitted += sum(store.admits(claim) for _ in range(requests))
            possible += sum(bound.take(passed) for _ in range(requests))
            assert admitted <= possible
            before = store.now
            store.clock.now += step * direction
            passed += max(0, store.now - before)
