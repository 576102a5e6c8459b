"""Behaviour common to all stores."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest

from mantlet import Quota
from mantlet.ratelimit.stores.base import SlotRequest, Strikes, TokenRequest
from tests.ratelimit.stores.model import DAY, HOUR, MINUTE, SECOND, Bucket
from tests.ratelimit.stores.subject import Subject, agree

HOURLY = Quota("6/hour", burst=3)
#: Nanoseconds in which one of its tokens is refilled.
TOKEN = 10 * MINUTE
YEAR = Quota("1/year").period * SECOND

ALICE = TokenRequest("api:192.0.2.1", HOURLY)
BOB = TokenRequest("api:192.0.2.2", HOURLY)
#: Alice under another limit.
LOGIN = TokenRequest("login:192.0.2.1", Quota("1/hour"))


def seat(
    number: int, key: str = "seats:192.0.2.1", limit: int = 2, *, is_report_only: bool = False
) -> SlotRequest:
    return SlotRequest(key, limit, 30 * SECOND, f"{number:016x}", is_report_only)


# -- taking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("burst", [1, 2, 100])
def test_a_fresh_bucket_admits_its_burst_at_once_and_not_one_more(
    store: Subject, burst: int
) -> None:
    """The burst may come in one instant, whatever the rate."""
    assert store.drain(TokenRequest("api:1", Quota("3/hour", burst=burst))) == burst


def test_the_next_token_comes_at_its_instant_and_not_before(store: Subject) -> None:
    """An empty bucket has one token again exactly one interval later."""
    store.drain(ALICE)
    store.clock.now += TOKEN - store.grain
    assert not store.admits(ALICE)
    store.clock.now += store.grain
    assert store.drain(ALICE) == 1


def test_an_idle_bucket_never_holds_more_than_its_burst(store: Subject) -> None:
    """Years of inactivity save up nothing."""
    store.drain(ALICE)
    store.clock.now += 3 * YEAR
    assert store.drain(ALICE) == 3


@pytest.mark.parametrize("late", [-1, 0, 1])
def test_a_bucket_fills_up_to_the_tick_and_not_beyond(store: Subject, late: int) -> None:
    """It is a little short just before it is full, and not over-full just after."""
    store.drain(ALICE)
    store.drain(BOB)
    store.clock.now += 3 * TOKEN + late * store.grain
    missing = store.grain * HOURLY.scale if late < 0 else 0
    assert store.take(ALICE) == [2 * HOURLY.interval - missing]
    assert store.take_one(*BOB[:3]) == 2 * HOURLY.interval - missing


def test_the_result_is_the_remaining_or_the_missing_amount(store: Subject) -> None:
    """In ticks of the quota, after the tokens were taken."""
    interval = HOURLY.interval
    assert [store.take(ALICE) for _ in range(4)] == [[2 * interval], [interval], [0], [-interval]]
    store.clock.now += TOKEN // 4
    assert store.take(ALICE) == [-interval * 3 // 4]


def test_a_refusal_spends_nothing(store: Subject) -> None:
    """A client that keeps retrying is admitted at the same instant as one that waits."""
    store.drain(ALICE)
    for _ in range(9):
        store.clock.now += TOKEN // 10
        assert not store.admits(ALICE)
    store.clock.now += TOKEN // 10
    assert store.admits(ALICE)


def test_taking_one_is_taking(store: Subject) -> None:
    """The fast path does the same as the general one, on the same bucket."""
    rooms = [
        store.take_one(*ALICE[:3]),
        *store.take(ALICE),
        store.take_one(*ALICE[:3]),
        store.take_one(*ALICE[:3]),
        *store.take(ALICE),
        store.take_one(ALICE.key, HOURLY, 0),
    ]
    assert rooms == [tokens * HOURLY.interval for tokens in (2, 1, 0, -1, -1, 0)]


# -- costs ----------------------------------------------------------------------------------------


def test_a_request_takes_as_many_tokens_as_it_costs(store: Subject) -> None:
    """Two of three leave one."""
    assert store.admits(ALICE._replace(cost=2))
    assert store.left(ALICE) == 1


def test_a_cost_above_what_is_left_is_refused_and_leaves_what_is_left_to_others(
    store: Subject,
) -> None:
    """The bucket is not emptied by a request that it can't pay for."""
    store.take(ALICE)
    assert not store.admits(ALICE._replace(cost=3))
    assert store.admits(ALICE._replace(cost=2))
    store.clock.now += 2 * TOKEN - store.grain
    assert not store.admits(ALICE._replace(cost=2))
    store.clock.now += store.grain
    assert store.admits(ALICE._replace(cost=2))


