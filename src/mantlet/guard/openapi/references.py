"""What a ``$ref`` leads to: something in the document, or in a file of its directory.

Nothing is fetched. A reference is a URI reference (RFC 3986) with a JSON Pointer (RFC 6901), or
from 3.1 on an anchor, as its fragment. A relative one is a path from the file that it stands in.
One that is a ``$self`` of a document (3.2) or an ``$id`` of a schema (3.1 on) leads there; in a
schema with an ``$id`` references are resolved against that first (JSON Schema 2020-12, 8.2.1).
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, unquote, urldefrag, urljoin

from mantlet.guard.openapi.files import relative_path
from mantlet.guard.openapi.loading import Loaded, read_content
from mantlet.guard.openapi.locations import Located, Location
from mantlet.http.json_pointer import has_bad_escape, split_pointer

__all__ = ["References"]

#: What a file's name begins with in references that have been followed.
_FILE: Final = "directory:/"
#: What stays as it is in a fragment (RFC 3986, 3.5).
_SAFE: Final = "/~!$&'()*+,;=:@?"
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")


class References:
    """The document, the files that it leads to, and the names that are given in them.

    Args:
        loaded: the document.

    Attributes:
        documents: each by its path relative to the directory; the document itself is ``""``.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.documents: dict[str, Any] = {"": loaded.root}
        self._directory = loaded.directory
        #: A file by each path that leads to it, symbolic links included.
        self._paths: dict[str, str] = {}
        if loaded.name:
            self._paths[loaded.name] = ""
        self._own = loaded.name or "$self"
        #: Documents by their ``$self`` and schemas by their ``$id``, with the base in them.
        self._named: dict[str, tuple[Located, str]] = {}
        self._anchors: dict[tuple[str, str], Located] = {}
        self._found: dict[tuple[str, str, str], Located] = {}
        self._declare_self("")

    @property
    def others(self) -> dict[str, Any]:
        """The files, and the document itself if there are any, by the names that `name()` uses."""
        if len(self.documents) == 1:
            return {}
        return {f"{_FILE}{path or self._own}": root for path, root in self.documents.items()}

    def name(self, location: Location, document: str) -> str:
        """Return the reference to a place from within a document, which `find()` knows, too."""
        fragment = quote(location.pointer, safe=_SAFE)
        if location.document == document:
            return f"#{fragment}"
        address = f"{_FILE}{location.document or self._own}"
        whole = Located(self.documents[location.document], Location(location.document))
        self._named.setdefault(address, (whole, ""))
        return f"{address}#{fragment}"

    # -- names ------------------------------------------------------------------------------------

    def declare_id(self, identifier: str, base: str, schema: Located) -> str:
        """Note the ``$id`` of a schema, and return the base of the references in it.

        Raises:
            ValueError: it has a fragment, or is another's.
        """
        name, fragment = urldefrag(urljoin(base, identifier))
        if fragment or not name:
            raise ValueError("has a fragment, or is empty")
        known, _ = self._named.setdefault(name, (schema, name))
        if known.value is not schema.value:
            raise ValueError(f"is also that of {known.location}")
        return name

    def declare_anchor(self, anchor: str, base: str, schema: Located) -> None:
        """Note an ``$anchor``.

        Raises:
            ValueError: it is another's.
        """
        key = (base or f"//{schema.location.document}", anchor)
        known = self._anchors.setdefault(key, schema)
        if known.value is not schema.value:
            raise ValueError(f"is also that of {known.location}")

    def _declare_self(self, document: str) -> None:
        root = self.documents[document]
        if isinstance(root, dict) and isinstance(root.get("$self"), str):
            self._named.setdefault(root["$self"], (Located(root, Location(document)), ""))

    # -- what is found ----------------------------------------------------------------------------

    def find(self, reference: str, document: str, base: str = "") -> Located:
        """Return what a reference leads to.

        Args:
            reference: the text of a ``$ref``.
            document: the one that it stands in.
            base: the ``$id`` that holds where it stands, if one does.

        Raises:
            ValueError: it leads to nothing, or where it must not, in words that go behind
                "the reference".
        """
        key = (reference, document, base)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(reference, document, base)
        return found

    def follow(self, part: Located) -> Located:
        """Return what a part is once its ``$ref``, and that one's, is followed.

        Raises:
            ValueError: one leads to nothing, or in a circle.
        """
        for _ in range(100):
            value = part.value
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return part
            part = self.find(value["$ref"], part.location.document)
        raise ValueError("leads in a circle")

    def _find(self, reference: str, document: str, base: str) -> Located:
        address, mark, fragment = reference.partition("#")
        if not reference or (not mark and not address):
            raise ValueError("is empty")
        resource, scope = self._resource(address, document, base)
        fragment = _unquote(fragment)
        if not fragment:
            return resource
        if fragment.startswith("/"):
            return _point(resource, fragment)
        anchored = self._anchors.get((scope or f"//{resource.location.document}", fragment))
        if anchored is None:
            raise ValueError(f"leads to the anchor {fragment!r}, which is not there")
        return anchored

    def _resource(self, address: str, document: str, base: str) -> tuple[Located, str]:
        """Return the document or schema that an address without a fragment names, and its base."""
        if not address and not base:
            return Located(self.documents[document], Location(document)), ""
        with suppress(ValueError):
            name = urljoin(base, address)
            for known in (name, address):
                if known in self._named:
                    return self._named[known]
        path = relative_path(address, document or self._own)
        return self._open(path), ""

    def _open(self, path: str) -> Located:
        document = self._paths.get(path)
        if document is None:
            if self._directory is None:
                raise ValueError("leads to a file, and no directory has been given")
            actual, content = self._directory.read(path)
            document = self._paths.get(actual)
            if document is None:
                self.documents[actual] = read_content(actual, content)
                self._paths[actual] = document = actual
                self._declare_self(actual)
            self._paths[path] = document
        return Located(self.documents[document], Location(document))


def _unquote(fragment: str) -> str:
    try:
        return unquote(fragment, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a fragment that is not UTF-8") from None


def _point(resource: Located, pointer: str) -> Located:
    value, location = resource
    for token in _tokens(pointer):
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            raise ValueError(f"leads to nothing: {location.child(token)} is not there")
        location = location.child(token)
    return Located(value, location)


def _tokens(pointer: str) -> Sequence[str]:
    if has_bad_escape(pointer):
        raise ValueError("has a ~ that is neither ~0 nor ~1")
    return split_pointer(pointer)
