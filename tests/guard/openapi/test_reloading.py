"""Reloading another document: breaking changes are reported, and all operations are swapped."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard import RouteOptions, SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, api, json_body, parameter

if TYPE_CHECKING:
    from pathlib import Path

INTEGER = {"type": "integer"}
TEXT = {"type": "string"}
POINT = {"type": "object", "properties": {"x": INTEGER}}
WORDS = {"type": "object", "properties": {"w": {"type": "array", "items": TEXT}}}
FORM = "application/x-www-form-urlencoded"


def get(*parameters: Any, path: str = "/a", **operation: Any) -> dict[str, Any]:
    return {path: {"get": {"parameters": list(parameters), "responses": OK, **operation}}}


def post(body: Any) -> dict[str, Any]:
    return {"/a": {"post": {"requestBody": body, "responses": OK}}}


def content(**kinds: Any) -> dict[str, Any]:
    named = {"json": "application/json", "form": FORM, "csv": "text/csv", "all": "*/*",
             "texts": "text/*", "lines": "application/x-ndjson"}  # fmt: skip
    return {"content": {named[kind]: value for kind, value in kinds.items()}}


def query(schema: Any = None, **more: Any) -> dict[str, Any]:
    return parameter("query", "x", schema, **more)


#: The old paths, the new ones, and what the new ones accept less.
CHANGES: list[tuple[str, Any, Any, list[str]]] = [
    ("nothing", get(query()), get(query()), []),
    ("an operation", {**get(), **get(path="/b")}, get(), ["GET /b was removed"]),
    ("another one", get(), {**get(), **get(path="/b")}, []),
    ("a name in the path", get(parameter("path", "x", INTEGER), path="/a/{x}"),
     get(parameter("path", "y", INTEGER), path="/a/{y}"), []),
    ("a schema in the path", get(parameter("path", "x"), path="/a/{x}"),
     get(parameter("path", "y", INTEGER), path="/a/{y}"),
     ["GET /a/{x}: the path parameter 'x' allows fewer values"]),
    ("a path within", get(parameter("path", "x"), path="/a/{x}"),
     {**get(parameter("path", "x"), path="/a/{x}"), **get(path="/a/mine")},
     ["GET /a/{x}: '/a/mine' takes precedence for some of its paths"]),
    ("a path beside", get(parameter("path", "x"), path="/a/{x}"),
     {**get(parameter("path", "x"), path="/a/{x}"), **get(path="/b/mine")}, []),
    # parameters
    ("wider", get(query(INTEGER)), get(query({"type": "number"})), []),
    ("narrower", get(query({"maxLength": 5})), get(query({"maxLength": 4})),
     ["GET /a: the query parameter 'x' allows fewer values"]),
    ("not to be compared", get(query({"pattern": "^a*$"})), get(query({"pattern": "^a+b*$"})),
     ["GET /a: the query parameter 'x' "]),
    ("gone", get(query()), get(), ["GET /a: the query parameter 'x' was removed"]),
    ("no header", get(parameter("header", "X-A", INTEGER)), get(), []),
    ("no cookie", get(parameter("cookie", "c", INTEGER)), get(), []),
    ("required", get(query()), get(query(required=True)),
     ["GET /a: the query parameter 'x' became required"]),
    ("not required", get(query(required=True)), get(query()), []),
    ("one more", get(), get(query()), []),
    ("one more that must be", get(), get(query(required=True)),
     ["GET /a: the query parameter 'x' was added and is required"]),
    ("a header more", get(), get(parameter("header", "X-A", INTEGER)),
     ["GET /a: the header parameter 'X-A' was added and is now checked"]),
    ("a style", get(query({"type": "array", "items": TEXT})),
     get(query({"type": "array", "items": TEXT}, explode=False)),
     ["GET /a: the query parameter 'x' is serialized differently"]),
    ("no empty one", get(query(allowEmptyValue=True)), get(query()),
     ["GET /a: the query parameter 'x' no longer allows empty values or reserved characters"]),
    ("a media type", get(query(content={"application/json": {"schema": {}}})), get(query({})),
     ["GET /a: the query parameter 'x' is serialized differently"]),
    # bodies
    ("a body", get(), get(requestBody=content(json={})), []),
    ("a body that must be", get(), get(requestBody=json_body({})),
     ["GET /a: a required body was added"]),
    ("no body", get(requestBody=content(json={})), get(), ["GET /a: the body was removed"]),
    ("a body required", post(content(json={})), post(json_body({})),
     ["POST /a: the body became required"]),
    ("a body narrower", post(content(json={"schema": POINT})),
     post(content(json={"schema": {**POINT, "required": ["x"]}})),
     ["POST /a: the application/json body allows fewer values"]),
    ("a body wider", post(content(json={"schema": {**POINT, "required": ["x"]}})),
     post(content(json={"schema": POINT})), []),
    ("a schema at all", post(content(json={})), post(content(json={"schema": POINT})),
     ["POST /a: the application/json body allows fewer values"]),
    ("a type", post(content(json={}, csv={})), post(content(json={})),
     ["POST /a: the body can no longer be text/csv"]),
    ("a range", post(content(csv={})), post(content(texts={})), []),
    ("a range of ranges", post(content(texts={})), post(content(all={})), []),
    ("no range", post(content(texts={})), post(content(csv={})),
     ["POST /a: the body can no longer be text/*"]),
    ("a type of a range", post(content(all={})), post(content(all={}, json={"schema": POINT})),
     ["POST /a: the application/json body allows fewer values"]),
    ("what is not looked at", post(content(csv={"schema": TEXT})),
     post(content(csv={"schema": INTEGER})), []),
    ("an encoding", post(content(form={"schema": WORDS})),
     post(content(form={"schema": WORDS, "encoding": {"w": {"style": "pipeDelimited"}}})),
     [f"POST /a: the {FORM} body is serialized differently"]),
    ("an item", post(content(lines={"itemSchema": POINT})),
     post(content(lines={"itemSchema": {**POINT, "required": ["x"]}})),
     ["POST /a: an item of the application/x-ndjson body allows fewer values"]),
    ("an item wider", post(content(lines={"itemSchema": INTEGER})),
     post(content(lines={"itemSchema": {"type": "number"}})), []),
    # security
    ("a credential", get(), get(security=[{"a": []}]),
     ["GET /a: different credentials are required"]),
    ("no credential", get(security=[{"a": []}]), get(), []),
    ("one at will", get(security=[{"a": []}]), get(security=[{"a": []}, {}]), []),
    ("one must be", get(security=[{"a": []}, {}]), get(security=[{"a": []}]),
     ["GET /a: different credentials are required"]),
    ("another way", get(security=[{"a": []}]), get(security=[{"b": []}, {"a": []}]), []),
    ("fewer ways", get(security=[{"a": []}, {"b": []}]), get(security=[{"a": []}]),
     ["GET /a: different credentials are required"]),
    ("one besides", get(security=[{"a": []}]), get(security=[{"a": [], "b": []}]),
     ["GET /a: different credentials are required"]),
    ("not that one", get(security=[{"a": [], "b": []}]), get(security=[{"b": []}]), []),
    ("a scope", get(security=[{"a": ["r"]}]), get(security=[{"a": ["r", "w"]}]),
     ["GET /a: different credentials are required"]),
]  # fmt: skip
SCHEMES = {"a": {"type": "http", "scheme": "bearer"},
           "b": {"type": "apiKey", "in": "header", "name": "X-Key"}}  # fmt: skip


def good(*_: Any) -> bool:
    return True


CHECKERS = dict.fromkeys(SCHEMES, good)


def guarding(root: Any, **options: Any) -> SchemaGuard:
    """Return a guard with callables for the schemes that a document requires."""
    required = [
        name
        for item in root["paths"].values()
        for operation in item.values()
        for requirement in operation.get("security", ())
        for name in requirement
    ]
    return SchemaGuard(openapi=root, security=dict.fromkeys(required, good), **options)


@pytest.mark.parametrize(
    ("old", "new", "words"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_what_is_accepted_less_is_said(old: Any, new: Any, words: list[str]) -> None:
    """Each with the name of the operation; nothing where all that was accepted is."""
    roots = [
        document(paths, "3.2.0", components={"securitySchemes": SCHEMES}) for paths in (old, new)
    ]
    told = guarding(roots[0]).reload(roots[1], security=CHECKERS)
    assert len(told) == len(words)
    assert all(said.startswith(wanted) for said, wanted in zip(told, words, strict=True)), told


def test_a_scheme_of_another_form_is_another_credential() -> None:
    """Its name alone says nothing."""
    old = api(target="GET /a", security=[{"b": []}], more={
        "components": {"securitySchemes": SCHEMES}})  # fmt: skip
    new = deepcopy(old)
    new["components"]["securitySchemes"]["b"]["in"] = "query"
    assert guarding(old).reload(new) == ("GET /a: different credentials are required",)


def test_servers_count_where_paths_begin_with_theirs() -> None:
    """And do not where they don't."""
    old = api(more={"servers": [{"url": "/v1"}, {"url": "/v2"}]})
    new = api(more={"servers": [{"url": "/v2"}, {"url": "/v3"}]})
    assert SchemaGuard(openapi=old).reload(new) == (
        "POST /a: some paths of the servers were removed",
    )
    assert SchemaGuard(openapi=old, servers="ignore").reload(new) == ()


