"""What the apps read by themselves, and what they read of what the guard has let through."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from mantlet.guard import Contract, SchemaGuard
from tests.guard.smuggling.readers import READERS, Reader, Reading

pytestmark = pytest.mark.breaks_rules("Django writes header fields in both cases under ASGI")

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
PARTS = ("Content-Type", "multipart/form-data; boundary=b")


class Named(BaseModel):
    """The declared parameters of a query."""

    a: str


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Any:
    """Each app, with one path."""
    with READERS[request.param](["/", "/items/{id}"]) as made:
        yield made


def read(reader: Reader, target: bytes = b"/", *policies: Any, **options: Any) -> Reading:
    """Return what an app reads of a POST request that it must be reached by."""
    answer, reading = reader.ask("POST", target, *policies, **options)
    assert answer.status == 200
    assert reading is not None
    return reading


def test_an_app_reads_its_path_and_query(reader: Reader) -> None:
    """Decoded, and in their order."""
    reading = read(reader, b"/items/a%20b?x=1&y=%C3%A9&x=+2&z=")
    assert (reading.route, reading.parameters) == ("/items/{id}", {"id": "a b"})
    assert reading.path == "/items/a b"
    assert sorted(reading.query) == [("x", " 2"), ("x", "1"), ("y", "\u00e9"), ("z", "")]


def test_an_app_reads_its_json(reader: Reader) -> None:
    """Where the type says that it is some."""
    assert read(reader, headers=[JSON], body=b'{"a": [1, null]}').json == {"a": [1, None]}


def test_an_app_reads_its_form(reader: Reader) -> None:
    """Urlencoded."""
    assert read(reader, headers=[FORM], body=b"a=1&b=%C3%A9").form == [("a", "1"), ("b", "\u00e9")]


def test_an_app_reads_its_files(reader: Reader) -> None:
    """Multipart, with a field beside them."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
    )
    reading = read(reader, headers=[PARTS], body=body)
    assert (reading.form, reading.files) == ([("a", "1")], [("f", "x.txt", b"hello")])


def test_without_a_handler_nothing_is_read(reader: Reader) -> None:
    """And nothing is validated without a guard."""
    answer, reading = reader.ask("POST", b"/other")
    assert (answer.status, reading) == (404, None)
    assert read(reader).validated is None


# -- behind a guard -------------------------------------------------------------------------------

ANYTHING: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Anything", "version": "1"},
    "paths": {
        "/": {
            "post": {
                "parameters": [
                    {"name": name, "in": "query", "schema": {"type": "string"}}
                    for name in ("a", "b", "\u00e9")
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": True},
                        "application/x-www-form-urlencoded": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    name: {"type": "string"} for name in ("a", "b", "\u00e9")
                                },
                                "additionalProperties": False,
                            }
                        },
                    },
                },
                "responses": {"200": {"description": "read"}},
            }
        }
    },
}
GUARD = SchemaGuard(openapi=ANYTHING)
#: What fields are made of: some of it is read differently by one parser or another.
PIECES = st.sampled_from(
    [
        *(b"a", b"b", b"a", b"=", b"=", b"&", b"&", b";", b"+", b"%20", b"%2B", b"%26", b"%3D"),
        *(b"%C3%A9", b"\xc3\xa9", b"%ff", b"\xff", b"%", b"%zz", b"%00", b"%0A", b"[]", b"[0]"),
        *(b"%5B%5D", b"1", b"x", b" ", b"%u0061", b"%61", b"#", b"?", b"&&", b"=="),
    ]
)
FIELDS = st.lists(PIECES, max_size=10).map(b"".join)


def given_fields(reading: Reading, name: str) -> dict[str, str]:
    """Return what the guard has left of a query or a form, and see that nothing was repeated."""
    return dict(getattr(reading.validated, name) or {})


@pytest.mark.unmeasured
def test_a_query_that_passes_is_read_to_the_same_fields(reader: Reader) -> None:
    """By the guard and by the framework."""
    passed = []

    @settings(max_examples=200, suppress_health_check=list(HealthCheck))
    @given(FIELDS)
    def check(query: bytes) -> None:
        target = b"/?" + query.replace(b"#", b"%23")
        _, reading = reader.ask("POST", target, GUARD, headers=[JSON], body=b"1")
        if reading is not None:
            passed.append(query)
            assert len(reading.query) == len(dict(reading.query))
            assert dict(reading.query) == given_fields(reading, "query")

    check()
    assert any(passed)


@pytest.mark.unmeasured
def test_a_form_that_passes_is_read_to_the_same_fields(reader: Reader) -> None:
    """By the guard and by the framework."""
    passed = []

    @settings(max_examples=200, suppress_health_check=list(HealthCheck))
    @given(FIELDS)
    def check(form: bytes) -> None:
        _, reading = reader.ask("POST", b"/", GUARD, headers=[FORM], body=form)
        if reading is not None:
            passed.append(form)
            assert len(reading.form) == len(dict(reading.form))
            assert dict(reading.form) == given_fields(reading, "body")

    check()
    assert any(passed)


