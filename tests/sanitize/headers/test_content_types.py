"""Content types: none is changed or made up, and several of them are one decision."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, Response

import mantlet
from mantlet import OutputSanitizer
from mantlet.sanitize import Leaks
from tests.drive import Adapter, Answer, both_adapters, drive_asgi
from tests.sanitize.headers.test_header_policy import said
from tests.sanitize.test_policy import ask

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mantlet.sanitize import Finding

pytestmark = pytest.mark.breaks_rules("apps send types that must not be")

PASSWORD = b'{"password": "hunter2", "a": "<b>"}'
MASKED = b'{"password": "***", "a": "\\u003cb\\u003e"}'


def sent(
    adapter: Adapter, types: list[str], body: bytes, status: int = 200, **options: Any
) -> tuple[Answer, list[str]]:
    """Return the answer of an app with these types, and the rules that were reported."""
    rules: list[str] = []

    def hear(finding: Finding, _request: object) -> None:
        rules.append(finding.rule)

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        return status, [("content-type", value) for value in types], body

    options = {"headers": None, "leaks": None, **options}
    return ask(adapter, app, OutputSanitizer(on_finding=hear, **options)), rules


# -- charsets -------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "own",
    [
        *("text/html", "Text/Plain;", "text/css", "text/css; x=1", "text/csv", "text/javascript"),
        *("text/html; charset=latin-1", 'text/html;CHARSET="x"', "text/html; charset=", "text/xml"),
        *("text/event-stream", "application/json", "application/xhtml+xml", "image/png"),
        *("nonsense", "", "text/html; charset=utf-8; charset=latin-1"),
    ],
)
def test_no_charset_is_added(adapter: Adapter, own: str) -> None:
    """The body may say another in its `<meta charset>`, its `@charset` or its XML declaration."""
    assert said(adapter, [("content-type", own)], OutputSanitizer(headers=None)).headers == [
        ("content-type", own)
    ]


@both_adapters
@pytest.mark.parametrize(
    "body",
    [
        '<!doctype html><meta charset="iso-8859-1">é'.encode("latin-1"),
        '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1"),
        "<!doctype html>é".encode("utf-16"),
        '@charset "iso-8859-1"; a::after { content: "é" }'.encode("latin-1"),
    ],
    ids=["meta", "xml", "bom", "css"],
)
def test_a_body_says_its_charset_itself(adapter: Adapter, body: bytes) -> None:
    """It goes out as it is, in each preset."""
    for headers in ("safe", "api", "web"):
        for media in ("text/html", "text/css", "text/xml"):
            answer, _ = sent(adapter, [media], body, headers=headers)
            assert (answer.get("content-type"), answer.body) == (media, body)


# -- missing and repeated types -------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("types", "rules"),
    [
        ([], ["missing-content-type"]),
        ([""], ["malformed-content-type"]),
        (["nonsense"], ["malformed-content-type"]),
        (["text/html" + ";" * 2000], ["malformed-content-type"]),
        (["text/html", "text/html; charset=utf-8"], []),
        (["text/html", "image/png"], ["repeated-content-type"]),
        (["text/html, image/png"], ["repeated-content-type"]),
        (['text/html; x="a, image/png"'], []),
        (["text/html"], []),
    ],
    ids=range(9),
)
def test_a_type_that_says_too_little_is_reported(
    adapter: Adapter, types: list[str], rules: list[str]
) -> None:
    """And sent as it is, or not at all."""
    answer, reported = sent(adapter, types, b"hello")
    assert answer.getall("content-type") == types
    assert reported == rules


@both_adapters
@pytest.mark.parametrize("status", [204, 304])
def test_no_type_is_missed_without_a_body(adapter: Adapter, status: int) -> None:
    """There is nothing that it could describe."""
    assert sent(adapter, [], b"", status)[1] == []


@both_adapters
def test_no_type_is_missed_in_an_empty_body(adapter: Adapter) -> None:
    """As in redirects."""
    fields = [("location", "/"), ("content-length", "0")]
    rules = []

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        return 303, fields, b""

    policy = OutputSanitizer(on_finding=lambda finding, _request: rules.append(finding.rule))
    assert ask(adapter, app, policy).status == 303
    assert rules == []


@both_adapters
@pytest.mark.parametrize(
    "types",
    [
        ["application/json"],
        ["application/json", "text/html"],
        ["text/html", "application/json"],
        ["image/png", "application/vnd.api+json"],
        ["application/json, text/plain"],
        ["text/plain,APPLICATION/JSON; charset=utf-8"],
        ["application/json;charset=utf-8;", "application/octet-stream"],
        ["nonsense", "application/json"],
        ["  Application/JSON  ;q=1"],
        ["application/geo+json-seq"],
        ["text/x-json"],
        [],
        [""],
        ["nonsense"],
        ["*/*"],
        ["unknown/unknown"],
        ["application/json" + ";" * 2000],
    ],
    ids=range(17),
)
def test_json_is_masked_and_escaped_whatever_else_is_said(
    adapter: Adapter, types: list[str]
) -> None:
    """By any of the types; and by looking where there is none."""
    answer, _ = sent(adapter, types, PASSWORD, mask=["password"])
    assert answer.body == MASKED


def test_two_types_of_fastapi_are_one() -> None:
    """A header set on the injected response is added to that of the route's own class."""
    app = FastAPI()

    @app.get("/")
    def item(response: Response) -> dict[str, str]:
        response.headers["content-type"] = "application/vnd.api+json"
        return {"password": "hunter2", "a": "<b>"}

    answer = drive_asgi(mantlet.wrap(app, OutputSanitizer(mask=["password"])))
    assert len(answer.getall("content-type")) == 2
    assert answer.json() == {"password": "***", "a": "<b>"}
    assert b"<" not in answer.body


