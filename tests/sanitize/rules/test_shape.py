"""Shapes: what matches, and what may still come to, tried with every short text there is."""

from __future__ import annotations

from itertools import product

import pytest

from mantlet.sanitize.rules.shape import Shape, any_of, run, text

SHAPES = {
    "text": Shape([text(b"ab")]),
    "one-of": Shape([any_of(b"a", b"ab", b"ba")]),
    "run": Shape([run(b"a", 1, 3), text(b"b")]),
    "empty-run": Shape([text(b"a"), run(b"b", 0, 2), text(b"c")]),
    "run-that-may-be-the-rest": Shape([run(b"ab", 0, 2), text(b"ab"), run(b"c", 1, 1)]),
    "whole-run": Shape([run(b"ab", 2, 3, whole=True)], not_behind=b"ab"),
    "all": Shape([run(b"a", 1, 2), any_of(b"b", b"cb"), run(b"c", 0, 1)], not_behind=b"c"),
}
TEXTS = [bytes(letters) for size in range(6) for letters in product(b"abc", repeat=size)]


@pytest.mark.parametrize("name", SHAPES)
def test_a_beginning_is_one_if_and_only_if_it_can_be_completed(name: str) -> None:
    """By some text; so that nothing is held back in vain, and nothing goes too early."""
    shape = SHAPES[name]
    for start in TEXTS:
        completed = any(
            found is not None and found.end() >= len(start)
            for found in (shape.match(start + rest, 0) for rest in TEXTS)
        )
        if completed:
            assert shape.may_come(start, 0), start
        elif shape.match(start, 0) is None:
            assert not shape.may_come(start, 0), start


def test_a_beginning_is_not_looked_for_where_more_is_there_than_it_could_take() -> None:
    """Or text that is full of candidates would be gone through for each of them."""
    shape = Shape([run(b"a", 1, 5), text(b"b")])
    assert shape.may_come(b"aaaaa", 0)
    assert not shape.may_come(b"a" * 100, 0)
    assert shape.may_come(b"x" * 100 + b"aa", 100)
