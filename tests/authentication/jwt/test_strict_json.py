"""Objects that every parser of JSON reads alike, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.authentication.jwt.strict_json import MAX_DEPTH, NotStrictJson, parse_object


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return f'{{"a": {opening * (depth - 1)}{closing * (depth - 1)}}}'.encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"sub": "a", "sub": "b"}', "duplicate"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "duplicate"),
        (b'{"a": [{"b": 1, "b": 1}]}', "duplicate"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": [-Infinity]}', "NaN"),
        (b'{"exp": 1e999}', "range"),
        (b'{"exp": -1e999}', "range"),
        (b'{"exp": 1' + b"0" * 20 + b"}", "range"),
        (b'{"exp": 1' + b"0" * 5000 + b"}", "range"),
        (b'{"exp": 0.' + b"0" * 50 + b"}", "range"),
        (b'{"a": "\\ud800"}', "UTF-8"),
        (b'{"\\udc00": 1}', "UTF-8"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "JSON"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "JSON"),
        (b'{"a": 1} {"a": 2}', "JSON"),
        (b'{"a": 1}\0', "JSON"),
        (b'{"a": 1,}', "JSON"),
        (b"{'a': 1}", "JSON"),
        (b'{"a": "\n"}', "JSON"),
        (b'{"a": 01}', "JSON"),
        (b'["a"]', "JSON object"),
        (b'"a"', "JSON object"),
        (b"null", "JSON object"),
        (b"", "JSON"),
        (nested(MAX_DEPTH + 1), "deeply"),
        (nested(500), "deeply"),
        (nested(5000), "too many"),
        (b'{"a": [' + b",".join([b"[]"] * 500) + b"]}", "too many"),
        (nested(MAX_DEPTH + 1, '{"a":', "}"), "deeply"),
        (b'{"a": "' + b"[" * 20 + b'", "b": ' + b"[" * 17 + b"]" * 17 + b"}", "deeply"),
    ],
)
def test_what_parsers_read_differently_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(NotStrictJson, match=reason):
        parse_object(text)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b' \r\n\t{"a" : [1, 2.5, -3e2, true, null, "x"]} ',
        b'{"a": {"b": 1}, "c": {"b": 1}}',
        b'{"emoji": "\\ud83d\\ude00"}',
        b'{"max": 18446744073709551615}',
        nested(MAX_DEPTH),
        b'{"a": "[[[[[[[[[[[[[[[[[[[[[[", "b": [[]]}',
        b'{"a": "\\"[[[[[[[[[[[[[[[[[[[[[[[\\\\", "b": []}',
        b'{"a": [' + b",".join([b"[]"] * 498) + b"]}",
    ],
)
def test_other_objects_are_read_as_always(text: bytes) -> None:
    assert parse_object(text) == json.loads(text)


def test_an_error_has_nothing_of_the_text() -> None:
    """The parser's own exception has the whole text as an attribute."""
    with pytest.raises(NotStrictJson) as caught:
        parse_object(b'{"sub": "alice" "secret"}')
    assert "alice" not in str(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=5))
def test_what_is_written_plainly_is_read(value: dict[str, object]) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert parse_object(text) == value


@given(st.binary() | st.text(st.sampled_from('{}[]",:\\u0d8 1eE+-.aN')).map(str.encode))
def test_no_other_text_does_more_than_raise(text: bytes) -> None:
    try:
        value = parse_object(text)
    except NotStrictJson:
        return
    assert json.loads(text) == value
