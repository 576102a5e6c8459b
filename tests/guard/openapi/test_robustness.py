"""Odd documents load, or are refused with a `DocumentError`; none raises anything else or hangs."""

from __future__ import annotations

import json
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard import SchemaGuard
from mantlet.guard.jsonschema import SchemaCompiler
from mantlet.guard.openapi.diagnostics import DocumentError
from tests.drive import Adapter, both_adapters
from tests.guard.asking import JSON, Guarded
from tests.guard.jsonschema.asking import wrong
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, json_body, parameter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def named(name: str) -> dict[str, str]:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def of_schemas(**schemas: Any) -> dict[str, Any]:
    """Return a document whose only body is the schema A."""
    paths = {"/x": {"post": {"requestBody": json_body(named("A")), "responses": OK}}}
    return document(paths, components={"schemas": schemas})


def chain(size: int, link: Callable[[dict[str, str]], Any]) -> dict[str, Any]:
    """Return a document of schemas of which each refers to the next one."""
    schemas = {f"S{index}": link(named(f"S{index + 1}")) for index in range(size)}
    return of_schemas(A=named("S0"), **schemas, **{f"S{size}": {"type": "object"}})


def nested(depth: int) -> Any:
    """Return a schema of arrays of arrays."""
    schema: Any = {"type": "string"}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


BODY = "/paths/~1x/post/requestBody/content/application~1json/schema"
ODD: dict[str, Any] = {
    "a reference to itself": of_schemas(A=named("A")),
    "references in a ring": of_schemas(A=named("B"), B=named("C"), C=named("A")),
    "allOf in a ring": of_schemas(A={"allOf": [named("B")]}, B={"allOf": [named("A")]}),
    "oneOf of itself": of_schemas(A={"oneOf": [named("A"), {"type": "string"}]}),
    "not itself": of_schemas(A={"not": named("A")}),
    "if itself": of_schemas(A={"if": named("A"), "then": named("A")}),
    "items of itself": of_schemas(A={"items": named("A")}),
    "a reference to the document": of_schemas(A={"$ref": "#"}),
    "a reference to a path": of_schemas(A={"properties": {"a": {"$ref": f"#{BODY}"}}}),
    "a reference to what holds it": of_schemas(A={"$ref": f"#{BODY}"}),
    "a reference to an operation": of_schemas(A={"$ref": "#/paths/~1x/post"}),
    "a reference to a text": of_schemas(A={"$ref": "#/info/title"}),
    "a reference with bad escapes": of_schemas(A={"$ref": "#/a~2b/%zz"}),
    "a reference to the network": of_schemas(A={"$ref": "https://example.com/a.json"}),
    "a reference to a file": of_schemas(A={"$ref": "../../secret.json#/a"}),
    "a reference that is none": of_schemas(A={"$ref": 5}),
    "a reference that is empty": of_schemas(A={"$ref": ""}),
    "an anchor": of_schemas(A={"$ref": "#here"}, B={"$anchor": "here", "type": "string"}),
    "an anchor that is missing": of_schemas(A={"$ref": "#here"}),
    "an id": of_schemas(A={"$ref": "urn:b"}, B={"$id": "urn:b", "type": "string"}),
    "an id twice": of_schemas(A={"$id": "urn:b"}, B={"$id": "urn:b", "type": "string"}),
    "an id that is no URI": of_schemas(A={"$id": "http://[", "$ref": "x"}),
    "a dynamic reference": of_schemas(A={"$dynamicRef": "#d"}, B={"$dynamicAnchor": "d"}),
    "dynamic anchors": of_schemas(A={"$dynamicRef": "#d"}, B={"items": {"$dynamicAnchor": "d"}},
                                  C={"$dynamicAnchor": "d"}),
    "a recursive reference": of_schemas(A={"$recursiveRef": "#"}),
    "a dialect that is unknown": of_schemas(A={"$schema": "https://example.com/dialect"}),
    "siblings of a reference": of_schemas(A={**named("B"), "minLength": 3}, B={"type": "string"}),
    "properties named as keywords": of_schemas(
        A={"properties": {"$ref": {"type": "string"}, "properties": {"$ref": "#/none"}}}),
    "a mapping that dangles": of_schemas(
        A={"oneOf": [named("B")], "discriminator": {"propertyName": "t", "mapping": {"x": "Z"}}},
        B={"properties": {"t": {"type": "string"}}}),
    "a mapping to itself": of_schemas(
        A={"oneOf": [named("A")], "discriminator": {
            "propertyName": "t", "mapping": {"x": "A"}}}),
    "a mapping of numbers": of_schemas(
        A={"oneOf": [named("B")], "discriminator": {
            "propertyName": "t", "mapping": {"x": 5}}}, B={}),
    "a discriminator that is none": of_schemas(
        A={"oneOf": [named("B")], "discriminator": "t"}, B={}),
    "schemas that are none": of_schemas(A=[1, None], B="x"),
    "keywords of other types": of_schemas(
        A={"properties": [], "items": 5, "allOf": {}, "required": "a", "enum": 5, "type": {}}),
    "a parameter that refers to itself": document(
        {"/x": {"get": {
            "parameters": [{"$ref": "#/paths/~1x/get/parameters/0"}], "responses": OK}}}),
    "a parameter in a path": document(
        {"/x": {"get": {"parameters": [{"$ref": "#/paths/~1y/get/parameters/0"}], "responses": OK}},
         "/y": {"get": {"parameters": [parameter("query", "q")], "responses": OK}}}),
    "a path that refers to itself": document({"/x": {"$ref": "#/paths/~1x"}}),
    "paths that refer to each other": document(
        {"/x": {"$ref": "#/paths/~1y"}, "/y": {"$ref": "#/paths/~1x"}}),
    "a response that refers to itself": document(
        {"/x": {"get": {"responses": {"200": {"$ref": "#/paths/~1x/get/responses/200"}}}}}),
    "schemas that are nested deeply": of_schemas(A=nested(180)),
    "a query parameter that is nested deeply": document(
        {"/x": {"get": {"parameters": [parameter("query", "q", nested(150))], "responses": OK}}}),
    "a long chain of references": chain(400, dict),
    "a long chain of allOf": chain(400, lambda to: {"allOf": [to]}),
    "a long chain of properties": chain(400, lambda to: {"properties": {"a": to}}),
    "a tree of references": of_schemas(
        A=named("T0"), T40={"type": "string"},
        **{f"T{n}": {"anyOf": [named(f"T{n + 1}"), named(f"T{n + 1}")]} for n in range(40)}),
    "a parameter by a tree of references": document(
        {"/x": {"get": {"parameters": [parameter("query", "q", named("T0"))], "responses": OK}}},
        components={"schemas": {"T40": {"type": "string"}, **{
            f"T{n}": {"anyOf": [named(f"T{n + 1}"), named(f"T{n + 1}")]} for n in range(40)}}}),
}  # fmt: skip
VERSIONS = ("3.0.3", "3.1.1", "3.2.0")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ODD)
def test_a_document_loads_or_is_refused(name: str, version: str) -> None:
    """With all of its operations closed, at worst."""
    source = {**ODD[name], "openapi": version}
    options: Any = {"on_invalid": "close", "security": "app", "compile": "eager"}
    try:
        coverage = SchemaGuard(openapi=source, **options).coverage
    except DocumentError:
        return
    assert len(coverage.operations) + len(coverage.closed) <= 2