def test_a_cost_above_the_burst_is_refused_for_ever(store: Subject) -> None:
    """No bucket ever holds that much, and a denied request spends nothing."""
    dear = ALICE._replace(cost=4)
    assert not store.admits(dear)
    assert (store.take_one(*dear[:3]) or 0) < 0
    store.clock.now += 10 * YEAR
    assert not store.admits(dear)
    assert store.drain(ALICE) == 3


def test_a_cost_of_nothing_is_always_admitted_and_spends_nothing(store: Subject) -> None:
    """Also by an empty bucket, and any number of times."""
    free = ALICE._replace(cost=0)
    assert [store.admits(free) for _ in range(5)] == [True] * 5
    assert store.drain(ALICE) == 3
    assert [store.admits(free) for _ in range(5)] == [True] * 5
    store.clock.now += TOKEN
    assert store.drain(ALICE) == 1


# -- several at once ------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [1, -1], ids=["refused first", "refused last"])
def test_a_refusal_of_one_spends_nothing_from_another(store: Subject, turn: int) -> None:
    """All are taken or none, in any order."""
    store.drain(LOGIN)
    both = (LOGIN, ALICE)[::turn]
    assert not store.admits(*both)
    assert store.left(ALICE) == 3
    store.clock.now += HOUR
    assert store.admits(*both)
    assert (store.left(ALICE), store.left(LOGIN)) == (2, 0)


def test_each_of_several_answers_for_itself_in_the_order_asked_for(store: Subject) -> None:
    """If one is denied, the others return the amount that would have remained."""
    store.drain(LOGIN)
    rooms = store.take(ALICE, LOGIN, BOB._replace(cost=3))
    assert agree(rooms, [2 * HOURLY.interval, -LOGIN.quota.interval, 0])


def test_several_refusals_at_once_spend_nothing(store: Subject) -> None:
    """Each returns the amount that it lacks."""
    store.drain(LOGIN)
    store.drain(ALICE)
    rooms = store.take(ALICE, BOB, LOGIN)
    assert agree(rooms, [-HOURLY.interval, 2 * HOURLY.interval, -LOGIN.quota.interval])
    assert store.left(BOB) == 3


# -- looking --------------------------------------------------------------------------------------


def test_looking_tells_what_taking_would_and_changes_nothing(store: Subject) -> None:
    """For buckets and slots, new and empty ones."""
    wanted = (ALICE._replace(cost=2), LOGIN, seat(1))
    for _ in range(3):
        told = [store.peek(*wanted) for _ in range(3)]
        assert told == [store.take(*wanted)] * 3
    assert store.left(ALICE) == 1


# -- giving back ----------------------------------------------------------------------------------


def test_tokens_that_are_given_back_can_be_taken_again(store: Subject) -> None:
    """As many as were given back."""
    store.take(ALICE._replace(cost=3))
    store.give_back(ALICE._replace(cost=2))
    assert store.drain(ALICE) == 2


def test_giving_back_keeps_what_has_come_back_of_the_next_token(store: Subject) -> None:
    """A half refilled token is still half refilled."""
    store.drain(ALICE)
    store.clock.now += TOKEN // 2
    store.give_back(ALICE)
    assert store.drain(ALICE) == 1
    store.clock.now += TOKEN // 2 - store.grain
    assert not store.admits(ALICE)
    store.clock.now += store.grain
    assert store.admits(ALICE)


def test_a_bucket_never_holds_more_than_its_burst_by_what_is_given_back(store: Subject) -> None:
    """Neither a full bucket, nor one that has refilled since, nor one that was never used."""
    store.take(ALICE)
    store.clock.now += TOKEN
    for claim in (ALICE, BOB):
        store.give_back(claim, LOGIN)
        store.give_back(claim._replace(cost=3))
    assert (store.drain(ALICE), store.drain(BOB), store.drain(LOGIN)) == (3, 3, 1)


def test_what_was_given_to_a_full_bucket_is_not_saved_up(store: Subject) -> None:
    """Tokens that did not fit are lost."""
    store.take(ALICE)
    store.give_back(ALICE._replace(cost=3))
    assert store.drain(ALICE) == 3
    store.clock.now += TOKEN - store.grain
    assert not store.admits(ALICE)