TEXTS = [
    *(b'{"a": 1, "a": 2}', b'{"a": 1, "\\u0061": 2}', b"[NaN]", b"[Infinity]", b"[-Infinity]"),
    *(b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"), '{"a": 1}'.encode("utf-32-le"), b'"\xff"'),
    *(b'"\\ud800"', b'"\xed\xa0\x80"', b"{}{}", b"{} x", b"{}\x00", b"", b" ", b"[1,]", b"tru"),
    *(b"[01]", b"[+1]", b"[.5]", b"[5.]", b"[1e400]", b"[0x1]", b'"\t"', b'"\x00"', b"{'a': 1}"),
    *(b'{"__proto__": 1}', b"[1e5, 1E5, -0, -0.0, 1.0]", b'"\\u0000"', b"[123456789012345678901]"),
    *(b'"\\ud83d\\ude00"', b'{"": {"": []}}', b"[0.1, 5e-324, 1.7976931348623157e308]", b"null"),
    *(b" [ ] ", b"\r\n\t1\r\n", b'"\\/\\b\\f"', b"[1]\n", b"\x0c[1]", b"\xa0[1]", b"/**/1"),
    *(b"[1] // x", b"[" * 500, b"[" * 30 + b"]" * 30, b'{"a": {"a": {"a": 1}}}'),
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_json_that_passes_is_read_to_the_same_value(reader: Reader, text: bytes) -> None:
    """By the guard, the standard library and the framework; to the type of each number."""
    answer, reading = reader.ask("POST", b"/", GUARD, headers=[JSON], body=text)
    if reading is None:
        assert answer.status in (400, 422)
        return
    assert answer.status == 200
    texts = {repr(value) for value in (reading.validated.body, reading.json, json.loads(text))}
    assert len(texts) == 1


NAMED = st.sampled_from("ab\u00e9")
NAMES = st.text(max_size=3)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.unmeasured
def test_any_json_value_is_read_to_itself(reader: Reader) -> None:
    """Whether it is escaped or not."""

    @settings(max_examples=50, suppress_health_check=list(HealthCheck))
    @given(VALUES, st.booleans())
    def check(value: Any, escaped: bool) -> None:
        body = json.dumps(value, ensure_ascii=escaped).encode()
        reading = read(reader, b"/", GUARD, headers=[JSON], body=body)
        assert reading.validated.body == reading.json == value

    check()


@pytest.mark.unmeasured
def test_any_fields_are_read_to_themselves(reader: Reader) -> None:
    """Encoded as the standard library does it, in a query and in a form."""

    @settings(max_examples=50, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(NAMED, st.text("ab&=;+% \u00e9\U0001f600"), min_size=1))
    def check(fields: dict[str, str]) -> None:
        encoded = urlencode(fields).encode()
        reading = read(reader, b"/?" + encoded, GUARD, headers=[FORM], body=encoded)
        assert dict(reading.query) == given_fields(reading, "query") == fields
        assert dict(reading.form) == given_fields(reading, "body") == fields

    check()


@pytest.mark.parametrize(
    "stated",
    [
        "text/plain; charset=utf-7",
        "text/plain; CharSet=utf-16",
        "malformed; charset=utf-7",
        'text/plain; charset="utf-7"',
        "text/plain; charset*=utf-8''utf-7",
        "text/plain; charset*0=utf; charset*1=-7",
        "text/plain; charset=utf-8; charset=utf-7",
        "text/plain; charset=us-ascii",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_no_charset_changes_how_a_query_is_read(reader: Reader, method: str, stated: str) -> None:
    """Django decodes a query by the charset of the Content-Type, with a body or without one."""
    contracts = {
        "GET /": Contract(query=Named),
        "POST /": Contract(query=Named, raw=["text/plain"]),
        "PUT /": Contract(query=Named, body=dict[str, int], required=False),
    }
    guard = SchemaGuard(contracts)
    body = b"text" if method == "POST" else b""
    for target in (b"/?a=%2BADw-", b"/?a=%C3%A9"):
        headers = [("Content-Type", stated)]
        answer, reading = reader.ask(method, target, guard, headers=headers, body=body)
        assert (answer.status, reading) == (415, None)
        assert answer.json()["errors"][0]["pointer"] == "/Content-Type"
        headers = [("Content-Type", "text/plain; charset=UTF-8")] if body else []
        answer, reading = reader.ask(method, target, guard, headers=headers, body=body)
        assert reading is not None
        assert dict(reading.query) == reading.validated.query.model_dump()
