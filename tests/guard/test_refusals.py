"""The status and the shape of error responses, and the limits that name themselves in them."""

from __future__ import annotations

import gzip
import inspect
import json
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import Body, FastAPI
from fastapi import Query as FastAPIQuery
from fastapi.testclient import TestClient
from pydantic import BaseModel

import mantlet
from mantlet import BodyLimits, Contract, ErrorEnvelope, File, Problem, RouteOptions, SchemaGuard
from tests.drive import both_adapters
from tests.guard.asking import FORM, JSON, Guarded

if TYPE_CHECKING:
    from tests.drive import Adapter

BOUNDARY = "limitlimit"
MULTIPART = [("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")]
LINES = [("Content-Type", "application/x-ndjson")]


class Item(BaseModel):
    name: str
    tags: list[str] = []


class Other(BaseModel):
    title: str


class Page(BaseModel):
    page: int = 1


class Many(BaseModel):
    names: list[str] = []


CONTRACTS: Any = {
    "POST /items": Contract(query=Page, body=Item),
    "GET /items/{item_id}": Contract(headers=Page, query=Page),
    "POST /form": Contract(form=Many),
    "POST /upload": Contract(form=Many, files={"file": File(required=False, many=True)}),
    "POST /lines": Contract(lines=Item),
    "POST /choices": list[Item | Other],
    "GET /cookies": Contract(cookies=Page),
}
OBJECT: Any = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
NAMES: Any = {
    "type": "object",
    "properties": {"names": {"type": "array", "items": {"type": "string"}}},
}
FILES: Any = {
    "type": "object",
    "properties": {
        "names": {"type": "array", "items": {"type": "string"}},
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
    },
}
PAGE: Any = {"name": "page", "in": "query", "schema": {"type": "integer"}}


def operation(kind: str | None = None, schema: Any = None, *parameters: Any) -> Any:
    described: Any = {"responses": {"200": {"description": "Done."}}, "parameters": [*parameters]}
    if kind is not None:
        content = {kind: {"itemSchema" if "ndjson" in kind else "schema": schema}}
        described["requestBody"] = {"required": True, "content": content}
    return described