# -- holding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spent", [0, 1, 3], ids=["full", "partly spent", "empty"])
def test_a_blocked_bucket_has_its_next_token_exactly_then(store: Subject, spent: int) -> None:
    """However many it had: none before, one at the instant, and the usual rate from then on."""
    store.take(ALICE._replace(cost=spent))
    store.block(HOUR, ALICE)
    assert not store.admits(ALICE)
    store.clock.now += HOUR - store.grain
    assert not store.admits(ALICE)
    store.clock.now += store.grain
    assert store.drain(ALICE) == 1
    store.clock.now += TOKEN - store.grain
    assert not store.admits(ALICE)
    store.clock.now += store.grain
    assert store.drain(ALICE) == 1


def test_a_blocked_bucket_denies_even_a_cost_of_nothing(store: Subject) -> None:
    """It lacks more than the next token."""
    store.block(DAY, ALICE)
    assert not store.admits(ALICE._replace(cost=0))
    assert (store.take_one(ALICE.key, HOURLY, 0) or 0) < 0


def test_a_later_token_is_not_made_to_come_earlier(store: Subject) -> None:
    """The longer of two bans applies, and a ban never shortens a wait."""
    store.block(2 * HOUR, ALICE)
    store.block(HOUR, ALICE)
    store.clock.now += 2 * HOUR - store.grain
    assert not store.admits(ALICE)
    store.clock.now += store.grain
    assert store.drain(ALICE) == 1
    store.block(MINUTE, ALICE)
    store.clock.now += TOKEN - store.grain
    assert not store.admits(ALICE)


def test_several_buckets_are_blocked_at_once_and_others_are_not(store: Subject) -> None:
    """Each by its own quota."""
    store.block(HOUR, ALICE, LOGIN)
    assert (store.drain(ALICE), store.drain(LOGIN), store.drain(BOB)) == (0, 0, 3)
    store.clock.now += HOUR
    assert (store.drain(ALICE), store.drain(LOGIN)) == (1, 1)


# -- forgetting -----------------------------------------------------------------------------------


def test_a_reset_bucket_is_full_and_others_are_as_they_were(store: Subject) -> None:
    """Also one that was blocked, and one that does not exist."""
    store.block(DAY, ALICE)
    store.drain(BOB)
    store.drain(LOGIN)
    store.reset(ALICE.key, LOGIN.key, "api:nobody")
    assert (store.drain(ALICE), store.drain(LOGIN), store.drain(BOB)) == (3, 1, 0)


def test_a_reset_bucket_is_a_bucket_like_any_other(store: Subject) -> None:
    """It empties and refills, and takes back no more than it holds."""
    store.drain(ALICE)
    store.reset(ALICE.key)
    store.give_back(ALICE)
    assert store.drain(ALICE) == 3
    store.clock.now += TOKEN
    assert store.drain(ALICE) == 1


def test_all_of_a_limit_are_reset_and_others_are_as_they_were(store: Subject) -> None:
    """Buckets, bans, strikes and slots; by the beginning of their keys."""
    long, strikes = LOGIN._replace(key="login2:192.0.2.1"), Strikes(2, HOUR, HOUR)
    for claim in (ALICE, BOB, LOGIN, long):
        store.drain(claim)
    store.block(DAY, BOB)
    assert not store.strike(ALICE, strikes)
    assert store.admits(seat(1, limit=1))
    store.reset_all("api:", "seats")
    assert (store.drain(ALICE), store.drain(BOB), store.drain(LOGIN), store.drain(long)) == (
        *(3, 3, 0, 0),
    )
    assert not store.strike(ALICE, strikes)
    assert store.admits(seat(2, limit=1))
    store.reset_all("login")
    assert (store.drain(LOGIN), store.drain(long)) == (1, 1)


def test_all_of_nothing_are_reset(store: Subject) -> None:
    """Without a beginning, or with one that no key has."""
    store.drain(ALICE)
    store.reset_all()
    store.reset_all("ap:", "pi")
    assert store.drain(ALICE) == 0


# -- strikes --------------------------------------------------------------------------------------

THRICE = Strikes(3, MINUTE, HOUR)


def test_the_last_of_several_strikes_bans(store: Subject) -> None:
    """For the whole time, whatever the bucket holds."""
    assert [store.strike(ALICE, THRICE) for _ in range(3)] == [False, False, True]
    store.clock.now += HOUR - store.grain
    assert not store.admits(ALICE)
    assert store.drain(BOB) == 3
    store.clock.now += store.grain
    assert store.drain(ALICE) == 1


