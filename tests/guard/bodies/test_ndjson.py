"""Bodies of many JSON texts: how they are told apart, and what is wrong with each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from mantlet.guard import BodyLimits
from mantlet.guard.bodies.ndjson import Framing, JsonLinesReader, _JsonLinesParser
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.models.schema import ModelSchema
from mantlet.http.media_types import MediaType
from tests.guard.bodies.jsontexts import SOUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mantlet.guard.readers import BodyParser, StreamingBodyReader

TYPES = {"lines": MediaType("application/x-ndjson"), "sequence": MediaType("application/json-seq")}


class Anything:
    """A schema of everything."""

    def load(self, text: bytes, value: Any, place: Any) -> Any:
        assert place == "body"
        assert json.loads(text) == value
        return value

    def check(self, value: Any, place: Any) -> Any:
        return value

    def dump(self, value: Any) -> bytes:
        return json.dumps(value).encode()


class Item(BaseModel):
    name: str
    tags: list[str] = []


def begin(
    framing: Framing = "lines", schema: Any = None, media: MediaType | None = None, **limits: Any
) -> BodyParser:
    """Begin to read a body, through the interfaces that the guard has of it."""
    reader: StreamingBodyReader = JsonLinesReader(
        schema or Anything(), BodyLimits(**limits), framing
    )
    return reader.start(media or TYPES[framing])


def read(chunks: Iterable[bytes], framing: Framing = "lines", **options: Any) -> Any:
    parse = begin(framing, **options)
    try:
        for chunk in chunks:
            parse.feed(chunk)
        return parse.finish()
    finally:
        parse.close()


def refused(chunks: Iterable[bytes], framing: Framing = "lines", **options: Any) -> Any:
    """Return the status that a body is refused with, and the pointers and codes of its faults."""
    with pytest.raises(ValidationFailed) as caught:
        read(chunks, framing, **options)
    assert caught.value.__cause__ is None
    return caught.value.status, [(fault.pointer, fault.code) for fault in caught.value.errors]


def outcome(chunks: list[bytes], framing: Framing, **options: Any) -> Any:
    try:
        return read(chunks, framing, **options)
    except ValidationFailed as invalid:
        return invalid.status, invalid.errors


BODIES: list[tuple[Framing, bytes, list[Any]]] = [
    ("lines", b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
    ("lines", b'{"a":1}\n{"a":2}', [{"a": 1}, {"a": 2}]),
    ("lines", b'{"a":1}\r\n[2]\r\n', [{"a": 1}, [2]]),
    ("lines", b"\n\n1\n \t\n\r\n2\n\n", [1, 2]),
    ("lines", b' "a\\nb" \n"\\u001e"', ["a\nb", "\x1e"]),
    ("lines", '"\u2028é\u0085"\n'.encode(), ["\u2028é\u0085"]),
    ("lines", b"", []),
    ("lines", b"\n", []),
    ("sequence", b"\x1e1\n\x1e[2]\n", [1, [2]]),
    ("sequence", b'\x1e{"a":\n1}\n\x1e"x"\r\n', [{"a": 1}, "x"]),
    ("sequence", b"\x1e 1 \n\n\x1e\n2\n", [1, 2]),
    ("sequence", b"", []),
]


@pytest.mark.parametrize(("framing", "body", "values"), BODIES)
def test_a_body_is_read_alike_however_it_is_cut(
    framing: Framing, body: bytes, values: list[Any]
) -> None:
    """Whole, byte by byte, and at every place."""
    assert read([body], framing) == values
    assert read([body[at : at + 1] for at in range(len(body))], framing) == values
    for at in range(len(body) + 1):
        assert read([body[:at], b"", body[at:]], framing) == values


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from([b"1\n", b"[2]\r\n", b"\n", b"\x1e", b"\x1e3\n", b"x", b'"a'])
             | SOUP, max_size=8).map(b"".join),
    st.lists(st.integers(0, 200), max_size=6),
    st.sampled_from(["lines", "sequence"]),
    st.sampled_from([{}, {"line": 4}, {"lines": 2}, {"errors": 1}]),
)  # fmt: skip
def test_whatever_comes_has_one_outcome_however_it_is_cut(
    body: bytes, cuts: list[int], framing: Framing, limits: dict[str, int]
) -> None:
    """And no error but `ValidationFailed` leaves."""
    ends = sorted(min(cut, len(body)) for cut in cuts)
    chunks = [body[a:b] for a, b in zip([0, *ends], [*ends, len(body)], strict=True)]
    whole = outcome([body], framing, **limits)
    cut = outcome(chunks, framing, **limits)
    single = outcome([body[at : at + 1] for at in range(len(body))], framing, **limits)
    assert repr(whole) == repr(cut) == repr(single)


@pytest.mark.parametrize(
    ("framing", "body", "limits", "expected"),
    [
        ("lines", b'1\n{"a":\n2}', {}, (400, [("/1", "json_invalid")])),
        ("lines", b"1\n2 3\n", {}, (400, [("/1", "json_trailing")])),
        ("lines", b"1\r2\n", {}, (400, [("/0", "json_trailing")])),
        # Python's str.splitlines() makes three lines of it, the second of which is JSON
        ("lines", b'1\n[\r{"role":"admin"}\r]\n', {}, (400, [("/1", "json_line_break")])),
        ("lines", b"\r1\n", {}, (400, [("/0", "json_line_break")])),
        ("lines", b"\xef\xbb\xbf1\n", {}, (400, [("/0", "json_encoding")])),
        ("lines", b"\x1e1\n", {}, (400, [("/0", "json_invalid")])),
        ("lines", b'1\n\n{"a":1,"a":2}\n', {}, (400, [("/1", "json_duplicate_key")])),
        ("lines", b"1\n[[1]]\n", {"depth": 1}, (400, [("/1", "json_depth")])),
        ("lines", b"1\n22222", {"line": 4}, (413, [("/1", "item_too_large")])),
        ("lines", b"1\n22222\n3", {"line": 4}, (413, [("/1", "item_too_large")])),
        ("lines", b"1\n2\n3\n", {"lines": 2}, (413, [("", "too_many_items")])),
        ("lines", b"1\n2\n3", {"lines": 2}, (413, [("", "too_many_items")])),
        ("sequence", b"1\n", {}, (400, [("/0", "json_separator")])),
        ("sequence", b"\n\x1e1\n", {}, (400, [("/0", "json_separator")])),
        ("sequence", b"\x1e1\n\x1e2", {}, (400, [("/1", "json_cut_off")])),
        ("sequence", b"\x1e1\n\x1e", {}, (400, [("/1", "json_cut_off")])),
        ("sequence", b"\x1e1\x1e2\n", {}, (400, [("/0", "json_cut_off")])),
        ("sequence", b"\x1e1\n2\n", {}, (400, [("/0", "json_trailing")])),
        ("sequence", b"\x1e\n\x1e1\n", {}, (400, [("/0", "json_empty")])),
        ("sequence", b"\x1e1\n\x1e22222\n", {"line": 4}, (413, [("/1", "item_too_large")])),
        ("sequence", b"\x1e1\n\x1e2\n\x1e3\n", {"lines": 2}, (413, [("", "too_many_items")])),
    ],
)  # fmt: skip
def test_what_is_wrong_says_with_which_item(
    framing: Framing, body: bytes, limits: dict[str, int], expected: Any
) -> None:
    """In one piece and in many."""
    assert refused([body], framing, **limits) == expected
    assert refused([body[at : at + 1] for at in range(len(body))], framing, **limits) == expected


def test_separators_that_follow_one_another_are_one() -> None:
    """As a parser must take them (RFC 7464, 2.1)."""
    body = b"\x1e\x1e1\n\x1e\x1e\x1e2\n"
    assert read([body], "sequence") == [1, 2]
    assert read([body[at : at + 1] for at in range(len(body))], "sequence") == [1, 2]


def test_a_line_may_be_as_long_as_the_limit() -> None:
    """What ends it is not counted."""
    assert read([b"1234\n1234\n1234"], line=4) == [1234, 1234, 1234]
    assert read([b"1234\r\n12345\n"], line=5) == [1234, 12345]
    assert read([b"\x1e123\n"], "sequence", line=4) == [123]


SCHEMA = ModelSchema(Item, name="items", errors=20)
WRONG = b'{"name":1}\n{"name":"a"}\n{"name":"b","tags":[0,""]}\n{"more":1}\n'


def test_all_that_is_wrong_is_told_with_the_index_of_its_item() -> None:
    """Once all items have come."""
    assert refused([WRONG], schema=SCHEMA) == (422, [
        ("/0/name", "string_type"),
        ("/2/tags/0", "string_type"),
        ("/3/name", "missing"),
        ("/3/more", "extra_forbidden"),
    ])  # fmt: skip


@pytest.mark.parametrize("most", [1, 2, 3])
def test_as_many_faults_are_told_as_the_limit_says(most: int) -> None:
    """And nothing is read behind the last of them."""
    lines = WRONG.splitlines(keepends=True)
    parse = begin(schema=SCHEMA, errors=most)
    with pytest.raises(ValidationFailed) as caught:
        for line in lines:
            parse.feed(line)
    assert caught.value.status == 422
    assert len(caught.value.errors) == most


def test_faults_before_an_item_that_is_no_json_are_told_too() -> None:
    """Under the status of the worse."""
    assert refused([b'{"name":1}\n{"name"\n'], schema=SCHEMA) == (
        400, [("/0/name", "string_type"), ("/1", "json_invalid")]
    )  # fmt: skip
    assert refused([b'\x1e{"name":1}\n\x1e{"name":""}'], "sequence", schema=SCHEMA) == (
        400, [("/0/name", "string_type"), ("/1", "json_cut_off")]
    )  # fmt: skip


def test_no_more_faults_are_told_than_the_limit_says_in_any_case() -> None:
    """Also where the last is of another kind."""
    body = b'\x1e{"name":1}\n\x1e{"name":"x"}'
    assert len(refused([body], "sequence", schema=SCHEMA, errors=2)[1]) == 2


def test_a_schema_makes_the_values() -> None:
    """Item by item."""
    assert read([b'{"name":"a"}\n{"name":"b","tags":[]}\n'], schema=SCHEMA) == [
        Item(name="a"),
        Item(name="b"),
    ]


@pytest.mark.parametrize("framing", ["lines", "sequence"])
def test_parameters_of_the_type_mean_nothing(framing: Framing) -> None:
    """Another charset than UTF-8, or any other parameter, is refused at once."""
    kind = TYPES[framing].kind
    begin(framing, media=MediaType(kind, (("charset", "UTF-8"),)))
    for parameter in (("charset", "utf-16"), ("separator", ",")):
        assert refused([], framing, media=MediaType(kind, (parameter,)))[0] == 415


class Counted(bytearray):
    """Bytes that count how many of them are gone through."""

    gone = 0

    def find(self, what: Any, start: Any = 0, end: Any = None) -> int:
        found = super().find(what, start)
        Counted.gone += (len(self) if found < 0 else found) - start
        return found

    def __getitem__(self, what: Any) -> Any:
        got = super().__getitem__(what)
        Counted.gone += len(got)
        return got


@pytest.mark.unmeasured
def test_a_long_line_byte_by_byte_takes_linear_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come of it is kept, and looked at once more at its end."""
    monkeypatch.setattr("mantlet.guard.bodies.ndjson.bytearray", Counted, raising=False)
    Counted.gone = 0
    parse = begin(string=250_000, line=300_000)
    line = b'"' + b"a" * 250_000 + b'"\n'
    for at in range(len(line)):
        parse.feed(line[at : at + 1])
    assert parse.finish() == ["a" * 250_000]
    assert len(line) <= Counted.gone <= 2 * len(line)


