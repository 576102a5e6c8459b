"""The fields of an urlencoded body."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.http.forms import MalformedForm, Pairs, decode_text, parse_urlencoded, urlencoded


def read(body: bytes) -> Pairs:
    """Return the fields within small bounds."""
    return parse_urlencoded(body, max_fields=3, max_field_size=9, max_name_size=4)


def test_fields_are_in_their_order() -> None:
    """Each with its name, and twice where they come twice."""
    assert read(b"b=+&a%41=%C3%A9=&b") == [("b", " "), ("aA", "\xe9="), ("b", "")]
    assert read(b"") == []


@pytest.mark.parametrize(
    ("body", "code", "field", "too_large"),
    [
        (b"a&b&c&d", "too_many_fields", None, False),
        (b"abcde=1", "name_too_long", None, False),
        (b"%61bcde=1", "name_too_long", None, False),
        (b"ab=1234567890", "field_too_large", "ab", True),
        (b"ab=" + b"%41" * 10, "field_too_large", "ab", True),
        (b"a=1\r\n", "urlencoding", None, False),
        (b"a=1;b", "urlencoding", None, False),
        (b"a=%4", "urlencoding", None, False),
        (b"=1", "field_name", None, False),
        (b"%00=1", "field_name", None, False),
        (b"%FF=1", "field_name", None, False),
        (b"a=%00", "field_text", "a", False),
        (b"a=%FF", "field_text", "a", False),
    ],
)
def test_what_is_malformed_is_told_with_its_field(
    body: bytes, code: str, field: str | None, too_large: bool
) -> None:
    """Its code and field, whether it is its size alone, and nothing of what it says."""
    with pytest.raises(MalformedForm) as caught:
        read(body)
    malformed = caught.value
    assert (malformed.code, malformed.field, malformed.too_large) == (code, field, too_large)
    assert str(malformed) == code
    assert malformed.__cause__ is malformed.__context__ is None


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=5)), max_size=4))
def test_what_is_serialized_is_read(pairs: Pairs) -> None:
    """All that has no NUL and no half of a surrogate pair."""
    try:
        body = urlencode(pairs).encode()
    except UnicodeEncodeError:
        return
    if "%00" not in body.decode():
        assert parse_urlencoded(body, max_fields=9, max_field_size=99, max_name_size=99) == pairs


def test_octets_are_text_where_all_read_them_so() -> None:
    """UTF-8 without a NUL."""
    assert decode_text(b"\xc3\xa9") == "\xe9"
    assert decode_text(bytearray()) == ""
    assert decode_text(b"\xe9") is None
    assert decode_text(b"a\0") is None


@given(
    body=st.lists(
        st.sampled_from([b"a", b"=", b"%C3", b"%A9", b"%", b"%4", b"%zz", b" ", b"\xff"])
    ).map(b"".join),
    size=st.integers(3, 5),
)
def test_long_bodies_are_checked_in_slices(body: bytes, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urlencoded, "_SLICE", size)
        assert urlencoded._is_encoded(body) == (
            re.search(rb"[^!-:<-~]|%(?![0-9A-Fa-f]{2})", body) is None
        )
