"""Answers of the app, held against a document: statuses, header fields and bodies."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard import SchemaGuard
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded
from tests.guard.openapi.documents import api, each_version

if TYPE_CHECKING:
    from tests.drive import Said

JSON = ("Content-Type", "application/json")
INTEGER = {"type": "integer"}
POINT = {"type": "object", "properties": {"x": INTEGER}}
HEADERS: dict[str, Any] = {
    "X-Count": {"schema": {"type": "integer", "minimum": 0}, "required": True},
    "X-Tags": {"schema": {"type": "array", "items": {"type": "integer"}}},
    "X-Point": {"schema": POINT},
    "X-Exploded": {"schema": POINT, "explode": True},
    "X-Json": {"content": {"application/json": {"schema": POINT}}},
    "Content-Type": {"schema": {"type": "string", "maxLength": 1}},
}
RESPONSES: dict[str, Any] = {
    "200": {
        "description": "",
        "headers": HEADERS,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Item"}},
            "text/*": {},
        },
    },
    "4XX": {"description": "", "content": {"application/problem+json": {"schema": POINT}}},
    "204": {"description": ""},
}
ITEM = {"schemas": {"Item": {"type": "object", "required": ["name"], "properties": {
    "name": {"type": "string"}}}}}  # fmt: skip
GOOD = b'{"name": "a"}'
COUNT = ("X-Count", "5")


def told(adapter: Adapter, version: str, said: Said, caplog: pytest.LogCaptureFixture) -> str:
    """Return what the log tells of an answer, or nothing where it went out."""
    root = api(version, "GET /a", responses=RESPONSES, more={"components": ITEM})
    app = Guarded(adapter, openapi=root, responses="enforce", answer=said)
    with caplog.at_level(logging.WARNING, "mantlet.guard"):
        answer = app.ask("GET", "/a")
    assert answer.status == (500 if caplog.text else said[0])
    assert "seeded" not in caplog.text + (answer.text() if caplog.text else "")
    return caplog.text


RIGHT: list[Said] = [
    (200, [JSON, COUNT], GOOD),
    (200, [JSON, ("X-COUNT", "0"), ("X-Tags", "1, 2"), ("X-Point", "x,5")], GOOD),
    (200, [JSON, COUNT, ("X-Tags", "1"), ("X-Tags", "2")], GOOD),
    (200, [JSON, COUNT, ("X-Exploded", "x=5"), ("X-Json", '{"x": 5}')], GOOD),
    (200, [("Content-Type", "text/html"), COUNT], b"<p>"),
    (404, [("Content-Type", "application/problem+json")], b'{"x": 1}'),
    (204, [], b""),
]
WRONG: list[tuple[Said, str]] = [
    ((200, [JSON], GOOD), "missing_header in header"),
    ((200, [JSON, ("X-Count", "seeded")], GOOD), "type in header"),
    ((200, [JSON, ("X-Count", "-1")], GOOD), "minimum in header"),
    ((200, [JSON, COUNT, ("X-Tags", "1,seeded")], GOOD), "type in header"),
    ((200, [JSON, COUNT, ("X-Tags", "1"), ("X-Tags", "seeded")], GOOD), "type in header"),
    ((200, [JSON, COUNT, ("X-Point", "x")], GOOD), "malformed_parameter in header"),
    ((200, [JSON, COUNT, ("X-Exploded", "x=seeded")], GOOD), "type in header"),
    ((200, [JSON, COUNT, ("X-Json", '{"x": "seeded"}')], GOOD), "type in header"),
    ((200, [JSON, COUNT, ("X-Json", "{")], GOOD), "json_"),
    ((200, [JSON, ("X-Other", "seeded")], GOOD),
     "undeclared_header in header, missing_header in header"),
    ((200, [JSON, COUNT], b'{"name": 5}'), "type in body"),
    ((200, [JSON, COUNT], b'{"name": "a", "name": "seeded"}'), "json_duplicate_key in body"),
    ((200, [("Content-Type", "image/png"), COUNT], b"seeded"), "media_type in body"),
    ((201, [JSON], GOOD), "undeclared_status in body"),
    ((404, [("Content-Type", "application/problem+json")], b'{"x": "seeded"}'), "type in body"),
]  # fmt: skip


@each_version
@both_adapters
@pytest.mark.parametrize("said", RIGHT, ids=str)
def test_a_response_as_declared_goes_out(
    adapter: Adapter, version: str, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    """Header fields in the style ``simple``, or of a media type."""
    assert told(adapter, version, said, caplog) == ""


@both_adapters
@pytest.mark.parametrize(("said", "words"), WRONG, ids=str)
def test_a_response_that_is_not_as_declared_becomes_a_500(
    adapter: Adapter, said: Said, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With what is wrong in the log alone, without a value."""
    assert words in told(adapter, "3.1.1", said, caplog)


