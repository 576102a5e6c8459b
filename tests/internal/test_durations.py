"""Durations in options."""

from __future__ import annotations

import pytest

from mantlet._internal.options import check_duration


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(7, 7), (0.5, 0.5), ("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800)],
)
def test_a_duration_is_in_seconds(value: object, seconds: float) -> None:
    """Or text with its unit."""
    assert check_duration("keep", value) == seconds


@pytest.mark.parametrize(
    "value",
    ["", "24", "h", "-1s", "1.5h", "24 h", "24H", "1h30m", "٣s", "1" * 10 + "s", "1s\n", "0s"],
)
def test_other_texts_are_none(value: str) -> None:
    """Nor is one of no length."""
    with pytest.raises(ValueError, match="keep must be"):
        check_duration("keep", value)


@pytest.mark.parametrize("value", [None, True, b"1s", float("nan"), float("inf"), 11])
def test_other_values_are_none(value: object) -> None:
    """Nor are those beyond a bound."""
    with pytest.raises((TypeError, ValueError), match="keep must be"):
        check_duration("keep", value, most=10)
