"""JSON that is safe inside HTML."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.sanitize.body import EventEscape, JsonEscape, escape_if_json, escape_json
from tests.sanitize.documents import bytewise, cut, run

FIVE = ("<", ">", "&", "\u2028", "\u2029")
PLAIN = {
    "<": b"\\u003c",
    ">": b"\\u003e",
    "&": b"\\u0026",
    "\u2028": b"\\u2028",
    "\u2029": b"\\u2029",
}

texts = st.text(st.sampled_from([*FIVE, "a", "\\", '"', "\u2027", "\u202a", "â", "\x80", "é", "—"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=8,
)


def has_none(data: bytes) -> bool:
    """Return whether none of the five is in the data."""
    return not any(char.encode() in data for char in FIVE)


@given(values, st.booleans(), st.sampled_from([None, 1, "\t"]), st.data())
def test_a_document_in_any_chunks_says_the_same_without_the_five_characters(
    value: Any, ascii_only: bool, indent: Any, data: Any
) -> None:
    """It parses to the same value, and comes out the same whole and cut."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    body = text.encode("utf-8", "surrogatepass")
    made = run(JsonEscape(), cut(data.draw, body))
    assert has_none(made)
    assert json.loads(made) == json.loads(body)
    assert made == escape_json(body) == bytewise(JsonEscape(), body)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_numbers_that_only_python_writes_begin_json(value: float) -> None:
    """Not JSON, but browsers are to find no tag in it either."""
    body = json.dumps([value, "<"]).encode()
    assert escape_if_json(body) == bytewise(JsonEscape(), body) == body.replace(b"<", PLAIN["<"])


@pytest.mark.parametrize("char", FIVE, ids=["less", "greater", "and", "line", "paragraph"])
def test_each_character_becomes_its_escape(char: str) -> None:
    """By its number, in lower case."""
    body = f'["{char}"]'.encode()
    assert escape_json(body) == b'["' + PLAIN[char] + b'"]'
    assert bytewise(JsonEscape(), body) == escape_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"a": "\\u003c\\/script\\u003e"}',
        '["\u2027\u202a\u2070 — “q” â\x80 日本"]'.encode(),
        b'["\xe2\x80"]',
        b'["\xe2"]',
    ],
    ids=["empty", "short", "escaped", "neighbours", "two of three bytes", "one of three"],
)
def test_what_has_none_of_them_passes_as_the_same_object(body: bytes) -> None:
    """Escapes that the app has written, characters with the same first bytes, broken UTF-8."""
    assert escape_json(body) is body
    assert JsonEscape()(body, False) is body
    stage = JsonEscape()
    stage(b"[1,", True)
    assert stage(body, True) is body
    assert bytewise(JsonEscape(), body) == body


def test_no_more_than_a_characters_begin_is_held_back() -> None:
    """Two bytes, and what turns out to be another character goes out as it was."""
    stage = JsonEscape()
    assert stage(b'["a\xe2', True) == b'["a'
    assert stage(b"\x80", True) == b""
    assert stage(b"\xa7b\xe2\x80", True) == b"\xe2\x80\xa7b"
    assert stage(b"\xe2\x80\xa8", True) == b"\xe2\x80\\u2028"
    assert stage(b"\xe2", False) == b"\xe2"


def test_a_cut_character_is_let_go_when_the_body_ends() -> None:
    """With an empty last chunk, too."""
    stage = JsonEscape()
    assert stage(b'["\xe2\x80', True) + stage(b"", False) == b'["\xe2\x80'


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_a_document_in_wide_characters_is_left_alone(encoding: str) -> None:
    """Its bytes are other characters, with a byte order mark and without."""
    body = '{"a<": "\u3c3c>&"}'.encode(encoding)
    assert escape_json(body) is body
    assert JsonEscape()(body, False) is body
    assert bytewise(JsonEscape(), body) == body


def test_lines_of_json_go_out_as_they_come() -> None:
    """NDJSON: nothing of a line that has ended is kept, but for a body of one byte."""
    stage = JsonEscape()
    assert stage(b'"<"\n', True) == b'"\\u003c"\n'
    assert stage(b"1\n", True) == b"1\n"
    assert JsonEscape()(b"1\n", True) == b"1\n"