DOCUMENT: Any = {
    "openapi": "3.2.0",
    "info": {"title": "Items", "version": "1"},
    "paths": {
        "/items": {"post": operation("application/json", OBJECT, PAGE)},
        "/items/{item_id}": {
            "parameters": [
                {"name": "item_id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": operation(None, None, PAGE),
        },
        "/form": {"post": operation("application/x-www-form-urlencoded", NAMES)},
        "/upload": {"post": operation("multipart/form-data", FILES)},
        "/lines": {"post": operation("application/x-ndjson", OBJECT)},
        "/cookies": {"get": operation(None, None, {**PAGE, "in": "cookie"})},
    },
}
SOURCES: Any = [{"contracts": CONTRACTS}, {"openapi": DOCUMENT}]
both_sources = pytest.mark.parametrize("source", SOURCES, ids=["contracts", "document"])

#: Requests of each kind of error: the status of each.
KINDS: list[tuple[int, Any]] = [
    (400, {"method": "POST", "target": "/items", "body": "{", "headers": JSON}),
    (400, {"method": "GET", "target": "/items/7?page=1&page=2"}),
    (404, {"method": "GET", "target": "/none"}),
    (405, {"method": "DELETE", "target": "/items"}),
    (413, {"method": "POST", "target": "/items", "body": "[" * 2000, "headers": JSON}),
    (414, {"method": "GET", "target": f"/items/7?page={'1' * 9000}"}),
    (415, {"method": "POST", "target": "/items", "body": "a", "headers": FORM}),
    (422, {"method": "POST", "target": "/items", "body": '{"tags": [1]}', "headers": JSON}),
    (422, {"method": "GET", "target": "/items/7?page=x&more=1"}),
]
kinds = pytest.mark.parametrize(("status", "asked"), KINDS, ids=range(len(KINDS)))
enveloped = pytest.mark.parametrize("policies", [(), (ErrorEnvelope(),)], ids=["alone", "envelope"])


# -- status ---------------------------------------------------------------------------------------


@both_adapters
@both_sources
@kinds
def test_only_422_becomes_another_status(
    adapter: Adapter, source: Any, status: int, asked: Any
) -> None:
    """In the document of the problem too."""
    app = Guarded(adapter, **source, status=400, limits=BodyLimits(body=1000))
    answer = app.ask(**asked)
    assert answer.status == answer.json()["status"] == (400 if status == 422 else status)
    assert answer.json()["title"] == ("Bad Request" if status == 422 else answer.json()["title"])
    (finding, *_) = app.guard.findings()
    assert finding.status == answer.status


@pytest.mark.parametrize("status", [200, 404, 500, "400", True, None])
def test_other_statuses_are_errors_at_construction(status: Any) -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match=r"status must be 400 or 422, not"):
        SchemaGuard(CONTRACTS, status=status)


# -- shape ----------------------------------------------------------------------------------------


@both_adapters
@both_sources
@enveloped
@kinds
def test_errors_have_the_shape_of_fastapis(
    adapter: Adapter, source: Any, policies: Any, status: int, asked: Any
) -> None:
    """In every form that a client may accept; headers stay."""
    app = Guarded(
        adapter, **source, shape="fastapi", limits=BodyLimits(body=1000), policies=policies
    )
    accept = [("Accept", "text/html")]
    answer = app.ask(**{**asked, "headers": [*asked.get("headers", ()), *accept]})
    assert answer.status == status
    assert answer.get("content-type") == "application/json"
    assert list(answer.json()) == ["detail"]
    detail = answer.json()["detail"]
    if status in (400, 422):
        assert all(one.keys() == {"type", "loc", "msg"} for one in detail)
        assert {one["loc"][0] for one in detail} <= {"body", "query"}
    else:
        expected = {404: "Not Found", 405: "Method Not Allowed"}
        assert detail == expected.get(status, detail)
        assert isinstance(detail, str)
    if status == 405:
        assert answer.get("allow") == "POST"
    if status == 415:
        assert answer.get("accept") == "application/json"


@both_adapters
@both_sources
def test_places_are_fastapis(adapter: Adapter, source: Any) -> None:
    """Indexes are numbers, and names are text; what is missing has FastAPI's type."""
    app = Guarded(adapter, **source, shape="fastapi", status=400)
    answer = app.ask("POST", "/items?page=x", body='{"tags": ["a", 1], "0": 1}', headers=JSON)
    assert answer.status == 400
    found = {tuple(one["loc"]): one["type"] for one in answer.json()["detail"]}
    assert found.keys() == {
        ("query", "page"),
        ("body", "name"),
        ("body", "tags", 1),
        ("body", 0),
    }
    assert found["body", "name"] == "missing"


@both_adapters
def test_a_credential_checks_own_problem_has_the_shape_too(adapter: Adapter) -> None:
    """With its own status, detail and headers."""
    document = {**DOCUMENT, "security": [{"token": []}]}
    scheme = {"type": "http", "scheme": "bearer"}
    document["components"] = {"securitySchemes": {"token": scheme}}

    def check(request: Any, credential: Any) -> bool:
        raise Problem(403, detail="Not on Sundays.", headers={"X-Day": "Monday"})

    options: Any = {"openapi": document, "security": {"token": check}, "shape": "fastapi"}
    app = Guarded(adapter, **options)
    answer = app.ask("GET", "/items/7")
    assert (answer.status, answer.get("www-authenticate")) == (401, "Bearer")
    assert isinstance(answer.json()["detail"], str)
    answer = app.ask("GET", "/items/7", headers=[("Authorization", "Bearer abc")])
    assert (answer.status, answer.get("x-day")) == (403, "Monday")
    assert answer.json() == {"detail": "Not on Sundays."}


@both_adapters
def test_an_invalid_response_has_the_shape_too(adapter: Adapter) -> None:
    """Without details."""
    contracts = {"GET /": Contract(response=Item)}
    app = Guarded(adapter, contracts, responses="enforce", shape="fastapi")
    answer = app.ask("GET", "/")
    assert (answer.status, answer.json()) == (500, {"detail": "Internal Server Error"})


@both_adapters
def test_report_mode_has_no_shape(adapter: Adapter) -> None:
    """The app answers."""
    app = Guarded(adapter, CONTRACTS, shape="fastapi", status=400, mode="report")
    assert app.post("/items", {}).status == 200
    assert app.guard.findings()[0].status == 400


def test_fastapis_clients_read_it_like_fastapis_own() -> None:
    """The same status, places and types for the same wrong request."""
    app = FastAPI()

    @app.post("/items")
    def create(item: Annotated[Item, Body()], page: Annotated[int, FastAPIQuery()]) -> None:
        pass

    own = TestClient(app)
    guarded = TestClient(mantlet.wrap(app, SchemaGuard.from_app(app, shape="fastapi")))
    for target, body in {
        "/items?page=x": {"tags": ["a"]},
        "/items": {"name": "a"},
        "/items?page=1": {"tags": "a"},
    }.items():
        answers = [client.post(target, json=body) for client in (own, guarded)]
        assert [answer.status_code for answer in answers] == [422, 422]
        places = [{tuple(one["loc"]) for one in answer.json()["detail"]} for answer in answers]
        assert places[0] == places[1]
        missing = [
            {tuple(one["loc"]) for one in answer.json()["detail"] if one["type"] == "missing"}
            for answer in answers
        ]
        assert missing[0] == missing[1]


@pytest.mark.parametrize("shape", ["rfc9457", "", None, 1])
def test_other_shapes_are_errors_at_construction(shape: Any) -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match='shape must be "problem" or "fastapi", not'):
        SchemaGuard(CONTRACTS, shape=shape)


