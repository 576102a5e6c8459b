"""What a quota takes, what it makes of it, and how it says no."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from mantlet import Quota
from mantlet.ratelimit.quota import parse_quotas


@pytest.mark.parametrize(
    ("rate", "amount", "period"),
    [
        ("100/minute", 100, 60),
        ("100 per minute", 100, 60),
        ("10 per 2 hours", 10, 7200),
        ("5/second", 5, 1),
        ("1000000/second", 1_000_000, 1),
        ("3/day", 3, 86_400),
        ("100/MINUTE", 100, 60),
        (" 100 / minutes ", 100, 60),
    ],
)
def test_a_rate_reads_as_an_amount_and_a_period(rate: str, amount: int, period: int) -> None:
    """The spellings of `limits` are understood."""
    quota = Quota(rate)
    assert (quota.amount, quota.period) == (amount, period)


def test_the_burst_is_the_amount_unless_it_is_given() -> None:
    """By default a whole period's requests may come at once."""
    assert Quota("100/minute").burst == 100
    assert Quota("100/minute", burst=7).burst == 7


@pytest.mark.parametrize(
    ("rate", "amount", "period"),
    [
        ("5/s", 5, 1),
        ("5/S", 5, 1),
        ("5 per sec", 5, 1),
        ("100/min", 100, 60),
        ("10/2h", 10, 7200),
        ("10 per 2 hr", 10, 7200),
        ("3/d", 3, 86_400),
    ],
)
def test_short_units_are_understood(rate: str, amount: int, period: int) -> None:
    """As people write them."""
    quota = Quota(rate)
    assert (quota.amount, quota.period) == (amount, period)


@pytest.mark.parametrize(
    ("rate", "amount", "period", "burst"),
    [
        ("5/second burst 20", 5, 1, 20),
        ("5/s burst 20", 5, 1, 20),
        ("10 per 2 hours burst 1", 10, 7200, 1),
        (" 100/minute  BURST  7 ", 100, 60, 7),
        ("1/year burst 1000000", 1, 31_104_000, 1_000_000),
    ],
)
def test_a_rate_may_say_its_burst(rate: str, amount: int, period: int, burst: int) -> None:
    """It is the same quota as with the burst as an option."""
    quota = Quota(rate)
    assert (quota.amount, quota.period, quota.burst) == (amount, period, burst)
    assert quota.capacity == burst * quota.interval


def test_a_burst_is_said_once_only() -> None:
    """Two of them could differ, so neither is silently preferred."""
    with pytest.raises(ValueError, match="the rate has a burst already"):
        Quota("5/second burst 20", burst=20)


@pytest.mark.parametrize(
    "rate",
    [
        "5/second burst",
        "5/second burst many",
        "5/second burst -3",
        "5/second burst 1.5",
        "5/second burst 20 burst 30",
        "5/second burst20",
        "5/secondburst 20",
        "burst 20",
        "burst 20 5/second",
        "5/second burst \u0661",
        "5/second burst " + "9" * 19,
    ],
    ids=ascii,
)
def test_a_burst_that_cannot_be_read_is_refused_with_its_value_and_an_example(rate: str) -> None:
    """The message shows what was given, and what would be right."""
    with pytest.raises(ValueError, match="rate must look like") as refused:
        Quota(rate)
    assert "burst 20" in str(refused.value)


@pytest.mark.parametrize("rate", ["5/second burst 0", "5/second burst 000"])
def test_a_burst_of_nothing_in_a_rate_is_refused(rate: str) -> None:
    """As it is as an option."""
    with pytest.raises(ValueError, match="burst must be at least 1, not 0"):
        Quota(rate)


# -- ticks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "scale", "interval"),
    [
        ("1/second", 1, 1_000_000_000),
        ("100/minute", 1, 600_000_000),
        ("90/minute", 3, 2_000_000_000),
        ("1000000/second", 1, 1000),
        ("7/3 hours", 7, 10_800_000_000_000),
        ("1/year", 1, 31_104_000_000_000_000),
    ],
)
def test_one_token_takes_a_whole_number_of_ticks(rate: str, scale: int, interval: int) -> None:
    """As few as will do, so that no fraction is ever rounded away."""
    quota = Quota(rate, burst=5)
    assert (quota.scale, quota.interval) == (scale, interval)
    assert quota.second == scale * 1_000_000_000
    assert quota.capacity == 5 * interval
    assert quota.interval * quota.amount == quota.period * quota.second


