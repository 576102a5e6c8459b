"""Which texts state a media type for sure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.http.media_types import MediaType, read_media_type, split_unquoted

JSON = "application/json"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (JSON, MediaType(JSON)),
        (" \tApplication/JSON ", MediaType(JSON)),
        (f"{JSON}; charset=utf-8", MediaType(JSON, (("charset", "utf-8"),))),
        (f'{JSON};Charset="UTF-8"', MediaType(JSON, (("charset", "UTF-8"),))),
        ("a/b;c=d ; e=f", MediaType("a/b", (("c", "d"), ("e", "f")))),
        ('a/b;c=""', MediaType("a/b", (("c", ""),))),
        ("application/problem+json", MediaType("application/problem+json")),
    ],
)
def test_a_media_type_is_read(text: str, wanted: MediaType) -> None:
    """Names have no case; values have (RFC 9110, 8.3.1)."""
    assert read_media_type(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "application",
        "application/",
        "/json",
        "application//json",
        f"{JSON};",
        f"{JSON}; ;charset=utf-8",
        f"{JSON}; charset",
        f"{JSON}; charset=",
        f"{JSON}; charset =utf-8",
        f"{JSON}; charset= utf-8",
        f"{JSON}; charset=utf-8; charset=utf-8",
        f"{JSON}; charset=utf-8; CHARSET=utf-7",
        f"{JSON}, text/plain",
        f"text/plain, {JSON}",
        f"{JSON} text/plain",
        f'{JSON}; a="b',
        f'{JSON}; a="b\\"c"',
        f'{JSON}; a="b"c',
        f"{JSON}\x00",
        f"{JSON}\n",
        "applicat\u0131on/json",
        "application/json; a=" + "b" * 600,
    ],
)
def test_what_parsers_read_differently_is_no_media_type(text: str) -> None:
    """Some of them would take each of these for JSON, and others for something else."""
    assert read_media_type(text) is None


@given(st.text(max_size=80))
def test_no_text_raises(text: str) -> None:
    """Whatever a client sends."""
    read_media_type(text)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [(JSON, True), ("application/a+json", True), ("text/json", False), ("a/jsonx", False)],
)
def test_what_is_json_is_told(kind: str, wanted: bool) -> None:
    """JSON itself, and all of its structured syntax (RFC 6839, 3.1)."""
    assert MediaType(kind).is_json is wanted


def test_a_parameter_is_found_by_its_name() -> None:
    """Or it is None."""
    media = MediaType(JSON, (("charset", "utf-8"),))
    assert media.get("charset") == "utf-8"
    assert media.get("boundary") is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ["a"]),
        ("a, b,,", ["a", " b", "", ""]),
        ('a;x="1,2",b', ['a;x="1,2"', "b"]),
        (r'a;x="\",",b', [r'a;x="\","', "b"]),
        ('a;x=",b', ['a;x=",b']),
        ('a,"\\', ["a", '"\\']),
    ],
)
def test_lists_with_quoted_texts(text: str, parts: list[str]) -> None:
    """Are split outside of these; one without an end takes the rest."""
    assert split_unquoted(text, ",") == parts
    assert split_unquoted('a;b=";";c', ";") == ["a", 'b=";"', "c"]
