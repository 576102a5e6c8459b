"""What is read as JSON, what is refused, and under which code."""

from __future__ import annotations

import json
from typing import Any

import jiter
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantlet.guard import BodyLimits
from mantlet.guard.bodies import strict_json
from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.errors import ErrorItem, ValidationFailed
from tests.guard.bodies.jsonmodel import broken
from tests.guard.bodies.jsontexts import SOUP, TEXTS, mutated

BOUNDS = {"json_depth", "json_members", "json_items", "json_string", "json_digits", "json_number"}
TIGHT = st.builds(
    BodyLimits,
    depth=st.sampled_from([1, 2, 3, 5, 200]),
    members=st.sampled_from([1, 2, 3, 1000]),
    items=st.sampled_from([1, 2, 3, 1000]),
    string=st.sampled_from([1, 2, 4, 1000]),
    digits=st.sampled_from([1, 3, 7, 30, 100, 4300]),
)


def outcome(text: bytes, limits: BodyLimits | None = None) -> Any:
    """Return the code that a text is refused with, or its value in a list."""
    try:
        return [StrictJson(limits or BodyLimits()).parse(text)]
    except ValidationFailed as invalid:
        refusal = invalid
    assert refusal.status == 400
    assert refusal.__cause__ is None
    assert refusal.__context__ is None
    (fault,) = refusal.errors
    assert (fault.place, fault.pointer) == ("body", "")
    return fault.code