@both_adapters
def test_a_response_that_is_replaced_keeps_its_cors_headers_and_cookies(adapter: Adapter) -> None:
    """But not a declared header, which may be the one that is wrong."""
    headers = [
        JSON,
        ("X-Count", "seeded"),
        ("Access-Control-Allow-Origin", "https://web.example"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Vary", "Origin"),
    ]
    root = api("3.1.1", "GET /a", responses=RESPONSES, more={"components": ITEM})
    answer = Guarded(adapter, openapi=root, responses="enforce", answer=(200, headers, GOOD)).ask(
        "GET", "/a"
    )
    assert answer.status == 500
    assert answer.get("access-control-allow-origin") == "https://web.example"
    assert answer.getall("set-cookie") == ["a=1", "b=2"]
    assert answer.get("vary") == "Origin"
    assert answer.get("x-count") is None


@both_adapters
def test_the_most_precise_status_counts(adapter: Adapter) -> None:
    """A status of its own goes before its class, that before the default."""

    def answer(value: int) -> dict[str, Any]:
        return {"description": "", "content": {"application/json": {"schema": {"enum": [value]}}}}

    responses = {"default": answer(1), "4XX": answer(2), "404": answer(3)}
    root = api("3.1.1", "GET /a", responses=responses)
    for status, value in ((200, 1), (403, 2), (404, 3)):
        for sent in (1, 2, 3):
            said: Any = (status, [JSON], str(sent).encode())
            app = Guarded(adapter, openapi=root, responses="enforce", answer=said)
            assert app.ask("GET", "/a").status == (status if sent == value else 500)


@both_adapters
def test_an_operation_without_responses_declares_none(adapter: Adapter) -> None:
    """From 3.1 on it may have none; then nothing is held against anything."""
    root = api("3.1.1", "GET /a")
    del root["paths"]["/a"]["get"]["responses"]
    said: Any = (200, [JSON], b"1")
    app = Guarded(adapter, openapi=root, responses="enforce", answer=said)
    assert app.ask("GET", "/a").status == 200


def test_what_of_responses_is_not_checked_is_a_warning() -> None:
    """Types that differ in parameters, items of sequences, header fields that nest too deep."""
    nested = {"type": "array", "items": {"type": ["array", "object"]}}
    responses = {
        "200": {
            "description": "",
            "headers": {
                "X-A": {"schema": {"type": ["array", "object"]}}, "X-B": {"schema": nested},
            },
            "content": {
                "application/json": {"schema": INTEGER},
                "application/json; v=2": {"schema": {"type": "string"}},
                "application/jsonl": {"itemSchema": INTEGER},
            },
        }
    }  # fmt: skip
    root = api("3.2.0", "GET /a", responses=responses)
    notes = SchemaGuard(openapi=root, responses="report").coverage.notes
    told = " ".join(words for _, words in notes)
    assert "declared twice with different content are not checked" in told
    assert "the items of a response are not checked" in told
    assert "the response header is not checked" in told
    assert not SchemaGuard(openapi=root).coverage.notes


@both_adapters
def test_the_same_responses_may_be_declared_twice(adapter: Adapter) -> None:
    """With and without a charset, they are checked like any other."""
    content = {
        media: {"schema": POINT}
        for media in ("application/json", "application/json; charset=utf-8")
    }
    root = api("3.0.4", "GET /a", responses={"200": {"description": "", "content": content}})
    statuses = [
        Guarded(adapter, openapi=root, responses="enforce", answer=(200, [JSON], body))
        .ask("GET", "/a")
        .status
        for body in (b'{"x": 1}', b'{"x": "1"}')
    ]
    assert statuses == [200, 500]
