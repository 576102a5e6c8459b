"""`SchemaCompiler`: compiles the schemas of one document, each when it is used."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from mantlet.guard.jsonschema.audit import KeywordCoverage, find_coverage, find_unbounded
from mantlet.guard.jsonschema.backend import PatternChecker, RegexLookaround, ValidatorBuilder
from mantlet.guard.jsonschema.convert import SchemaConverter
from mantlet.guard.jsonschema.defaults import DefaultsCompiler
from mantlet.guard.jsonschema.dialects import OpenApiVersion, default_dialect
from mantlet.guard.jsonschema.documents import SchemaDocuments, SchemaLocation
from mantlet.guard.jsonschema.dynamic_refs import UnconvertedSchema, has_dynamic_refs
from mantlet.guard.jsonschema.formats import FormatOption, asserted_formats
from mantlet.guard.jsonschema.read_write_only import Direction
from mantlet.guard.jsonschema.schema import JsonSchema
from mantlet.guard.jsonschema.validators import ValidatorCache
from mantlet.guard.limits import BodyLimits

__all__ = ["SchemaCompiler"]

_VERSIONS: Final = ("3.0", "3.1", "3.2", None)
_NO_DOCUMENTS: Final[Mapping[str, Any]] = MappingProxyType({})


class SchemaCompiler:
    """Compiles the schemas of an OpenAPI document, or of a JSON Schema document.

    Compiling converts a schema, and all schemas it refers to, to JSON Schema 2020-12 and checks
    them. Its validator is built on first use.

    Args:
        document: the whole document; it must not be changed afterwards.
        version: the version of OpenAPI. None is JSON Schema alone, without ``discriminator``,
            ``readOnly``, ``writeOnly`` and number formats.
        formats: whether to assert formats of strings; a mapping also adds custom formats. Number
            formats are always asserted.
        regex_lookaround: how to treat patterns with lookaround or back-references. ``"bounded"``
            rejects values that take too long to match.
        limits: ``errors`` is the maximum number of errors per value; ``checks`` bounds the work.
        others: the documents that references name, by the part before their ``#``.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an option is invalid, or the dialect is unknown.
    """

    # Any: documents are plain JSON.
    def __init__(
        self,
        document: Mapping[str, Any] | bool,
        *,
        version: OpenApiVersion = None,
        formats: FormatOption = False,
        regex_lookaround: RegexLookaround = "refuse",
        limits: BodyLimits | None = None,
        others: Mapping[str, Any] = _NO_DOCUMENTS,
    ) -> None:
        if version not in _VERSIONS:
            raise ValueError(f'version must be "3.0", "3.1", "3.2" or None, not {version!r}')
        patterns = PatternChecker(regex_lookaround)
        self._formats = asserted_formats(formats)
        limits = limits or BodyLimits()
        self._max_errors, self._checks = limits.errors, limits.checks
        self._documents = SchemaDocuments(document, others)
        self._others = others
        self._has_dynamic_refs = version is None and has_dynamic_refs(document, others)
        name = "jsonSchemaDialect" if version else "$schema"
        try:
            uri = document.get(name) if isinstance(document, Mapping) else None
            uri = None if self._has_dynamic_refs and uri in others else uri
            dialect = default_dialect(version, uri)
        except LookupError as error:
            raise ValueError(f"{name}: {error.args[0]}") from None
        self._dialect = dialect
        self._version = version
        self._patterns = patterns
        self._converter = SchemaConverter(self._documents, version, dialect, patterns)
        self._builder = ValidatorBuilder(self._formats, bounded=regex_lookaround == "bounded")
        self._validators = ValidatorCache(self._converter.definitions, self._builder)
        self._defaults = DefaultsCompiler(self._validators)

    def compile(
        self,
        schema: Mapping[str, Any] | bool,
        *,
        direction: Direction = "request",
        location: str = "",
    ) -> JsonSchema:
        """Compile a schema.

        Args:
            schema: a schema of the document, or one whose references lead into the document.
            direction: the direction of the messages: requests must not have ``readOnly``
                properties, responses must not have ``writeOnly`` properties.
            location: its JSON Pointer; prefixed with the name of the document and ``#`` if it is
                in one of the other documents.

        Raises:
            SchemaError: with all problems in the schema and the schemas it refers to.
        """
        if self._has_dynamic_refs:
            return UnconvertedSchema(
                schema,
                self._builder,
                self._patterns,
                self._others,
                dialect=self._dialect,
                direction=direction,
                location=location,
            )
        converted = self._converter.convert(schema, self._located(location), direction)
        return JsonSchema(
            converted,
            self._validators,
            self._defaults,
            direction=direction,
            location=location,
            max_errors=self._max_errors,
            checks=self._checks,
        )

    def coverage(self, schemas: Iterable[tuple[str, Mapping[str, Any] | bool]]) -> KeywordCoverage:
        """Return which keywords of schemas, and of the schemas they refer to, are checked.

        Args:
            schemas: locations, as `compile()` takes them, and schemas.
        """
        return find_coverage(
            ((self._located(location), schema) for location, schema in schemas),
            self._documents,
            dialect=self._dialect,
            version=self._version,
            formats=self._formats,
            patterns=self._patterns,
        )

    def unbounded(self, schemas: Iterable[JsonSchema]) -> list[str]:
        """Return the locations in schemas that allow strings, arrays or objects of any size."""
        return find_unbounded(
            ((self._located(schema.location), schema.converted) for schema in schemas),
            self._converter.definitions,
            self._converter.locations,
        )

    def _located(self, location: str) -> SchemaLocation:
        base, mark, pointer = location.partition("#")
        if mark and base in self._others:
            return SchemaLocation(base, pointer)
        return SchemaLocation("", location)
