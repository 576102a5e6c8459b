"""`Compiler`: the schemas of one OpenAPI document, each compiled when it is used."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from mantlet.guard.jsonschema.audit import Coverage, find_coverage
from mantlet.guard.jsonschema.backend import Build
from mantlet.guard.jsonschema.convert import Converter
from mantlet.guard.jsonschema.dialects import Version, default_dialect
from mantlet.guard.jsonschema.documents import Documents, Spot
from mantlet.guard.jsonschema.formats import Formats, held_formats
from mantlet.guard.jsonschema.identified import IdentifiedSchema, is_identified
from mantlet.guard.jsonschema.patterns import Lookaround, Patterns
from mantlet.guard.jsonschema.read_write_only import Direction
from mantlet.guard.jsonschema.schema import JsonSchema
from mantlet.guard.jsonschema.unbounded import find_unbounded
from mantlet.guard.jsonschema.validators import Validators
from mantlet.guard.limits import BodyLimits

__all__ = ["Compiler"]

_VERSIONS: Final = ("3.0", "3.1", "3.2", None)
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class Compiler:
    """Compiles the schemas of an OpenAPI document, or of a document of JSON Schema.

    A schema is converted to JSON Schema 2020-12 and checked when it is compiled, with all that it
    refers to; what a validator needs besides is made when it is first asked.

    Args:
        document: the whole document; it must not be changed afterwards.
        version: of OpenAPI; None for JSON Schema alone, without ``discriminator``, ``readOnly``,
            ``writeOnly`` and formats of numbers.
        formats: whether formats of strings are held; functions by name are held as well. Those of
            numbers are in any case.
        lookaround: what becomes of patterns with lookaround or back-references. With
            ``"bounded"`` a value that takes too long to match is refused.
        limits: of which ``errors`` is how many faults are told of a value.
        others: documents that references name, by what stands before their ``#``.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: an option is none of those that there are, or the dialect is not known.
    """

    # Any: documents are plain JSON.
    def __init__(
        self,
        document: Mapping[str, Any] | bool,
        *,
        version: Version = None,
        formats: Formats = False,
        lookaround: Lookaround = "refuse",
        limits: BodyLimits | None = None,
        others: Mapping[str, Any] = _NONE,
    ) -> None:
        if version not in _VERSIONS:
            raise ValueError(f'version must be "3.0", "3.1", "3.2" or None, not {version!r}')
        patterns = Patterns(lookaround)
        self._formats = held_formats(formats)
        self._errors = (limits or BodyLimits()).errors
        self._documents = Documents(document, others)
        self._others = others
        self._identified = version is None and is_identified(document, others)
        name = "jsonSchemaDialect" if version else "$schema"
        try:
            stated = document.get(name) if isinstance(document, Mapping) else None
            stated = None if self._identified and stated in others else stated
            dialect = default_dialect(version, stated)
        except LookupError as error:
            raise ValueError(f"{name}: {error.args[0]}") from None
        self._dialect = dialect
        self._version = version
        self._patterns = patterns
        self._converter = Converter(self._documents, version, dialect, patterns)
        self._build = Build(self._formats, bounded=lookaround == "bounded")
        self._validators = Validators(self._converter.definitions, self._build)

    def compile(
        self,
        schema: Mapping[str, Any] | bool,
        *,
        direction: Direction = "request",
        location: str = "",
    ) -> JsonSchema:
        """Compile a schema.

        Args:
            schema: of the document, or made of what is in it: a reference in it leads into the
                document.
            direction: which way messages of it go: a request must not have members that are
                ``readOnly``, a response none that are ``writeOnly``.
            location: its JSON Pointer; behind the document's name and ``#`` if it stands in one
                of the others.

        Raises:
            SchemaError: with all that is wrong in it or in what it refers to.
        """
        if self._identified:
            return IdentifiedSchema(
                schema,
                self._build,
                self._patterns,
                self._others,
                dialect=self._dialect,
                direction=direction,
                location=location,
            )
        converted = self._converter.convert(schema, self._spot(location), direction)
        return JsonSchema(
            converted,
            self._validators,
            direction=direction,
            location=location,
            errors=self._errors,
        )

    def coverage(self, schema: Mapping[str, Any] | bool, *, location: str = "") -> Coverage:
        """Return which keywords of a schema, and of what it refers to, are checked."""
        return find_coverage(
            schema,
            self._spot(location),
            self._documents,
            dialect=self._dialect,
            version=self._version,
            formats=self._formats,
        )

    def unbounded(self, schema: JsonSchema) -> list[str]:
        """Return the pointers of what a schema lets grow without a bound."""
        return find_unbounded(
            schema.converted, self._spot(schema.location), self._converter.definitions,
            self._converter.spots,
        )  # fmt: skip

    def _spot(self, location: str) -> Spot:
        base, mark, pointer = location.partition("#")
        return Spot(base, pointer) if mark and base in self._others else Spot("", location)
