"""Patterns of an app's own: what they find over any cut, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks, Pattern
from mantlet.sanitize.rules.pattern import MAX_WIDTH

EMPLOYEE = Pattern("employee", r"EMP-\d{6}(?:-\d{4})?\b", literal="EMP-")
OTHERS = [
    Pattern("case", r"\b(?:case|file)#[A-Z]{2,4}/\d{1,5}"),
    Pattern("path", r"/srv/[a-z]{1,20}(?:/[a-z]{1,20}){0,5}"),
    Pattern("quoted", r"key=.{4,30};", literal=b"key="),
]


def sent(chunks: list[bytes], *patterns: Pattern, media: str = "text/plain") -> bytes:
    scan = StreamScan(Leaks(detect=[], patterns=patterns).scanner(()), lambda *_: None, media)
    return b"".join(scan(chunk, True) for chunk in chunks) + scan(b"", False)


@pytest.mark.unmeasured
def test_a_pattern_is_masked_over_any_cut() -> None:
    """All of it, and nothing around it."""
    body = b"of EMP-123456, EMP-123456-0007 and EMP-12345 or EMP-1234567; EMP-"
    expected = b"of **********, *************** and EMP-12345 or EMP-1234567; EMP-"
    for at in range(len(body)):
        for end in range(at, len(body)):
            assert sent([body[:at], body[at:end], body[end:]], EMPLOYEE) == expected
    assert sent([body[at : at + 1] for at in range(len(body))], EMPLOYEE) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"case#", b"AB", b"/", b"12", b"srv", b"/srv/a", b"key=", b";", b" ", b"x"]
        ),
        max_size=12,
    )
)
def test_patterns_are_found_alike_over_any_cut(parts: list[bytes]) -> None:
    """Whatever is cut."""
    assert sent(parts, *OTHERS) == sent([b"".join(parts)], *OTHERS)


def test_an_event_is_not_held_back_for_a_pattern_that_can_t_come() -> None:
    """It leaves with its chunk."""
    scan = StreamScan(Leaks(detect=[], patterns=[EMPLOYEE]).scanner(()), lambda *_: None)
    assert scan(b"data: EMP-12x\n\n", True) == b"data: EMP-12x\n\n"
    assert scan(b"data: EMP-12", True) == b"data: "


def test_a_pattern_ends_with_its_string() -> None:
    """Also one that would go on over the quote."""
    body = b'{"a": "key=abcdefgh", "b": "x;"}'
    assert sent([body], OTHERS[2], media="application/json") == b'{"a": "************", "b": "x;"}'


@pytest.mark.parametrize(
    ("literals", "expression"),
    [
        ((b"EMP-",), r"EMP-\d{6}"),
        ((b"EMP-",), r"\bEMP-\d{6}\b"),
        ((b"EMP-A", b"EMP-B"), r"EMP-[AB]\d{6}"),
        ((b"case-", b"file-"), r"(?:case|file)-\d{6}"),
        ((b"a.b.c",), r"(a\.b)\.c"),
    ],
)
def test_a_literal_is_taken_from_the_expression(
    literals: tuple[bytes, ...], expression: str
) -> None:
    """Where it begins with one, or with one of a few."""
    assert Pattern("x", expression).literals == literals


@pytest.mark.parametrize(
    ("problem", "arguments"),
    [
        ("id must be", ("Employee", r"EMP-\d{6}")),
        ("id must be", ("a b", r"EMP-\d{6}")),
        ("id must be", ("", r"EMP-\d{6}")),
        ("not a regular expression", ("x", r"EMP-(")),
        ("not a regular expression", ("x", r"EMP-[a")),
        ("any length", ("x", r"EMP-\d+")),
        ("any length", ("x", r"EMP-.*x")),
        ("2,004 bytes", ("x", r"EMP-\d{2000}")),
        ("too long: let", ("x", r"EMP-(?:a{1,20}){1,20}b")),
        ("too long: let", ("x", r"EMP-(?:a|a|aa){1,30}b")),
        ("too long: let", ("x", r"EMP-(?:a?){30}a{30}")),
        ("too long: let", ("x", r"EMP-[ab]{1,90}[ac]{1,90}[ad]{1,90}z")),
        ("flags", ("x", r"(?i)EMP-\d{6}")),
        ("flags", ("x", r"EMP-(?i:a)\d{6}")),
        ("only \\\\b", ("x", r"EMP-(?=a)a")),
        ("only \\\\b", ("x", r"EMP-\d$")),
        ("only \\\\b", ("x", r"EMP-(a|b)\1")),
        ("only \\\\b", ("x", r"EMP-a(?<!b)")),
        ("must be ASCII", ("x", "EMP-é{3}")),
        ("pass literal=", ("x", r"\d{6}")),
        ("pass literal=", ("x", r"[A-Z]{3}-\d{6}")),
        ("pass literal=", ("x", r"ab\d{6}")),
        ("pass literal=", ("x", r"(?:EMP-|\d{3})x")),
        ("empty text", ("x", r"(?:EMP-)?")),
        ("at least 3", ("x", r"EMP-\d{6}", "EM")),
        ("does not begin", ("x", r"EMP-\d{6}", "ABC-")),
    ],
)
def test_a_pattern_that_can_t_be_searched_for_is_refused(
    problem: str, arguments: tuple[str, ...]
) -> None:
    """With what is wrong, and the way out."""
    id, expression, *literal = arguments
    with pytest.raises(ValueError, match=problem):
        Pattern(id, expression, literal=literal[0] if literal else None)


@pytest.mark.parametrize(
    "expression",
    [
        r"EMP-(?:\d{1,3}\.){3}\d{1,3}",
        r"[a-z]{3}@(?:[a-z\-]{1,63}\.){1,8}[a-z]{2,24}",
        r"EMP-[A-Z]{2,40}x?",
        r"EMP-[^\"]{0,400}\"",
        r"EMP-[ab]{1,90}+[ac]{1,90}+d",
    ],
)
def test_a_bounded_expression_is_taken(expression: str) -> None:
    """One whose repetitions end where something else begins."""
    assert Pattern("x", expression, literal="EMP-" if "EMP" in expression else "abc").literals


def test_the_widest_pattern_holds_back_no_more_than_that() -> None:
    """However long what nearly matches goes on."""
    pattern = Pattern("x", r"EMP-[A-Z\-]{1,1000}!")
    scan = StreamScan(Leaks(detect=[], patterns=[pattern]).scanner(()), lambda *_: None)
    out = sum(len(scan(b"EMP-" * 250, True)) for _ in range(10))
    assert out >= 10_000 - MAX_WIDTH - 1


@pytest.mark.parametrize("patterns", ["EMP", [r"EMP-\d"], EMPLOYEE])
def test_patterns_are_several_of_the_class(patterns: object) -> None:
    """A text is none."""
    with pytest.raises(TypeError, match="patterns must be"):
        Leaks(patterns=patterns)  # type: ignore[arg-type]  # what is tested