def test_strikes_count_within_their_time_alone(store: Subject) -> None:
    """To the last grain of it."""
    assert not store.strike(ALICE, THRICE)
    store.clock.now += MINUTE - store.grain
    assert not store.strike(ALICE, THRICE)
    store.clock.now += store.grain
    assert not store.strike(ALICE, THRICE), "the first was a minute ago"
    store.clock.now += MINUTE - 2 * store.grain
    assert store.strike(ALICE, THRICE)


def test_a_refusal_during_a_ban_neither_prolongs_it_nor_counts(store: Subject) -> None:
    """Nor towards the next one."""
    store.strike(ALICE, THRICE)
    store.strike(ALICE, THRICE)
    assert store.strike(ALICE, THRICE)
    for _ in range(6):
        store.clock.now += 10 * MINUTE - store.grain
        assert not store.strike(ALICE, THRICE)
    store.clock.now += 6 * store.grain
    assert store.drain(ALICE) == 1
    assert [store.strike(ALICE, THRICE) for _ in range(3)] == [False, False, True]


def test_strikes_survive_what_happens_to_the_bucket(store: Subject) -> None:
    """Tokens are taken, given back, and refilled, and it is full again."""
    assert not store.strike(ALICE, THRICE)
    store.take(ALICE)
    store.clock.now += MINUTE // 4
    store.give_back(ALICE._replace(age=MINUTE // 4))
    assert not store.strike(ALICE, THRICE)
    store.take(ALICE)
    store.give_back(ALICE)
    store.clock.now += MINUTE // 4
    assert store.strike(ALICE, THRICE)


def test_a_reset_forgets_strikes(store: Subject) -> None:
    """And ends the ban that they led to."""
    store.strike(ALICE, THRICE)
    store.strike(ALICE, THRICE)
    store.reset(ALICE.key)
    assert [store.strike(ALICE, THRICE) for _ in range(3)] == [False, False, True]
    store.reset(ALICE.key)
    assert store.drain(ALICE) == 3


def test_one_strike_may_be_enough(store: Subject) -> None:
    """The first refusal bans then."""
    assert store.strike(ALICE, Strikes(1, SECOND, HOUR))
    assert not store.admits(ALICE)


# -- report-only requests -------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [1, -1], ids=["report-only first", "report-only last"])
def test_a_denied_report_only_request_keeps_nothing_else_from_being_taken(
    store: Subject, turn: int
) -> None:
    """It is reported, and nothing more."""
    report_only = LOGIN._replace(is_report_only=True)
    store.drain(LOGIN)
    rooms = store.take(*(report_only, ALICE)[::turn])[::turn]
    assert rooms == [-LOGIN.quota.interval, 2 * HOURLY.interval]
    assert (store.left(ALICE), store.left(LOGIN)) == (2, 0)


def test_a_granted_report_only_request_is_taken(store: Subject) -> None:
    """It counts as it would if it were enforced."""
    assert store.admits(ALICE, BOB._replace(is_report_only=True))
    assert (store.left(ALICE), store.left(BOB)) == (2, 2)


@pytest.mark.parametrize("turn", [1, -1], ids=["report-only first", "report-only last"])
def test_an_enforced_denial_takes_no_report_only_tokens(store: Subject, turn: int) -> None:
    """A request that did not pass would not have been counted."""
    store.drain(LOGIN)
    store.take(*(ALICE._replace(is_report_only=True), LOGIN)[::turn])
    assert store.left(ALICE) == 3


def test_report_only_requests_are_taken_all_or_none_of_them(store: Subject) -> None:
    """As they would be if they were enforced."""
    store.drain(LOGIN)
    report_only = [LOGIN._replace(is_report_only=True), BOB._replace(is_report_only=True)]
    assert store.admits(ALICE, *report_only)
    assert (store.left(ALICE), store.left(BOB)) == (2, 3)


def test_report_only_requests_alone_are_taken_all_or_none_of_them(store: Subject) -> None:
    """Also without an enforced request among them."""
    store.drain(LOGIN)
    assert store.admits(LOGIN._replace(is_report_only=True), BOB._replace(is_report_only=True))
    assert store.left(BOB) == 3
    assert store.admits(ALICE._replace(is_report_only=True), BOB._replace(is_report_only=True))
    assert (store.left(ALICE), store.left(BOB)) == (2, 2)


def test_a_denied_report_only_slot_keeps_nothing_else_from_being_taken(store: Subject) -> None:
    """Slots behave as tokens do."""
    assert store.admits(seat(1, limit=1))
    assert store.take(seat(2, limit=1, is_report_only=True), ALICE) == [-1, 2 * HOURLY.interval]
    assert store.left(ALICE) == 2
    store.give_back(seat(1, limit=1))
    assert store.admits(seat(3, limit=1)), "the denied report-only request holds a slot"


# -- places ---------------------------------------------------------------------------------------


def test_no_more_slots_are_taken_than_there_are(store: Subject) -> None:
    """The result is the number of remaining slots, or that one is missing."""
    assert [store.take(seat(number)) for number in range(4)] == [[1], [0], [-1], [-1]]


def test_a_slot_that_is_given_back_can_be_taken_again(store: Subject) -> None:
    """By one, not by two."""
    store.take(seat(1))
    store.take(seat(2))
    store.give_back(seat(1))
    assert [store.admits(seat(number)) for number in (3, 4)] == [True, False]


def test_a_slot_is_given_back_once_only(store: Subject) -> None:
    """Giving back twice, or after a denial, frees nobody else's slot."""
    for number in (1, 2):
        assert store.admits(seat(number))
    assert not store.admits(seat(3))
    store.give_back(seat(3))
    assert not store.admits(seat(4))
    store.give_back(seat(1))
    store.give_back(seat(1))
    assert [store.admits(seat(number)) for number in (5, 6)] == [True, False]


def test_there_are_never_more_slots_than_the_limit(store: Subject) -> None:
    """Giving back a slot that was not taken makes no room."""
    for number in range(5):
        store.give_back(seat(number))
    assert sum(store.admits(seat(number)) for number in range(5, 10)) == 2


def test_slots_of_different_keys_are_separate(store: Subject) -> None:
    """A client that uses all of its own leaves those of others."""
    assert sum(store.admits(seat(number)) for number in range(4)) == 2
    other = "seats:192.0.2.2"
    assert sum(store.admits(seat(number, other)) for number in range(4)) == 2


def test_reset_slots_are_free_and_their_holders_free_nobody_elses(store: Subject) -> None:
    """Their former holders may still be in flight, and end later."""
    store.take(seat(1))
    store.take(seat(2))
    store.reset(seat(1).key)
    assert [store.admits(seat(number)) for number in (3, 4)] == [True, True]
    store.give_back(seat(1), seat(2))
    assert not store.admits(seat(5))


def test_a_slot_is_free_again_when_its_lease_has_ended(store: Subject) -> None:
    """A killed worker frees its slots in a store that outlives it, and takes any other with it."""
    store.take(seat(1))
    store.clock.now += 10 * SECOND
    store.take(seat(2))
    store.clock.now += 20 * SECOND - store.grain
    assert not store.admits(seat(3))
    store.clock.now += store.grain
    assert store.peek(seat(3)) == [0 if store.leases else -1]
    assert [store.admits(seat(number)) for number in (3, 4)] == [store.leases, False]
    store.give_back(seat(1))
    assert store.admits(seat(5)) is not store.leases, "an ended lease freed a place twice"


# -- places and tokens together -------------------------------------------------------------------


def test_a_denied_slot_spends_no_token(store: Subject) -> None:
    """All or nothing applies across both."""
    store.take(seat(1, limit=1))
    assert agree(store.take(ALICE, seat(2, limit=1)), [2 * HOURLY.interval, -1])
    assert store.left(ALICE) == 3


def test_a_denied_token_takes_no_slot(store: Subject) -> None:
    """All or nothing applies across both."""
    store.drain(LOGIN)
    assert not store.admits(seat(1, limit=1), LOGIN)
    assert store.admits(seat(2, limit=1))


def test_tokens_and_slots_are_given_back_together(store: Subject) -> None:
    """In one call, each to its own key."""
    assert store.admits(LOGIN, seat(1, limit=1))
    store.give_back(LOGIN, seat(1, limit=1))
    assert store.admits(LOGIN, seat(2, limit=1))


def test_a_bucket_and_slots_of_one_key_are_different_things(store: Subject) -> None:
    """Neither is mistaken for the other; a reset of the key applies to both."""
    place = seat(1, ALICE.key, limit=1)
    assert store.admits(place)
    assert store.drain(ALICE) == 3
    assert not store.admits(seat(2, ALICE.key, limit=1))
    store.reset(ALICE.key)
    assert store.admits(place)
    assert store.drain(ALICE) == 3


# -- keys -----------------------------------------------------------------------------------------


def test_a_client_has_a_bucket_under_each_limit(store: Subject) -> None:
    """Spending from one leaves the other as it is."""
    store.drain(ALICE)
    assert store.drain(LOGIN) == 1


def test_clients_spend_from_their_own_buckets_only(store: Subject) -> None:
    """Under the same limit as well."""
    store.drain(ALICE)
    assert store.drain(BOB) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", "-"),
        ("a", "A"),
        ("a", "a "),
        ("a", "a\0"),
        ("a:b", "a"),
        ("a:b", "a:c"),
        ("é", "e\u0301"),
        ("\U0001f511", "\U0001f512"),
        ("\x7f", "\x80"),
        ("a\nb", "a\r\nb"),
        ("{a}", "a"),
        ("{a}b", "{a}c"),
        ("*", "?"),
        ("x" * 64, "x" * 63 + "y"),
        ("\U0001f511" * 63 + "a", "\U0001f511" * 63 + "b"),
    ],
    ids=ascii,
)
def test_two_keys_are_two_keys_whatever_they_are_made_of(
    store: Subject, one: str, other: str
) -> None:
    """No two keys collide, and any text is a key."""
    first, second = (TokenRequest(f"api:{key}", HOURLY) for key in (one, other))
    assert store.drain(first) == 3
    assert store.drain(second) == 3
    assert store.drain(first) == 0
    store.reset(first.key)
    assert (store.left(first), store.left(second)) == (3, 0)


