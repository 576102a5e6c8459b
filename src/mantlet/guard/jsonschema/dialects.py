"""The dialects that a schema may be written in, and how they differ from JSON Schema 2020-12."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mantlet.guard.jsonschema.backend import DRAFT
from mantlet.guard.jsonschema.number_formats import lift_flags

__all__ = ["OPENAPI_3_0", "Dialect", "Version", "default_dialect", "find_dialect", "upgrade"]

#: The versions of OpenAPI; None is JSON Schema alone.
Version = Literal["3.0", "3.1", "3.2"] | None


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What must be done to a schema so that it is one of 2020-12.

    Attributes:
        uri: what ``$schema`` says.
        alone: ``$ref`` makes all that stands beside it void (until draft 7, and OpenAPI 3.0).
        flags: ``exclusiveMinimum`` and ``exclusiveMaximum`` are true or false (draft 4, and
            OpenAPI 3.0).
        arrays: ``items`` may be an array (until 2019-09).
        nullable: ``nullable`` adds null to the type (OpenAPI 3.0).
    """

    uri: str
    alone: bool = False
    flags: bool = False
    arrays: bool = False
    nullable: bool = False


#: OpenAPI 3.0's own, which has no URI.
OPENAPI_3_0: Final = Dialect(uri="", alone=True, flags=True, nullable=True)
_LATEST: Final = Dialect(uri=DRAFT)

_DIALECTS: Final = {
    dialect.uri: dialect
    for dialect in (
        _LATEST,
        Dialect(uri="https://spec.openapis.org/oas/3.1/dialect/base"),
        Dialect(uri="https://spec.openapis.org/oas/3.1/dialect/2024-10-25"),
        Dialect(uri="https://spec.openapis.org/oas/3.1/dialect/2024-11-10"),
        Dialect(uri="https://spec.openapis.org/oas/3.2/dialect/2025-09-17"),
        Dialect(uri="https://json-schema.org/draft/2019-09/schema", arrays=True),
        Dialect(uri="http://json-schema.org/draft-07/schema", alone=True, arrays=True),
        Dialect(uri="http://json-schema.org/draft-06/schema", alone=True, arrays=True),
        Dialect(uri="http://json-schema.org/draft-04/schema", alone=True, arrays=True, flags=True),
    )
}


def find_dialect(uri: object) -> Dialect:
    """Return the dialect of a URI, with an empty fragment or without.

    Raises:
        LookupError: with words; there is none such.
    """
    found = _DIALECTS.get(uri.removesuffix("#")) if isinstance(uri, str) else None
    if found is None:
        raise LookupError(
            f"{uri!r} is a dialect that is not known: use one of {', '.join(_DIALECTS)}"
        )
    return found


def default_dialect(version: Version, uri: object) -> Dialect:
    """Return the dialect of schemas that don't name theirs.

    Args:
        version: of OpenAPI.
        uri: the document's ``jsonSchemaDialect``, or the schema's own ``$schema``, if it has one.

    Raises:
        LookupError: with words.
    """
    if version == "3.0":
        return OPENAPI_3_0
    return _LATEST if uri is None else find_dialect(uri)


# Any: a schema is plain JSON.
def upgrade(schema: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return a schema in the keywords of 2020-12, without touching those that are in it."""
    made = dict(schema)
    if dialect.flags:
        lift_flags(made)
    if dialect.nullable:
        _add_null(made)
    if dialect.arrays and isinstance(made.get("items"), list):
        made["prefixItems"] = made.pop("items")
        if "additionalItems" in made:
            made["items"] = made["additionalItems"]
    made.pop("additionalItems", None)
    # 2019-09 has taken it out, and lets it be honoured (Validation, 10.1.1).
    if "dependencies" in made:
        _split_dependencies(made)
    return made


def _add_null(schema: dict[str, Any]) -> None:
    # OpenAPI 3.0.3, 4.7.24: only if the type stands in the same object.
    kind = schema.get("type")
    if schema.pop("nullable", False) is True and isinstance(kind, str | list):
        kinds = [kind] if isinstance(kind, str) else kind
        schema["type"] = kinds if "null" in kinds else [*kinds, "null"]


def _split_dependencies(schema: dict[str, Any]) -> None:
    dependencies = schema.pop("dependencies", None)
    if isinstance(dependencies, Mapping):
        for name, value in dependencies.items():
            keyword = "dependentRequired" if isinstance(value, list) else "dependentSchemas"
            schema[keyword] = {**schema.get(keyword, {}), name: value}
