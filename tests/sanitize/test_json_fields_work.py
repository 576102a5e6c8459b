"""The work that masking takes: steps of Python for each byte, whatever the body."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from mantlet.sanitize.json_fields import FieldMasker, JsonField
from tests.sanitize.test_json_fields import request

SIZE = 60_000
NAMES: list[str | JsonField] = ["password", "*_token", "a", "a*b*c*d", "x"]
POINTERS: list[str | JsonField] = ["/a/*/b", "/*/a", "/list/0"]
FLOODS = [
    *((b"{", unit, b'"z":1}') for unit in (b'"a":1,', b'"password":"b",', b'"b":{"a":1},')),
    *((b"{", unit, b'"z":1}') for unit in (b'"z":1,', b'"":"",', b'"x":[1,[2]],')),
    *((b"[", unit, b"1]") for unit in (b'{"a":1},', b"[],", b"{},", b'"",', b"1,", b"[[1]],")),
    *((b"", unit, b"") for unit in (b"{", b"[", b'"', b"]", b":", b",", b"\\", b" ")),
    *((b"", unit, b"") for unit in (b"1\n", b"{}\n", b'{"a":1}\n')),
    *((b'{"a":[', unit, b"1]}") for unit in (b'{"b":1},', b'{"c":1},', b'{"b":{"b":1}},', b"[1],")),
    *((b'{"', unit, b'":1}') for unit in (b"a", b"\\u0061", b"a_b_c_d", b"_token", b"\\\\")),
    *((b'{"b":"', unit, b'"}') for unit in (b'\\"', b"password", b"a,", b"[{")),
    (b'{"a":1,"list":', b"[", b"]"),
]  # fmt: skip


def steps(asked: list[str | JsonField], body: bytes, chunk: int, *, events: bool = False) -> int:
    """Return how many functions are called, in Python and in C, to mask a body."""
    masker = FieldMasker(asked)
    expressions_made = masker.filter_for(request(), events=events)
    assert expressions_made is not None
    expressions_made(body[:1000], True)
    filter_body = masker.filter_for(request(), events=events)
    assert filter_body is not None
    filter_body(b" ", True)
    calls = 0

    def count(frame: Any, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        for at in range(0, len(body), chunk):
            filter_body(body[at : at + chunk], True)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("asked", [NAMES, POINTERS], ids=["names", "pointers"])
@pytest.mark.parametrize(
    ("begin", "unit", "end"), FLOODS, ids=[str(number) for number in range(len(FLOODS))]
)
def test_a_step_leads_over_several_bytes(
    asked: list[str | JsonField], begin: bytes, unit: bytes, end: bytes
) -> None:
    """Expressions, not Python, read what has nothing to edit, and what is edited in a row."""
    body = begin + unit * (SIZE // len(unit)) + end
    assert steps(asked, body, 32 * 1024) <= SIZE * 3


def test_names_that_are_masked_in_a_row_are_masked_in_one_step() -> None:
    """And so are names and documents that have nothing to mask skipped."""
    for body in (b'{"a":1,' + b'"a":1,' * 10_000 + b'"z":1}', b'{"a":"' + b"\\\\" * 30_000 + b'"}'):
        assert steps(NAMES, body, 32 * 1024) < 300
    for body in (b'{"z":1}\n' * 8_000, b'{"z":[' + b'{"b":[1,2]},' * 5_000 + b"1]}"):
        assert steps(POINTERS, body, 32 * 1024) < 2000


def test_chunks_of_one_byte_take_no_more_steps_the_longer_the_string() -> None:
    """What is held back is not read again before the string ends."""
    short, long = (steps(["*_token"], b'{"a":"' + b"b" * size + b'"}', 1) for size in (1000, 4000))
    assert long < short * 4.4


@pytest.mark.parametrize("unit", [b"data: {\n", b"data:\n", b":\n", b'data: "z",\n', b"\r"])
def test_lines_of_events_are_read_in_one_step(unit: bytes) -> None:
    """Those of one event, and those without data."""
    body = b'data: {"b":\n' + unit * (SIZE // len(unit))
    assert steps(["password", "/user/ssn"], body, 32 * 1024, events=True) < 1000
    events = b"data: a\n\n" * (SIZE // 9)
    assert steps(["password", "/user/ssn"], events, 32 * 1024, events=True) < 1000
    events = b'data: {"password":1}\n\n' * (SIZE // 22)
    assert steps(["password", "/user/ssn"], events, 32 * 1024, events=True) < 1000
