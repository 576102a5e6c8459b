"""Forms that are urlencoded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard.bodies.forms import FormFields
from mantlet.guard.errors import ErrorItem, ValidationFailed

from .building import URLENCODED, media, refused, urlencoded


def read(body: bytes, declared: FormFields | None = None, **limits: Any) -> Any:
    form = urlencoded(declared, **limits).read(body, media(URLENCODED))
    assert form.files == {}
    return form.value


READ = [
    pytest.param(b"", {}, id="nothing"),
    # WPT, url/urlencoded-parser.any.js
    pytest.param(b"test", {"test": ""}, id="wpt: test"),
    pytest.param(b"test=", {"test": ""}, id="wpt: test="),
    pytest.param(b"a&b&c", {"a": "", "b": "", "c": ""}, id="wpt: a&b&c"),
    pytest.param(b"a=b&c=d", {"a": "b", "c": "d"}, id="wpt: a=b&c=d"),
    pytest.param(b"a=b&c=d&a=e", {"a": ["b", "e"], "c": "d"}, id="wpt: twice"),
    pytest.param(b"a=b%26c", {"a": "b&c"}, id="ampersand"),
    pytest.param(b"a==a", {"a": "=a"}, id="wpt: a==a"),
    pytest.param(b"a=a+b+c+d", {"a": "a b c d"}, id="wpt: plus"),
    pytest.param(b"%61=%62", {"a": "b"}, id="wpt: %61"),
    pytest.param(b"id=0&value=%2B", {"id": "0", "value": "+"}, id="encoded plus"),
    pytest.param(b"%C3%A9=x", {"é": "x"}, id="name in UTF-8"),
    pytest.param(b"a=%EF%BB%BFtest", {"a": "\ufefftest"}, id="wpt: BOM is kept"),
    pytest.param(b"a=%0D%0A", {"a": "\r\n"}, id="line end of a text area"),
    # WHATWG HTML, "URL-encoded form data": what serializers and people leave as it is.
    pytest.param(b"a=~!*'():/?#@[],$.-_", {"a": "~!*'():/?#@[],$.-_"}, id="reserved"),
]


@pytest.mark.parametrize(("body", "value"), READ)
def test_what_all_parsers_read_alike_is_read(body: bytes, value: Any) -> None:
    """Each case of the standard and its suite that no parser reads differently is read."""
    assert read(body) == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"a=1;b=2", "urlencoding", id="semicolon (CVE-2021-23336)"),
        pytest.param("a=é".encode(), "urlencoding", id="raw UTF-8"),
        pytest.param(b"a=\xe9", "urlencoding", id="raw latin-1"),
        pytest.param(b"a=%", "urlencoding", id="wpt: lone percent"),
        pytest.param(b"a=%zz", "urlencoding", id="no hexadecimal digits"),
        pytest.param(b"a=%u0041", "urlencoding", id="IIS's escapes"),
        pytest.param(b"a=%2", "urlencoding", id="one digit"),
        pytest.param(b"a=1\r\n", "urlencoding", id="line end, which aiohttp strips"),
        pytest.param(b"a=1 ", "urlencoding", id="space, which aiohttp strips"),
        pytest.param(b"a=\x7f", "urlencoding", id="DEL"),
        pytest.param(b"a=\0", "urlencoding", id="raw NUL"),
        pytest.param(b"a=%00", "field_text", id="NUL"),
        pytest.param(b"a=%FF", "field_text", id="wpt: no UTF-8"),
        pytest.param(b"a=%C0%AF", "field_text", id="overlong slash"),
        pytest.param(b"a=%ED%A0%80", "field_text", id="surrogate"),
        pytest.param(b"%FE=1", "field_name", id="name in no UTF-8"),
        pytest.param(b"a%00=1", "field_name", id="NUL in a name"),
        pytest.param(b"=1", "field_name", id="no name"),
        pytest.param(b"a=1&&b=2", "field_name", id="two ampersands"),
        pytest.param(b"a=1&", "field_name", id="ampersand at the end"),
        pytest.param(b"&a=1", "field_name", id="ampersand at the beginning"),
    ],
)
def test_what_parsers_read_differently_is_refused(body: bytes, code: str) -> None:
    """A body that any parser reads otherwise, or repairs, is malformed."""
    with pytest.raises(ValidationFailed) as caught:
        read(body)
    status, faults = refused(caught.value)
    assert (status, faults[0][1]) == (400, code)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ("content_type", "code"),
    [("charset=iso-8859-1", "charset"), ("charset=utf-16", "charset"), ("x=y", "media_parameter")],
)
def test_other_charsets_are_not_supported(content_type: str, code: str) -> None:
    """Only UTF-8 may be said, and nothing else."""
    with pytest.raises(ValidationFailed) as caught:
        urlencoded().read(b"a=1", media(f"{URLENCODED}; {content_type}"))
    assert refused(caught.value) == (415, [("", code)])


def test_utf8_may_be_said() -> None:
    """A charset that says what holds anyway does no harm."""
    form = urlencoded().read(b"a=%C3%A9", media(f"{URLENCODED}; charset=UTF-8"))
    assert form.value == {"a": "é"}


@pytest.mark.parametrize(
    ("body", "limits", "status", "code"),
    [
        (b"a&b&c", {"fields": 2}, 400, "too_many_fields"),
        (b"a=%41%41%41", {"field": 2}, 413, "field_too_large"),
        (b"%C3%A9=1", {"name": 1}, 400, "name_too_long"),
    ],
)
def test_what_exceeds_a_limit_is_refused(
    body: bytes, limits: dict[str, Any], status: int, code: str
) -> None:
    """Fields are counted, and values and names measured in decoded bytes."""
    with pytest.raises(ValidationFailed) as caught:
        read(body, **limits)
    said, faults = refused(caught.value)
    assert (said, faults[0][1]) == (status, code)
    assert read(body, **{name: most + 1 for name, most in limits.items()})


def test_a_million_fields_are_only_counted() -> None:
    """Too many fields are refused before any of them is looked at."""
    with pytest.raises(ValidationFailed) as caught:
        read(b"%zz&" * 1_000_000)
    assert refused(caught.value) == (400, [("", "too_many_fields")])


def test_a_scalar_comes_once() -> None:
    """What one framework takes the first of, and another one the last, is refused."""
    with pytest.raises(ValidationFailed) as caught:
        read(b"a=1&a=2", FormFields(["a"]))
    assert refused(caught.value) == (400, [("/a", "duplicate_field")])


def test_an_undeclared_field_is_told_of_with_all_else_that_is_wrong() -> None:
    """What is readable and wrong is told of at once, each field by its name."""
    with pytest.raises(ValidationFailed) as caught:
        read(b"b%2F=secret&wrong=1&c=2&c=3", FormFields(["a", "wrong"]))
    assert refused(caught.value) == (
        422,
        [("/b~1", "undeclared_field"), ("/c", "undeclared_field"), ("/wrong", "wrong")],
    )
    assert "secret" not in repr(caught.value.errors)
    with pytest.raises(ValidationFailed) as caught:
        read(b"b=1&c=2&d=3", FormFields(["a"]), errors=2)
    assert len(caught.value.errors) == 2


def test_what_the_schema_says_comes_through() -> None:
    """Where nothing else is wrong the schema's own refusal is the answer."""
    with pytest.raises(ValidationFailed) as caught:
        read(b"wrong=1", FormFields(["wrong"]))
    assert refused(caught.value) == (422, [("/wrong", "wrong")])


