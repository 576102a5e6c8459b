"""JSON Pointers: what RFC 6901 says of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.http.json_pointer import escape_token, has_bad_escape, join_pointer, split_pointer


@pytest.mark.parametrize(
    ("tokens", "pointer"),
    [
        ([], ""),
        ([""], "/"),
        (["foo", 0], "/foo/0"),
        (["a/b"], "/a~1b"),
        (["m~n"], "/m~0n"),
        (["~1"], "/~01"),
        (["c%d", "e^f", " "], "/c%d/e^f/ "),
    ],
)
def test_a_path_is_written_as_a_pointer(tokens: list[Any], pointer: str) -> None:
    """The examples of RFC 6901, 5."""
    assert join_pointer(tokens) == pointer
    assert split_pointer(pointer) == tuple(map(str, tokens))


@given(st.lists(st.text("ab/~01", max_size=5)))
def test_splitting_undoes_joining(tokens: list[str]) -> None:
    """Any names; one that is escaped has no slash and no bad escape."""
    assert split_pointer(join_pointer(tokens)) == tuple(tokens)
    for token in tokens:
        assert "/" not in escape_token(token)
        assert not has_bad_escape(escape_token(token))


@pytest.mark.parametrize("pointer", ["/~", "/a~2", "/~~0", "/a/b~"])
def test_a_tilde_that_begins_no_escape_is_found(pointer: str) -> None:
    """It is left as it is."""
    assert has_bad_escape(pointer)
    assert split_pointer("/a~2") == ("a~2",)
