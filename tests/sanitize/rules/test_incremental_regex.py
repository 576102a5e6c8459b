"""Incremental patterns: matches and beginnings of matches, tried with every short text."""

from __future__ import annotations

from itertools import product

import pytest

from mantlet.sanitize.rules.incremental_regex import IncrementalPattern, literal, one_of, repeat

PATTERNS = {
    "text": IncrementalPattern([literal(b"ab")]),
    "one-of": IncrementalPattern([one_of(b"a", b"ab", b"ba")]),
    "run": IncrementalPattern([repeat(b"a", 1, 3), literal(b"b")]),
    "empty-run": IncrementalPattern([literal(b"a"), repeat(b"b", 0, 2), literal(b"c")]),
    "run-that-may-be-the-rest": IncrementalPattern(
        [repeat(b"ab", 0, 2), literal(b"ab"), repeat(b"c", 1, 1)]
    ),
    "whole-run": IncrementalPattern([repeat(b"ab", 2, 3, possessive=True)], not_followed_by=b"ab"),
    "all": IncrementalPattern(
        [repeat(b"a", 1, 2), one_of(b"b", b"cb"), repeat(b"c", 0, 1)], not_followed_by=b"c"
    ),
}
TEXTS = [bytes(letters) for size in range(6) for letters in product(b"abc", repeat=size)]


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", PATTERNS)
def test_a_beginning_is_one_if_and_only_if_it_can_be_completed(name: str) -> None:
    """By some text; so that nothing is held back in vain, and nothing goes too early."""
    pattern = PATTERNS[name]
    for start in TEXTS:
        completed = any(
            found is not None and found.end() >= len(start)
            for found in (pattern.match(start + rest, 0) for rest in TEXTS)
        )
        if completed:
            assert pattern.may_match(start, 0), start
        elif pattern.match(start, 0) is None:
            assert not pattern.may_match(start, 0), start


def test_a_beginning_is_not_looked_for_where_more_is_there_than_it_could_take() -> None:
    """Or text that is full of candidates would be gone through for each of them."""
    pattern = IncrementalPattern([repeat(b"a", 1, 5), literal(b"b")])
    assert pattern.may_match(b"aaaaa", 0)
    assert not pattern.may_match(b"a" * 100, 0)
    assert pattern.may_match(b"x" * 100 + b"aa", 100)
