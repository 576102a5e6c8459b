"""Options that are numbers: refused with the option, the value and what would be right."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from mantlet._internal.options import check_int, check_number


def test_a_number_in_range_is_returned() -> None:
    """Bounds included."""
    assert check_int("size", 1) == 1
    assert check_int("size", 0, least=0) == 0
    assert check_int("size", 9, most=9) == 9
    assert check_number("timeout", 0.5) == 0.5
    assert check_number("timeout", 0, least=0) == 0
    assert check_number("timeout", 60, least=0.001, most=60) == 60
    assert check_number("timeout", inf) == inf


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (0, {}, "size must be at least 1, not 0"),
        (0, {"unit": "bytes"}, "size must be at least 1, not 0"),
        (-1, {"least": 0}, "size must be at least 0, not -1"),
        (7, {"most": 6}, "size must be from 1 to 6, not 7"),
        (7, {"most": 6, "unit": "bytes"}, "size must be from 1 to 6, not 7"),
    ],
)
def test_a_whole_number_out_of_range_is_a_value_error(
    value: int, options: Any, message: str
) -> None:
    """The message has the range."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_int("size", value, **options)


@pytest.mark.parametrize("value", [1.0, "1", True, None], ids=repr)
def test_a_value_that_is_not_a_whole_number_is_a_type_error(value: Any) -> None:
    """A bool is not a number here."""
    with pytest.raises(TypeError, match=r"^size must be a whole number, not "):
        check_int("size", value)
    with pytest.raises(TypeError, match=r"^size must be a whole number of bytes, not "):
        check_int("size", value, unit="bytes")


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (0, {}, "more than 0 seconds, not 0"),
        (-0.5, {"unit": "ms"}, "more than 0 ms, not -0.5"),
        (nan, {}, "more than 0 seconds, not nan"),
        (61, {"most": 60}, "more than 0 seconds and at most 60, not 61"),
        (-1, {"least": 0}, "at least 0 seconds, not -1"),
        (nan, {"least": 0}, "at least 0 seconds, not nan"),
        (61, {"least": 0.001, "most": 60}, "from 0.001 to 60 seconds, not 61"),
    ],
)
def test_a_number_out_of_range_is_a_value_error(value: float, options: Any, message: str) -> None:
    """NaN is in no range."""
    with pytest.raises(ValueError, match=f"^timeout must be {message}$"):
        check_number("timeout", value, **options)


@pytest.mark.parametrize("value", ["1", True, None], ids=repr)
def test_a_value_that_is_not_a_number_is_a_type_error(value: Any) -> None:
    """With its unit."""
    with pytest.raises(TypeError, match=r"^timeout must be a number of seconds, not "):
        check_number("timeout", value)
