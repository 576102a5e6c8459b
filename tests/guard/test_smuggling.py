"""Whatever the guard reads as JSON, the app's own parser reads as the same value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import django
import flask
import pydantic_core
import pytest
import starlette.requests
from django.conf import settings as django_settings
from django.test import RequestFactory
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mantlet.guard import BodyLimits
from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.errors import ValidationFailed
from tests.guard.bodies.jsontexts import NUMBERS, TEXTS, mutated

if TYPE_CHECKING:
    from collections.abc import Callable

FLASK = flask.Flask(__name__)
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
STRUCTURES = [StrictJson(BodyLimits()), StrictJson(BodyLimits(digits=4300))]


def by_flask(text: bytes) -> Any:
    with FLASK.test_request_context("/", data=text, content_type="application/json"):
        return flask.request.get_json()


def by_starlette(text: bytes) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": text, "more_body": False}

    reading = starlette.requests.Request({"type": "http", "headers": []}, receive).json()
    try:
        reading.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")


def by_django(text: bytes) -> Any:
    if not django_settings.configured:
        django_settings.configure(SECRET_KEY="of a test", USE_TZ=True)
        django.setup()
    return json.loads(RequestFactory().generic("POST", "/", text, "application/json").body)


PARSERS: list[Callable[[bytes], Any]] = [
    json.loads,
    by_flask,
    by_starlette,
    by_django,
    pydantic_core.from_json,
    ANYTHING.validate_json,
]


def check(text: bytes) -> None:
    """See that a text that is accepted is read alike by all."""
    for structure in STRUCTURES:
        try:
            value = structure.parse(text)
        except ValidationFailed:
            continue
        for parse in PARSERS:
            assert repr(parse(text)) == repr(value), parse


@settings(max_examples=40)
@given(TEXTS | mutated())
def test_parsers_agree_on_what_is_accepted(text: bytes) -> None:
    """Type for type, and in the order of the members."""
    check(text)


DIGITS = st.text("0123456789", min_size=1, max_size=60).map(str.encode)


@settings(max_examples=60)
@given(
    st.one_of(
        NUMBERS,
        st.tuples(
            st.sampled_from([b"", b"-"]),
            st.integers(0, 10**40).map(lambda number: b"%d" % number),
            st.just(b".") | st.just(b""),
            DIGITS,
            st.sampled_from([b"", b"e-", b"E+", b"e"]),
            st.integers(0, 420).map(lambda number: b"%d" % number),
        ).map(b"".join),
    )
)
@example(b"9" * 4300)
@example(b"-" + b"9" * 4299)
@example(b"0." + b"123456789" * 470)
@example(b"1" * 308 + b"." + b"7" * 3900)
@example(b"179769313486231580793" + b"7" * 288 + b".0")
@example(b"179769313486231570814" + b"5" * 288 + b".0")
@example(b"2.2250738585072011e-308")
@example(b"2.4703282292062327e-324")
@example(b"2.4703282292062328e-324")
@example(b"9007199254740993.0")
@example(b"9007199254740992." + b"9" * 800)
@example(b"1e-99999999999999999999")
@example(b"0e99999999999999999999")
def test_parsers_agree_on_numbers(text: bytes) -> None:
    """Large ones, long ones, tiny ones, and those half way between two doubles."""
    check(text)
    check(b"[" + text + b"]")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b"-0", "0"),
        (b"-0.0", "-0.0"),
        (b"1E2", "100.0"),
        (b"1.0", "1.0"),
        (b"9223372036854775808", "9223372036854775808"),
        (b"1e-400", "0.0"),
    ],
)
def test_numbers_are_read_as_python_reads_them(text: bytes, read: str) -> None:
    """Integers of any size exactly, all others as the nearest double."""
    assert repr(STRUCTURES[0].parse(text)) == read
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"admin":false,"admin":true}',  # the first, or the last
        b'{"admin":false,"\\u0061dmin":true}',
        b'{"a\\ud800":1,"a\\ud800":2}',  # made "a?", or refused
        b"1e400",  # infinity, or refused
        b"NaN",  # accepted by json.loads()
        "{}".encode("utf-16"),  # found out by json.loads()
        b"\xef\xbb\xbf{}",
        b'"\xed\xa0\x80"',
        b"[" * 300 + b"]" * 300,
    ],
)
def test_what_parsers_read_differently_is_refused(text: bytes) -> None:
    """Each of these is taken by one parser or another, or made something else."""
    for structure in STRUCTURES:
        with pytest.raises(ValidationFailed):
            structure.parse(text)
