"""YAML as OpenAPI has it: the core schema of YAML 1.2, and nothing that is not JSON.

``on``, ``yes`` and dates are texts, keys are texts as they are written (a status such as ``200``),
and a key that comes twice, a merge (``<<``), a tag of any other type, or aliases that stand for
more than the document may have, are errors (OpenAPI 3.0.4 and 3.1.1, "Format").
"""

import re
from typing import Any, Final

from yaml import BaseLoader, Node, ScalarNode, SequenceNode, YAMLError

try:
    from yaml import CBaseLoader
except ImportError:  # PyYAML was built without libyaml
    CBaseLoader = BaseLoader  # type: ignore[assignment, misc] # the same, slower

__all__ = ["read_yaml"]

_TAG: Final = "tag:yaml.org,2002:"
_NUMBER: Final = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_NO_NUMBER: Final = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
#: YAML 1.2.2, 10.3.2. What may begin each, so that few are tried.
_CORE: Final = (
    ("null", r"(?:null|Null|NULL|~|)", ["n", "N", "~", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", list("-+0123456789")),
    ("float", rf"(?:{_NUMBER}|{_NO_NUMBER})", list("-+.0123456789")),
)
#: Nesting, and values with those that aliases stand for. Large public documents have a million.
_DEEPEST: Final = 200
_MOST: Final = 2_000_000
#: CPython reads no longer integers.
_DIGITS: Final = 4300


class _Loader(CBaseLoader):
    """Nodes with the tags of the core schema."""


for _name, _pattern, _first in _CORE:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"{_pattern}\Z"), _first)


def read_yaml(text: str) -> Any:  # Any: plain JSON
    """Return what a YAML document says.

    Raises:
        ValueError: it is not YAML, or says what JSON can't, with the line.
    """
    try:
        node = _Loader(text).get_single_node()
    except YAMLError as error:
        raise ValueError(str(error)) from None
    if node is None:
        raise ValueError("it is empty")
    return _Values().value(node, 0)


class _Values:
    """Makes values of nodes; an alias is the value that it stands for, and counted like it."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, int] | None] = {}
        self._count = 0

    def value(self, node: Node, depth: int) -> Any:
        if isinstance(node, ScalarNode):
            self._add(1, node)
            return _scalar(node)
        if depth > _DEEPEST:
            raise _wrong(node, f"is nested deeper than {_DEEPEST}")
        key = id(node)
        if key in self._known:
            known = self._known[key]
            if known is None:
                raise _wrong(node, "has an alias of itself in it")
            self._add(known[1], node)
            return known[0]
        self._known[key] = None
        before = self._count
        self._add(1, node)
        made = (
            self._array(node, depth)
            if isinstance(node, SequenceNode)
            else self._object(node, depth)
        )
        self._known[key] = made, self._count - before
        return made

    def _add(self, count: int, node: Node) -> None:
        self._count += count
        if self._count > _MOST:
            raise _wrong(node, f"makes more than {_MOST} values with its aliases")

    def _array(self, node: Node, depth: int) -> list[Any]:
        if node.tag != f"{_TAG}seq":
            raise _wrong(node, f"has the tag {node.tag!r}, which JSON has no type for")
        return [self.value(item, depth + 1) for item in node.value]

    def _object(self, node: Node, depth: int) -> dict[str, Any]:
        if node.tag != f"{_TAG}map":
            raise _wrong(node, f"has the tag {node.tag!r}, which JSON has no type for")
        made: dict[str, Any] = {}
        for key, value in node.value:
            name = _key(key)
            if name in made:
                raise _wrong(key, f"has the key {name!r} twice")
            made[name] = self.value(value, depth + 1)
        return made


def _key(node: Node) -> str:
    if not isinstance(node, ScalarNode) or node.tag == f"{_TAG}null":
        raise _wrong(node, "has a key that is no text")
    _scalar(node)
    name: str = node.value
    if name == "<<" and not node.style:  # libyaml has "" for plain, PyYAML None
        raise _wrong(node, "has a merge (<<), which is not of YAML 1.2: write its members out")
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
        if kind == "int" and len(text) <= _DIGITS:
            return int(text, 0 if text.startswith(("0o", "0x")) else 10)
        if kind == "float" and not text.lower().endswith(("inf", "nan")):
            return float(text)
    except ValueError:
        pass
    raise _wrong(node, f"has the {kind} {text[:40]!r}, which JSON can't say")


def _wrong(node: Node, words: str) -> ValueError:
    mark = node.start_mark
    return ValueError(f"line {mark.line + 1}, column {mark.column + 1} {words}")