def test_a_plug_decodes_what_is_no_plain_field() -> None:
    """Objects and delimited arrays are another one's to read and to write."""

    def decode(pairs: list[tuple[str, str]]) -> tuple[dict[str, Any], list[ErrorItem]]:
        return {"filter": {name[7:-1]: text for name, text in pairs}}, []

    def encode(value: Any) -> list[tuple[str, str]]:
        return [(f"filter[{name}]", text) for name, text in value["filter"].items()]

    fields = FormFields(json={"j": lambda text: text.decode()}, decode=decode, encode=encode)
    form = urlencoded(fields)
    said = form.read(b"filter[a]=1&j=x&filter[b]=2", media(URLENCODED))
    assert said.value == {"filter": {"a": "1", "b": "2"}, "j": "x"}
    assert form.dump(said) == b"filter%5Ba%5D=1&filter%5Bb%5D=2&j=%22x%22"


def test_a_form_is_written_as_the_standard_does() -> None:
    """The canonical form is what WHATWG URL, 5.2 makes of each text."""
    form = urlencoded(FormFields(["a", "b"], ["c"]))
    said = form.read(b"c=%7e*-._&a=%c3%a9+x&c=2", media(URLENCODED))
    assert form.dump(said) == b"c=%7E*-._&c=2&a=%C3%A9+x"


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(st.dictionaries(_texts.filter(bool), _texts | st.lists(_texts, min_size=2), max_size=4))
@settings(max_examples=60)
def test_what_is_written_is_read_again(value: dict[str, Any]) -> None:
    """The canonical form of a form is the same form."""
    form = urlencoded()
    written = form.dump(form.read(b"", media(URLENCODED))._replace(value=value))
    assert form.read(written, media(URLENCODED)).value == value


@given(st.binary(max_size=40) | st.text("a=&;%2B0f+\x7f é", max_size=20).map(str.encode))
@settings(max_examples=150)
def test_no_other_exception_leaves(body: bytes) -> None:
    """Whatever comes is a form or is refused."""
    status = 200
    try:
        urlencoded().read(body, media(URLENCODED))
    except ValidationFailed as invalid:
        status = invalid.status
    assert status in {200, 400}