@both_adapters
def test_a_reload_swaps_all_at_once(adapter: Adapter, tmp_path: Path) -> None:
    """Of a path as well as of a dict; an exchange that has begun keeps what it began with."""
    path = tmp_path / "a.yaml"
    path.write_text("""\
openapi: 3.1.1
info: {title: a, version: 1.0.0}
paths:
  /b: {get: {responses: {200: {description: fine}}}}
""")
    app = Guarded(adapter, openapi=api(target="GET /a"))
    assert [app.ask("GET", target).status for target in ("/a", "/b")] == [200, 404]
    assert app.guard.reload(path) == ("GET /a was removed",)
    assert [app.ask("GET", target).status for target in ("/a", "/b")] == [404, 200]
    assert app.guard.coverage.operations[0][0] == "GET /b"
    assert app.guard.reload(str(path)) == ()


@both_adapters
@pytest.mark.parametrize(
    "new",
    [
        {},
        "none.yaml",
        document({"https://a.test/": {}}),
        document(get(query({"type": "wrong"}))),
        document(get(security=[{"x": []}]), components={"securitySchemes": SCHEMES}),
        document({"/b": {"get": {"responses": OK}}}),
    ],
    ids=["nothing", "no file", "wrong", "not compiled", "no scheme", "a route of none"],
)
def test_a_document_that_is_wrong_leaves_the_old_one(adapter: Adapter, new: Any) -> None:
    """Whatever is wrong with it, also together with the guard's options."""
    app = Guarded(
        adapter, openapi=api(target="GET /a"), routes={"GET /a": RouteOptions(allow=["query"])}
    )  # fmt: skip
    coverage = app.guard.coverage
    with pytest.raises(ValueError, match=r"openapi|OpenAPI|security|routes"):
        app.guard.reload(new)
    assert app.guard.coverage == coverage
    assert app.ask("GET", "/a?any=1").status == 200
    assert app.ask("GET", "/b").status == 404


