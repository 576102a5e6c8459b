"""The documents that schemas stand in, and where their references lead (RFC 3986, RFC 6901)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from mantlet.guard.errors import pointer
from mantlet.http.json_pointer import split_pointer

__all__ = ["Documents", "Spot", "objects"]

_VALUES: Final = ("const", "default", "enum", "example", "examples")


class Spot(NamedTuple):
    """Where a schema stands.

    Attributes:
        base: the URI of the document; ``""`` is the main one.
        pointer: in it.
    """

    base: str
    pointer: str

    def __str__(self) -> str:
        return f"{self.base}#{self.pointer}" if self.base else self.pointer

    def down(self, *way: str | int) -> "Spot":
        """Return the spot of what is written in what is here."""
        return Spot(self.base, self.pointer + pointer(way))


class Documents:
    """The main document and the others that it refers to, all there already.

    Args:
        document: the main one.
        others: by the URIs that references have before their ``#``.
    """

    __slots__ = ("_anchors", "_documents", "_dynamic")

    # Any: documents are plain JSON.
    def __init__(self, document: Any, others: Mapping[str, Any]) -> None:
        self._documents: dict[str, Any] = {**others, "": document}
        self._anchors: dict[tuple[str, str], Spot] | None = None
        self._dynamic: dict[str, list[Spot]] = {}

    # Any: whatever a schema has as its reference.
    def find(self, reference: Any, base: str) -> tuple[Spot, Any]:
        """Return where a reference leads, and what is there.

        Args:
            reference: as written.
            base: the URI of the document that it is written in.

        Raises:
            LookupError: with words; there is nothing there.
        """
        if not isinstance(reference, str):
            raise LookupError("a reference must be text")  # noqa: TRY004  # of one kind for callers
        uri, _, fragment = reference.partition("#")
        uri = uri or base
        if uri not in self._documents:
            raise LookupError(f"{reference!r} refers to a document that is not given")
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            spot = self._index().get((uri, fragment))
            if spot is None:
                raise LookupError(f"{reference!r} refers to an anchor that is not there")
            uri, fragment = spot
        found = self._documents[uri]
        for token in split_pointer(fragment):
            found = _step(found, token, reference)
        return Spot(uri, fragment), found

    def only(self, anchor: str) -> Spot | None:
        """Return where a dynamic anchor is, if there is one such in all the documents."""
        self._index()
        spots = self._dynamic.get(anchor, [])
        return spots[0] if len(spots) == 1 else None

    def _index(self) -> dict[tuple[str, str], Spot]:
        if self._anchors is None:
            self._anchors = {}
            for uri, document in self._documents.items():
                for at, found in objects(document):
                    for keyword in ("$anchor", "$dynamicAnchor"):
                        name = found.get(keyword)
                        if isinstance(name, str):
                            self._anchors.setdefault((uri, name), Spot(uri, at))
                            if keyword == "$dynamicAnchor":
                                self._dynamic.setdefault(name, []).append(Spot(uri, at))
        return self._anchors


def objects(document: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Iterate over the objects of a document that may be schemas, each with its pointer."""
    waiting = [("", document)]
    while waiting:
        at, found = waiting.pop()
        if isinstance(found, Mapping):
            yield at, found
            waiting += [
                (at + pointer((name,)), value)
                for name, value in found.items()
                if name not in _VALUES
            ]
        elif isinstance(found, list):
            waiting += [(f"{at}/{index}", value) for index, value in enumerate(found)]


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
    raise LookupError(f"{reference!r} refers to what is not there")
