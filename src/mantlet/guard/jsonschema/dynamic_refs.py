"""Compile JSON Schemas with ``$id`` and dynamic references as written, without conversion.

References in such documents depend on the URIs that schemas declare and on the evaluation path, so
jsonschema-rs resolves them.
"""

from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs

from mantlet.guard.errors import ErrorItem, Place
from mantlet.guard.jsonschema.backend import PatternChecker, ValidatorBuilder
from mantlet.guard.jsonschema.defaults import DefaultsCompiler
from mantlet.guard.jsonschema.dialects import Dialect
from mantlet.guard.jsonschema.documents import SchemaError, SchemaProblem, iter_objects
from mantlet.guard.jsonschema.errors import message_for
from mantlet.guard.jsonschema.keywords import iter_subschemas
from mantlet.guard.jsonschema.read_write_only import Direction
from mantlet.guard.jsonschema.schema import JsonSchema
from mantlet.guard.jsonschema.validators import ValidatorCache

__all__ = ["UnconvertedSchema", "has_dynamic_refs"]

_DRAFTS: Final = {
    "http://json-schema.org/draft-04/schema": jsonschema_rs.Draft4,
    "http://json-schema.org/draft-06/schema": jsonschema_rs.Draft6,
    "http://json-schema.org/draft-07/schema": jsonschema_rs.Draft7,
    "https://json-schema.org/draft/2019-09/schema": jsonschema_rs.Draft201909,
}
_MARKERS: Final = ("$id", "$dynamicRef", "$recursiveRef", "id")
_METASCHEMAS: Final = ("https://json-schema.org/", "http://json-schema.org/")


# Any: schemas are plain JSON.
class UnconvertedSchema(JsonSchema):
    """A schema compiled as written; all errors of a value are reported as one.

    Args:
        schema: the whole document.
        builder: builds the validator.
        patterns: checks the patterns.
        others: the documents that it refers to.
        dialect: the dialect of schemas without a ``$schema``.
        direction: the direction of the messages that it is for.
        location: its location.

    Raises:
        SchemaError: with all problems.
    """

    __slots__ = ("_validator",)

    def __init__(
        self,
        schema: Any,
        builder: ValidatorBuilder,
        patterns: PatternChecker,
        others: Mapping[str, Any],
        *,
        dialect: Dialect,
        direction: Direction,
        location: str,
    ) -> None:
        validators = ValidatorCache({}, builder)
        super().__init__(
            schema,
            validators,
            DefaultsCompiler(validators),
            direction=direction,
            location=location,
            max_errors=1,
        )
        problems = [
            SchemaProblem(f"{uri}#{at}" if uri else at, message)
            for uri, document in (*others.items(), ("", schema))
            for at, found in iter_subschemas(document)
            for message in _pattern_problems(found, patterns)
        ]
        if problems:
            raise SchemaError(problems)
        try:
            registry = (
                jsonschema_rs.Registry(list(others.items()), draft=_DRAFTS.get(dialect.uri))
                if others
                else None
            )
            self._validator = builder.build(schema, registry)
        except ValueError as error:
            message = getattr(error, "message", str(error))
            raise SchemaError([SchemaProblem(location, message)]) from None

    def bundled(self) -> Any:
        """Return the schema as written."""
        return self.converted

    def prepare(self) -> None:
        """Use the validator compiled at construction; defaults are not supported."""
        self._is_valid = self._validator.is_valid
        self._precheck = None

    def _errors(self, value: Any, place: Place, size: int) -> list[ErrorItem]:
        return [ErrorItem(place, "", "schema", message_for("schema"))]


def has_dynamic_refs(document: Any, others: Mapping[str, Any]) -> bool:
    """Return whether references depend on URIs that schemas declare, or on the evaluation path.

    They do as well if one of the other documents defines the dialect of the document.
    """
    if isinstance(document, Mapping) and document.get("$schema") in others:
        return True
    for one in (document, *others.values()):
        for _, found in iter_objects(one):
            if any(isinstance(found.get(marker), str) for marker in _MARKERS):
                return True
            reference = found.get("$ref")
            if isinstance(reference, str) and reference.startswith(_METASCHEMAS):
                return True
    return False


def _pattern_problems(schema: Mapping[str, Any], patterns: PatternChecker) -> list[str]:
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    names = schema.get("patternProperties")
    keys = list(names) if isinstance(names, Mapping) else []
    # The evaluation path is unknown, so a failed match may accept a value.
    problems = [patterns.problem(pattern, exact=True) for pattern in (*own, *keys)]
    return [problem for problem in problems if problem is not None]