def test_a_reload_says_all_that_is_wrong() -> None:
    """As construction does."""
    guard = SchemaGuard(openapi=api())
    with pytest.raises(DocumentError) as caught:
        guard.reload(document({"http://a": {}, "http://b": {}}))
    assert len(caught.value.problems) == 2


@both_adapters
def test_callables_come_with_a_document_and_stay(adapter: Adapter) -> None:
    """A new scheme has its own; those that are not required any more wait for a document again."""
    open_ = api(target="GET /a")
    closed = api(target="GET /a", security=[{"b": []}], more={
        "components": {"securitySchemes": SCHEMES}})  # fmt: skip
    app = Guarded(adapter, openapi=open_)
    with pytest.raises(TypeError, match="must hold a callable for 'b'"):
        app.guard.reload(closed, security={"b": 5})  # type: ignore[dict-item]  # it is refused
    assert app.guard.reload(closed, security={"b": good}) == (
        "GET /a: different credentials are required",
    )
    assert app.ask("GET", "/a").status == 401
    assert app.ask("GET", "/a", headers=[("X-Key", "x")]).status == 200
    assert app.guard.reload(open_) == ()
    assert app.ask("GET", "/a").status == 200
    assert app.guard.reload(closed) == ("GET /a: different credentials are required",)


@both_adapters
def test_an_operation_that_becomes_faulty_is_told_of(adapter: Adapter) -> None:
    """It is closed with the new document, and open again with the old one."""
    good = api(requestBody=json_body({"type": "string"}))
    for schema in ({"type": "strin"}, {"$ref": "#/none"}):
        app = Guarded(adapter, openapi=good, on_invalid="close")
        faulty = api(requestBody=json_body(schema))
        assert app.guard.reload(faulty) == (
            "POST /a: its declaration is invalid, so it is closed",
        )  # fmt: skip
        assert app.post("/a", "x").status == 501
        assert app.guard.reload(faulty) == ()
        assert app.guard.reload(good) == ()
        assert app.post("/a", "x").status == 200
        opened = Guarded(adapter, openapi=good, on_invalid="open")
        assert opened.guard.reload(faulty) == ()
        assert opened.guard.reload(good) == ("POST /a: it was open without validation",)


def test_an_app_that_authenticates_needs_no_callables_for_another_document() -> None:
    """They would never be called."""
    guard = SchemaGuard(openapi=api(), security="app")
    with pytest.raises(ValueError, match='security="app"'):
        guard.reload(api(), security={"b": good})
