"""An OpenAPI document, checked and described."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mantlet.guard.openapi.diagnostics import Problems
from mantlet.guard.openapi.loading import load
from mantlet.guard.openapi.notes import Notes
from mantlet.guard.openapi.operations import Descriptions
from mantlet.guard.openapi.references import References
from mantlet.guard.openapi.validation import check

if TYPE_CHECKING:
    from mantlet.guard.openapi.model import OperationDescription, SchemeDescription

__all__ = ["Document"]

_NONE: Mapping[str, str] = MappingProxyType({})


class Document:
    """An OpenAPI document of version 3.0, 3.1 or 3.2.

    Args:
        source: the path of a JSON or YAML file, or what one says as a dict, which is copied.
        directory: whose files may be referred to; by default the one that the file is in, and none
            for a dict.
        templates: other names of its templates: ``{"/files/{p}": "/files/{p:path}"}``.

    Attributes:
        root: the document.
        version: ``"3.0"``, ``"3.1"`` or ``"3.2"``.
        references: what is in it and in the files that it refers to.
        operations: what it describes, in its order.
        schemes: its security schemes, by name.
        keywords: those of its schemas, each with where it stands first.
        notes: what is of no consequence, where it stands first and in words.

    Raises:
        DocumentError: something is wrong with the document; it has all of it.
        TypeError: the source is none of these.
        ValueError: it can't be read, or is no OpenAPI document.
    """

    __slots__ = ("keywords", "notes", "operations", "references", "root", "schemes", "version")

    def __init__(
        self,
        source: str | os.PathLike[str] | Mapping[str, Any],
        *,
        directory: str | os.PathLike[str] | None = None,
        templates: Mapping[str, str] = _NONE,
    ) -> None:
        loaded = load(source, directory=directory)
        problems, notes = Problems(), Notes()
        self.root: dict[str, Any] = loaded.root
        self.version: str = loaded.version
        self.references = References(loaded)
        keywords = check(self.references, loaded.version, problems, notes)
        problems.raise_if_any()
        descriptions = Descriptions(self.references, loaded.version, templates, problems, notes)
        self.operations: tuple[OperationDescription, ...] = descriptions.operations()
        self.schemes: Mapping[str, SchemeDescription] = descriptions.schemes()
        problems.raise_if_any()
        self.notes: tuple[tuple[str, str], ...] = notes.all()
        self.keywords: Mapping[str, str] = {word: str(at) for word, at in keywords.items()}