# -- limits ---------------------------------------------------------------------------------------


def form(**more: str) -> bytes:
    """Return a multipart form of fields."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in more.items()
    ]
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode()


def files(*contents: str, filename: str = "a.bin") -> bytes:
    """Return a multipart form of files."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        f"\r\n{content}\r\n"
        for content in contents
    ]
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode()


def post(target: str, body: Any, headers: Any = JSON) -> dict[str, Any]:
    return {"method": "POST", "target": target, "body": body, "headers": headers}


GZIP = [*JSON, ("Content-Encoding", "gzip")]
#: For each limit its value, and requests to each reader that exceed it.
EXCEEDED: dict[str, tuple[int, list[dict[str, Any]]]] = {
    "body": (
        20,
        [
            post("/items", json.dumps({"name": "a" * 50})),
            post("/form", "names=" + "a" * 50, FORM),
            post("/upload", form(names="a" * 500), MULTIPART),
            post("/lines", '{"name":"a"}\n' * 9, LINES),
        ],
    ),
    "decoded": (
        300,
        [
            post("/items", gzip.compress(b'{"name":"' + b"a" * 999 + b'"}'), GZIP),
            post(
                "/form",
                gzip.compress(b"names=" + b"a" * 999),
                [*FORM, ("Content-Encoding", "gzip")],
            ),
            post(
                "/lines",
                gzip.compress(b'{"name":"a"}\n' * 99),
                [*LINES, ("Content-Encoding", "gzip")],
            ),
        ],
    ),
    "ratio": (
        2,
        [post("/items", gzip.compress(b'{"name":"' + b"a" * 99_999 + b'"}'), GZIP)],
    ),
    "memory": (100, [post("/upload", form(names="a" * 999), MULTIPART)]),
    "depth": (2, [post("/items", '{"tags":[[[]]]}'), post("/lines", '{"tags":[[[]]]}\n', LINES)]),
    "members": (
        2,
        [post("/items", '{"a":1,"b":2,"c":3}'), post("/lines", '{"a":1,"b":2,"c":3}\n', LINES)],
    ),
    "items": (2, [post("/items", '{"name":"a","tags":["a","b","c"]}')]),
    "string": (5, [post("/items", '{"name":"abcdefg"}')]),
    "digits": (5, [post("/items", '{"name":1234567}')]),
    "lines": (2, [post("/lines", '{"name":"a"}\n' * 3, LINES)]),
    "line": (20, [post("/lines", '{"name":"abcdefghijklmnop"}\n', LINES)]),
    "query": (20, [{"target": f"/items/7?page={'1' * 30}"}]),
    "parameters": (
        2,
        [
            {"target": "/items/7?page=1&page=1&page=1"},
            {"target": "/cookies", "headers": [("Cookie", "a=1; b=1; c=1")]},
        ],
    ),
    "fields": (
        2,
        [
            post("/form", "names=a&names=b&names=c", FORM),
            post("/upload", form(names="a", b="c", d="e"), MULTIPART),
        ],
    ),
    "field": (5, [post("/upload", form(names="abcdefgh"), MULTIPART)]),
    "name": (
        10,
        [
            post("/upload", form(n="a", abcdefghijklmnop="a"), MULTIPART),
            post("/upload", files("a", filename="abcdefghijklmnop.bin"), MULTIPART),
        ],
    ),
    "part_headers": (20, [post("/upload", form(names="a"), MULTIPART)]),
    "files": (1, [post("/upload", files("a", "b"), MULTIPART)]),
    "file": (5, [post("/upload", files("abcdefgh"), MULTIPART)]),
    "checks": (5, [post("/choices", json.dumps([{}] * 9))]),
    "errors": (2, [post("/items", '{"a":1,"b":2,"c":3,"d":4}')]),
}
HIT = [
    pytest.param(source, option, value, asked, id=f"{name}-{option}-{number}")
    for name, source in zip(("contracts", "document"), SOURCES, strict=True)
    for option, (value, requests) in EXCEEDED.items()
    for number, asked in enumerate(requests)
    # A document's schemas need no more checks than a budget of the search for errors allows.
    if (name, option) != ("document", "checks")
]


