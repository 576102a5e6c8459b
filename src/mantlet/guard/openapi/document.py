"""An OpenAPI document: loaded, validated, described, and compiled to operations."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from mantlet._internal.garbage import collection_paused
from mantlet.guard.apps.documents import AppDocument
from mantlet.guard.coverage import Coverage, checked_parts
from mantlet.guard.jsonschema import SchemaCompiler
from mantlet.guard.jsonschema.audit import LENIENT_PATTERN
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.diagnostics import DocumentError, WarningList
from mantlet.guard.openapi.diff import ComparedDocument, breaking_changes
from mantlet.guard.openapi.faults import Fault, OperationPart, PartKind
from mantlet.guard.openapi.lazy_operations import LazyOperations
from mantlet.guard.openapi.loading import load_document
from mantlet.guard.openapi.operation_compiler import compile_operation, compile_security
from mantlet.guard.openapi.operations import OperationDescriber
from mantlet.guard.openapi.references import ReferenceResolver
from mantlet.guard.openapi.schema_registry import SchemaRegistry
from mantlet.guard.openapi.swagger2.translation import original_locations
from mantlet.guard.openapi.validation.validator import validate_document
from mantlet.guard.operation import Operation
from mantlet.guard.options import DocumentOptions, OperationSettings
from mantlet.guard.routing.path_table import PathMethods
from mantlet.guard.routing.path_templates import parse_template
from mantlet.http.routing.trie import Node, insert

if TYPE_CHECKING:
    from mantlet.guard.jsonschema.dialects import OpenApiVersion
    from mantlet.guard.openapi.model import OperationDescription, SchemeDescription
    from mantlet.guard.routing.app_routes import AppRoutes

__all__ = ["DocumentSource", "OpenApiDocument"]

_NO_TEMPLATES: Final[Mapping[str, str]] = MappingProxyType({})

#: How many operations are compiled at construction by ``compile="auto"``.
_MAX_EAGER: Final = 300
_log: Final = logging.getLogger("mantlet.guard")
#: How many faulty operations the log names.
_MAX_LOGGED: Final = 3
_ADVICE: Final = (
    'Pass on_invalid="close" to answer requests for faulty operations with 501, or '
    'on_invalid="open" to let them pass without validation.'
)
#: Reasons for unchecked keywords that need no warning.
_EXPECTED: Final = ("string formats", "it is an extension", LENIENT_PATTERN)


class OpenApiDocument:
    """A valid OpenAPI document of version 3.0, 3.1 or 3.2, or one of Swagger 2.0.

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
        faults: the faults of its operations.
        notes: violations that change nothing: locations and messages.
        warnings: content that is ignored: the first location of each kind, and a message.

    Raises:
        DocumentError: the document cannot be read, is not an OpenAPI document, or is faulty as a
            whole.
        TypeError: the source has another type.
    """

    __slots__ = (
        "faults",
        "keywords",
        "notes",
        "operations",
        "references",
        "root",
        "schemes",
        "version",
        "warnings",
    )

    def __init__(
        self,
        source: str | os.PathLike[str] | Mapping[str, Any],
        *,
        ref_root: str | os.PathLike[str] | None = None,
        templates: Mapping[str, str] = _NO_TEMPLATES,
    ) -> None:
        loaded = load_document(source, ref_root=ref_root)
        self.root: dict[str, Any] = loaded.root
        self.version: str = loaded.version
        self.references = ReferenceResolver(loaded)
        try:
            validated = validate_document(self.references, loaded.version, loaded.faults)
        except DocumentError as error:
            raise DocumentError(self.original_locations(error.problems)) from None
        describer = OperationDescriber(self.references, loaded.version, templates, validated)
        self.faults = validated.faults
        self.operations: tuple[OperationDescription, ...] = describer.operations()
        self.schemes: Mapping[str, SchemeDescription] = describer.schemes()
        found = ((str(location), message) for location, message in validated.problems.notes)
        self.notes: tuple[Fault, ...] = (
            *loaded.notes,
            *self.translation_notes(),
            *self.original_locations(found),
        )
        self.warnings = self.original_locations(validated.warnings.all())
        self.keywords: Mapping[str, str] = {
            name: str(at) for name, at in validated.keywords.items()
        }

    def original_locations(self, found: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return problems or notes with their locations in the document as it was written."""
        return original_locations(self.references.translations, found)

    def translation_notes(self) -> Iterator[tuple[str, str]]:
        """Yield notes on what was translated from Swagger 2.0, and how."""
        for name, translation in self.references.translations.items():
            for pointer, message in translation.notes:
                yield f"{name}#{pointer}" if name else pointer, message


