"""Documents that are given as Python's values."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict, UserDict
from enum import Enum, StrEnum
from typing import Any

import pytest

from mantlet.guard.openapi.loading import plain_json

pytestmark = pytest.mark.slow


class Colour(StrEnum):
    RED = "red"


class Level(int, Enum):
    HIGH = 3


def test_a_copy_is_plain_and_apart() -> None:
    """Subclasses become what they are of, keys of whole numbers texts, and tuples lists."""
    value: dict[Any, Any] = OrderedDict(
        {200: (1, 2.5, None, True), "c": Colour.RED, "d": UserDict(e=Level.HIGH)}
    )
    made = plain_json(value)
    assert made == {"200": [1, 2.5, None, True], "c": "red", "d": {"e": 3}}
    assert [type(made), type(made["c"]), type(made["d"]), type(made["d"]["e"])] == [
        dict,
        str,
        dict,
        int,
    ]
    value["d"]["e"] = 4
    assert made["d"] == {"e": 3}


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = value
    return value


def bomb() -> list[Any]:
    value: list[Any] = []
    for _ in range(60):
        value = [value, value]
    return value


@pytest.mark.few_cases(3)
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": dt.time(12)}, "contains a time"),
        ({"a": float("nan")}, "contains a float"),
        ({"a": {1, 2}}, "contains a set"),
        ({"a": b"x"}, "contains a bytes"),
        ({200: 1, "200": 2}, "has the duplicate key '200'"),
        ({None: 1}, "has the key None"),
        ({True: 1}, "has the key True"),
        (endless(), "is nested deeper than 200 levels, or contains itself"),
        (bomb(), "has more than 4000000 values"),
    ],
    ids=["time", "nan", "set", "bytes", "twice", "none", "true", "endless", "bomb"],
)
def test_what_json_has_not_is_refused(value: Any, words: str) -> None:
    """What can't be JSON, and what has no end, is said."""
    with pytest.raises(ValueError, match=words):
        plain_json(value)


def test_dates_become_strings() -> None:
    """PyYAML makes them of a version, or of an example."""
    at = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
    assert plain_json({"a": dt.date(2026, 11, 26), "b": at}) == {
        "a": "2026-11-26", "b": "2026-11-26T12:00:00+00:00",
    }  # fmt: skip
