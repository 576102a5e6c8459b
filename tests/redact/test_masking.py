"""The variables of an exception's frames are searched for secrets, at a bounded cost."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from mantlet.redact.masking import Masker
from mantlet.redact.registry import Registry, registry_of

SECRET = "kR7-vT2_qX9.mB4w"


def masker() -> Masker:
    return Masker(registry_of([SECRET]) or Registry())


def fail(depth: int, data: Any) -> None:
    if depth:
        fail(depth - 1, data)
    raise LookupError


def record_of(data: Any) -> logging.LogRecord:
    """Return the record of an exception whose frames all refer to a value."""
    try:
        fail(20, data)
    except LookupError:
        return logging.LogRecord("shop", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    raise AssertionError("it did not raise")


def calls_of(record: logging.LogRecord) -> int:
    """Mask a record, and return how many calls that took."""
    own, calls = masker(), 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    own.text("")  # builds the scanner
    sys.setprofile(count)
    try:
        own.record(record)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "data",
    [
        SECRET,
        SECRET.encode(),
        [{"a": ({"b": [f"x{SECRET}y"]},)}],
        {SECRET: 1},
        frozenset({SECRET}),
        bytearray(SECRET.encode()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_secret_in_a_variable_leaves_only_the_text(data: Any) -> None:
    """However deep it is."""
    record = record_of(data)
    masker().record(record)
    assert record.exc_info is None
    assert "LookupError" in (record.exc_text or "")


def test_variables_without_a_secret_leave_the_exception() -> None:
    """As it is; also where a value refers to itself."""
    cycle: list[Any] = ["a"]
    cycle.append(cycle)
    record = record_of([cycle, {"b": range(10)}])
    masker().record(record)
    assert record.exc_info is not None


def test_many_small_values_are_searched_once() -> None:
    """A body of a client's is in a variable of many frames."""
    data = [{"name": f"name {number}", "number": number} for number in range(10_000)]
    record = record_of(data)
    assert calls_of(record) < 40 * len(data)
    assert record.exc_info is not None


@pytest.mark.parametrize("data", [["x"] * 1_000_000, "x" * 20_000_000], ids=["values", "text"])
def test_too_many_values_count_as_containing_a_secret(data: Any) -> None:
    """They are not searched."""
    record = record_of(data)
    assert calls_of(record) < 50_000
    assert record.exc_info is None