def test_every_limit_is_tested() -> None:
    """Of all that there are; these three are not for clients to know."""
    names = inspect.signature(BodyLimits.__init__).parameters.keys()
    limits = names - {"self", "in_loop", "directory", "disk"}
    assert limits == EXCEEDED.keys()


@pytest.mark.unmeasured
@both_adapters
@pytest.mark.parametrize(("source", "option", "value", "asked"), HIT)
def test_a_limit_that_is_hit_names_itself(
    adapter: Adapter, source: Any, option: str, value: int, asked: Any
) -> None:
    """Its option and its value, also if it is that of a route, and in every shape."""
    named = f"the limit is BodyLimits({option}={value})"
    chosen: dict[str, Any] = {option: value}
    limits = BodyLimits(**chosen)
    for options in (
        {"limits": limits},
        {"routes": {"* /*": RouteOptions(limits=limits)}},
        {"limits": limits, "policies": [ErrorEnvelope()]},
        {"limits": limits, "shape": "fastapi"},
    ):
        answer = Guarded(adapter, **source, **options).ask(**asked)
        assert answer.status in (400, 413, 414, 422)
        if "shape" not in options:
            told = [answer.json()["detail"], *(one["detail"] for one in answer.json()["errors"])]
            assert any(named in one for one in told), told
        elif option != "errors":
            assert named in json.dumps(answer.json()["detail"])


@both_adapters
def test_a_limit_of_a_file_is_not_the_guards(adapter: Adapter) -> None:
    """It is the File's own."""
    contracts = {"POST /": Contract(files={"file": File(max_size=5, many=True, max_count=1)})}
    app = Guarded(adapter, contracts)
    answer = app.ask("POST", "/", body=files("abcdefgh"), headers=MULTIPART)
    assert [one["detail"] for one in answer.json()["errors"]] == [
        "The file is larger than 5 bytes; the limit is File(max_size=)"
    ]
    answer = app.ask("POST", "/", body=files("a", "b"), headers=MULTIPART)
    assert [one["detail"] for one in answer.json()["errors"]] == ["More than 1 files"]
