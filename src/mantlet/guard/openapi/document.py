"""An OpenAPI document: loaded, validated, described, and compiled to operations."""

import logging
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from mantlet.guard.coverage import Coverage, checked_parts
from mantlet.guard.jsonschema import SchemaCompiler
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.diagnostics import DocumentError, ProblemList, WarningList
from mantlet.guard.openapi.diff import ComparedDocument, breaking_changes
from mantlet.guard.openapi.from_app import AppDocument
from mantlet.guard.openapi.loading import load_document
from mantlet.guard.openapi.operation_compiler import compile_operation
from mantlet.guard.openapi.operations import OperationDescriber
from mantlet.guard.openapi.references import ReferenceResolver
from mantlet.guard.openapi.schema_registry import SchemaRegistry
from mantlet.guard.openapi.validation import validate_document
from mantlet.guard.operation import Operation
from mantlet.guard.options import DocumentOptions, OperationSettings

if TYPE_CHECKING:
    from mantlet.guard.jsonschema.dialects import OpenApiVersion
    from mantlet.guard.openapi.model import OperationDescription, SchemeDescription

__all__ = ["DocumentSource", "OpenApiDocument"]

_NO_TEMPLATES: Final[Mapping[str, str]] = MappingProxyType({})

_log: Final = logging.getLogger("mantlet.guard")
#: Reasons for unchecked keywords that need no warning.
_EXPECTED: Final = ("string formats", "it is an extension")


class OpenApiDocument:
    """A valid OpenAPI document of version 3.0, 3.1 or 3.2.

    Args:
        source: the path of a JSON or YAML file, or the document as a dict, which is copied.
        ref_root: the directory of the files it may refer to; by default the directory of the file,
            and none for a dict.
        templates: replacements for path templates: ``{"/files/{p}": "/files/{p:path}"}``.

    Attributes:
        root: the document.
        version: ``"3.0"``, ``"3.1"`` or ``"3.2"``.
        references: the document and the files it refers to.
        operations: its operations, in the order of the document.
        schemes: its security schemes, by name.
        keywords: the keywords of its schemas, and the first location of each.
        warnings: content that is ignored: the first location of each kind, and a message.

    Raises:
        DocumentError: the document is invalid; it has all problems.
        TypeError: the source has another type.
        ValueError: the document cannot be read, or is not an OpenAPI document.
    """

    __slots__ = ("keywords", "operations", "references", "root", "schemes", "version", "warnings")

    def __init__(
        self,
        source: str | os.PathLike[str] | Mapping[str, Any],
        *,
        ref_root: str | os.PathLike[str] | None = None,
        templates: Mapping[str, str] = _NO_TEMPLATES,
    ) -> None:
        loaded = load_document(source, ref_root=ref_root)
        problems, warnings = ProblemList(), WarningList()
        self.root: dict[str, Any] = loaded.root
        self.version: str = loaded.version
        self.references = ReferenceResolver(loaded)
        keywords = validate_document(self.references, loaded.version, problems, warnings)
        problems.raise_if_any()
        describer = OperationDescriber(
            self.references, loaded.version, templates, problems, warnings
        )
        self.operations: tuple[OperationDescription, ...] = describer.operations()
        self.schemes: Mapping[str, SchemeDescription] = describer.schemes()
        problems.raise_if_any()
        self.warnings: tuple[tuple[str, str], ...] = warnings.all()
        self.keywords: Mapping[str, str] = {name: str(at) for name, at in keywords.items()}


class DocumentSource:
    """The operations of an OpenAPI document; an `OperationSource`.

    Args:
        source: the path of the document, the document as a dict, or the document of an app.
        options: the options for reading it.
        limits: ``errors`` is the maximum number of errors per value.

    Raises:
        DocumentError: the document is invalid; it has all problems.
        TypeError: the source has another type.
        ValueError: the document cannot be read.
    """

    reloads = True

    def __init__(self, source: Any, options: DocumentOptions, limits: BodyLimits) -> None:
        templates: Mapping[str, str] = {}
        self._app_warnings: tuple[tuple[str, str], ...] = ()
        if isinstance(source, AppDocument):
            source, templates, self._app_warnings = source
        self._document = OpenApiDocument(source, ref_root=options.ref_root, templates=templates)
        self._options = options
        self._compiler = SchemaCompiler(
            self._document.root,
            version=cast("OpenApiVersion", self._document.version),
            formats=options.formats,
            regex_lookaround=options.regex_lookaround,
            limits=limits,
            others=self._document.references.others,
        )
        self._schemas = SchemaRegistry(
            self._document.version, self._document.references, self._compiler
        )

    def names(self) -> list[tuple[str, str]]:
        """Return the methods and templates of the operations."""
        return [(one.method, one.template) for one in self._document.operations]

    def compile(self, settings: Mapping[tuple[str, str], OperationSettings]) -> Iterator[Operation]:
        """Compile the operations.

        Raises:
            DocumentError: an operation cannot be compiled, or lacks a required bound.
        """
        operations = [
            operation
            for described in self._document.operations
            for operation in compile_operation(
                self._schemas,
                described,
                self._document.schemes,
                settings[described.method, described.template],
                use_servers=self._options.use_servers,
            )
        ]
        if self._options.require_bounds:
            self._schemas.require_bounds()
        if self._schemas.problems:
            raise DocumentError(self._schemas.problems)
        yield from operations

    def log_ignored(self) -> None:
        """Log a warning for each kind of keyword that is not supported."""
        warnings = WarningList()
        for where, reason in self._schemas.coverage()[1]:
            if not reason.startswith(_EXPECTED):
                warnings.add(where, reason)
        for where, reason in warnings.all():
            _log.warning("the OpenAPI document has an unchecked keyword at %s: %s", where, reason)

    def narrower_than(self, other: "DocumentSource") -> tuple[str, ...]:
        """Return the breaking changes from another document to this one."""
        use_servers = self._options.use_servers
        return tuple(breaking_changes(other._compared(), self._compared(), use_servers=use_servers))

    def _compared(self) -> ComparedDocument:
        return ComparedDocument(self._document.operations, self._document.schemes, self._schemas)

    def coverage(self, operations: list[Operation]) -> Coverage:
        """Return which parts of the document are checked, and warnings about the others."""
        checked, unchecked = self._schemas.coverage()
        warnings = WarningList()
        for where, message in (*self._app_warnings, *self._schemas.warnings, *unchecked):
            warnings.add(where, message)
        return Coverage(
            tuple((operation.name, tuple(checked_parts(operation))) for operation in operations),
            checked,
            (*self._document.warnings, *warnings.all()),
        )
