"""Translate a Swagger 2.0 document to OpenAPI 3.0, in memory.

Everything that decides about requests and responses has an equivalent: parameters, bodies and
forms, ``consumes`` and ``produces``, the base path, schemas and security schemes. Parts without one
are notes for the coverage. The document is not validated here: values of a wrong type are kept, for
the validation to report, at their locations in the original.

A file that the document refers to is translated too if it has ``swagger: "2.0"``, or shared
definitions, parameters or responses; any other is read as one of OpenAPI 3.0. A parameter of a body
or a form must be in the file that uses it.

Sources: Swagger 2.0 (swagger.io/specification/v2); OpenAPI 3.0.4.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.openapi.swagger2.schemas import Pointers
from mantlet.guard.openapi.swagger2.translator import Translator

__all__ = [
    "FILE_PREFIX",
    "Translation",
    "is_swagger2",
    "original_locations",
    "to_openapi3",
    "translate_file",
]

#: The prefix of files in references that have been rewritten.
FILE_PREFIX: Final = "directory:/"


# Any: plain JSON.
class Translation(NamedTuple):
    """A translated document.

    Attributes:
        root: the document in OpenAPI 3.0.
        notes: parts whose translation may be unexpected: locations in the original, and messages.
        pointers: from locations in ``root`` to those in the original.
    """

    root: dict[str, Any]
    notes: tuple[tuple[str, str], ...]
    pointers: Pointers

    def moved(self, found: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return problems with the locations that they have in ``root``."""
        return tuple((self.pointers.target(pointer), message) for pointer, message in found)


def original_locations(
    translations: Mapping[str, Translation], found: Iterable[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Return problems or notes with the locations that they have in the original.

    Args:
        translations: the translated document, and files by their names.
        found: locations and messages.
    """

    def original(location: str) -> str:
        name, mark, pointer = (
            location.rpartition("#") if location[:1] != "/" else ("", "", location)
        )
        name = name.removeprefix(FILE_PREFIX)
        known = translations.get(name)
        return location if known is None else f"{name}{mark}{known.pointers.original(pointer)}"

    return tuple((original(location), message) for location, message in found)


def is_swagger2(root: Any) -> bool:
    """Return whether a document is one of Swagger 2.0, also if YAML made a number of that."""
    return isinstance(root, dict) and "openapi" not in root and root.get("swagger") in ("2.0", 2.0)


def to_openapi3(root: Mapping[str, Any]) -> Translation:
    """Translate a document.

    Args:
        root: the document, which is not changed.
    """
    translator = Translator(root)
    translated = translator.translate()
    return Translation(translated, tuple(translator.notes), translator.pointers)


def translate_file(root: Any) -> Translation | None:
    """Translate a file that a document of Swagger 2.0 refers to; None if it is left as it is."""
    if not isinstance(root, dict):
        return None
    shared = ("definitions", "parameters", "responses")
    is_shared = "openapi" not in root and any(isinstance(root.get(kind), dict) for kind in shared)
    return to_openapi3(root) if is_shared or is_swagger2(root) else None
