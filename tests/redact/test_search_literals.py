"""The literals of secrets are few, and long enough to be rare in innocent text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.redact.registry import Registry
from mantlet.redact.search_literals import text_beginnings
from tests.redact.test_encodings import RANDOM, SECRETS, scanner_of

PLAIN = "kR7vT2qX9mB4w8sKd"
SHARED = ["postgresql://", "https://", "sk_live_", "-----BEGIN PRIVATE KEY-----\n"]


@given(RANDOM)
def test_they_are_few_and_long(secret: str) -> None:
    """Whatever characters a value begins with."""
    found = text_beginnings(secret.encode())
    assert len(found) <= 240
    assert min(map(len, found)) >= 4


@pytest.mark.parametrize("shared", SHARED, ids=range(len(SHARED)))
def test_they_go_beyond_what_many_values_begin_with(shared: str) -> None:
    """A scheme, the prefix of a key; the first line of a key is a literal as a whole."""
    size = len(shared.strip()) + (0 if shared.endswith("\n") else 4)
    raw = [one for one in text_beginnings(f"{shared}{PLAIN}".encode()) if one in shared.encode()]
    assert all(len(one) >= size for one in raw)
    scanner = scanner_of(f"{shared}{PLAIN}")
    assert scanner.is_clean(f"{shared.strip()[:-1]} kr7v".encode())


def test_an_ordinary_value_has_some_sixty() -> None:
    """One for all encodings of its characters; the others are for base64, and for each escaped."""
    assert len({one.pattern for one in Registry([PLAIN]).variants}) <= 70
    assert b"kR7vT2qX" in text_beginnings(PLAIN.encode())


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
def test_pages_of_markup_and_code_have_none_of_them(secret: str) -> None:
    """Nor have escapes of all kinds."""
    page = (
        b'{"a": "\\u003ca href=\\u0022/x?y=%2F%20z&amp;b=1\\u0022\\u003e"}'
        b" &lt;p class=&quot;c&quot;&gt; "
    )
    assert scanner_of(secret).is_clean(page)


@given(st.binary(min_size=12, max_size=40))
def test_bytes_that_are_no_text_have_them_too(value: bytes) -> None:
    """As they are, as Python and URLs show them."""
    found = text_beginnings(value)
    assert found
    assert any(value.strip().startswith(one) or one in repr(value).encode() for one in found)
