"""A multipart body in parts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.http.forms import MalformedForm, MultipartParser, PartHead

FIELD = b'--b\r\nContent-Disposition: form-data; name="a"'
BODY = (
    FIELD
    + b"\r\n\r\n1\r\n-\r\n--c\r\n"
    + FIELD
    + b"; filename=f\r\nContent-Length: 2\r\n\r\n\r\n\r\n--b--\r\n"
)


def cut(*chunks: bytes, lenient: bool = False) -> list[tuple[PartHead, bytes]]:
    """Return the parts with their contents."""
    parts = MultipartParser("b", max_head_size=100, max_name_size=10, lenient=lenient)
    found: list[tuple[PartHead, bytes]] = []
    ended = 0
    for chunk in chunks:
        for event in parts.feed(chunk):
            if isinstance(event, PartHead):
                found.append((event, b""))
            elif event is None:
                ended += 1
            else:
                found[-1] = (found[-1][0], found[-1][1] + event)
            assert len(found) - ended in (0, 1)
    parts.finish()
    assert len(found) == ended
    return found


def test_a_body_is_cut_into_its_parts() -> None:
    """Each with its head, content and end."""
    assert cut(BODY) == [
        (PartHead("a", None, None, None), b"1\r\n-\r\n--c"),
        (PartHead("a", "f", None, 2), b"\r\n"),
    ]


@given(st.lists(st.integers(0, len(BODY)), max_size=5))
@settings(max_examples=50)
def test_chunks_say_nothing(cuts: list[int]) -> None:
    """However a body comes, its parts are the same."""
    ends = [0, *sorted(cuts), len(BODY)]
    assert cut(*(BODY[a:b] for a, b in pairwise(ends))) == cut(BODY)


@pytest.mark.parametrize("boundary", [None, "", "b" * 71, "---", "b ", "b;", "\xe9", "b\n"])
def test_a_boundary_that_is_none_is_malformed(boundary: str | None) -> None:
    """RFC 2046, 5.1.1, without the space; hyphens alone could overlap themselves."""
    with pytest.raises(MalformedForm) as caught:
        MultipartParser(boundary, max_head_size=1, max_name_size=1)
    assert caught.value.code == "boundary"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (BODY.replace(b"Length: 2", b"Length: 3"), "part_length", "a"),
        (BODY.replace(b"Length: 2", b"Length: 1"), "part_length", "a"),
        (BODY + b"x", "multipart", None),
        (BODY[:-5], "multipart", None),
        (b"x" + BODY, "multipart", None),
        (BODY.replace(b"--c", b"--b"), "multipart", None),
        (BODY.replace(b"--c", b"-x--b"), "multipart", None),
        (BODY.replace(b"filename=f", b"filename=--b"), "multipart", None),
        (b"-x" + BODY, "multipart", None),
        (FIELD + b"\r\nX-Other: " + b"x" * 100, "part_headers_too_large", None),
        (FIELD + b"\r\nX-Other: y\r\n\r\n\r\n--b--", "part_header", None),
    ],
)
def test_what_is_cut_differently_is_malformed(body: bytes, code: str, field: str | None) -> None:
    """Django and Werkzeug find delimiters elsewhere, and a wrong length is refused by some."""
    with pytest.raises(MalformedForm) as caught:
        cut(body)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_leniency_is_for_heads() -> None:
    """What `read_head()` lets pass is let pass."""
    assert cut(FIELD + b"\r\nX-Other: y\r\n\r\n\r\n--b--", lenient=True)[0][0].name == "a"
