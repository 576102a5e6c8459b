"""JSON that is sent as HTML is recognized by its body."""

import pytest

from mantlet.sanitize.body_kind import looks_like_json


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}', True),
        (b" \r\n\t[1, 2]\n", True),
        (b"\xef\xbb\xbf{}", True),
        (b"\xef\xbb\xbf [true]", True),
        (b"", False),
        (b"<p>{}</p>", False),
        (b"{% block %}", False),
        (b"[1] is a footnote", False),
        (b'{"a": 1} <script>', False),
        (b'"text"', False),
        (b"[" * 100_000, False),
        (b'{"a": "\xff"}', False),
    ],
    ids=range(12),
)
def test_a_whole_body_is_json_if_it_can_be_read_as_such(body: bytes, expected: bool) -> None:
    """Nothing is raised, whatever it is."""
    assert looks_like_json(body, complete=True) is expected


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b'{"a": "', True),
        (b'{"a\\"b":', True),
        (b'\xef\xbb\xbf[{"a"', True),
        (b"{}", True),
        (b"{{ name }}", False),
        (b"{", False),
        (b"[link](https://a.example)", False),
        (b"<!doctype html>", False),
        (b'{"' + b"\\" * 100_000, False),
    ],
    ids=range(9),
)
def test_a_beginning_is_json_if_it_can_be_nothing_else(first: bytes, expected: bool) -> None:
    """A text may begin with a bracket too."""
    assert looks_like_json(first, complete=False) is expected
