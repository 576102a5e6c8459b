"""Percent-encoding is decoded as the standard library does, without an object for each escape."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from mantlet.http.percent_encoding import decode_escapes

escapes = st.integers(0, 255).flatmap(
    lambda byte: st.sampled_from([b"%%%02X" % byte, b"%%%02x" % byte])
)
others = st.binary(max_size=3).map(lambda text: text.replace(b"%", b"="))


@given(st.lists(escapes | others).map(b"".join))
def test_complete_escapes_are_decoded(text: bytes) -> None:
    """Whatever stands between them, equals signs and line ends too."""
    assert decode_escapes(text) == unquote_to_bytes(text)
