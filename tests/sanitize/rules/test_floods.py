"""Floods of leaks and of beginnings of leaks: the work is bounded, and nothing gets out for it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.redact.scanner import Scanner
from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks
from mantlet.sanitize.rules.incremental_regex import repeat
from mantlet.sanitize.rules.rule import LeakRule

if TYPE_CHECKING:
    from mantlet.redact.matches import MatchResult


class Counted(LeakRule):
    """A rule that counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__("x", [b"abcd"], repeat(b"0-9", 8, 8))
        self.asked = 0

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        self.asked += 1
        return super().match(data, start, end, more, media)


@pytest.mark.parametrize("size", [500, 64 * 1024, 2**20])
def test_a_flood_of_beginnings_is_looked_at_a_bounded_number_of_times(size: int) -> None:
    """Behind that each counts as a leak, so one that is none is masked, and one that is one too."""
    rule = Counted()
    scan = StreamScan(Scanner([(b"abcd", rule)]), lambda *_: None, "text/plain")
    body = b"abcd " * 200_000 + b"abcd12345678"
    out = b"".join(scan(body[at : at + size], True) for at in range(0, len(body), size))
    out += scan(b"", False)
    assert rule.asked <= 2_000 + len(body) // 32 + 1
    assert len(out) == len(body)
    assert b"12345678" not in out
    assert out.startswith(b"abcd abcd ")


def test_text_with_some_beginnings_is_left_alone() -> None:
    """One in 60 bytes, however long the text."""
    rule = Counted()
    scan = StreamScan(Scanner([(b"abcd", rule)]), lambda *_: None, "text/plain")
    body = b"abcd is the prefix of a key, and this is a text about it all\n" * 20_000
    assert scan(body, False) == body


@pytest.mark.parametrize("media", ["application/json", "text/plain"])
def test_behind_a_flood_of_leaks_all_text_is_masked_and_json_stays_json(media: str) -> None:
    """And it is told once."""
    told: list[str] = []
    scan = StreamScan(Leaks().scanner(()), lambda rule, *_: told.append(rule), media)
    document = [{"a": "ORA-00942: x", "n": number} for number in range(20_000)]
    body = json.dumps([*document, {"text": "at the end"}]).encode()
    out = b"".join(scan(body[at : at + 9_000], True) for at in range(0, len(body), 9_000))
    out += scan(b"", False)
    assert len(told) <= 4_000 + len(body) // 1_024 + 1
    assert b"at the end" not in out
    assert b"ORA" not in out
    after = json.loads(out)
    assert len(after) == 20_001
    assert after[0]["n"] == 0


PERSONAL = Leaks(detect=["urls", "cards", "iban", "email", "national"]).detectors


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        *((unit, 0.01) for unit in (b"1", b"1 ", b"a", b"a@", b"A", b"AB ", b"GB29", b"123-45-")),
        *((unit, 0.01) for unit in (b"://", b"://a:", b"a@a.", b"12 ", b"123.", b"1.5,", b"XY-")),
        *(
            (unit, 1.5)
            for unit in (b"123456789 x ", b"12345678901 x ", b"666-12-3456 ", b"a@b.png ")
        ),
        *((unit, 1.5) for unit in (b"4111 1111 1111 x ", b"4111111111111112 ", b"123 456 789 xx ")),
        *(
            (unit, 1.5)
            for unit in (b"://a:pass@b ", b"GB29NWBK60161331926810 ", b"123 456 7890 x ")
        ),
    ],
)
def test_numbers_and_addresses_are_found_in_few_steps(unit: bytes, most: float) -> None:
    """Expressions read the text, once for all forms; Python looks at those that have one."""
    body = unit * (60_000 // len(unit))
    calls = 0

    def count(_frame: Any, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    for detector in PERSONAL:
        sys.setprofile(count)
        try:
            assert not detector.hits(body, 0)
        finally:
            sys.setprofile(None)
    assert calls <= most * len(body)
