"""Bodies that are bounded in size only."""

from __future__ import annotations

import pytest

from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.readers import RawBodyReader
from mantlet.http.media_types import MediaType, read_media_type

BODY = RawBodyReader()


def media(stated: str) -> MediaType:
    read = read_media_type(stated)
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("stated", "body"),
    [
        ("text/plain", "é".encode()),
        ("text/plain", b""),
        ("text/csv; charset=UTF-8", "é,\U0001f600".encode()),
        ("text/plain; charset=iso-8859-1", b"\xe9"),
        ("image/png", b"\x89PNG\xff"),
        ("application/octet-stream", b"\xff\x00"),
        ("application/xml; charset=utf-8", b"\xff"),  # a binary type: its reader's matter
    ],
)
def test_bytes_are_what_the_app_gets(stated: str, body: bytes) -> None:
    """As they came, and written anew as they are."""
    assert BODY.read(body, media(stated)) is body
    assert BODY.dump(body) is body


@pytest.mark.parametrize(
    "stated", ["text/plain", "text/html; charset=utf-8", "text/x; charset=UTF8"]
)
@pytest.mark.parametrize(
    "body",
    [b"\xe9", b"seeded\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"],
)
def test_text_that_is_not_in_its_charset_is_refused(stated: str, body: bytes) -> None:
    """Other readers would see another text; Latin-1, overlong forms and half pairs are none."""
    with pytest.raises(ValidationFailed) as caught:
        BODY.read(body, media(stated))
    assert caught.value.status == 400
    assert caught.value.errors == (ErrorItem("body", "", "text_encoding", "Invalid UTF-8"),)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
