"""A document, before it is decided how strictly each of its operations is dealt with."""

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from mantlet.guard.coverage import Coverage, checked_parts
from mantlet.guard.jsonschema import Compiler
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.diagnostics import DocumentError
from mantlet.guard.openapi.diff import narrower
from mantlet.guard.openapi.document import Document
from mantlet.guard.openapi.from_app import AppDocument
from mantlet.guard.openapi.notes import Notes
from mantlet.guard.openapi.operation_compiler import compile_operation
from mantlet.guard.openapi.schema_registry import Parts
from mantlet.guard.operation import Operation
from mantlet.guard.options import DocumentOptions, OperationSettings

if TYPE_CHECKING:
    from mantlet.guard.jsonschema.dialects import Version

__all__ = ["DocumentDeclaration"]

_log: Final = logging.getLogger("mantlet.guard")
#: What is not checked as somebody chose so, and not for want of a way to.
_BY_CHOICE: Final = ("formats of strings", "it is an extension")


class DocumentDeclaration:
    """The operations of an OpenAPI document.

    Args:
        source: the path of the document, what it says as a dict, or an app's own.
        reading: how it is read.
        limits: of which ``errors`` is how many faults of a value are told.

    Raises:
        DocumentError: something is wrong with it; it lists all of it.
        TypeError: the source is none of these.
        ValueError: it can't be read.
    """

    reloads = True

    def __init__(self, source: Any, reading: DocumentOptions, limits: BodyLimits) -> None:
        templates: Mapping[str, str] = {}
        self._notes: list[tuple[str, str]] = []
        if isinstance(source, AppDocument):
            source, templates, notes = source
            self._notes += notes
        self.document = Document(source, directory=reading.ref_root, templates=templates)
        self._reading = reading
        self._compiler = Compiler(
            self.document.root,
            version=cast("Version", self.document.version),
            formats=reading.formats,
            lookaround=reading.regex_lookaround,
            limits=limits,
            others=self.document.references.others,
        )
        self.parts = Parts(self.document, self._compiler)

    def names(self) -> list[tuple[str, str]]:
        """Return the methods and the templates of the operations."""
        return [(one.method, one.template) for one in self.document.operations]

    def compile(self, settings: Mapping[tuple[str, str], OperationSettings]) -> Iterator[Operation]:
        """Yield the operations.

        Raises:
            DocumentError: some of it can't be compiled, or has no bound though it must.
        """
        operations = [
            operation
            for described in self.document.operations
            for operation in compile_operation(
                self.parts,
                described,
                self.document.schemes,
                settings[described.method, described.template],
                servers=self._reading.use_servers,
            )
        ]
        if self._reading.require_bounds:
            self.parts.find_unbounded()
        if self.parts.problems:
            raise DocumentError(self.parts.problems)
        yield from operations

    def log_ignored(self) -> None:
        """Log which keywords of the document's schemas can't be honoured."""
        told = Notes()
        for where, words in self.parts.coverage()[1]:
            if not words.startswith(_BY_CHOICE):
                told.add(where, words)
        for where, words in told.all():
            _log.warning("a keyword of the document is not checked, at %s: %s", where, words)

    def narrower_than(self, other: "DocumentDeclaration") -> tuple[str, ...]:
        """Return what another document accepts, and this one does not, or may not, in words."""
        return tuple(
            narrower(
                other.document,
                other.parts,
                self.document,
                self.parts,
                servers=self._reading.use_servers,
            )
        )

    def coverage(self, operations: list[Operation]) -> Coverage:
        """Return what of the document is checked, and what is not."""
        checked, unchecked = self.parts.coverage()
        notes = Notes()
        for where, words in (*self._notes, *self.parts.unchecked, *unchecked):
            notes.add(where, words)
        return Coverage(
            tuple((operation.name, tuple(checked_parts(operation))) for operation in operations),
            checked,
            (*self.document.notes, *notes.all()),
        )