@pytest.mark.parametrize(
    ("framing", "body", "values"),
    [
        ("lines", b"1\n" + b"\n" * 100_000 + b"2\n", [1, 2]),
        ("lines", b"1\n" + b" \r\n" * 100_000 + b"2\n", [1, 2]),
        ("sequence", b"\x1e" + b"\x1e" * 100_000 + b"1\n" + b"\x1e" * 9 + b"2\n", [1, 2]),
    ],
)
def test_what_is_empty_costs_nothing(
    framing: Framing, body: bytes, values: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty lines are no items, and separators that follow one another are passed at once."""
    taken, take = [], _JsonLinesParser._take

    def counted(self: _JsonLinesParser, text: bytes) -> None:
        taken.append(text)
        take(self, text)

    monkeypatch.setattr(_JsonLinesParser, "_take", counted)
    assert read([body], framing) == values
    assert len(taken) <= 3


def test_an_empty_line_is_no_longer_than_another() -> None:
    """In one piece and in many."""
    body = b"1\n" + b" " * 9 + b"\n2\n"
    assert read([body], line=9) == [1, 2]
    assert refused([body], line=8) == (413, [("/1", "item_too_large")])
    assert refused([b"1\n", body[2:]], line=8) == (413, [("/1", "item_too_large")])


def test_nothing_is_kept_of_what_has_been_read() -> None:
    """No more than one item, nor behind the end of the exchange."""
    parse: Any = begin()
    parse.feed(b'"' + b"a" * 5000 + b'"\n"b')
    assert parse._buffer == b'"b'
    parse.close()
    assert parse._buffer == b""