# -- windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", ["fixed", "moving", "sliding"])
def test_a_window_is_an_option_in_place_of_a_bucket(window: Any) -> None:
    """It says the strategy, and changes nothing about amount and period."""
    quota = Quota("100/minute", window=window)
    assert (quota.window, quota.amount, quota.period) == (window, 100, 60)
    assert Quota("100/minute").window is None
    assert quota != Quota("100/minute")


@pytest.mark.parametrize("window", ["", "Fixed", "rolling", 5, True, ["fixed"], b"fixed"], ids=repr)
def test_a_window_that_is_none_is_refused_with_what_would_be_right(window: Any) -> None:
    """The message names the option, its value, and the three."""
    with pytest.raises(
        ValueError, match='window must be "fixed", "moving" or "sliding"'
    ) as refused:
        Quota("100/minute", window=window)
    assert repr(window) in str(refused.value)


@pytest.mark.parametrize(
    ("rate", "options"),
    [("100/minute", {"burst": 100}), ("100/minute", {"burst": 5}), ("100/minute burst 5", {})],
    ids=["option", "smaller", "in the rate"],
)
def test_a_window_has_no_burst(rate: str, options: dict[str, Any]) -> None:
    """A burst that would be ignored is refused."""
    with pytest.raises(ValueError, match="burst needs a token bucket, not a window"):
        Quota(rate, window="fixed", **options)


# -- what a rate is not ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rate",
    [
        "",
        " ",
        "100",
        "minute",
        "/minute",
        "0/minute",
        "-1/minute",
        "1.5/second",
        "1e3/second",
        "+5/minute",
        "\u0661/minute",
        "100/fortnight",
        "100/minute/second",
        "100/minute trailing",
        "leading 100/minute",
        "100\x00/minute",
    ],
    ids=repr,
)
def test_a_rate_that_cannot_be_read_is_refused_with_its_value_and_an_example(rate: str) -> None:
    """The message names the option, shows what was given, and what would be right."""
    with pytest.raises(ValueError, match="rate") as refused:
        Quota(rate)
    assert repr(rate) in str(refused.value)
    assert "100/minute" in str(refused.value) or "at least 1" in str(refused.value)


@pytest.mark.parametrize(
    "rate",
    ["100/minute;5/second", "100/minute, 3/hour", "200 per day|50 per hour"],
    ids=["semicolon", "comma", "bar"],
)
def test_several_rates_in_one_string_are_refused_rather_than_all_but_one_ignored(
    rate: str,
) -> None:
    """A quota is one bucket, so a second rate would silently protect nothing."""
    with pytest.raises(ValueError, match="rate"):
        Quota(rate)


@pytest.mark.parametrize("rate", ["1/0 minutes", "1 per 00 hours", "1/0 s burst 5"])
def test_a_period_of_nothing_is_refused_rather_than_read_as_one(rate: str) -> None:
    """Nothing may be divided by it."""
    with pytest.raises(ValueError, match="rate must allow at least 1 request a period"):
        Quota(rate)


@pytest.mark.parametrize(
    ("option", "rate", "burst"),
    [
        ("rate", f"{10**15}/second", 1),
        ("rate", f"1/{10**12} years", 1),
        ("burst", "1/second", 10**15),
        ("burst", f"1/second burst {10**15}", None),
    ],
    ids=["amount", "period", "burst", "burst in the rate"],
)
def test_numbers_that_no_header_field_can_say_are_refused(
    option: str, rate: str, burst: int | None
) -> None:
    """An integer of RFC 9651, 3.3.1 has at most 15 digits."""
    with pytest.raises(ValueError, match=f"{option} must not contain a number above"):
        Quota(rate, burst=burst)
    assert Quota(f"1/second burst {10**15 - 1}").burst == 10**15 - 1


@pytest.mark.parametrize("rate", [5, 5.0, None, b"100/minute", ["100/minute"], True], ids=repr)
def test_a_rate_that_is_no_string_is_a_type_error(rate: Any) -> None:
    """The message names the option, shows what was given, and what would be right."""
    with pytest.raises(TypeError, match="rate must be a string such as") as refused:
        Quota(rate)
    assert repr(rate) in str(refused.value)


