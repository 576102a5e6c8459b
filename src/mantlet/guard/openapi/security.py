"""Read the security requirements of a document, without the rest of it."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mantlet.guard.openapi.diagnostics import DocumentError
from mantlet.guard.openapi.document import OpenApiDocument
from mantlet.guard.openapi.model import SchemeDescription

__all__ = ["SchemeDescription", "SecuredOperation", "read_security"]


class SecuredOperation(NamedTuple):
    """What one operation of a document requires.

    Attributes:
        name: its method and template, as in the document.
        method: the method; for an additional operation (OpenAPI 3.2) as written.
        templates: its path templates, below each of the document's base paths and without one.
        alternatives: requirements, of which one must be satisfied completely, each of schemes with
            their scopes; an empty one is satisfied by anyone. None if the document has no
            ``security`` for the operation.
    """

    name: str
    method: str
    templates: tuple[str, ...]
    alternatives: tuple[tuple[tuple[SchemeDescription, tuple[str, ...]], ...], ...] | None


def read_security(source: str | os.PathLike[str] | Mapping[str, Any]) -> list[SecuredOperation]:
    """Return what the operations of a document require.

    Args:
        source: the path of a JSON or YAML file, or the document as a dict.

    Raises:
        DocumentError: the document can't be read, or a path or a security requirement is faulty.
        ImportError: the extra ``openapi`` is not installed.
        TypeError: the source has another type.
    """
    document = OpenApiDocument(source)
    faults, _ = document.faults.split(lambda part: part.kind != "responses")
    if faults:
        raise DocumentError(document.original_locations(faults))
    return list(_operations(document))


def _operations(document: OpenApiDocument) -> Iterator[SecuredOperation]:
    for one in document.operations:
        bases = dict.fromkeys(("", *one.base_paths))
        alternatives = None
        if one.has_security:
            alternatives = tuple(
                tuple((document.schemes[name], scopes) for name, scopes in requirement)
                for requirement in one.security or ((),)
            )
        yield SecuredOperation(
            f"{one.method} {one.template}",
            one.method,
            tuple(base.rstrip("/") + one.template for base in bases),
            alternatives,
        )
