"""The supported JSON Schema dialects, and how to upgrade their schemas to 2020-12."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mantlet.guard.jsonschema.backend import DRAFT_2020_12

__all__ = [
    "OPENAPI_3_0",
    "Dialect",
    "OpenApiVersion",
    "default_dialect",
    "find_dialect",
    "upgrade_schema",
]

#: A minor version of OpenAPI; None is JSON Schema without OpenAPI.
OpenApiVersion = Literal["3.0", "3.1", "3.2"] | None


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The differences between a dialect and JSON Schema 2020-12.

    Attributes:
        uri: the value of ``$schema``.
        ref_overrides: whether ``$ref`` overrides all sibling keywords (up to draft 7, and
            OpenAPI 3.0).
        boolean_exclusives: whether ``exclusiveMinimum`` and ``exclusiveMaximum`` are booleans
            (draft 4, and OpenAPI 3.0).
        items_arrays: whether ``items`` may be an array (up to 2019-09).
        nullable: whether ``nullable`` adds null to the type (OpenAPI 3.0).
    """

    uri: str
    ref_overrides: bool = False
    boolean_exclusives: bool = False
    items_arrays: bool = False
    nullable: bool = False


#: The dialect of OpenAPI 3.0, which has no URI.
OPENAPI_3_0: Final = Dialect(uri="", ref_overrides=True, boolean_exclusives=True, nullable=True)
_LATEST: Final = Dialect(uri=DRAFT_2020_12)

_DIALECTS: Final = {
    dialect.uri: dialect
    for dialect in (
        _LATEST,
        Dialect(uri="https://spec.openapis.org/oas/3.1/dialect/base"),
        Dialect(uri="https://spec.openapis.org/oas/3.1/dialect/2024-10-25"),
        Dialect(uri="https://spec.openapis.org/oas/3.1/dialect/2024-11-10"),
        Dialect(uri="https://spec.openapis.org/oas/3.2/dialect/2025-09-17"),
        Dialect(uri="https://json-schema.org/draft/2019-09/schema", items_arrays=True),
        Dialect(
            uri="http://json-schema.org/draft-07/schema", ref_overrides=True, items_arrays=True
        ),
        Dialect(
            uri="http://json-schema.org/draft-06/schema", ref_overrides=True, items_arrays=True
        ),
        Dialect(
            uri="http://json-schema.org/draft-04/schema",
            ref_overrides=True,
            boolean_exclusives=True,
            items_arrays=True,
        ),
    )
}


def find_dialect(uri: object) -> Dialect:
    """Return the dialect with a URI, with or without an empty fragment.

    Raises:
        LookupError: with a message; the dialect is unknown.
    """
    found = _DIALECTS.get(uri.removesuffix("#")) if isinstance(uri, str) else None
    if found is None:
        raise LookupError(f"unknown dialect {uri!r}: use one of {', '.join(_DIALECTS)}")
    return found


def default_dialect(version: OpenApiVersion, uri: object) -> Dialect:
    """Return the dialect of schemas without a ``$schema`` of their own.

    Args:
        version: the version of OpenAPI.
        uri: the ``jsonSchemaDialect`` or ``$schema`` of the document, or None.

    Raises:
        LookupError: with a message; the dialect is unknown.
    """
    if version == "3.0":
        return OPENAPI_3_0
    return _LATEST if uri is None else find_dialect(uri)


# Any: a schema is plain JSON.
def upgrade_schema(schema: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return a schema in the keywords of 2020-12, with its subschemas unchanged."""
    upgraded = dict(schema)
    if dialect.boolean_exclusives:
        _upgrade_exclusives(upgraded)
    if dialect.nullable:
        _add_null(upgraded)
    if dialect.items_arrays and isinstance(upgraded.get("items"), list):
        upgraded["prefixItems"] = upgraded.pop("items")
        if "additionalItems" in upgraded:
            upgraded["items"] = upgraded["additionalItems"]
    upgraded.pop("additionalItems", None)
    # Removed in 2019-09, which allows implementations to keep it (Validation, 10.1.1).
    if "dependencies" in upgraded:
        _split_dependencies(upgraded)
    return upgraded


def _upgrade_exclusives(schema: dict[str, Any]) -> None:
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = schema.get(exclusive)
        if isinstance(flag, bool):
            del schema[exclusive]
            if flag and bound in schema:
                schema[exclusive] = schema.pop(bound)


def _add_null(schema: dict[str, Any]) -> None:
    # OpenAPI 3.0.3, 4.7.24: only with a type in the same object.
    declared = schema.get("type")
    if schema.pop("nullable", False) is True and isinstance(declared, str | list):
        types = [declared] if isinstance(declared, str) else declared
        schema["type"] = types if "null" in types else [*types, "null"]


def _split_dependencies(schema: dict[str, Any]) -> None:
    dependencies = schema.pop("dependencies", None)
    if isinstance(dependencies, Mapping):
        for name, value in dependencies.items():
            keyword = "dependentRequired" if isinstance(value, list) else "dependentSchemas"
            schema[keyword] = {**schema.get(keyword, {}), name: value}
