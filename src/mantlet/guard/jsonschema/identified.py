"""Documents of JSON Schema whose schemas name themselves, with ``$id`` and dynamic references.

What a reference means in them depends on the URIs that schemas give themselves and on the way by
which a schema was reached, so they are left to the library as they are.
"""

from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs

from mantlet.guard.errors import ErrorItem, Place
from mantlet.guard.jsonschema.backend import Build
from mantlet.guard.jsonschema.dialects import Dialect
from mantlet.guard.jsonschema.documents import objects
from mantlet.guard.jsonschema.keywords import walk
from mantlet.guard.jsonschema.messages import tell
from mantlet.guard.jsonschema.patterns import Patterns
from mantlet.guard.jsonschema.problems import Problem, SchemaError
from mantlet.guard.jsonschema.read_write_only import Direction
from mantlet.guard.jsonschema.schema import JsonSchema
from mantlet.guard.jsonschema.validators import Validators

__all__ = ["IdentifiedSchema", "is_identified"]

_DRAFTS: Final = {
    "http://json-schema.org/draft-04/schema": jsonschema_rs.Draft4,
    "http://json-schema.org/draft-06/schema": jsonschema_rs.Draft6,
    "http://json-schema.org/draft-07/schema": jsonschema_rs.Draft7,
    "https://json-schema.org/draft/2019-09/schema": jsonschema_rs.Draft201909,
}
_MARKS: Final = ("$id", "$dynamicRef", "$recursiveRef", "id")
_METASCHEMAS: Final = ("https://json-schema.org/", "http://json-schema.org/")


# Any: schemas are plain JSON.
class IdentifiedSchema(JsonSchema):
    """A schema that the library has as it is written; a fault of it is told as one.

    Args:
        schema: the schema, with all that ``#`` means in it.
        build: how validators are made.
        patterns: the patterns that there have been.
        others: what it refers to.
        dialect: of what does not name its own.

    Raises:
        SchemaError: with all that is wrong.
    """

    __slots__ = ("_validator",)

    def __init__(
        self,
        schema: Any,
        build: Build,
        patterns: Patterns,
        others: Mapping[str, Any],
        *,
        dialect: Dialect,
        direction: Direction,
        location: str,
    ) -> None:
        super().__init__(
            schema, Validators({}, build), direction=direction, location=location, errors=1
        )
        problems = [
            Problem(f"{uri}#{at}" if uri else at, words)
            for uri, document in (*others.items(), ("", schema))
            for at, found in walk(document)
            for words in _pattern_faults(found, patterns)
        ]
        if problems:
            raise SchemaError(problems)
        try:
            registry = (
                jsonschema_rs.Registry(list(others.items()), draft=_DRAFTS.get(dialect.uri))
                if others
                else None
            )
            self._validator = build.validator(schema, registry)
        except ValueError as error:
            message = getattr(error, "message", str(error))
            raise SchemaError([Problem(location, message)]) from None

    def standing_alone(self) -> Any:
        """Return the schema as it is written."""
        return self.converted

    def prepare(self) -> None:
        """Make nothing more: the validator is there, and defaults are not filled in."""
        self._allows = self._validator.is_valid

    def _faults(self, value: Any, place: Place) -> list[ErrorItem]:
        return [ErrorItem(place, "", "schema", tell("schema"))]


def is_identified(document: Any, others: Mapping[str, Any]) -> bool:
    """Whether a document can't be read without the names that schemas give themselves.

    It can't either where its dialect is one that a document of the others defines.
    """
    if isinstance(document, Mapping) and document.get("$schema") in others:
        return True
    for one in (document, *others.values()):
        for _, found in objects(one):
            if any(isinstance(found.get(mark), str) for mark in _MARKS):
                return True
            reference = found.get("$ref")
            if isinstance(reference, str) and reference.startswith(_METASCHEMAS):
                return True
    return False


def _pattern_faults(schema: Mapping[str, Any], patterns: Patterns) -> list[str]:
    said = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    names = schema.get("patternProperties")
    keys = list(names) if isinstance(names, Mapping) else []
    # Where a pattern stands is not known here, so that it must be one that needs no bound.
    faults = [patterns.fault(pattern, exact=True) for pattern in (*said, *keys)]
    return [fault for fault in faults if fault is not None]
