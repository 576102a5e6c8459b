"""Which keywords of a schema are checked and which are not, in words."""

from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from mantlet.guard.jsonschema.dialects import Dialect, Version
from mantlet.guard.jsonschema.documents import Documents, Spot
from mantlet.guard.jsonschema.formats import BUILT_IN
from mantlet.guard.jsonschema.keywords import (
    ANNOTATIONS,
    ASSERTIONS,
    LISTS,
    MAPS,
    SINGLES,
    children,
)
from mantlet.guard.jsonschema.number_formats import FORMATS
from mantlet.guard.jsonschema.problems import Problem

__all__ = ["Coverage", "find_coverage"]

_REFERENCES: Final = frozenset({"$dynamicRef", "$ref"})
_CHECKED: Final = (ASSERTIONS | LISTS | MAPS | SINGLES | _REFERENCES | {"dependencies"}) - {
    "$defs", "additionalItems", "contentSchema", "definitions", "format",
}  # fmt: skip
_SILENT: Final = ANNOTATIONS | {"$defs", "definitions"}
_OPENAPI: Final = frozenset({"discriminator", "readOnly", "writeOnly"})
_REASONS: Final[Mapping[str, str]] = {
    "contentEncoding": "what a text encodes is not looked at",
    "contentMediaType": "what a text holds is not looked at",
    "contentSchema": "what a text holds is not looked at",
    "xml": "it says how XML is written, and XML is not read",
}


class Coverage(NamedTuple):
    """What is checked of a schema.

    Attributes:
        checked: the keywords that are, by name.
        unchecked: what is not, each with its pointer and the reason.
    """

    checked: tuple[str, ...]
    unchecked: tuple[Problem, ...]


# Any: schemas are plain JSON.
def find_coverage(
    schema: Any,
    spot: Spot,
    documents: Documents,
    *,
    dialect: Dialect,
    version: Version,
    formats: Container[str] | None,
) -> Coverage:
    """Return what is checked of a schema as it is written, and of all that it refers to.

    Args:
        schema: the schema.
        spot: where it stands.
        documents: where references lead.
        dialect: of schemas that don't name theirs.
        version: of OpenAPI.
        formats: the formats that are held besides the known ones; None if none is.
    """
    judge = _Judge(dialect, version, formats)
    checked: set[str] = set()
    unchecked: list[Problem] = []
    for at, found in _reached(schema, spot, documents, dialect):
        for keyword in found:
            reason = judge.reason(keyword, found)
            if reason is not None:
                unchecked.append(Problem(str(at.down(keyword)), reason))
            elif keyword not in _SILENT:
                checked.add(keyword)
    return Coverage(tuple(sorted(checked)), tuple(unchecked))


def _reached(
    schema: Any, spot: Spot, documents: Documents, dialect: Dialect
) -> Iterator[tuple[Spot, Mapping[str, Any]]]:
    waiting, seen = [(spot, schema)], set()
    while waiting:
        at, found = waiting.pop()
        if not isinstance(found, Mapping) or id(found) in seen:
            continue
        seen.add(id(found))
        yield at, found
        if isinstance(found.get("$ref"), str):
            with suppress(LookupError):  # which the conversion tells of
                waiting.append(documents.find(found["$ref"], at.base))
            if dialect.alone:
                continue
        waiting += [
            (at.down(*way), child)
            for way, child in children(found)
            if way[0] not in ("$defs", "definitions", "contentSchema")
        ]


class _Judge(NamedTuple):
    """Says why a keyword is not checked."""

    dialect: Dialect
    version: Version
    formats: Container[str] | None

    def reason(self, keyword: str, schema: Mapping[str, Any]) -> str | None:
        """Return why a keyword is not checked, or None if it is, or if there is nothing to it."""
        if keyword in _SILENT:
            return None
        if self.dialect.alone and "$ref" in schema and keyword != "$ref":
            return "it stands beside $ref, which makes it void"
        if keyword == "format":
            return self._format(schema[keyword])
        if keyword in _CHECKED or (keyword == "additionalItems" and self.dialect.arrays):
            return None
        return _REASONS.get(keyword) or self._other(keyword, schema)

    def _format(self, name: Any) -> str | None:
        if not isinstance(name, str) or (self.version is not None and name in FORMATS):
            return None
        if self.formats is None:
            return "formats of strings are not held"
        known = name in BUILT_IN or name in self.formats
        return None if known else "it is a format that is not known"

    def _other(self, keyword: str, schema: Mapping[str, Any]) -> str | None:
        if keyword == "nullable" and self.dialect.nullable:
            return None if "type" in schema else "it adds null to a type, and none is beside it"
        if keyword in _OPENAPI and self.version is not None:
            picks = keyword != "discriminator" or {"anyOf", "oneOf"} & schema.keys()
            return None if picks else "no anyOf or oneOf is beside it from which it picks"
        if keyword in ("readOnly", "writeOnly"):
            return "it says nothing of a value without OpenAPI"
        return "it is an extension" if keyword.startswith("x-") else "it is no keyword here"
