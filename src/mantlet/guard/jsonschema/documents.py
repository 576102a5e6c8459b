"""The documents that hold schemas, references between them, and problems located in them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from mantlet.http.json_pointer import join_pointer, split_pointer

__all__ = [
    "SchemaDocuments",
    "SchemaError",
    "SchemaLocation",
    "SchemaProblem",
    "iter_objects",
    "mentions",
]

#: Keywords whose values are data, not schemas.
_DATA_KEYWORDS: Final = ("const", "default", "enum", "example", "examples")
#: How many problems the message of a `SchemaError` lists.
_MAX_LISTED: Final = 20


class SchemaLocation(NamedTuple):
    """The location of a schema.

    Attributes:
        base: the URI of its document; ``""`` is the main document.
        pointer: its JSON Pointer in the document (RFC 6901).
    """

    base: str
    pointer: str

    def __str__(self) -> str:
        return f"{self.base}#{self.pointer}" if self.base else self.pointer

    def child(self, *path: str | int) -> "SchemaLocation":
        """Return the location at a relative path."""
        return SchemaLocation(self.base, self.pointer + join_pointer(path))


class SchemaProblem(NamedTuple):
    """A problem in a schema.

    Attributes:
        pointer: its JSON Pointer; prefixed with the URI of the document and ``#`` outside the main
            document.
        message: a description.
    """

    pointer: str
    message: str


class SchemaError(ValueError):
    """A schema is invalid or cannot be compiled.

    Args:
        problems: all problems, at least one.
    """

    def __init__(self, problems: Iterable[SchemaProblem]) -> None:
        self.problems = tuple(problems)
        lines = [
            f"{problem.pointer or '/'}: {problem.message}"
            for problem in self.problems[:_MAX_LISTED]
        ]
        if len(self.problems) > _MAX_LISTED:
            lines.append(f"and {len(self.problems) - _MAX_LISTED} more")
        super().__init__("invalid schema: " + "; ".join(lines))


class SchemaDocuments:
    """The main document and the documents that it refers to, all loaded.

    Args:
        document: the main document.
        others: other documents, by the URIs that references have before their ``#``.
    """

    __slots__ = ("_anchors", "_documents", "_dynamic_anchors", "_resolved")

    # Any: documents are plain JSON.
    def __init__(self, document: Any, others: Mapping[str, Any]) -> None:
        self._documents: dict[str, Any] = {**others, "": document}
        self._anchors: dict[tuple[str, str], SchemaLocation] | None = None
        self._dynamic_anchors: dict[str, list[SchemaLocation]] = {}
        self._resolved: dict[tuple[str, str], tuple[SchemaLocation, Any]] = {}

    # Any: a schema may have anything as its reference.
    def resolve(self, reference: Any, base: str) -> tuple[SchemaLocation, Any]:
        """Resolve a reference (RFC 3986, RFC 6901).

        Args:
            reference: the reference as written.
            base: the URI of the document that contains it.

        Returns:
            The location of the target, and the target.

        Raises:
            LookupError: with a message; the target does not exist.
        """
        if not isinstance(reference, str):
            raise LookupError("a reference must be a string")  # noqa: TRY004  # one type for callers
        key = (reference, base)
        known = self._resolved.get(key)
        if known is None:
            known = self._resolved[key] = self._resolve(reference, base)
        return known

    def _resolve(self, reference: str, base: str) -> tuple[SchemaLocation, Any]:
        uri, _, fragment = reference.partition("#")
        uri = uri or base
        if uri not in self._documents:
            raise LookupError(f"{reference!r} refers to an unknown document")
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            location = self._index().get((uri, fragment))
            if location is None:
                raise LookupError(f"{reference!r} refers to an anchor that does not exist")
            uri, fragment = location
        found = self._documents[uri]
        for token in split_pointer(fragment):
            found = _step(found, token, reference)
        return SchemaLocation(uri, fragment), found

    def mention(self, keywords: frozenset[str]) -> bool:
        """Return whether an object in a document has one of some keywords."""
        return any(mentions(document, keywords) for document in self._documents.values())

    def sole_dynamic_anchor(self, anchor: str) -> SchemaLocation | None:
        """Return the location of a dynamic anchor if it is unique in all documents, else None."""
        self._index()
        locations = self._dynamic_anchors.get(anchor, [])
        return locations[0] if len(locations) == 1 else None

    def _index(self) -> dict[tuple[str, str], SchemaLocation]:
        if self._anchors is None:
            self._anchors = {}
            for uri, document in self._documents.items():
                for at, found in iter_objects(document):
                    for keyword in ("$anchor", "$dynamicAnchor"):
                        name = found.get(keyword)
                        if isinstance(name, str):
                            location = SchemaLocation(uri, at)
                            self._anchors.setdefault((uri, name), location)
                            if keyword == "$dynamicAnchor":
                                self._dynamic_anchors.setdefault(name, []).append(location)
        return self._anchors


def iter_objects(document: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Iterate over the objects in a document that may be schemas, each with its JSON Pointer."""
    pending = [("", document)]
    while pending:
        at, found = pending.pop()
        if isinstance(found, Mapping):
            yield at, found
            pending += [
                (at + join_pointer((name,)), value)
                for name, value in found.items()
                if name not in _DATA_KEYWORDS
            ]
        elif isinstance(found, list):
            pending += [(f"{at}/{index}", value) for index, value in enumerate(found)]


def mentions(document: Any, keywords: frozenset[str]) -> bool:
    """Return whether an object in a document has one of some keywords."""
    pending = [document]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            if keywords & found.keys():
                return True
            pending += found.values()
        elif isinstance(found, list):
            pending += found
        elif isinstance(found, Mapping):
            return True  # of another type, and perhaps not plain inside
    return False


def _step(found: Any, token: str, reference: str) -> Any:
    if isinstance(found, Mapping) and token in found:
        return found[token]
    if (
        isinstance(found, list)
        and token.isdecimal()
        and token.isascii()
        and int(token) < len(found)
    ):
        return found[int(token)]
    raise LookupError(f"{reference!r} does not exist")