# -- Server-Sent Events ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b'data: {"a":"<&>"}\n\n', b'data: {"a":"\\u003c\\u0026\\u003e"}\n\n'),
        (b'data:["<"]\n\n', b'data:["\\u003c"]\n\n'),
        (b'data: "<"\r\n\r\n', b'data: "\\u003c"\r\n\r\n'),
        (b'data: "<"\r\r', b'data: "\\u003c"\r\r'),
        (b'data:  \t{"<":1}\n\n', b'data:  \t{"\\u003c":1}\n\n'),
        (b'data\ndata: {\ndata: "<"}\n\n', b'data\ndata: {\ndata: "\\u003c"}\n\n'),
        (b'\xef\xbb\xbfdata: ["<"]\n\n', b'\xef\xbb\xbfdata: ["\\u003c"]\n\n'),
        (b'data: ["<"', b'data: ["\\u003c"'),
        (b'data: ["\xe2\x80\xa8"]\n\n', b'data: ["\\u2028"]\n\n'),
        (b'data: ["<"]\n\ndata: <p>\n\n', b'data: ["\\u003c"]\n\ndata: <p>\n\n'),
        (
            b'data: <p>\ndata: ["<"]\n\ndata: ["<"]\n\n',
            b'data: <p>\ndata: ["<"]\n\ndata: ["\\u003c"]\n\n',
        ),
        (b'event: <b>\ndata: ["<"]\n\n', b'event: <b>\ndata: ["\\u003c"]\n\n'),
        (b'data: "\xe2\x80\n\n', b'data: "\xe2\x80\n\n'),
        (b'data: "\xe2\x80', b'data: "\xe2\x80'),
    ],
    ids=[
        *("object", "no space", "string and CRLF", "CR", "blanks", "empty line first", "mark"),
        *("no end", "separator", "HTML behind JSON", "JSON behind HTML", "another field"),
        *("a cut character at a line's end", "and at the body's"),
    ],
)
def test_json_in_events_is_escaped_in_any_chunks(stream: bytes, expected: bytes) -> None:
    """With each form of line end, and nothing else of the stream."""
    assert EventEscape()(stream, False) == expected
    assert bytewise(EventEscape(), stream) == expected
    for at in range(len(stream) + 1):
        assert run(EventEscape(), [stream[:at], stream[at:]]) == expected


@pytest.mark.parametrize(
    "stream",
    [
        b"data: <p>&amp;</p>\n\n",
        b": <comment> &\n\n",
        b'event: {"<"}\nid: ["<"]\nretry: 3\n\n',
        b'dat: ["<"]\n\n',
        b'datax: ["<"]\n\n',
        b' data: ["<"]\n\n',
        b'\xef\xbbdata: ["<"]\n\n',
        b"data: 5 < 6\n\n",
        b"data\n\n",
        b"",
    ],
    ids=[
        *("HTML", "comment", "other fields", "short name", "long name", "indented", "half a mark"),
        *("text", "no colon", "empty"),
    ],
)
def test_what_is_no_json_in_a_data_field_passes_as_the_same_object(stream: bytes) -> None:
    """Byte for byte."""
    assert EventEscape()(stream, False) is stream
    assert bytewise(EventEscape(), stream) == stream


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"], ids=["LF", "CRLF", "CR"])
def test_an_event_leaves_when_it_is_complete(end: bytes) -> None:
    """In the call that its last byte comes with."""
    stage = EventEscape()
    for _ in range(3):
        assert stage(b'data: ["<', True) == b'data: ["\\u003c'
        assert stage(b'"]' + end, True) == b'"]' + end
        assert stage(b'data: ["<"]' + end, True) == b'data: ["\\u003c"]' + end


def test_a_long_line_is_not_kept() -> None:
    """What is held back of it is two bytes at most."""
    stage = EventEscape()
    stage(b'data: ["', True)
    for _ in range(100):
        assert len(stage(b"x" * 998 + b"\xe2\x80", True)) >= 998


streams = st.lists(
    st.sampled_from(
        [
            *(b"data: ", b"data:", b"data", b"event: ", b":", b"\n", b"\r\n", b"\r", b"{", b'"<"'),
            *(
                b"[",
                b"]",
                b"}",
                b"<p>",
                b"&",
                b"\xe2\x80\xa8",
                b"\xe2",
                b"\xef\xbb\xbf",
                b" ",
                b"1",
            ),
        ]
    ),
    max_size=30,
).map(b"".join)


def lines_of(stream: bytes) -> list[bytes]:
    """Return a stream's lines (HTML, 9.2.6)."""
    return stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


@given(streams, st.data())
def test_any_stream_keeps_all_but_its_json(stream: bytes, data: Any) -> None:
    """It comes out the same in any chunks, and lines that are no data as they were."""
    whole = EventEscape()(stream, False)
    assert run(EventEscape(), cut(data.draw, stream)) == whole == bytewise(EventEscape(), stream)
    before, after = lines_of(stream), lines_of(whole)
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        if not one.removeprefix(b"\xef\xbb\xbf").startswith(b"data:"):
            assert one == other
        assert other in (one, escape_json(one))