@both_adapters
@pytest.mark.parametrize("name", [name for name in ODD if "tree" not in name])
def test_requests_are_answered(adapter: Adapter, name: str) -> None:
    """Accepted, refused or closed, and never by an error."""
    app = Guarded(adapter, openapi=ODD[name], on_invalid="close", compile="lazy")
    value: Any = {"t": "x", "a": {"a": [[["x"]]]}}
    for body in (value, "text", [[[1]]], None):
        answer = app.ask("POST", "/x", body=json.dumps(body), headers=JSON)
        assert answer.error is None
        assert answer.status in (200, 404, 405, 422, 501), answer.text()
    assert app.ask("GET", "/x?q=1").status in (200, 404, 405, 422, 501)


def test_values_that_need_too_many_schemas_are_refused_in_any_thread() -> None:
    """Without a fault of the machine: the stack of a thread is small."""
    source = chain(1_200, lambda to: {"allOf": [to]})
    schema = SchemaCompiler(source, version="3.1").compile(named("A"))
    seen: list[Any] = []
    thread = Thread(target=lambda: seen.append(wrong(schema, {})))
    thread.start()
    thread.join()
    assert seen == [[("", "schema")]]


@pytest.mark.parametrize("name", ["openapi.json", "openapi.yaml"])
@pytest.mark.parametrize("text", ['{"a":' * 100_000, "[" * 100_000, "{" * 50_000 + "}" * 50_000])
def test_files_that_are_nested_too_deeply_are_refused(name: str, text: str, tmp_path: Path) -> None:
    """Whatever parser reads them."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DocumentError):
        SchemaGuard(openapi=path)
