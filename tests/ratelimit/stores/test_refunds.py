"""Refunds of tokens that time has refilled: never more free requests than the quota allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mantlet import Quota
from mantlet.ratelimit.stores.base import SlotRequest, TokenRequest, aged
from tests.ratelimit.stores.model import HOUR, MINUTE, SECOND, Bucket
from tests.ratelimit.stores.test_model import bursts, rates, thorough

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.ratelimit.stores.subject import Subject
    from tests.ratelimit.stores.test_model import Fresh

LOGIN = TokenRequest("login:192.0.2.1", Quota("5/minute"), is_refundable=True)
#: In which one of its tokens is refilled.
TOKEN = 12 * SECOND

#: What an attacker does next: open a request of a cost, end one of those that are open, which gets
#: its tokens back or not, or wait for some hundredths of the time of a token.
opening = st.tuples(st.just("open"), st.integers(0, 3))
ending = st.tuples(st.sampled_from(["refund", "refund", "count"]), st.integers(0, 9))
waiting = st.tuples(st.just("wait"), st.one_of(st.integers(0, 120), st.integers(0, 2000)))
histories = st.integers(0, 60).flatmap(
    lambda size: st.lists(st.one_of(opening, opening, ending, waiting), min_size=size)
)
small = st.one_of(
    st.builds(Quota, rates, burst=bursts), st.builds(Quota, st.just("5/minute"), burst=st.just(5))
)


@pytest.mark.slow
@thorough
@given(small, histories)
@example(  # the attack: saved up, then spent at once
    Quota("5/minute"),
    [
        *[("open", 1), ("wait", 100)] * 9,
        *[("open", 1), ("count", 9)] * 5,
        *[("refund", 0), ("open", 1)] * 9,
    ],
)
@example(  # tokens of requests in flight at the same time are refilled once, and not once for each
    Quota("5/minute"),
    [*[("open", 1)] * 5, *[("refund", 0)] * 4, ("wait", 100), *[("open", 1)] * 5, ("refund", 0)],
)
def test_those_that_count_are_never_more_than_if_the_others_had_not_been_made(
    fresh: Fresh, quota: Quota, done: Sequence[tuple[str, int]]
) -> None:
    """An exact bucket that only they are taken from has a token for each of them.

    So within any time there are at most as many as its burst and the refill of that time.
    """
    claim = LOGIN._replace(quota=quota)
    opened: list[tuple[int, int]] = []
    counted: list[tuple[int, int]] = []
    with fresh() as store:
        begin = store.now
        for deed, number in done:
            if deed == "open":
                if store.admits(claim._replace(cost=number)):
                    opened.append((store.now, number))
            elif deed == "wait":
                token = quota.period * SECOND // quota.amount
                store.clock.now += token * number // 100
            elif opened:
                at, cost = opened.pop(number % len(opened))
                if deed == "count":
                    counted.append((at, cost))
                else:
                    store.give_back(claim._replace(cost=cost, age=store.now - at))
        exact = Bucket(quota, begin)
        for at, cost in sorted(counted + opened):
            assert exact.take(at, cost)


@thorough
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, TOKEN // 12)), min_size=1, max_size=5),
    st.integers(0, TOKEN // 12),
)
def test_quick_requests_at_the_same_time_that_never_count_leave_a_full_bucket(
    fresh: Fresh, ends: Sequence[tuple[int, int]], pause: int
) -> None:
    """In whatever order they end."""
    with fresh() as store:
        pause -= pause % store.grain
        opened = []
        for _ in ends:
            assert store.admits(LOGIN)
            opened.append(store.now)
            store.clock.now += pause
        for number, wait in ends:
            store.clock.now += wait - wait % store.grain
            at = opened.pop(number % len(opened))
            store.give_back(LOGIN._replace(age=store.now - at))
        assert store.peek(LOGIN._replace(cost=0)) == [LOGIN.quota.capacity]


def test_what_time_has_refilled_is_not_given_back(store: Subject) -> None:
    """Slow requests are no way to save up free ones."""
    for _ in range(60):
        assert store.admits(LOGIN)
        store.clock.now += TOKEN
    assert store.drain(LOGIN) == 5
    for number in range(60):
        store.give_back(LOGIN._replace(age=(60 - number) * TOKEN))
        assert not store.admits(LOGIN)


def test_of_requests_at_the_same_time_the_refill_is_kept_once(store: Subject) -> None:
    """Else busy clients would lose many times what time refills."""
    assert store.drain(LOGIN) == 5
    store.clock.now += TOKEN // 2
    for _ in range(4):
        store.give_back(LOGIN._replace(age=TOKEN // 2))
    assert store.left(LOGIN) == 4
    store.clock.now += TOKEN - store.grain
    assert store.left(LOGIN) == 4
    store.clock.now += store.grain
    assert store.left(LOGIN) == 5


def test_a_failure_is_paid_off_no_faster_while_others_are_in_flight(store: Subject) -> None:
    """The time of a request that is refunded refills nothing else."""
    assert store.admits(LOGIN)
    assert store.admits(LOGIN)
    store.clock.now += TOKEN // 2
    store.give_back(LOGIN._replace(age=TOKEN // 2))
    store.clock.now += TOKEN // 2
    assert store.left(LOGIN) == 4
    store.clock.now += TOKEN // 2
    assert store.left(LOGIN) == 5


def test_a_refund_during_a_ban_does_nothing(store: Subject) -> None:
    """Neither to the ban, nor to the bucket after it."""
    store.take(LOGIN, LOGIN._replace(key="login:other"))
    store.block(HOUR, LOGIN)
    for age in (0, SECOND, MINUTE):
        store.give_back(LOGIN._replace(cost=5, age=age))
    store.clock.now += HOUR - store.grain
    assert not store.admits(LOGIN)
    store.clock.now += store.grain
    assert store.drain(LOGIN) == 1


def test_a_refund_after_a_ban_is_one_as_ever(store: Subject) -> None:
    """What was taken after it can be given back."""
    store.block(HOUR, LOGIN)
    store.clock.now += HOUR
    assert store.drain(LOGIN) == 1
    store.give_back(LOGIN)
    assert store.drain(LOGIN) == 1


def test_only_tokens_have_an_age() -> None:
    """Slots are free, or they are not."""
    slot = SlotRequest("seats:1", 1, SECOND, "0" * 16)
    assert aged([LOGIN, slot], 5) == [LOGIN._replace(age=5), slot]
