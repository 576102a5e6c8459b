"""Small documents, with what a test is about put in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mantlet.guard.openapi.diagnostics import DocumentError
from mantlet.guard.openapi.document import OpenApiDocument

if TYPE_CHECKING:
    from pathlib import Path

    from mantlet.guard.openapi.model import OperationDescription

#: The responses that 3.0 asks of each operation.
DONE: dict[str, Any] = {"responses": {"200": {"description": "done"}}}
TEXT: dict[str, Any] = {"type": "string"}


def document(paths: Any = None, version: str = "3.1.1", **more: Any) -> dict[str, Any]:
    """Return a document of some paths."""
    info = {"title": "An API", "version": "1"}
    return {"openapi": version, "info": info, "paths": {} if paths is None else paths, **more}


def of_operation(operation: Any, template: str = "/x", **more: Any) -> dict[str, Any]:
    """Return a document of one operation, ``GET /x``."""
    return document({template: {"get": {**DONE, **operation}}}, **more)


def with_parameter(parameter: Any, template: str = "/x", **more: Any) -> dict[str, Any]:
    """Return a document of one operation with one parameter."""
    return of_operation({"parameters": [parameter]}, template, **more)


def described(source: Any, **options: Any) -> OperationDescription:
    """Return the description of a document's only operation."""
    (operation,) = OpenApiDocument(source, **options).operations
    return operation


def problems(source: Any, **options: Any) -> dict[str, str]:
    """Return all violations of a document, also those that are only noted: words by where."""
    found: dict[str, str] = {}
    for pointer, words in violations(source, **options):
        found[pointer] = f"{found[pointer]}; {words}" if pointer in found else words
    return found


def violations(source: Any, **options: Any) -> list[tuple[str, str]]:
    """Return all violations of a document: those that concern it, its operations or nothing."""
    try:
        loaded = OpenApiDocument(source, **options)
    except DocumentError as error:
        return list(error.problems)
    return [*faults(loaded), *loaded.notes]


def faults(loaded: OpenApiDocument) -> list[tuple[str, str]]:
    """Return the violations that may concern operations."""
    return list(loaded.faults.split(lambda _: False)[1])


def with_schema(schema: Any, version: str = "3.1.1", **components: Any) -> dict[str, Any]:
    """Return a document of one operation, ``POST /x``, whose body is of a schema."""
    body = {"content": {"application/json": {"schema": schema}}}
    return document(
        {"/x": {"post": {**DONE, "requestBody": body}}},
        version,
        components={"schemas": components},
    )


#: Where that schema stands.
SCHEMA = "/paths/~1x/post/requestBody/content/application~1json/schema"


def write(path: Path, value: Any) -> Path:
    """Write a file, as JSON unless it is a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path