@pytest.mark.parametrize("burst", [1.5, 2.0, True, False, "20", [5]], ids=repr)
def test_a_burst_that_is_no_whole_number_is_a_type_error(burst: Any) -> None:
    """A bool counts as no number, and a float as none either."""
    with pytest.raises(TypeError, match="burst must be a whole number") as refused:
        Quota("100/minute", burst=burst)
    assert repr(burst) in str(refused.value)


@pytest.mark.parametrize("burst", [0, -1, -(10**30)], ids=str)
def test_a_burst_below_one_is_refused(burst: int) -> None:
    """A bucket without room admits nobody, so it can't be meant."""
    with pytest.raises(ValueError, match="burst must be at least 1") as refused:
        Quota("100/minute", burst=burst)
    assert str(burst) in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["", "two\nlines", "carriage\rreturn", "nul\x00", "tab\t", "del\x7f", "\u00fc", "\u2028"],
    ids=ascii,
)
def test_a_name_that_cannot_stand_in_a_header_field_is_refused(name: str) -> None:
    """A name is a string of RFC 9651: printable ASCII."""
    with pytest.raises(ValueError, match="name must be printable ASCII") as refused:
        Quota("100/minute", name=name)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("name", [5, b"default", ["a"], 1.5], ids=repr)
def test_a_name_that_is_no_string_is_a_type_error(name: Any) -> None:
    """The message names the option."""
    with pytest.raises(TypeError, match="name must be"):
        Quota("100/minute", name=name)


def test_an_unknown_keyword_is_a_type_error_that_names_it() -> None:
    """Nothing is taken silently."""
    with pytest.raises(TypeError, match="bursts"):
        Quota("100/minute", bursts=5)  # type: ignore[call-arg]  # what is tested


def test_a_quota_cannot_be_changed() -> None:
    """What was checked once stays as it was."""
    quota = Quota("100/minute")
    with pytest.raises(FrozenInstanceError):
        quota.burst = 1  # type: ignore[misc]  # what is tested


def repickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, repickled])
def test_a_quota_is_a_value(again: Any) -> None:
    """Equal quotas are equal, also after a copy or a pickle."""
    quota = Quota("90/minute", burst=5, name="api")
    assert again(quota) == quota == Quota("90/minute", burst=5, name="api")
    assert hash(quota) == hash(again(quota))
    assert quota != Quota("90/minute", burst=6, name="api")


def test_a_quotas_repr_says_how_to_make_it() -> None:
    """Derived numbers are left out."""
    quota = Quota("90/minute", burst=5)
    assert repr(quota) == "Quota(rate='90/minute', burst=5, name='default', window=None)"
    assert eval(repr(quota)) == quota


# -- several in one text --------------------------------------------------------------------------


@pytest.mark.parametrize("joint", [";", ",", "|", "; ", " , ", " | ", ";\n"], ids=repr)
def test_several_quotas_are_joined_by_semicolons_commas_or_bars(joint: str) -> None:
    """Each is called by its rate, so that they can be told apart."""
    quotas = parse_quotas(f"5/second burst 20{joint}100/minute{joint}1000 per day")
    assert quotas == (
        Quota("5/second burst 20", name="5/second burst 20"),
        Quota("100/minute", name="100/minute"),
        Quota("1000 per day", name="1000 per day"),
    )


def test_a_single_quota_keeps_the_default_name() -> None:
    """There is nothing to tell it apart from."""
    assert parse_quotas("100/minute") == (Quota("100/minute"),)
    assert parse_quotas("100/minute burst 5")[0].name == "default"


@pytest.mark.parametrize(
    "text",
    ["", ";", "100/minute;", ";100/minute", "100/minute;;5/second", "100/minute;5/fortnight"],
    ids=repr,
)
def test_several_of_which_one_cannot_be_read_are_refused(text: str) -> None:
    """None is silently left out."""
    with pytest.raises(ValueError, match="rate must look like"):
        parse_quotas(text)


@pytest.mark.parametrize("text", ["100/minute;100/minute", "5/s, 100/minute ,5/s"])
def test_a_rate_that_comes_twice_is_refused(text: str) -> None:
    """It can only be a slip, and both would have one name."""
    with pytest.raises(ValueError, match="a rate occurs twice") as refused:
        parse_quotas(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", [5, None, b"100/minute", ["100/minute"]], ids=repr)
def test_several_that_are_no_text_are_a_type_error(text: Any) -> None:
    """The message shows what was given, and what would be right."""
    with pytest.raises(TypeError, match="100/minute") as refused:
        parse_quotas(text)
    assert repr(text) in str(refused.value)
