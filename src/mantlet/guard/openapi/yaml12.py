"""Parse YAML as OpenAPI requires: the core schema of YAML 1.2, limited to values of JSON.

``on``, ``yes`` and dates are strings, and so are all keys, as written (such as a status ``200``).
Merges (``<<``) are carried out, with a note. Duplicate keys of different values are faults; tags of
other types, and aliases that expand to too many values are errors (OpenAPI 3.0.4 and 3.1.1,
"Format").
"""

import re
from math import isfinite
from typing import Any, Final

from yaml import BaseLoader, Node, ScalarNode, SequenceNode, YAMLError

try:
    from yaml import CBaseLoader
except ImportError:  # PyYAML was built without libyaml
    CBaseLoader = BaseLoader  # type: ignore[assignment, misc] # equivalent but slower

from mantlet.http.json_pointer import escape_token

__all__ = ["YamlFindings", "read_yaml"]

_TAG: Final = "tag:yaml.org,2002:"
_NUMBER: Final = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_NON_FINITE: Final = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
#: YAML 1.2.2, 10.3.2: types, patterns, and the characters that each may begin with.
_CORE: Final = (
    ("null", r"(?:null|Null|NULL|~|)", ["n", "N", "~", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", list("-+0123456789")),
    ("float", rf"(?:{_NUMBER}|{_NON_FINITE})", list("-+.0123456789")),
)
#: Levels of nesting.
_MAX_DEPTH: Final = 200
#: Values, including those that aliases expand to. Large public documents have a million.
_MAX_VALUES: Final = 2_000_000
#: The longest integer that CPython converts.
_MAX_INT_LENGTH: Final = 4300


class _CoreSchemaLoader(CBaseLoader):
    """Composes nodes with the tags of the core schema."""


for _name, _pattern, _first in _CORE:
    _CoreSchemaLoader.add_implicit_resolver(_TAG + _name, re.compile(rf"{_pattern}\Z"), _first)


class YamlFindings:
    """Content of a YAML document that is read although it is not as it should be.

    Attributes:
        notes: messages about content whose meaning is plain.
        faults: JSON Pointers (RFC 6901) and messages about content that others may read otherwise.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.faults: list[tuple[str, str]] = []


def read_yaml(text: str, findings: YamlFindings | None = None) -> Any:  # Any: plain JSON
    """Parse a YAML document.

    Args:
        text: the document.
        findings: collects notes, and faults below the members of the document; None to raise an
            error for faults. Of a duplicate key, the last value counts.

    Raises:
        ValueError: it is not YAML, or JSON cannot express it; with the line.
    """
    try:
        node = _CoreSchemaLoader(text).get_single_node()
    except YAMLError as error:
        raise ValueError(str(error)) from None
    if node is None:
        raise ValueError("the document is empty")
    return _NodeConverter(findings).value(node, 0)


class _NodeConverter:
    """Converts nodes to values; each alias is a copy, so that a value has one location."""

    def __init__(self, findings: YamlFindings | None) -> None:
        self._findings = findings
        #: The names and indices that lead to the value that is being converted.
        self._path: list[str | int] = []
        #: The nodes that are being converted.
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: Node, depth: int) -> Any:
        self._count += 1
        if self._count > _MAX_VALUES:
            raise _error(node, f"expands to more than {_MAX_VALUES} values with its aliases")
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if depth > _MAX_DEPTH:
            raise _error(node, f"is nested deeper than {_MAX_DEPTH} levels")
        key = id(node)
        if key in self._open:
            raise _error(node, "has an alias that contains itself")
        self._open.add(key)
        made = (
            self._array(node, depth)
            if isinstance(node, SequenceNode)
            else self._object(node, depth)
        )
        self._open.discard(key)
        return made

    def _array(self, node: Node, depth: int) -> list[Any]:
        if node.tag != f"{_TAG}seq":
            raise _error(node, f"has the tag {node.tag!r}, which has no JSON type")
        return [self._member(index, item, depth) for index, item in enumerate(node.value)]

    def _member(self, name: str | int, node: Node, depth: int) -> Any:
        self._path.append(name)
        made = self.value(node, depth + 1)
        self._path.pop()
        return made

    def _object(self, node: Node, depth: int) -> dict[str, Any]:
        if node.tag != f"{_TAG}map":
            raise _error(node, f"has the tag {node.tag!r}, which has no JSON type")
        made: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            name = _key(key)
            if name == "<<" and not key.style:  # libyaml has "" for plain, PyYAML None
                self._note(key, "has a merge (<<), which YAML 1.2 lacks: its members are added")
                merged = self._merged(value, depth) | merged
                continue
            member = self._member(name, value, depth)
            if name in made:
                self._add_duplicate(key, name, is_same=_is_same(made[name], member))
            made[name] = member
        return merged | made if merged else made

    def _add_duplicate(self, key: Node, name: str, *, is_same: bool) -> None:
        error = _error(key, f"has the duplicate key {name!r}")
        if is_same:
            self._note(key, f"has the duplicate key {name!r}, with the same value")
        elif self._findings is None or not self._path:
            raise error
        else:
            pointer = "".join(f"/{escape_token(str(token))}" for token in (*self._path, name))
            self._findings.faults.append((pointer, str(error)))

    def _merged(self, node: Node, depth: int) -> dict[str, Any]:
        """Return the members that a merge adds: a mapping's, or those of several, the first first.

        Source: https://yaml.org/type/merge.html
        """
        holders = node.value if isinstance(node, SequenceNode) else [node]
        made: dict[str, Any] = {}
        for holder in holders:
            value = self.value(holder, depth + 1)
            if not isinstance(value, dict):
                raise _error(node, "has a merge (<<) of another value than an object")
            made = value | made
        return made

    def _note(self, node: Node, message: str) -> None:
        if self._findings is not None:
            self._findings.notes.append(str(_error(node, message)))


def _is_same(one: Any, other: Any) -> bool:
    return one == other and type(one) is type(other)


def _key(node: Node) -> str:
    if not isinstance(node, ScalarNode) or node.tag == f"{_TAG}null":
        raise _error(node, "has a key that is not a string")
    _scalar(node)
    name: str = node.value
    return name


def _scalar(node: ScalarNode) -> Any:
    text: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        if kind == "int" and len(text) <= _MAX_INT_LENGTH:
            return int(text, 0 if text.startswith(("0o", "0x")) else 10)
        if kind == "float" and isfinite(number := float(text)):
            return number
    except ValueError:
        pass
    raise _error(node, f"has the {kind} {text[:40]!r}, which JSON cannot express")


def _error(node: Node, message: str) -> ValueError:
    mark = node.start_mark
    return ValueError(f"line {mark.line + 1}, column {mark.column + 1} {message}")