# -- numbers --------------------------------------------------------------------------------------


def test_a_million_at_once_and_then_one_a_year(store: Subject) -> None:
    """The largest burst at the slowest rate loses no token, and keeps time to the nanosecond."""
    claim = TokenRequest("api:1", Quota("1/year", burst=1_000_000))
    assert store.admits(claim._replace(cost=999_999))
    assert store.drain(claim) == 1
    store.clock.now += YEAR - store.grain
    assert not store.admits(claim)
    store.clock.now += store.grain
    assert store.drain(claim) == 1


def test_a_million_a_second_is_one_each_microsecond(store: Subject) -> None:
    """The fastest rate suffers no rounding."""
    claim = TokenRequest("api:1", Quota("1000000/second", burst=1))
    for _ in range(100):
        assert store.drain(claim) == 1
        store.clock.now += 1000
    store.clock.now += SECOND
    assert store.drain(claim) == 1


@pytest.mark.parametrize(
    ("rate", "burst", "cost"),
    [
        ("90/minute", 1, 1),
        ("90/minute", 1_000_000, 700_001),
        ("999983/hour", 1, 1),
        ("999983/hour", 999_983, 499_979),
        ("7/3 hours", 2, 1),
        ("7/3 hours", 50_000, 43_211),
        ("999999/year", 1, 1),
    ],
)
def test_no_fraction_is_lost_however_long_it_goes_on(
    store: Subject, rate: str, burst: int, cost: int
) -> None:
    """A client that always returns at the earliest instant is admitted then, and never before.

    With the larger costs this covers years.
    """
    quota = Quota(rate, burst=burst)
    claim = TokenRequest("api:1", quota, cost)
    model = Bucket(quota, store.now)
    assert store.admits(claim._replace(cost=burst))
    assert model.take(store.now, burst)
    for _ in range(100):
        instant = store.now + model.wait(cost)
        instant = ceil(Fraction(instant, store.grain)) * store.grain
        store.clock.now = instant - store.grain
        assert not store.admits(claim)
        store.clock.now = instant
        assert store.admits(claim)
        assert model.take(instant, cost)


# -- clocks ---------------------------------------------------------------------------------------


def test_requests_of_one_instant_share_its_tokens(store: Subject) -> None:
    """A stopped clock adds no tokens."""
    store.drain(ALICE)
    store.clock.now += TOKEN
    assert [store.admits(ALICE) for _ in range(4)] == [True, False, False, False]


@pytest.mark.parametrize("step", [1000, MINUTE, HOUR, 400 * DAY], ids=["us", "min", "h", "years"])
def test_a_clock_that_steps_back_gives_nothing_to_anyone(store: Subject, step: int) -> None:
    """Neither by the step, nor when it reaches the former time again."""
    store.drain(ALICE)
    store.clock.now -= step
    assert not store.admits(ALICE)
    store.give_back(BOB)
    assert store.drain(BOB) == 3
    store.clock.now += step
    assert not store.admits(ALICE)
    store.clock.now += TOKEN
    assert store.drain(ALICE) == 1
