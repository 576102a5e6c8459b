"""Translate the schemas of Swagger 2.0 to OpenAPI 3.0, and record where parts are moved."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from mantlet.http.json_pointer import escape_token

__all__ = ["Pointers", "SchemaTranslator", "component_names", "subpointer"]

#: Keywords whose values are schemas, arrays of schemas, or objects of schemas.
_SCHEMAS: Final = frozenset({"items", "additionalProperties", "not"})
_ARRAYS: Final = frozenset({"allOf", "anyOf", "oneOf"})
_OBJECTS: Final = frozenset({"properties", "definitions"})
#: Keywords that Swagger 2.0 has in another form, or not at all.
_DROPPED: Final = frozenset({"x-nullable", "collectionFormat", "discriminator", "type"})
# OpenAPI 3.0.4, "Components Object".
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]")
#: Characters that are not escaped in a fragment (RFC 3986, 3.5).
_SAFE: Final = "/~!$&'()*+,;=:@?"


class Pointers:
    """The locations of a document's parts before and after its translation (RFC 6901)."""

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}
        self._origins: dict[str, str] = {}

    def move(self, old: str, new: str) -> None:
        """Record that a part of the original has a new location."""
        self._targets.setdefault(old, new)
        self._origins.setdefault(new, old)

    def origin(self, new: str, old: str) -> None:
        """Record the part of the original that a new part was made of."""
        self._origins.setdefault(new, old)

    def target(self, old: str) -> str:
        """Return the new location of a part of the original."""
        return _replaced(old, self._targets)

    def original(self, new: str) -> str:
        """Return the location in the original of a part."""
        return _replaced(new, self._origins)


def _replaced(pointer: str, known: Mapping[str, str]) -> str:
    """Replace the longest beginning of a pointer that is known."""
    head = pointer
    while head:
        found = known.get(head)
        if found is not None:
            return found + pointer[len(head) :]
        head = head.rpartition("/")[0]
    return pointer


def subpointer(pointer: str, *tokens: str) -> str:
    """Return the location of a member."""
    return "".join([pointer, *(f"/{escape_token(token)}" for token in tokens)])


def component_names(names: Iterable[str]) -> dict[str, str]:
    """Return the names of components in OpenAPI 3, each by its name in the original."""
    found: dict[str, str] = {}
    taken = {name for name in names if not _NOT_IN_NAMES.search(name)}
    for name in names:
        new = name
        if name not in taken:
            plain = new = _NOT_IN_NAMES.sub("_", name) or "_"
            count = 1
            while new in taken:
                count += 1
                new = f"{plain}_{count}"
            taken.add(new)
        found[name] = new
    return found


class SchemaTranslator:
    """Translates schemas.

    Args:
        pointers: records what is moved.
        note: records a part that is read in a certain way: its location and a message.
    """

    def __init__(self, pointers: Pointers, note: Callable[[str, str], None]) -> None:
        self._pointers = pointers
        self._note = note
        # Objects with a reference, which can be rewritten once everything has its location.
        self._references: list[dict[str, Any]] = []

    # Any: plain JSON.
    def reference(self, value: Any) -> Any:
        """Return a copy of an object with a reference, which `rewrite_references()` rewrites."""
        if not isinstance(value, dict):
            return value
        made = dict(value)
        self._references.append(made)
        return made

    def rewrite_references(self) -> None:
        """Let all references in the document lead to the new locations."""
        for made in self._references:
            reference = made.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/"):
                target = self._pointers.target(unquote(reference[1:]))
                made["$ref"] = f"#{quote(target, safe=_SAFE)}"

    def translate(self, schema: Any, old: str, new: str) -> Any:
        """Translate a schema.

        Args:
            schema: the schema; a value of another type is returned as it is.
            old: its location in the original.
            new: its location in the new document.
        """
        if not isinstance(schema, dict):
            return schema
        self._pointers.move(old, new)
        if schema.get("x-nullable") is True and not isinstance(schema.get("type"), str):
            self._pointers.origin(f"{new}/anyOf/0", old)
            made = self._translate(schema, old, f"{new}/anyOf/0")
            return {"anyOf": [made, {"enum": [None]}]}
        return self._translate(schema, old, new)

    def _translate(self, schema: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
        if "$ref" in schema:
            made: dict[str, Any] = self.reference({"$ref": schema["$ref"]})
            return made
        made = {}
        for keyword, value in schema.items():
            if keyword not in _DROPPED:
                inner = subpointer(old, keyword), subpointer(new, keyword)
                made[keyword] = self._inner(keyword, value, *inner)
        self._translate_type(schema, made, old)
        if "discriminator" in schema:
            named = schema["discriminator"]
            made["discriminator"] = {"propertyName": named} if isinstance(named, str) else named
        return made

    def _inner(self, keyword: str, value: Any, old: str, new: str) -> Any:
        if keyword in _SCHEMAS:
            return self.translate(value, old, new)
        if keyword in _ARRAYS and isinstance(value, list):
            return [
                self.translate(one, f"{old}/{index}", f"{new}/{index}")
                for index, one in enumerate(value)
            ]
        if keyword in _OBJECTS and isinstance(value, dict):
            return {
                name: self.translate(one, subpointer(old, name), subpointer(new, name))
                for name, one in value.items()
            }
        return value

    def _translate_type(self, schema: Mapping[str, Any], made: dict[str, Any], old: str) -> None:
        stated = schema.get("type")
        nullable = schema.get("x-nullable") is True
        others = [one for one in stated if one != "null"] if isinstance(stated, list) else []
        if isinstance(stated, list) and len(others) == 1 and len(others) < len(stated):
            self._note(f"{old}/type", "a list of a type and null is a nullable type")
            stated, nullable = others[0], True
        if stated == "file":
            made["type"], made["format"] = "string", "binary"
        elif stated is not None:
            made["type"] = stated
        if nullable and isinstance(stated, str):
            made["nullable"] = True
            if isinstance(made.get("enum"), list) and None not in made["enum"]:
                made["enum"] = [*made["enum"], None]
