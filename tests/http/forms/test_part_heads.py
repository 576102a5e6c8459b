"""What the header fields of a part say, to policies that mind files and to those that don't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.http.forms import MalformedForm, PartHead, is_field_name
from mantlet.http.forms.multipart import parse_part_head
from mantlet.http.media_types import MediaType

DISPOSITION = 'Content-Disposition: form-data; name="a"'


def refused(head: str, *, max_name_size: int = 20, lenient: bool = False) -> tuple[str, str | None]:
    """Return the code of what is malformed, and its field."""
    with pytest.raises(MalformedForm) as caught:
        parse_part_head(head.encode(), max_name_size, lenient=lenient)
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert not caught.value.too_large
    return caught.value.code, caught.value.field


def test_a_head_says_name_file_type_and_length() -> None:
    """All four, or a name alone."""
    head = f'{DISPOSITION}; filename="b.txt"\r\nContent-Type: Text/Plain\r\nContent-Length: 2'
    for lenient in (False, True):
        assert parse_part_head(head.encode(), 20, lenient=lenient) == PartHead(
            "a", "b.txt", MediaType("text/plain"), 2
        )
        assert parse_part_head(DISPOSITION.encode(), 20, lenient=lenient) == PartHead(
            "a", None, None, None
        )


@pytest.mark.parametrize(
    ("more", "filename", "code"),
    [
        ("; filename*=UTF-8''%e2%82%ac%22", "UTF-8''%e2%82%ac%22", "filename_ext"),
        ("; filename=\"b\"; filename*=utf-8''c", "b", "filename_ext"),
        ("\r\nX-Other: y", None, "part_header"),
        ("\r\nMIME-Version: 1.0", None, "part_header"),
    ],
)
def test_what_changes_no_other_part_may_be_let_pass(
    more: str, filename: str | None, code: str
) -> None:
    """RFC 2046, 5.1: only fields that begin with Content- have a meaning in a part."""
    head = DISPOSITION + more
    assert parse_part_head(head.encode(), 20, lenient=True) == PartHead("a", filename, None, None)
    assert refused(head)[0] == code


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (DISPOSITION + "\r\nContent-Encoding: gzip", "part_header"),
        (DISPOSITION + "\r\nCONTENT-ID: 1", "part_header"),
        (DISPOSITION + "\r\nX-Other : y", "part_header"),
        (DISPOSITION + "\r\n X-Other: y", "part_header"),
        (DISPOSITION + "\r\nX-Other:", "part_header"),
        (DISPOSITION + "\r\nX-Other: y\r\nx-other: y", "part_header"),
        (DISPOSITION + "\r\n: y", "part_header"),
        (DISPOSITION + "\r\n\xe9: y", "part_header"),
        (DISPOSITION.replace(":", " :"), "part_header"),
        (DISPOSITION.replace("form", "\0form"), "part_header"),
        ("X-Other: y", "disposition"),
        (DISPOSITION + "; filename*=\"utf-8''b\"", "filename_ext"),
        (DISPOSITION + "; filename*=utf-8''b; filename*=utf-8''c", "filename_ext"),
        (DISPOSITION + "; filename*=utf-8''b; filename=c", "filename_ext"),
        (DISPOSITION + "; name*=utf-8''b", "filename_ext"),
        (DISPOSITION + "; other=b", "disposition"),
    ],
)
def test_what_may_change_a_part_is_malformed_to_all(head: str, code: str) -> None:
    """Leniency is for what no parser reads a field by."""
    refused(head)
    assert refused(head, lenient=True)[0] == code


def test_what_is_malformed_is_told_with_its_field() -> None:
    """Where the name is known, and without anything else of the client's."""
    assert refused(DISPOSITION + "\r\nContent-Transfer-Encoding: base64") == (
        "transfer_encoding",
        "a",
    )
    assert refused(DISPOSITION + "\r\nContent-Type: text") == ("part_type", "a")
    assert refused(DISPOSITION + "\r\nContent-Type: multipart/mixed") == ("nested_multipart", "a")
    assert refused(DISPOSITION + '; filename="%22"', lenient=True) == ("filename", "a")
    assert refused(DISPOSITION + "\r\nContent-Length: x") == ("part_length", "a")
    assert refused(DISPOSITION, max_name_size=0) == ("name_too_long", None)


@pytest.mark.parametrize("name", ["a", "user[name]", "\xe9", "a b", "a/", "%41", "a'", "a,b=c"])
def test_names_that_all_read_alike_are_told(name: str) -> None:
    """As they are said."""
    assert is_field_name(name)
    assert (
        parse_part_head(f'Content-Disposition: form-data; name="{name}"'.encode(), 20).name == name
    )


@pytest.mark.parametrize(
    "name",
    [
        *("", " a", "a ", "\u3000a", "a\xa0", "/a", "a;b", "a\\", "a\tb", "a\nb", "a%22", "%0d"),
        *("%0A", "a\x7f", "a\x85", "_charset_", 'a"b'),
    ],
)
def test_names_that_are_read_differently_are_told(name: str) -> None:
    """White space and slashes are stripped by some, escapes undone, semicolons cut at."""
    assert not is_field_name(name)
    refused(f'Content-Disposition: form-data; name="{name}"')


@pytest.mark.unmeasured
@given(st.text(max_size=20))
def test_a_head_is_read_where_its_name_is_one(name: str) -> None:
    """The one function tells of the other, so that names can be checked beforehand."""
    head = f'Content-Disposition: form-data; name="{name}"'.encode("utf-8", "surrogatepass")
    try:
        found = parse_part_head(head, 1000).name
    except MalformedForm:
        assert not (is_field_name(name) and name.isprintable())
    else:
        assert found == name
        assert is_field_name(name)