def check(text: bytes, limits: BodyLimits) -> None:
    """See that a text has the outcome that the model says, also where it counts as a long one."""
    codes = broken(text, limits)
    for longest in (64 * 1024, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(strict_json, "_LONG", longest)
            found = outcome(text, limits)
        if codes is None:
            assert isinstance(found, str)
        elif codes:
            assert found in codes
        else:
            assert found == [json.loads(text)]
            assert repr(found) == repr([json.loads(text)])


@settings(max_examples=120)
@given(TEXTS, TIGHT)
def test_json_is_accepted_if_it_is_within_its_bounds(text: bytes, limits: BodyLimits) -> None:
    """And else is refused for a bound that it breaks, whichever they are."""
    check(text, limits)


@settings(max_examples=120)
@given(mutated() | SOUP, TIGHT | st.just(BodyLimits()))
@example(b"[" * 40, BodyLimits())
@example(b"]" * 40 + b"," * 4000, BodyLimits())
@example(b"1e999999999999999999999", BodyLimits())
def test_what_is_nearly_json_is_accepted_if_it_is_json(text: bytes, limits: BodyLimits) -> None:
    """Whatever its bytes are: no other error leaves."""
    check(text, limits)


@settings(max_examples=30)
@given(TEXTS, TIGHT)
def test_every_beginning_of_a_text_has_the_outcome_of_the_model(
    text: bytes, limits: BodyLimits
) -> None:
    """A text that has been cut off is never taken for a whole one."""
    for end in range(min(len(text), 60)):
        check(text[:end], limits)


@settings(max_examples=30)
@given(st.lists(st.dictionaries(st.sampled_from("abcde"), st.integers()), max_size=8), st.data())
def test_a_name_that_comes_twice_is_found_in_every_shape_of_text(
    value: list[dict[str, int]], data: st.DataObject
) -> None:
    """In one object, in lists of them, in nested ones; short texts and long ones."""
    pieces = [json.dumps(one).encode() for one in value]
    twice = data.draw(st.sampled_from([b'{"a":1,"b":2,"a":3}', b'{"a":1,"\\u0061":2}', b"[]"]))
    pieces.insert(data.draw(st.integers(0, len(pieces))), twice)
    for text in (
        b"[" + b",".join(pieces) + b"]",
        b" [ " + b" , ".join(pieces) + b"]",
        b'{"x":' + b',"y":[]},{"z":'.join(pieces) + b"}",
        b'[{"k":' + b'},{"k":'.join(pieces) + b"}]",
        b'{"list":[' + b",".join(pieces) + b'],"url":"https://a:b"}',
        b'[["a:b"],' + b",".join(pieces) + b"]",
        twice,
    ):
        for limits in (BodyLimits(), BodyLimits(members=8, items=20), BodyLimits(items=9)):
            check(text, limits)


def limit(**options: Any) -> BodyLimits:
    return BodyLimits(**options)


@pytest.mark.parametrize(
    ("limits", "allowed", "refused", "code"),
    [
        (limit(depth=1), b'{"a":1}', b'{"a":[]}', "json_depth"),
        (limit(depth=1), b"[1,2]", b"[{}]", "json_depth"),
        (limit(depth=3), b"[[[]]]", b"[[[[]]]]", "json_depth"),
        (limit(depth=3), b'{"a":[{}]}', b'{"a":[{"b":{}}]}', "json_depth"),
        (limit(depth=200), b"[" * 200 + b"]" * 200, b"[" * 201 + b"]" * 201, "json_depth"),
        (limit(depth=2), b'["[[[[[[",[]]', b'["[[[[[[",[[]]]', "json_depth"),
        (limit(depth=2), b'["\\"",[]]', b'["\\"",[[]]]', "json_depth"),
        (limit(members=2), b'{"a":1,"b":2}', b'{"a":1,"b":2,"c":3}', "json_members"),
        (limit(members=2), b'[1,2,3,{"a":[1,2,3]}]', b'[{"a":[],"b":[],"c":[]}]', "json_members"),
        (limit(members=2), b'{"a,,,":",,,,"}', b'{"a":{},"b":{"c":1},"d":{}}', "json_members"),
        (limit(items=2), b"[1,2]", b"[1,2,3]", "json_items"),
        (limit(items=2), b'{"a":1,"b":2,"c":3}', b'{"a":1,"b":[1,2,3],"c":3}', "json_items"),
        (limit(items=2), b"[[1,2],[1,2]]", b"[[1,[1,2]],[1,2],3]", "json_items"),
        (limit(string=3), b'["abc"]', b'["abcd"]', "json_string"),
        (limit(string=3), b'{"abc":1}', b'{"abcd":1}', "json_string"),
        (limit(string=3), '"éé\U0001f600"'.encode(), "\"éé\U0001f600a\"".encode(), "json_string"),
        (limit(string=3), rb'"\u0061\"\ud83d\ude00"', rb'"\u0061\"\ud83d\ude00\\"', "json_string"),
        (limit(digits=4), b"[1234,-123]", b"[12345]", "json_digits"),
        (limit(digits=4), b'["123456"]', b"-1234", "json_digits"),
        (limit(digits=4), b"[1.25,1e-5]", b"1e-55", "json_digits"),
        (limit(digits=4300), b"[" + b"9" * 4300 + b"]", b"[" + b"9" * 4301 + b"]", "json_digits"),
        (limit(), b"1e308", b"1e309", "json_number"),
        (limit(), b"-1e308", b"-1e309", "json_number"),
        (limit(), b"0e400", b"1e400", "json_number"),
        (limit(), b"1e-400", b"1e+400", "json_number"),
        (limit(), b"1e0000300", b"1e0000400", "json_number"),
        (limit(), b'{"a":1.5e+16}', b'{"a":1.5E+999}', "json_number"),
        (limit(), b'["1e400"]', b'["1e400",1e400]', "json_number"),
        (limit(), b"1.7976931348623158e308", b"1.7976931348623159e308", "json_number"),
        (limit(digits=4300), b"1" * 400, b"1" * 400 + b".0", "json_number"),
        (limit(digits=4300), b"1" * 250 + b"e50", b"1" * 250 + b"e60", "json_number"),
        (limit(), b'{"a":1,"b":{"a":2}}', b'{"a":1,"b":{"a":2},"a":3}', "json_duplicate_key"),
        (limit(), b'{"a":1,"A":2}', b'{"a":1,"\\u0061":2}', "json_duplicate_key"),
        (limit(), b'{"":1}', b'{"":1,"":1}', "json_duplicate_key"),
        (limit(), b'[{"a":1},{"a":1}]', b'[{"a":1,"a":1},"a:"]', "json_duplicate_key"),
        (limit(items=1), b'[{"a":1}]', b'[{"a":1,"a":1}]', "json_duplicate_key"),
        (limit(items=2), b'[{"a":1},{}]', b'[{"a":1,"a":1},"x"]', "json_duplicate_key"),
        (limit(), b'"Infinity"', b"Infinity", "json_invalid"),
        (limit(), b'"NaN"', b"[NaN]", "json_invalid"),
        (limit(), b"-1", b"-Infinity", "json_invalid"),
        (limit(), rb'"\ud83d\ude00"', rb'"\ud83d"', "json_surrogate"),
        (limit(), rb'"\ud83d\ude00 "', rb'"\ude00"', "json_surrogate"),
        (limit(), rb'"\\ud83d"', rb'"\ud83d\ud83d"', "json_surrogate"),
        (limit(), rb'{"\ud83d\ude00":1}', rb'{"\ud83dx":1}', "json_surrogate"),
        (limit(), b"{}", b"\xef\xbb\xbf{}", "json_encoding"),
        (limit(), b"{}", "{}".encode("utf-16-le"), "json_encoding"),
        (limit(), b"{}", "{}".encode("utf-16-be"), "json_encoding"),
        (limit(), b"{}", "{}".encode("utf-16"), "json_encoding"),
        (limit(), b"{}", "{}".encode("utf-32"), "json_encoding"),
        (limit(), b"{}", "{}".encode("utf-32-be"), "json_encoding"),
        (limit(), b'"\xc3\xa9"', b'"\xe9"', "json_encoding"),
        (limit(), '"\ud7ff"'.encode(), b'"\xed\xa0\x80"', "json_encoding"),
        (limit(), '"\U0010ffff"'.encode(), b'"\xf4\x90\x80\x80"', "json_encoding"),
        (limit(), b'"/"', b'"\xc0\xaf"', "json_encoding"),
        (limit(), b" {} \r\n", b"{} {}", "json_trailing"),
        (limit(), b"1\t", b"1\0", "json_encoding"),
        (limit(), b" 1", b"1\x0b", "json_trailing"),
        (limit(), b"0", b"", "json_empty"),
        (limit(), b"0", b" \t\r\n", "json_empty"),
        (limit(), b'"\x7f"', b'"\x1f"', "json_invalid"),
        (limit(), b"[]", b"[1,]", "json_invalid"),
        (limit(), b"{}", b"{'a':1}", "json_invalid"),
        (limit(), b"{}", b'{"a":1}/**/', "json_trailing"),
    ],
)  # fmt: skip
def test_a_text_that_breaks_one_bound_is_refused_for_it(
    limits: BodyLimits, allowed: bytes, refused: bytes, code: str
) -> None:
    """Its neighbour that just keeps it is read as `json.loads()` reads it."""
    assert repr(outcome(allowed, limits)) == repr([json.loads(allowed)])
    assert outcome(refused, limits) == code


@pytest.mark.parametrize(
    "text",
    [
        b'{"seeded":1,"seeded":2}',
        b'{"a": seeded}',
        b'"seeded\\x"',
        b'"' + b"seeded" * 200 + b'"',
        b"[1] seeded",
        b'"seeded\xff"',
    ],
)
def test_a_fault_says_where_and_never_what(text: bytes) -> None:
    """Names of objects too are the client's, and jiter's messages have them in."""
    with pytest.raises(ValidationFailed) as caught:
        StrictJson(BodyLimits(string=1000)).parse(text, "query")
    assert caught.value.__context__ is None
    assert caught.value.errors[0].place == "query"
    assert "seeded" not in str(caught.value)
    assert "seeded" not in caught.value.errors[0].detail


def test_a_fault_has_the_place_of_the_parser() -> None:
    """Line and column, in words."""
    with pytest.raises(ValidationFailed) as caught:
        StrictJson(BodyLimits()).parse(b'{"a":\n 1, x}')
    (fault,) = caught.value.errors
    assert fault == ErrorItem("body", "", "json_invalid", "Invalid JSON at line 2, column 5")


def test_a_message_of_the_parser_that_is_not_known_is_told_as_no_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A later version's words must not get out."""

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("seeded words")

    monkeypatch.setattr(jiter, "from_json", refuse)
    with pytest.raises(ValidationFailed) as caught:
        StrictJson(BodyLimits()).parse(b"{}")
    assert caught.value.errors == (ErrorItem("body", "", "json_invalid", "Invalid JSON"),)


def test_keys_of_a_long_text_are_counted_after_it_was_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parser keeps the GIL, and takes half as long if it need not look for duplicates."""
    calls: list[bool] = []

    def from_json(text: bytes, *, catch_duplicate_keys: bool = False, **options: Any) -> Any:
        calls.append(catch_duplicate_keys)
        return jiter.from_json(text, catch_duplicate_keys=catch_duplicate_keys, **options)

    parser = StrictJson(BodyLimits())
    monkeypatch.setattr(parser, "_from_json", from_json)
    objects = [{"a": {"b:c": '"::"\\'}, "x": [{"d": 1}, "\\"]}] * 3_000
    long = json.dumps(objects).encode()
    assert parser.parse(long) == objects
    assert calls == [False]
    with pytest.raises(ValidationFailed):
        parser.parse(long.replace(b'"d": 1', b'"d": 1, "d": 1', 1))
    assert calls == [False, False, True]
