"""Documents with one thing wrong: whatever it is, problems are told and nothing else is raised."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard import SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import VERSIONS, json_body, parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ODD: tuple[Any, ...] = (
    None, True, 5, -1, "", "x", [], ["x"], [5], {}, {"x": 5}, {"$ref": "#"}, {"$ref": "#/none"},
    {"$ref": "#/components/schemas/Item"}, "{x}", [[]], [{}],
)  # fmt: skip


def rich(version: str) -> dict[str, Any]:
    """Return a document that has something of each kind."""
    item: dict[str, Any] = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 5, "pattern": "^a", "default": "a"},
            "at": {"type": "object", "properties": {"x": {"type": "integer", "format": "int32"}}},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
            "file": {"type": "string", "format": "binary"},
            "id": {"type": "integer", "readOnly": True},
        },
        "additionalProperties": {"type": "string"},
    }
    other = {
        "allOf": [{"$ref": "#/components/schemas/Item"}],
        "oneOf": [{"$ref": "#/components/schemas/Item"}],
        "discriminator": {"propertyName": "name", "mapping": {"a": "Item"}},
    }
    encoding: dict[str, Any] = {
        "tags": {"style": "form", "explode": False},
        "at": {"contentType": "application/json"},
        "file": {"contentType": "image/png", "headers": {"X-A": {"schema": {"type": "string"}}}},
    }
    reference = {"$ref": "#/components/schemas/Item"}
    body = json_body(reference)
    body["content"]["multipart/form-data"] = {"schema": reference, "encoding": encoding}
    body["content"]["application/x-www-form-urlencoded"] = {
        "schema": {"$ref": "#/components/schemas/Other"}
    }
    header = {"schema": {"type": "array", "items": {"type": "integer"}}, "required": True}
    return document(
        {
            "/a/{id}": {
                "parameters": [parameter("path", "id", {"type": "integer"})],
                "servers": [{"url": "/v2"}],
                "post": {
                    "operationId": "a",
                    "tags": ["a"],
                    "deprecated": True,
                    "parameters": [
                        {"$ref": "#/components/parameters/Page"},
                        parameter("query", "deep", item["properties"]["at"], style="deepObject"),
                        parameter("header", "X-A", content={"application/json": {"schema": item}}),
                        parameter("cookie", "c", {"type": "boolean"}, explode=False),
                    ],
                    "requestBody": body,
                    "responses": {
                        "200": {"description": "", "headers": {"X-B": header}, "content": {
                            "application/json": {"schema": reference}}},
                        "default": {"$ref": "#/components/responses/Bad"},
                    },
                    "security": [{"key": []}, {"oauth": ["read"]}],
                },
            }
        },
        version,
        servers=[{"url": "https://{h}/{v}", "variables": {
            "v": {"default": "a", "enum": ["a", "b"]}, "h": {"default": "x"}}}],
        security=[{"key": []}],
        components={
            "schemas": {"Item": item, "Other": other},
            "parameters": {"Page": parameter("query", "page", {"type": "integer", "minimum": 1})},
            "responses": {"Bad": {"description": ""}},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "query", "name": "key"},
                "oauth": {"type": "oauth2", "flows": {"password": {
                    "tokenUrl": "x", "scopes": {"read": ""}}}},
            },
        },
    )  # fmt: skip


#: In how many parts the places of a document are tested.
PARTS = 5


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value of a document."""
    if path:
        yield path
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in pairs:
            yield from places(member, (*path, key))


def good(*_: Any) -> bool:
    return True


#: The locations of faults that no option tolerates.
WHOLE = {"", "/paths", "/jsonSchemaDialect"}
OPTIONS: tuple[dict[str, Any], ...] = (
    {"on_invalid": "close", "security": "app"},
    {"on_invalid": "open", "responses": "report"},
    {"on_invalid": "close", "responses": "report", "require_bounds": True},
)


def build(root: Any, **options: Any) -> SchemaGuard:
    """Make a guard with all that is made of a document."""
    guard = SchemaGuard(openapi=root, **options)
    str(guard.coverage)
    return guard


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("version", VERSIONS)
def test_one_odd_value_anywhere_is_reported_or_taken(version: str, part: int) -> None:
    """Each place of a part has each of many odd values in turn, and loses its member.

    Whatever is reported is a `DocumentError`, and only faults of the whole document are not
    tolerated by option.
    """
    root = rich(version)
    build(root, responses="report", security={"key": good, "oauth": good})
    told: list[str] = []
    intolerable: set[str] = set()
    closed = 0
    for number, path in [*enumerate(places(root))][part::PARTS]:
        # Each version has other ones of them.
        chosen = [odd for index, odd in enumerate(ODD) if (index + number) % 8 == int(version[2])]
        for odd in (*chosen, ...):
            changed = deepcopy(root)
            holder: Any = changed
            for token in path[:-1]:
                holder = holder[token]
            if odd is ...:
                del holder[path[-1]]
            else:
                holder[path[-1]] = odd
            try:
                build(changed, responses="report", security="app")
            except DocumentError as error:
                told.append(str(error))
            try:
                guard = build(changed, **OPTIONS[number % len(OPTIONS)])
                closed += len(guard.coverage.closed)
            except DocumentError as error:
                intolerable.update(at for at, _ in error.problems)
    assert told
    assert all(told)
    assert intolerable <= WHOLE
    assert closed
