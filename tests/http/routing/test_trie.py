"""Segments of several pieces: taken apart as frameworks' expressions do, in bounded work."""

from __future__ import annotations

import re
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.http.routing.trie import SegmentIndex, SegmentPattern


@pytest.mark.parametrize(
    ("literals", "segment", "values"),
    [
        (["", ".", ""], "a.b", ["a", "b"]),
        (["", ".", ""], "a.b.c", ["a.b", "c"]),
        (["", ".", ""], ".a.b", [".a", "b"]),
        (["", ".", ""], "...", [".", "."]),
        (["", ".", ""], "a.", None),
        (["", ".", ""], ".a", None),
        (["", ".", ""], ".", None),
        (["", ".", ""], "", None),
        (["", ".", ""], "ab", None),
        (["", "...", ""], "a...b", ["a", "b"]),
        (["", "...", ""], "a....b", ["a.", "b"]),
        (["", "...", ""], "a..b", None),
        (["", "-", ""], "a-b-c", ["a-b", "c"]),
        (["", "-", "-", ""], "a-b-c-d", ["a-b", "c", "d"]),
        (["", "-", "-", ""], "a-b", None),
        (["", "-", "-", ""], "a--b", None),
        (["", ":cancel"], "7:cancel", ["7"]),
        (["", ":cancel"], ":cancel:cancel", [":cancel"]),
        (["", ":cancel"], ":cancel", None),
        (["", ":cancel"], "7:Cancel", None),
        (["v", ""], "v1", ["1"]),
        (["v", ""], "v", None),
        (["v", "."], "v.", None),
        (["aa", "aa"], "aaa", None),
        (["aa", "aa"], "aaaaa", ["a"]),
        (["(", ",", ")"], "(1,2)", ["1", "2"]),
        (["(", ",", ")"], "(1,)", None),
    ],
)
def test_a_segment_is_taken_apart_with_the_first_as_long_as_it_can_be(
    literals: list[str], segment: str, values: list[str] | None
) -> None:
    """Every parameter has a character at least."""
    assert SegmentPattern(literals).split(segment) == values


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(["a", ".", "aa", "a.", ".."]), min_size=1, max_size=3),
    st.sampled_from(["", "a", ".a"]),
    st.sampled_from(["", "a", "a."]),
    st.text("a.b", max_size=12),
)
def test_it_finds_what_a_greedy_expression_finds(
    between: list[str], before: str, behind: str, segment: str
) -> None:
    """As Starlette, Werkzeug and Django write them: ``[^/]+`` for each parameter."""
    literals = [before, *between, behind]
    expression = "([^/]+)".join(map(re.escape, literals))
    found = re.fullmatch(expression, segment)
    assert SegmentPattern(literals).split(segment) == (
        None if found is None else list(found.groups())
    )


def test_a_long_segment_takes_as_many_steps_as_a_short_one() -> None:
    """An expression of this kind goes back over all of it, for each of its parameters."""

    def steps(segment: str) -> int:
        counted: Counter[str] = Counter()
        pieces = SegmentPattern(["", "-", "-", "-", "-", "x"])
        sys.setprofile(lambda _frame, event, _argument: counted.update([event]))
        try:
            assert pieces.split(segment) is None
        finally:
            sys.setprofile(None)
        return counted["call"] + counted["c_call"]

    assert steps("-" * 100_000) == steps("-" * 10)
    assert steps("a" * 100_000 + "x") == steps("aax")


def fork(*ways: list[str]) -> SegmentIndex[str]:
    """Return a fork of ways that each lead to what they are."""
    made: SegmentIndex[str] = SegmentIndex()
    for literals in ways:
        made.add(SegmentPattern(literals), "{}".join(literals))
    return made


@pytest.mark.parametrize(
    ("segment", "found"),
    [
        ("a.tar.gz", ["{}.{}", "{}.gz", "{}.tar.gz"]),
        ("a.gz", ["{}.{}", "{}.gz"]),
        ("a.b", ["{}.{}"]),
        ("va.gz", ["{}.{}", "{}.gz", "v{}.gz"]),
        ("a...b", ["{}.{}", "{}...{}"]),
        (".gz", []),
        ("", []),
        ("g", []),
    ],
)
def test_all_ways_are_found_with_the_most_specific_last(segment: str, found: list[str]) -> None:
    """The longer the text before and behind the parameters; then the longer between them."""
    ways = [["", ".", ""], ["", ".gz"], ["", ".tar.gz"], ["v", ".gz"], ["", "...", ""]]
    for order in (ways, ways[::-1]):
        assert fork(*order).find(segment) == found


def test_a_way_is_known_by_its_literals() -> None:
    """So that templates that differ in names alone meet."""
    made = fork(["", ".", ""], ["v", ""])
    assert made.get(SegmentPattern(["", ".", ""])) == "{}.{}"
    assert made.get(SegmentPattern(["", "-", ""])) is None
    assert sorted(made.targets()) == ["v{}", "{}.{}"]


def test_many_ways_of_one_length_are_one_look_up() -> None:
    """Ten thousand of them take no more steps than one."""

    def steps(many: int) -> int:
        made = fork(*(["", f":verb{number:05}"] for number in range(many)))
        counted: Counter[str] = Counter()
        sys.setprofile(lambda _frame, event, _argument: counted.update([event]))
        try:
            assert made.find("7:verb00000") == ["{}:verb00000"]
        finally:
            sys.setprofile(None)
        return counted["call"] + counted["c_call"]

    assert steps(10_000) == steps(1)


def test_more_ways_than_can_be_tried_are_refused() -> None:
    """Of many lengths, or with many different literals between the parameters."""
    with pytest.raises(ValueError, match="more than 64"):
        fork(*(["", "x" * number] for number in range(1, 70)))
    with pytest.raises(ValueError, match="more than 64"):
        fork(*(["", "x" * number, ""] for number in range(1, 70)))
