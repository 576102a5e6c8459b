"""What bounds a guard takes, and in which words it refuses others."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard import BodyLimits


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (1, 1),
        ("10 B", 10),
        ("5 MB", 5_000_000),
        ("5MB", 5_000_000),
        ("1.5 kB", 1500),
        ("64 KiB", 65536),
        ("2 GiB", 2 << 30),
    ],
)
def test_a_size_is_bytes_or_has_a_unit(size: Any, wanted: int) -> None:
    """Decimal units are powers of 1,000, binary ones of 1,024."""
    assert BodyLimits(body=size).body == wanted


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "", "5", "5 megabytes", "-5 MB", "0 B", []])
def test_what_is_no_size_is_refused(size: Any) -> None:
    """With the name of the option, and what would be right."""
    with pytest.raises(
        ValueError, match='decoded must be a number of bytes, or a size such as "5 MB"'
    ):
        BodyLimits(decoded=size)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"members": 0}, "members must be at least 1"),
        ({"items": True}, "items must be a whole number"),
        ({"ratio": "5"}, "ratio must be a whole number"),
        ({"depth": 201}, "depth must be from 1 to 200"),
        ({"digits": 5000}, "digits must be from 1 to 4300"),
    ],
)
def test_a_bound_that_can_not_be_held_is_refused(options: Any, words: str) -> None:
    """At construction."""
    with pytest.raises((TypeError, ValueError), match=words):
        BodyLimits(**options)


def test_a_decoded_body_has_the_limit_of_any_body() -> None:
    """By default, and in copies that change that limit alone."""
    assert BodyLimits(body="5 MB").decoded == 5_000_000
    limits = BodyLimits(body="5 MB", decoded="20 MB")
    assert limits.decoded == 20_000_000
    assert BodyLimits.of(BodyLimits(), body="2 MB").decoded == 2_000_000
    assert BodyLimits.of(limits, body="2 MB").decoded == 20_000_000
    assert BodyLimits.of(BodyLimits(), decoded="2 MB").body == BodyLimits().body
    assert BodyLimits.of(BodyLimits(), depth=3) == BodyLimits(depth=3)


def test_limits_are_values() -> None:
    """They compare, hash and can't be changed."""
    assert BodyLimits(body="1 MB") == BodyLimits(body=10**6)
    assert len({BodyLimits(), BodyLimits()}) == 1
    with pytest.raises(AttributeError):
        BodyLimits().body = 5  # type: ignore[misc]  # what is tested
