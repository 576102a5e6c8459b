"""JSON fields that are masked or dropped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mantlet.asgi.request import AsgiRequest
from mantlet.sanitize.json_fields import FieldMasker, JsonField
from tests.drive import make_scope
from tests.sanitize.documents import FIELDS, Writer, bytewise, cut, edited, read, run, trees

if TYPE_CHECKING:
    from mantlet import Request
    from mantlet._internal.asgi_types import AsgiMessage
    from mantlet.core.response import ChunkFilter

fields = st.lists(
    st.builds(JsonField, st.sampled_from(FIELDS), st.sampled_from(["mask", "drop"])),
    min_size=1,
    max_size=4,
)


def request(method: str = "GET", path: str = "/") -> Request:
    """Return a request as an ASGI stack makes it."""

    async def nothing() -> AsgiMessage:
        raise AssertionError("nobody asks for the body")

    return AsgiRequest(make_scope(method, path), nothing)


def stage(*asked: str | JsonField, events: bool = False) -> ChunkFilter:
    """Return a new filter."""
    made = FieldMasker(asked).filter_for(request(), events=events)
    assert made is not None
    return made


def through(body: bytes, *asked: str | JsonField, events: bool = False) -> bytes:
    """Return what becomes of a body, which must be the same in any two chunks and byte by byte."""
    whole = stage(*asked, events=events)(body, False)
    assert bytewise(stage(*asked, events=events), body) == whole
    for at in range(len(body) + 1):
        assert run(stage(*asked, events=events), [body[:at], body[at:]]) == whole
    return whole


def drop(name: str) -> JsonField:
    """Return a field to drop."""
    return JsonField(name, "drop")


# -- laws -----------------------------------------------------------------------------------------


@given(trees, fields, st.data())
def test_any_document_loses_what_was_asked_for_and_nothing_else(
    tree: Any, asked: list[JsonField], data: Any
) -> None:
    """In any form and in any chunks it reads as a model has it."""
    text, _ = Writer(data.draw, asked).write(tree)
    body = text.encode()
    masker = FieldMasker(asked)
    whole = run(masker.filter_for(request()), [body])
    expected = edited(read(body), asked)
    assert read(whole) == expected
    assert run(masker.filter_for(request()), cut(data.draw, body)) == whole
    assert bytewise(masker.filter_for(request()), body) == whole
    if expected == read(body):
        assert whole == body
    else:
        assert any(literal in body.lower() for literal in masker.literals)
        assert masker.prefilter.find(body)


@given(trees, fields, st.data())
def test_all_bytes_but_those_of_masked_values_stay(
    tree: Any, asked: list[JsonField], data: Any
) -> None:
    """Numbers, order, names that come twice, escapes and whitespace."""
    asked = [JsonField(one.name) for one in asked]
    text, masked = Writer(data.draw, asked).write(tree)
    assert (
        run(FieldMasker(asked).filter_for(request()), cut(data.draw, text.encode()))
        == masked.encode()
    )


@given(st.lists(trees, max_size=4), fields, st.sampled_from(["\n", "\n\x1e", " "]), st.data())
def test_each_document_of_several_is_one_of_its_own(
    several: list[Any], asked: list[JsonField], between: str, data: Any
) -> None:
    """NDJSON and JSON text sequences (RFC 7464): pointers begin at each root."""
    texts = [Writer(data.draw, asked).write(tree)[0] for tree in several]
    apart = [run(FieldMasker(asked).filter_for(request()), [text.encode()]) for text in texts]
    body = between.join([*texts, ""]).encode()
    made = run(FieldMasker(asked).filter_for(request()), cut(data.draw, body))
    assert made == between.encode().join([*apart, b""])


pieces = st.sampled_from(
    [
        *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\x0b", b"\x1e", b"\xff"),
        *(b"nul", b"null", b'"password"', b'"ssn":', b"_token", b"password", b"1", b"x" * 5000),
        *(b" " * 1100, b"\\u0070assword", b"data: ", b"\r\n", b"\\" * 99),
        b'{"password": "hunter2"}',
    ]
)


@given(st.lists(pieces, max_size=25).map(b"".join), fields, st.booleans(), st.data())
@example(b'"\\"p\\u0061ssword\\u0022:"password":1\\"', [JsonField("password")], False, None)
def test_what_is_no_json_passes_without_an_error(
    body: bytes, asked: list[JsonField], events: bool, data: Any
) -> None:
    """And comes out the same in any chunks."""
    whole = stage(*asked, events=events)(body, False)
    assert bytewise(stage(*asked, events=events), body) == whole
    if data is not None:
        assert run(stage(*asked, events=events), cut(data.draw, body)) == whole


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        *('"hunter2"', '""', '"a\\"b\\\\"', "1.50e3", "true", "false", "{}", "[]", '"***"'),
        *('{"a": {"b": ["]}", {}]}}', '[1, [2, {"password": 3}]]', '"' + "x" * 70 + '"'),
    ],
)
def test_a_value_of_any_kind_is_masked(value: str) -> None:
    """As a whole."""
    body = f'{{"a": 1, "password" : {value} , "b": 2}}'.encode()
    assert through(body, "password") == b'{"a": 1, "password" : "***" , "b": 2}'


def test_null_stays() -> None:
    """It tells nothing but that there is nothing; dropped, it goes."""
    body = b'{"password":null,"ssn": null\n}'
    assert through(body, "password", "ssn") == body
    assert through(body, drop("ssn")) == b'{"password":null\n}'


@pytest.mark.parametrize("value", [b"nul", b"nullx", b"nulL", b"n", b"null0"])
def test_what_only_begins_like_null_is_masked(value: bytes) -> None:
    """In a document that is none."""
    assert through(b'{"password":' + value + b"}", "password") == b'{"password":"***"}'


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("password", "pass\\u0077ord"),
        ("password", "\\u0070\\u0061\\u0073\\u0073\\u0077\\u006f\\u0072\\u0064"),
        ("password", "passwor\\u0064"),
        ("password", "\\u0070assword"),
        ("password", "passw\\u006Frd"),
        ("pass/word", "pass\\/word"),
        ("pass/word", "pass/word"),
        ("pass\\word", "pass\\\\word"),
        ('pass"word', 'pass\\"word'),
        ('pass"word', "pass\\u0022word"),
        ("pass\nword", "pass\\nword"),
        ("pass\nword", "pass\\u000Aword"),
        ("pass\x01word", "pass\\u0001word"),
        ("clé", "clé"),
        ("clé", "cl\\u00E9"),
        ("clé", "cl\\u00e9"),
        ("\U0001f511", "\U0001f511"),
        ("\U0001f511", "\\ud83d\\udd11"),
        ("\U0001f511", "\\uD83D\\uDD11"),
        ("a<b", "a\\u003cb"),
        ("a\u2028b", "a\\u2028b"),
        ("*_token", "access\\u005Ftoken"),
        ("*_token", "\\u0061_toke\\u006e"),
        ("/pass~1word", "pass\\/word"),
        ("/password", "p\\u0061ssword"),
    ],
)
def test_a_name_is_recognized_however_it_is_written(name: str, written: str) -> None:
    """With escapes of any kind (RFC 8259, 7), in any case."""
    body = f'{{"{written}": "hunter2"}}'.encode()
    assert through(body, name) == f'{{"{written}": "***"}}'.encode()
    assert any(literal in body.lower() for literal in FieldMasker([name]).literals)


@pytest.mark.parametrize(
    "body",
    [
        b'{"Passwort": 1, "passwords": 2, "xpassword": 3, "pass": 4}',
        b'{"a": "password", "b": ["password"], "c": "\\"password\\": 1"}',
        b'{"\\"password": 1, "password\\"": 2, "pass\\\\u0077ord": 3, "\\\\": "password"}',
        b'["password", "password" , {"x": "password"}]',
        b'"password"',
        b'{"a": "{\\"password\\": \\"x\\"}"}',
        b'{"pass\\u0077or": 1, "pass\\u0077ordd": 2, "\\ud83d": "\\u0070"}',
    ],
    ids=[
        *("likenesses", "values", "escapes around", "items", "alone", "JSON in a string"),
        "likenesses with escapes",
    ],
)
def test_text_that_is_not_a_field_name_stays(body: bytes) -> None:
    """It comes out as the same object."""
    assert through(body, "password") == body
    assert stage("password")(body, False) is body


def test_fields_are_found_at_any_depth() -> None:
    """And each time they come."""
    body = b'[{"a": [[{"password": 1}]], "password": 2}, {"password": 3, "password": {"x": 4}}]'
    assert read(through(body, "password")) == read(
        b'[{"a": [[{"password": "***"}]], "password": "***"}, '
        b'{"password": "***", "password": "***"}]'
    )


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("name", ["password", "?assword", ":", "/password"])
def test_depth_costs_no_recursion(opening: bytes, name: str) -> None:
    """A hundred thousand levels, which no parser takes."""
    body = opening * 100_000 + b'{"password":1}'
    made = stage(name)(body, True) + stage(name)(b"", False)
    assert made.startswith(opening * 900)


def test_names_are_found_at_any_depth() -> None:
    """Also those that may stand between two strings."""
    body = b"[" * 1200 + b'{":": "hunter2"}' + b"]" * 1200
    made = through_once(body, ":")
    assert b"hunter2" not in made
    assert made == body.replace(b'"hunter2"', b'"***"')


def through_once(body: bytes, *asked: str | JsonField) -> bytes:
    """Return what becomes of a body, whole and in chunks of a few hundred bytes."""
    whole = stage(*asked)(body, False)
    chunks = [body[at : at + 300] for at in range(0, len(body), 300)]
    assert run(stage(*asked), chunks) == whole
    return whole


ALL = ["token", "token_id", "access_token", "_token", "a token!", "ssn", "9lives", "ID", ""]


@pytest.mark.parametrize(
    ("glob", "masked"),
    [
        ("*_token", ["access_token", "_token"]),
        ("token*", ["token", "token_id"]),
        ("*token*", ["token", "token_id", "access_token", "_token", "a token!"]),
        ("t?ken", ["token"]),
        ("[at]*n", ["token", "access_token"]),
        ("[!a-z]*", ["_token", "9lives"]),
        ("*", ALL),
        ("?*", ALL[:-1]),
        ("??", ["ID"]),
        ("*n", ["token", "access_token", "_token", "ssn"]),
        ("*9*", ["9lives"]),
        ("[", []),
        ("id", ["ID"]),
        ("*Token", ["token", "access_token", "_token"]),
    ],
)
def test_a_glob_is_one_of_fnmatch(glob: str, masked: list[str]) -> None:
    """Whatever the case."""
    made = json.loads(through(json.dumps(dict.fromkeys(ALL, 1)).encode(), glob))
    assert [name for name in ALL if made[name] == "***"] == masked


def test_a_bracket_that_is_not_closed_means_itself() -> None:
    """As `fnmatch` has it."""
    assert through(b'{"items[]": 1, "items": 2}', "items[]") == b'{"items[]": "***", "items": 2}'


@pytest.mark.parametrize("name", ["password", "*word", "/password"])
def test_a_long_name_or_value_is_not_kept(name: str) -> None:
    """A hundred megabytes would not be, either: what is held back is bounded."""
    made = stage(name)
    sent = len(made(b'{"', True))
    for _ in range(64):
        sent += len(made(b"x" * 1024, True))
    assert sent >= 64 * 1024 - 4200
    rest = made(b'":1,"password":"', True)
    for _ in range(64):
        assert made(b"x" * 1024 + b"\\", True) == b""
    rest += made(b'""}', True) + made(b"", False)
    assert rest.endswith(b'"password":"***"}')


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ["password", ":", "/a/password"])
def test_names_of_any_text_are_searched_for_in_linear_time(name: str) -> None:
    """What a searcher could be made to go through again and again."""
    for body in (b'\\u0070"' * 9999, b'"' * 60_000, b"\\" * 60_000, b'"password' * 9999):
        assert len(run(stage(name), [body, body])) == 2 * len(body)


# -- dropping -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b'{"x":1,"b":2}', b'{"b":2}'),
        (b'{"a":1,"x":2}', b'{"a":1}'),
        (b'{"a":1,"x":2,"b":3}', b'{"a":1,"b":3}'),
        (b'{"x":1}', b"{}"),
        (b'{"x":1,"x":2,"x":3}', b"{}"),
        (b'{"x":1,"x":2,"b":3,"x":4,"x":5}', b'{"b":3}'),
        (b'{ "x" : 1 , "b" : 2 }', b'{ "b" : 2 }'),
        (b'{ "a" : 1 , "x" : 2 }', b'{ "a" : 1  }'),
        (b'{\n  "a": 1,\n  "x": [1, 2],\n  "b": 3\n}', b'{\n  "a": 1,\n  "b": 3\n}'),
        (b'{\n  "x": {},\n  "b": 3\n}', b'{\n  "b": 3\n}'),
        (b'{\n  "x": {}\n}', b"{\n  }"),
        (b'[{"x":1},{"x":2}]', b"[{},{}]"),
        (b'{"x":{"x":{"x":1}},"b":{"x":2,"c":3}}', b'{"b":{"c":3}}'),
        (b'{"a":",","x":",","b":","}', b'{"a":",","b":","}'),
        (b'{"a":"x","b":["x"]}', b'{"a":"x","b":["x"]}'),
    ],
)
@pytest.mark.parametrize("name", ["x", "[x]"])
def test_a_member_is_dropped_with_its_comma(name: str, body: bytes, left: bytes) -> None:
    """Wherever it stands."""
    assert through(body, drop(name)) == left


def test_what_is_to_be_masked_and_to_be_dropped_is_dropped() -> None:
    """In whichever order it was said, and by whichever means."""
    ways: list[list[str | JsonField]] = [
        ["x", drop("x")],
        [drop("x"), "x"],
        ["x", drop("/x")],
        [drop("x"), "/x", "*"],
    ]
    for asked in ways:
        assert b"x" not in through(b'{"a":1,"x":2}', *asked)


@pytest.mark.parametrize("name", ["secret", "/secret", "secret?"])
@pytest.mark.parametrize("spaces", [1023, 1024, 1025, 5000])
def test_much_space_before_a_dropped_member_has_it_masked(name: str, spaces: int) -> None:
    """A comma is not held back for ever; the value does not go out."""
    written = "secret1" if name == "secret?" else "secret"
    body = b'{"a":1,' + b" " * spaces + f'"{written}":'.encode() + b'"hunter2","b":3}'
    left = b'{"a":1,"b":3}' if spaces <= 1024 else body.replace(b'"hunter2"', b'"***"')
    assert stage(drop(name))(body, False) == left
    assert bytewise(stage(drop(name)), body) == left
    for at in range(0, len(body), 101):
        assert run(stage(drop(name)), [body[:at], body[at:]]) == left


@pytest.mark.parametrize("spaces", [1023, 1024, 1025, 5000])
def test_much_space_after_a_dropped_fields_name_has_it_masked(spaces: int) -> None:
    """The same for the colon."""
    body = b'{"a":1,"secret"' + b" " * spaces + b':"hunter2","b":3}'
    left = b'{"a":1,"b":3}' if spaces <= 1024 else body.replace(b'"hunter2"', b'"***"')
    assert stage(drop("secret"))(body, False) == left
    assert bytewise(stage(drop("secret")), body) == left


# -- pointers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("/foo", {"foo"}),
        ("/foo/0", {"foo.0"}),
        ("/", {""}),
        ("/a~1b", {"a/b"}),
        ("/c%d", {"c%d"}),
        ("/e^f", {"e^f"}),
        ("/g|h", {"g|h"}),
        ("/i\\j", {"i\\j"}),
        ('/k"l', {'k"l'}),
        ("/ ", {" "}),
        ("/m~0n", {"m~n"}),
        ("/foo/*", {"foo.0", "foo.1"}),
        ("/foo/2", set()),
        ("/foo/00", set()),
        ("/foo/0/x", set()),
        ("/m~01n", set()),
        ("foo", {"foo"}),
    ],
)
def test_the_pointers_of_the_standard_refer_to_what_it_says(pointer: str, found: set[str]) -> None:
    """RFC 6901, 5, with the star besides."""
    document: dict[str, Any] = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3}
    document |= {"g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}
    made = json.loads(through(json.dumps(document).encode(), pointer))
    masked = {name for name, value in made.items() if value == "***"}
    if made["foo"] != "***":
        masked |= {f"foo.{index}" for index, item in enumerate(made["foo"]) if item == "***"}
    assert masked == found


@pytest.mark.parametrize(
    ("pointers", "body", "left"),
    [
        (["/0"], b"[1, 2, 3]", b"[2, 3]"),
        (["/1"], b"[1, 2, 3]", b"[1, 3]"),
        (["/2"], b"[1, 2, 3]", b"[1, 2]"),
        (["/0", "/1"], b"[1, 2, 3]", b"[3]"),
        (["/0", "/2"], b"[1, 2, 3]", b"[2]"),
        (["/*"], b"[1, [2], {}]", b"[]"),
        (["/*"], b'{"a": 1, "b": {}}', b"{}"),
        (["/*/a"], b'[{"a": 1, "b": {"a": 2}}, {"a": 3}, [4]]', b'[{"b": {"a": 2}}, {}, [4]]'),
        (["/a/0/b"], b'{"a": [{"b": 1, "c": 2}, {"b": 3}]}', b'{"a": [{"c": 2}, {"b": 3}]}'),
        (["/0"], b'{"0": 1, "1": 2}', b'{"1": 2}'),
        (["/a"], b'{"b": {"a": 1}, "a": 2}', b'{"b": {"a": 1}}'),
    ],
)
def test_a_pointer_drops_what_it_refers_to(pointers: list[str], body: bytes, left: bytes) -> None:
    """Indexes are those that the app has written."""
    assert through(body, *map(drop, pointers)) == left


def test_pointers_begin_anew_at_each_document() -> None:
    """In NDJSON and in JSON text sequences."""
    assert through(b'{"a":1}\n{"b":{"a":1}}\n{"a":2}\n', "/a") == (
        b'{"a":"***"}\n{"b":{"a":1}}\n{"a":"***"}\n'
    )
    assert through(b'\x1e{"a":1}\n\x1e[{"a":1}]\n', "/a") == b'\x1e{"a":"***"}\n\x1e[{"a":1}]\n'


def test_a_document_that_is_cut_short_does_not_swallow_the_next() -> None:
    """A value without an end goes with what follows it, but a number ends with its line."""
    assert through(b'{"password": 12\n{"a": 1}\n', "password") == b'{"password": "***"\n{"a": 1}\n'


# -- Server-Sent Events ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "stream", "expected"),
    [
        ("password", b'data: {"password": 1}\n\n', b'data: {"password": "***"}\n\n'),
        ("/a", b'data:{"a":1}\n\ndata:{"a":2}\n\n', b'data:{"a":"***"}\n\ndata:{"a":"***"}\n\n'),
        ("/a", b'data: {"b":\ndata: {"a": 1}}\n\n', b'data: {"b":\ndata: {"a": 1}}\n\n'),
        ("/a", b'data: {\ndata: "a":\ndata: 1}\n\n', b'data: {\ndata: "a":\ndata: "***"}\n\n'),
        ("a", b'data: {"a":\rdata: [1,\rdata: 2]}\r\r', b'data: {"a":\rdata: "***"}\r\r'),
        (drop("x"), b'data: {"a":1,"x":2}\r\n\r\n', b'data: {"a":1}\r\n\r\n'),
        (drop("x"), b'data: {"a":1,\ndata: "x":2}\n\n', b'data: {"a":1}\n\n'),
        (
            drop("x"),
            b'data: {"a":1,\nid: 1\ndata: "x":2}\n\n',
            b'data: {"a":1,\nid: 1\ndata: "x":"***"}\n\n',
        ),
        (drop("x"), b'data: {\ndata: "x":2}\n\n', b"data: {\ndata: }\n\n"),
        ("a", b'data: {"a": "x\n\ndata: {"b": 1}\n\n', b'data: {"a": "***"\n\ndata: {"b": 1}\n\n'),
        (
            "a",
            b'data: {"b": "\n\ndata: {"a": "1"}\n\ndata: {"a":\n\ndata: {"a":1}\n\n',
            b'data: {"b": "\n\ndata: {"a": "***"}\n\ndata: {"a":\n\ndata: {"a":"***"}\n\n',
        ),
        ("a", b'event: {"a": 1}\n: "a": 1\n\n', b'event: {"a": 1}\n: "a": 1\n\n'),
        ("*", b'data: {"a": 1}\ndata\nid: 1\n\n', b'data: {"a": "***"}\ndata\nid: 1\n\n'),
    ],
    ids=[
        *("mask", "an event each", "one document in two lines", "a value on a line of its own"),
        *("a value on two lines", "drop", "a comma on another line"),
        *("another field between them", "first on its line"),
        *(
            "an event ends what is open",
            "and so it does among others",
            "other fields",
            "line without a value",
        ),
    ],
)
def test_the_data_of_an_event_is_one_document(
    asked: str | JsonField, stream: bytes, expected: bytes
) -> None:
    """Whatever lines it is on."""
    assert through(stream, asked, events=True) == expected


@pytest.mark.parametrize("name", ["password", drop("*_token"), "/a", drop(":")])
def test_an_event_leaves_when_it_is_complete(name: str | JsonField) -> None:
    """In the call that its last byte comes with."""
    made = stage(name, events=True)
    begun = made(b'data: {"b":1,\ndata:"c', True)
    assert begun + made(b'":2}\n\n', True) == b'data: {"b":1,\ndata:"c":2}\n\n'
    for event in (b'data: {"b": "x"}\r\n\r\n', b"data: 1\n\n", b'data: "x"\n\n'):
        assert made(event, True) == event
    assert made(b"", False) == b""


def test_events_without_a_name_pass_as_the_same_object() -> None:
    """The search for it is all that they cost."""
    made = stage("password", "*_token", events=True)
    for event in (b'data: {"a": 1}\n\n', b": comment\n\n", b'data: {"b": "c"}\n\ndata: 2\n\n'):
        assert made(event, True) is event


# -- routes ---------------------------------------------------------------------------------------


def test_a_field_is_for_its_route_alone() -> None:
    """And what several patterns say holds together."""
    masker = FieldMasker(
        ["a", JsonField("b", route="GET /users/*"), JsonField("c", "drop", route="* /users/{id}")]
    )
    body = b'{"a":1,"b":2,"c":3}'
    ways = {
        ("GET", "/users/1"): b'{"a":"***","b":"***"}',
        ("POST", "/users/1"): b'{"a":"***","b":2}',
        ("GET", "/users/1/x"): b'{"a":"***","b":"***","c":3}',
        ("GET", "/"): b'{"a":"***","b":2,"c":3}',
    }
    for (method, path), expected in ways.items():
        assert run(masker.filter_for(request(method, path)), [body]) == expected
        assert bytewise(masker.filter_for(request(method, path)), body) == expected


def test_where_no_field_is_for_a_request_there_is_no_filter() -> None:
    """Nor where there is no field."""
    masker = FieldMasker([JsonField("a", route="GET /users/*")])
    assert masker.filter_for(request("GET", "/")) is None
    assert masker.filter_for(request("GET", "/users/1")) is not None
    assert FieldMasker([]).filter_for(request()) is None
    assert not FieldMasker([]).prefilter.find(b'{"a": 1}')


def test_a_filter_is_for_one_body() -> None:
    """What one has begun, another does not go on with."""
    masker = FieldMasker(["password"])
    assert run(masker.filter_for(request()), [b'{"password":']) == b'{"password":'
    assert run(masker.filter_for(request()), [b"1}"]) == b"1}"


# -- bad options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: JsonField(""), ValueError, 'empty name; write "password"'),
        (lambda: JsonField(cast("Any", 1)), TypeError, "not 1"),
        (lambda: JsonField("a", cast("Any", "hide")), ValueError, '"mask" or "drop", not \'hide\''),
        (lambda: JsonField("a", route="/users"), ValueError, "'/users'"),
        (lambda: JsonField("a", route=cast("Any", 1)), TypeError, "not 1"),
        (lambda: JsonField("/a/-"), ValueError, '"-" refers to an item that does not exist'),
        (lambda: JsonField("/-/a"), ValueError, "'/-/a'"),
        (lambda: JsonField("/a~2"), ValueError, 'write "~0" for "~"'),
        (lambda: JsonField("/a~"), ValueError, "'/a~'"),
        (lambda: JsonField("x" * 257), ValueError, "257 characters; write at most 256"),
        (lambda: JsonField("/" + "x" * 257), ValueError, "write at most 256"),
        (lambda: FieldMasker("password"), TypeError, r'such as \["password"\]'),
        (lambda: FieldMasker(cast("Any", JsonField("a"))), TypeError, "must be several"),
        (lambda: FieldMasker(cast("Any", [1])), TypeError, "names and JsonField"),
        (lambda: FieldMasker(cast("Any", [b"a"])), TypeError, "not b'a'"),
        (lambda: FieldMasker(["a", ""]), ValueError, "empty name"),
    ],
    ids=[
        *("no name", "a number", "another action", "no method", "no route", "past the end"),
        *("and further", "bad escape", "half an escape", "long name", "long token", "one text"),
        *("one field", "numbers", "bytes", "no name among several"),
    ],
)
def test_a_bad_field_is_refused_with_words(make: Any, error: type[Exception], words: str) -> None:
    """Where it is made."""
    with pytest.raises(error, match=words):
        make()


def test_the_order_of_fields_does_not_matter() -> None:
    """The bytes to search for are the same in every process."""
    assert FieldMasker(["a", "*b", "/c"]).literals == FieldMasker(["/c", "a", "*b"]).literals
