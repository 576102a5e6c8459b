"""Resolve ``$ref``: to a location in the document, or in a file of its directory.

Nothing is fetched. A reference is a URI reference (RFC 3986) whose fragment is a JSON Pointer
(RFC 6901) or, from 3.1 on, an anchor. A relative reference is a path from the file that contains
it. References may also use the ``$self`` of a document (3.2) or the ``$id`` of a schema (from 3.1
on); in a schema with an ``$id``, references are resolved against that first (JSON Schema 2020-12,
8.2.1).
"""

import re
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, unquote, urldefrag, urljoin

from mantlet.guard.openapi.diagnostics import DocumentLocation, LocatedValue
from mantlet.guard.openapi.loading import LoadedDocument, parse_content, relative_path
from mantlet.guard.openapi.swagger2.translation import FILE_PREFIX, Translation, translate_file
from mantlet.http.json_pointer import has_bad_escape, split_pointer

__all__ = ["ReferenceResolver"]

#: Characters that are not escaped in a fragment (RFC 3986, 3.5).
_SAFE: Final = "/~!$&'()*+,;=:@?"
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
#: How many references in a row are followed.
_MAX_CHAIN: Final = 100


class ReferenceResolver:
    """Resolves references in the document and in the files it refers to.

    Args:
        loaded: the document.

    Attributes:
        documents: the document, ``""``, and the files read so far by their relative paths.
        translations: those of the documents that were translated from Swagger 2.0.
    """

    def __init__(self, loaded: LoadedDocument) -> None:
        self.documents: dict[str, Any] = {"": loaded.root}
        self.translations: dict[str, Translation] = {}
        if loaded.translation is not None:
            self.translations[""] = loaded.translation
        self._ref_root = loaded.ref_root
        #: The file for each path that leads to it, including symbolic links.
        self._paths: dict[str, str] = {}
        if loaded.name:
            self._paths[loaded.name] = ""
        self._own_name = loaded.name or "$self"
        #: Documents by ``$self`` and schemas by ``$id``, with the base URI of their references.
        self._named: dict[str, tuple[LocatedValue, str]] = {}
        self._anchors: dict[tuple[str, str], LocatedValue] = {}
        self._resolved: dict[tuple[str, str, str], LocatedValue] = {}
        self._declare_self("")

    @property
    def others(self) -> dict[str, Any]:
        """All documents by the names that `reference_to()` uses; empty without files."""
        if len(self.documents) == 1:
            return {}
        return {
            f"{FILE_PREFIX}{path or self._own_name}": root for path, root in self.documents.items()
        }

    def reference_to(self, location: DocumentLocation, document: str) -> str:
        """Return a reference to a location from a document, which `resolve()` understands."""
        fragment = quote(location.pointer, safe=_SAFE)
        if location.document == document:
            return f"#{fragment}"
        address = f"{FILE_PREFIX}{location.document or self._own_name}"
        root = LocatedValue(self.documents[location.document], DocumentLocation(location.document))
        self._named.setdefault(address, (root, ""))
        return f"{address}#{fragment}"

    # -- declared names ---------------------------------------------------------------------------

    def declare_id(self, identifier: str, base: str, schema: LocatedValue) -> str:
        """Register the ``$id`` of a schema, and return the base URI of the references in it.

        Raises:
            ValueError: it has a fragment, or is a duplicate.
        """
        name, fragment = urldefrag(urljoin(base, identifier))
        if fragment or not name:
            raise ValueError("must not be empty or have a fragment")
        known, _ = self._named.setdefault(name, (schema, name))
        if known.value is not schema.value:
            raise ValueError(f"is already used at {known.location}")
        return name

    def declare_anchor(self, anchor: str, base: str, schema: LocatedValue) -> None:
        """Register the ``$anchor`` of a schema.

        Raises:
            ValueError: it is a duplicate.
        """
        key = (base or f"//{schema.location.document}", anchor)
        known = self._anchors.setdefault(key, schema)
        if known.value is not schema.value:
            raise ValueError(f"is already used at {known.location}")

    def _declare_self(self, document: str) -> None:
        root = self.documents[document]
        if isinstance(root, dict) and isinstance(root.get("$self"), str):
            located = LocatedValue(root, DocumentLocation(document))
            self._named.setdefault(root["$self"], (located, ""))

    # -- resolution -------------------------------------------------------------------------------

    def resolve(self, reference: str, document: str, base: str = "") -> LocatedValue:
        """Return the target of a reference.

        Args:
            reference: the text of a ``$ref``.
            document: the document that contains it.
            base: the ``$id`` in effect, if there is one.

        Raises:
            ValueError: the target does not exist or is not allowed; the message continues "the
                reference".
        """
        key = (reference, document, base)
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = self._resolve(reference, document, base)
        return found

    def follow(self, part: LocatedValue) -> LocatedValue:
        """Follow the chain of references that starts at a value; return the value it ends at.

        Raises:
            ValueError: a target does not exist, or the chain is a cycle.
        """
        for _ in range(_MAX_CHAIN):
            value = part.value
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return part
            part = self.resolve(value["$ref"], part.location.document)
        raise ValueError("leads in a cycle")

    def _resolve(self, reference: str, document: str, base: str) -> LocatedValue:
        address, mark, fragment = reference.partition("#")
        if not reference or (not mark and not address):
            raise ValueError("is empty")
        resource, scope = self._resource(address, document, base)
        fragment = _unquote(fragment)
        if not fragment:
            return resource
        if fragment.startswith("/"):
            translation = self.translations.get(resource.location.document)
            if translation is not None and resource.location.document != document:
                fragment = translation.pointers.target(fragment)
            return _point(resource, fragment)
        anchored = self._anchors.get((scope or f"//{resource.location.document}", fragment))
        if anchored is None:
            raise ValueError(f"leads to the anchor {fragment!r}, which does not exist")
        return anchored

    def _resource(self, address: str, document: str, base: str) -> tuple[LocatedValue, str]:
        """Return the document or schema at an address without a fragment, and its base URI."""
        if not address and not base:
            return LocatedValue(self.documents[document], DocumentLocation(document)), ""
        with suppress(ValueError):
            name = urljoin(base, address)
            for known in (name, address):
                if known in self._named:
                    return self._named[known]
        path = relative_path(address, document or self._own_name)
        return self._open(path), ""

    def _open(self, path: str) -> LocatedValue:
        document = self._paths.get(path)
        if document is None:
            if self._ref_root is None:
                raise ValueError("leads to a file: set ref_root to allow files")
            actual, content = self._ref_root.read(path)
            document = self._paths.get(actual)
            if document is None:
                self.documents[actual] = self._translate(actual, parse_content(actual, content))
                self._paths[actual] = document = actual
                self._declare_self(actual)
            self._paths[path] = document
        return LocatedValue(self.documents[document], DocumentLocation(document))

    # Any: plain JSON.
    def _translate(self, name: str, root: Any) -> Any:
        """Return a file in OpenAPI 3, if the document was one of Swagger 2.0."""
        translation = translate_file(root) if "" in self.translations else None
        if translation is None:
            return root
        self.translations[name] = translation
        return translation.root


def _unquote(fragment: str) -> str:
    try:
        return unquote(fragment, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a fragment that is not UTF-8") from None


def _point(resource: LocatedValue, pointer: str) -> LocatedValue:
    if has_bad_escape(pointer):
        raise ValueError("has a ~ that is neither ~0 nor ~1")
    value, location = resource
    for token in split_pointer(pointer):
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            raise ValueError(f"leads to {location.child(token)}, which does not exist")
        location = location.child(token)
    return LocatedValue(value, location)
