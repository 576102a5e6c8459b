"""What a quota takes, what it makes of it, and how it says no."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from mantlet import Quota


@pytest.mark.parametrize(
    ("rate", "amount", "window"),
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
def test_a_rate_reads_as_an_amount_and_a_window(rate: str, amount: int, window: int) -> None:
    """The spellings of `limits` are understood."""
    quota = Quota(rate)
    assert (quota.amount, quota.window) == (amount, window)


def test_the_burst_is_the_amount_unless_it_is_given() -> None:
    """By default a whole window's requests may come at once."""
    assert Quota("100/minute").burst == 100
    assert Quota("100/minute", burst=7).burst == 7


def test_the_short_form_of_the_manual_is_understood() -> None:
    """``"5/s"`` is how the design page writes five a second."""
    assert Quota("5/s").window == 1


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


def test_a_window_of_nothing_is_refused_rather_than_read_as_one() -> None:
    """``1/0 minutes`` is no rate."""
    with pytest.raises(ValueError, match="rate"):
        Quota("1/0 minutes")


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
    return pickle.loads(pickle.dumps(value))  # noqa: S301  # our own bytes


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, repickled])
def test_a_quota_is_a_value(again: Any) -> None:
    """Equal quotas are equal, also after a copy or a pickle."""
    quota = Quota("90/minute", burst=5, name="api")
    assert again(quota) == quota == Quota("90/minute", burst=5, name="api")
    assert hash(quota) == hash(again(quota))
    assert quota != Quota("90/minute", burst=6, name="api")


def test_a_quotas_repr_says_how_to_make_it() -> None:
    """Derived numbers are left out."""
    assert repr(Quota("90/minute", burst=5)) == "Quota(rate='90/minute', burst=5, name='default')"