@both_adapters
@pytest.mark.parametrize("media", ["text/plain", "text/csv", "application/xml", "text/markdown"])
def test_another_type_is_believed(adapter: Adapter, media: str) -> None:
    """Text that looks like JSON is text."""
    assert sent(adapter, [media], PASSWORD, mask=["password"])[0].body == PASSWORD


@both_adapters
def test_json_as_html_is_masked(adapter: Adapter) -> None:
    """As Flask sends a `json.dumps()`; but it is sent as what it claims to be."""
    answer, rules = sent(adapter, ["text/html; charset=utf-8"], PASSWORD, mask=["password"])
    assert answer.body == b'{"password": "***", "a": "<b>"}'
    assert rules == ["json-as-html"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 1000])
@pytest.mark.parametrize("typed", [False, True])
def test_a_stream_without_a_type_is_looked_at(size: int, typed: bool) -> None:
    """However it is cut, its beginning is held until it tells."""
    body = b'\xef\xbb\xbf  {"password": "hunter2", "list": [1, 2]}'

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"*/*")] if typed else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for start in range(0, len(body), size):
            chunk = body[start : start + size]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    policy = OutputSanitizer(mask=["password"], leaks=None)
    answer = drive_asgi(mantlet.asgi.wrap(app, policy, baseline=False))
    assert answer.body == body.replace(b'"hunter2"', b'"***"')


# -- what claims to be JSON -----------------------------------------------------------------------

NOT_JSON = [
    b"<!doctype html><p>a & b</p>",
    b"<a>1 < 2</a>",
    b"{{ template }} <b>",
    b"{% block %} a && b",
    b"{a: '<b>'}",
    b"{'a': '<b>'}",
    b"[INFO] a <b>",
    b"[link](<b>)",
    b"(function () { return 1 < 2 && a })",
    b"a=1&b=2",
    b"true && false",
    b"12 < 13",
    b"2026-11-30T00:00:00 <b>",
    b"\x00\x00\x00\x05{\"a<",
    b"callback({\"a\": \"<b>\"})",
    "\u201ca\u201d \u2028".encode(),
]  # fmt: skip


@both_adapters
@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_only_claims_to_be_json_stays(adapter: Adapter, body: bytes) -> None:
    """Byte for byte, whole and in chunks of any size."""
    assert sent(adapter, ["application/json"], body)[0].body == body
    assert streamed(body, 1) == streamed(body, 5) == body


def streamed(body: bytes, size: int, media: str = "application/json") -> bytes:
    """Return the body that an app sends in chunks of a size."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", media.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for start in range(0, len(body), size):
            chunk = body[start : start + size]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    policy = OutputSanitizer(leaks=None)
    return drive_asgi(mantlet.asgi.wrap(app, policy, baseline=False)).body


JSON = [
    b'{"a": "<b>"}',
    b' \r\n\t{ \n "a": "<b>"}',
    b'\xef\xbb\xbf{"a": "<b>"}',
    b'["<b>"]',
    b'[ [ "<b>" ] ]',
    b'[true, "<b>"]',
    b'[null,"<b>"]',
    b'[-1.5e3,"<b>"]',
    b'"<b>"',
    b'[{}, "<b>"]',
    b'{"a": 1}\n{"a": "<b>"}',
    b'1\n"<b>"\n',
    b'\x1e{"a": "<b>"}',
    b")]}',\n" + b'{"a": "<b>"}',
    b'while(1);["<b>"]',
    b'for (;;);{"a": "<b>"}',
    b" " * 500 + b'{"a": "<b>"}',
    b"{" + b" " * 500 + b'"a": "<b>"}',
]


@both_adapters
@pytest.mark.parametrize("body", JSON, ids=range(len(JSON)))
@pytest.mark.parametrize("media", ["application/json", "application/x-ndjson", "a/b+json"])
def test_json_is_escaped_however_it_begins(adapter: Adapter, body: bytes, media: str) -> None:
    """Also after what keeps other sites from loading it as a script."""
    escaped = body.replace(b"<", b"\\u003c").replace(b">", b"\\u003e")
    assert sent(adapter, [media], body)[0].body == escaped
    assert streamed(body, 1, media) == streamed(body, 3, media) == escaped


@both_adapters
@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_json_stays(adapter: Adapter, charset: str) -> None:
    """What looks like one of the characters may be half of another."""
    body = json.dumps({"a": "<b>\u263c\u2028"}, ensure_ascii=False).encode(charset)
    media = f"application/json; charset={charset[:6]}"
    assert sent(adapter, [media], body)[0].body == body
    assert streamed(body, 1, media) == streamed(body, 3, media) == body


@both_adapters
@pytest.mark.parametrize("types", [[], ["text/html; charset=utf-8"], ["text/html", "a/b+json"]])
def test_json_that_leaks_stays_json(adapter: Adapter, types: list[str]) -> None:
    """What is masked ends with the string, whatever the body is sent as."""
    trace = 'Traceback (most recent call last):\n  File "/srv/a.py", line 1, in f\nValueError: x'
    body = json.dumps({"a": trace, "b": [1]}).encode()
    answer, rules = sent(adapter, types, body, leaks=Leaks(detect=["errors"]))
    document = json.loads(answer.body)
    assert document["b"] == [1]
    assert "Traceback" not in document["a"]
    assert "traceback" in " ".join(rules)