class DocumentSource:
    """The operations of an OpenAPI document; an `OperationSource`.

    Args:
        source: the path of the document, the document as a dict, or the document of an app.
        options: the options for reading it.
        limits: ``errors`` is the maximum number of errors per value.

    Raises:
        DocumentError: the document cannot be read, or is faulty as a whole.
        TypeError: the source has another type.
    """

    reloads = True

    def __init__(self, source: Any, options: DocumentOptions, limits: BodyLimits) -> None:
        templates: Mapping[str, str] = {}
        self._app_warnings: tuple[tuple[str, str], ...] = ()
        self.app_routes: AppRoutes | None = None
        self._booleans: Mapping[str, bool] | None = None
        if isinstance(source, AppDocument):
            source, templates, self._app_warnings, self.app_routes, self._booleans = source
        with collection_paused():
            self._document = OpenApiDocument(source, ref_root=options.ref_root, templates=templates)
        self._options = options
        self._limits = limits
        self._schemas = self._make_schemas()
        self._is_lazy = options.compile == "lazy" or (
            options.compile == "auto" and len(self._document.operations) > _MAX_EAGER
        )
        self._lazy = LazyOperations(self._reset)
        self._faulty: list[Operation] = []
        #: Faults of the document that no request meets.
        self._unmet: tuple[Fault, ...] = ()
        #: Faulty operations whose path cannot be matched.
        self._unroutable: list[Operation] = []

    def _make_schemas(self) -> SchemaRegistry:
        document, options = self._document, self._options
        compiler = SchemaCompiler(
            document.root,
            version=cast("OpenApiVersion", document.version),
            formats=options.formats,
            regex_lookaround=options.regex_lookaround,
            limits=self._limits,
            others=document.references.others,
        )
        return SchemaRegistry(
            document.version, document.references, compiler, booleans=self._booleans
        )

    def _reset(self) -> None:
        self._schemas = self._make_schemas()

    def names(self) -> list[tuple[str, str]]:
        """Return the methods and templates of the operations."""
        return [(one.method, one.template) for one in self._document.operations]

    def compile(self, settings: Mapping[tuple[str, str], OperationSettings]) -> Iterator[Operation]:
        """Compile the operations; see `_compile()`."""
        with collection_paused():
            return iter(self._compile(settings))

    def _compile(self, settings: Mapping[tuple[str, str], OperationSettings]) -> list[Operation]:
        """Compile the operations.

        Those whose path cannot be matched are left out, so that requests for them get a 404.

        Raises:
            DocumentError: an operation is faulty, unless ``on_invalid`` tolerates that.
        """
        compiled, self._unroutable = [], []
        routes = _Routes()
        for described in self._document.operations:
            operation = self._declare(described, settings[described.method, described.template])
            problem = routes.add(operation)
            if problem is None:
                compiled.append(replace(operation, bases=described.base_paths))
            else:
                faults = operation.faults or self._original(((operation.pointer, problem),))
                self._unroutable.append(replace(operation, faults=faults, is_open=False))
        self._faulty = [one for one in (*compiled, *self._unroutable) if one.faults]
        self._unmet = self._check_faults(settings)
        return compiled

    def _check_faults(
        self, settings: Mapping[tuple[str, str], OperationSettings]
    ) -> tuple[Fault, ...]:
        """Return the faults of the document that no request meets.

        Raises:
            DocumentError: with all others, unless ``on_invalid`` tolerates them.
        """
        responses = {
            described.pointer
            for described in self._document.operations
            if settings[described.method, described.template].responses != "off"
        }
        is_active: Mapping[PartKind, Callable[[OperationPart], bool]] = {
            "request": lambda _: True,
            "responses": lambda part: part.operation in responses,
            "security": lambda _: not self._options.security_by_app,
        }
        met, unmet = self._document.faults.split(lambda part: is_active[part.kind](part))
        met, unmet = self._original(met), self._original(unmet)
        found = dict.fromkeys((*met, *(fault for one in self._faulty for fault in one.faults)))
        if found and self._options.on_invalid == "error":
            raise DocumentError(found, advice=_ADVICE)
        return unmet

    def _declare(self, described: "OperationDescription", settings: OperationSettings) -> Operation:
        """Compile an operation now, or at its first request."""
        if not self._is_lazy or self._known_faults(described, settings):
            return self.compile_operation(described, settings)
        return self._lazy.pending(
            self._declaration(described),
            lambda: self.compile_operation(described, settings),
            has_matrix=any(one.style == "matrix" for one in described.parameters),
        )

    def compile_operation(
        self, described: "OperationDescription", settings: OperationSettings
    ) -> Operation:
        """Compile one operation, at any time and independently of the others.

        Args:
            described: one of the document's operations.
            settings: its settings.

        Returns:
            The operation without a base path. If its declaration is faulty, it has `faults` and
            nothing to validate requests by: it is closed, or open by ``on_invalid="open"`` unless
            its security is faulty.
        """
        options = self._options
        faults = self._known_faults(described, settings)
        if not faults:
            self._schemas.begin_operation()
            operation = compile_operation(
                self._schemas, described, self._document.schemes, settings
            )
            if options.require_bounds:
                self._schemas.require_bounds()
            faults = tuple(self._schemas.problems)
            if not faults:
                return operation
        has_security = options.security_by_app or not described.security_faults
        return replace(
            self._declaration(described),
            faults=self._original(faults),
            is_open=options.on_invalid == "open" and has_security,
        )

    def _known_faults(
        self, described: "OperationDescription", settings: OperationSettings
    ) -> tuple[Fault, ...]:
        """Return the faults of an operation that are found without compiling it."""
        faults = described.faults
        if not self._options.security_by_app:
            faults += described.security_faults
        if settings.responses != "off":
            faults += described.response_faults
        return faults

    def _declaration(self, described: "OperationDescription") -> Operation:
        """Return an operation without its validators."""
        return Operation(
            method=described.method,
            template=described.template,
            security=compile_security(described, self._document.schemes),
            pointer=described.pointer,
            operation_id=described.operation_id,
        )

    def _original(self, found: Iterable[Fault]) -> tuple[Fault, ...]:
        return self._document.original_locations(found)

    def log_ignored(self) -> None:
        """Log the faulty operations, and a warning for each kind of unsupported keyword."""
        if self._faulty:
            _log.warning(
                "SchemaGuard: the declarations of %d of %d operations in the OpenAPI document are "
                "invalid, so these are %s: %s. guard.coverage has all faults",
                len(self._faulty),
                len(self._document.operations),
                "closed (501)" if self._options.on_invalid == "close" else "open",
                "; ".join(
                    f"{one.name} ({one.faults[0][0]}: {one.faults[0][1]})"
                    for one in self._faulty[:_MAX_LOGGED]
                )
                + ("; ..." if len(self._faulty) > _MAX_LOGGED else ""),
            )
        warnings = WarningList()
        for where, reason in self._schemas.coverage()[1]:
            if not reason.startswith(_EXPECTED):
                warnings.add(where, reason)
        for where, reason in self._original(warnings.all()):
            _log.warning(
                "SchemaGuard: the OpenAPI document has an unchecked keyword at %s: %s",
                where,
                reason,
            )

    def narrower_than(self, other: "DocumentSource") -> tuple[str, ...]:
        """Return the breaking changes from another document to this one."""
        use_servers = self._options.servers != "ignore"
        with other._lazy.lock.hold(), self._lazy.lock.hold():
            return tuple(
                breaking_changes(other._compared(), self._compared(), use_servers=use_servers)
            )

    def _compared(self) -> ComparedDocument:
        return ComparedDocument(
            self._document.operations,
            self._document.schemes,
            self._schemas,
            closed=frozenset(one.pointer for one in self._faulty if not one.is_open),
            unvalidated=frozenset(one.pointer for one in self._faulty if one.is_open),
        )

    def coverage(self, operations: list[Operation]) -> Coverage:
        """Return which parts of the document are checked, and warnings about the others."""
        with self._lazy.lock.hold():
            checked, unchecked = self._schemas.coverage()
        notes = WarningList()
        for where, message in (
            *self._app_warnings,
            *self._document.notes,
            *self._unmet,
            *self._original((*self._schemas.warnings, *unchecked)),
        ):
            notes.add(where, message)
        by_app = self._options.security_by_app
        return Coverage(
            tuple(
                (one.name, tuple(checked_parts(one, security_by_app=by_app)))
                for one in operations
                if not one.faults
            ),
            checked,
            (*notes.all(), *self._document.warnings),
            closed=tuple(
                (one.name, one.faults)
                for one in (*operations, *self._unroutable)
                if one.faults and not one.is_open
            ),
            unvalidated=tuple((one.name, one.faults) for one in operations if one.is_open),
        )


class _Routes:
    """Finds operations that the router cannot hold, alone or beside others."""

    def __init__(self) -> None:
        self._root: Node[PathMethods[Operation]] = Node()

    def add(self, operation: Operation) -> str | None:
        """Add an operation; return the fault of its path or method, or None."""
        try:
            template = parse_template(operation.template)
            node = insert(self._root, template.shape)
            node.value = node.value or PathMethods()
            node.value.add(operation.method, template, operation)
        except ValueError as error:
            return str(error)
        return None
