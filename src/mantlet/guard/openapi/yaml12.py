"""Parse YAML as OpenAPI requires: the core schema of YAML 1.2, limited to values of JSON.

``on``, ``yes`` and dates are strings, and so are all keys, as written (such as a status ``200``).
Merges (``<<``) are carried out, with a note. Duplicate keys of different values are faults; tags of
other types, and aliases that expand to too many values are errors (OpenAPI 3.0.4 and 3.1.1,
"Format").
"""

import re
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias

from yaml import (
    AliasEvent,
    BaseLoader,
    DocumentEndEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    YAMLError,
)

try:
    from yaml import CBaseLoader
except ImportError:  # PyYAML was built without libyaml
    CBaseLoader = BaseLoader  # type: ignore[assignment, misc] # equivalent but slower

from mantlet.http.json_pointer import escape_token

__all__ = ["YamlFindings", "read_yaml"]

_TAG: Final = "tag:yaml.org,2002:"
_NUMBER: Final = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_NON_FINITE: Final = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
#: The types of plain scalars that are not strings (YAML 1.2.2, 10.3.2).
_CORE: Final = re.compile(
    r"(?P<null>null|Null|NULL|~|)\Z"
    r"|(?P<bool>true|True|TRUE|false|False|FALSE)\Z"
    r"|(?P<int>[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"
    rf"|(?P<float>{_NUMBER}|{_NON_FINITE})\Z"
)
#: Levels of nesting.
_MAX_DEPTH: Final = 200
#: Values, including those that aliases expand to. Microsoft Graph's documents, the largest public
#: ones, have 1.5 million; four million take 1 GB.
_MAX_VALUES: Final = 4_000_000
#: The longest integer that CPython converts.
_MAX_INT_LENGTH: Final = 4300
#: The maximum length of plain scalars that are resolved once and shared.
_MAX_SHARED: Final = 80

# Any: PyYAML's parsers in C and in Python have no typed events.
_Event: TypeAlias = Any


class YamlFindings:
    """Content of a YAML document that is read although it is not as it should be.

    Attributes:
        notes: messages about content whose meaning is plain.
        faults: JSON Pointers (RFC 6901) and messages about content that others may read otherwise.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.faults: list[tuple[str, str]] = []


def read_yaml(text: str | bytes, findings: YamlFindings | None = None) -> Any:  # Any: plain JSON
    """Parse a YAML document.

    Args:
        text: the document. Bytes are UTF-8, and take less memory.
        findings: collects notes, and faults below the members of the document; None to raise an
            error for faults. Of a duplicate key, the last value counts.

    Raises:
        ValueError: it is not YAML, or JSON cannot express it; with the line.
    """
    try:
        return _Reader(text, findings).document()
    except YAMLError as error:
        raise ValueError(str(error)) from None


class _Anchor(NamedTuple):
    """A node that aliases refer to.

    Attributes:
        value: the value.
        event: the event that begins it.
        pointer: its location.
        faults: the faults in it.
    """

    value: Any
    event: _Event
    pointer: str
    faults: list[tuple[str, str]]


class _Reader:
    """Makes values of a parser's events. A tree of nodes would take several times their memory."""

    def __init__(self, text: str | bytes, findings: YamlFindings | None) -> None:
        self._next = CBaseLoader(text).get_event
        self._is_strict = findings is None
        self._findings = findings or YamlFindings()
        #: The names and indices that lead to the value that is being read.
        self._path: list[str | int] = []
        #: By name; None while the value is being read.
        self._anchors: dict[str, _Anchor | None] = {}
        self._names: dict[str, str] = {}
        self._shared: dict[str, Any] = {}
        self._count = 0

    def document(self) -> Any:
        self._next()  # the start of the stream
        if isinstance(self._next(), StreamEndEvent):
            raise ValueError("the document is empty")  # noqa: TRY004 - a value is wrong
        made = self._value(self._next(), 0)
        while isinstance(end := self._next(), DocumentEndEvent):
            pass
        if not isinstance(end, StreamEndEvent):
            raise _error(end, "begins another document: expected a single document")
        return made

    def _value(self, event: _Event, depth: int) -> Any:
        self._add_values(event, 1)
        if type(event) is AliasEvent:
            return self._alias(event, depth)
        if event.anchor is not None:
            return self._anchored(event, depth)
        return self._scalar(event) if type(event) is ScalarEvent else self._container(event, depth)

    def _add_values(self, event: _Event, count: int) -> None:
        self._count += count
        if self._count > _MAX_VALUES:
            raise _error(event, f"expands to more than {_MAX_VALUES} values with its aliases")

    # -- objects and arrays -----------------------------------------------------------------------

    def _container(self, event: _Event, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise _error(event, f"is nested deeper than {_MAX_DEPTH} levels")
        is_array = type(event) is SequenceStartEvent
        if event.tag not in {None, "!", f"{_TAG}{'seq' if is_array else 'map'}"}:
            raise _error(event, f"has the tag {event.tag!r}, which has no JSON type")
        return self._array(depth) if is_array else self._object(depth)

    def _array(self, depth: int) -> list[Any]:
        made: list[Any] = []
        while type(event := self._next()) is not SequenceEndEvent:
            made.append(self._member(len(made), event, depth))
        return made

    def _member(self, name: str | int, event: _Event, depth: int) -> Any:
        self._path.append(name)
        made = self._value(event, depth + 1)
        self._path.pop()
        return made

    def _object(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while type(key := self._next()) is not MappingEndEvent:
            name, is_plain = self._key(key)
            if name == "<<" and is_plain:
                self._note(key, "has a merge (<<), which YAML 1.2 lacks: its members are added")
                merged = self._merged(self._next(), depth) | merged
                continue
            member = self._member(name, self._next(), depth)
            if name in made:
                self._add_duplicate(key, name, is_same=_is_same(made[name], member))
            made[name] = member
        return merged | made if merged else made

    def _key(self, event: _Event) -> tuple[str, bool]:
        """Return a key as it is written, and whether it is plain."""
        scalar = event
        if type(event) is AliasEvent:
            scalar = self._anchor(event).event
        elif event.anchor is not None:
            self._anchored(event, 0)
        if type(scalar) is not ScalarEvent or self._scalar(scalar) is None:
            raise _error(event, "has a key that is not a string")
        name = scalar.value
        # libyaml has the style "" for plain, PyYAML None.
        return self._names.setdefault(name, name), not scalar.style

    def _add_duplicate(self, key: _Event, name: str, *, is_same: bool) -> None:
        error = _error(key, f"has the duplicate key {name!r}")
        if is_same:
            self._note(key, f"has the duplicate key {name!r}, with the same value")
        elif self._is_strict or not self._path:
            raise error
        else:
            self._findings.faults.append((_pointer((*self._path, name)), str(error)))

    def _merged(self, event: _Event, depth: int) -> dict[str, Any]:
        """Return the members that a merge adds: a mapping's, or those of several, the first first.

        Source: https://yaml.org/type/merge.html
        """
        value = self._value(event, depth)
        made: dict[str, Any] = {}
        for holder in value if isinstance(value, list) else [value]:
            if not isinstance(holder, dict):
                raise _error(event, "has a merge (<<) of another value than an object")
            made = holder | made
        return made

    def _note(self, event: _Event, message: str) -> None:
        self._findings.notes.append(str(_error(event, message)))

    # -- anchors and aliases ----------------------------------------------------------------------

    def _anchored(self, event: _Event, depth: int) -> Any:
        name = event.anchor
        if name in self._anchors:
            raise _error(event, f"has the anchor {name!r}, which is there already")
        self._anchors[name] = None
        known = len(self._findings.faults)
        is_scalar = type(event) is ScalarEvent
        made = self._scalar(event) if is_scalar else self._container(event, depth)
        faults = self._findings.faults[known:]
        self._anchors[name] = _Anchor(made, event, _pointer(self._path), faults)
        return made

    def _anchor(self, alias: _Event) -> _Anchor:
        if alias.anchor not in self._anchors:
            raise _error(alias, f"has the undefined alias {alias.anchor!r}")
        anchor = self._anchors[alias.anchor]
        if anchor is None:
            raise _error(alias, "has an alias that contains itself")
        return anchor

    def _alias(self, event: _Event, depth: int) -> Any:
        """Return a copy, so that each value has one location, and note its faults there, too."""
        anchor = self._anchor(event)
        here = _pointer(self._path)
        for pointer, message in anchor.faults:
            self._add_values(event, 1)
            if not self._path:
                raise ValueError(message)
            self._findings.faults.append((here + pointer.removeprefix(anchor.pointer), message))
        return self._copy(event, anchor.value, depth)

    def _copy(self, event: _Event, value: Any, depth: int) -> Any:
        if not isinstance(value, dict | list):
            return value
        if depth > _MAX_DEPTH:
            raise _error(event, f"is nested deeper than {_MAX_DEPTH} levels")
        self._add_values(event, len(value))
        if isinstance(value, list):
            return [self._copy(event, item, depth + 1) for item in value]
        return {name: self._copy(event, item, depth + 1) for name, item in value.items()}

    # -- scalars ----------------------------------------------------------------------------------

    def _scalar(self, event: _Event) -> Any:
        text: str = event.value
        is_plain = event.implicit[0]
        if is_plain and text in self._shared:
            return self._shared[text]
        made = _scalar_value(event)
        if is_plain and len(text) <= _MAX_SHARED:
            self._shared[text] = made
        return made


def _scalar_value(event: _Event) -> Any:
    text: str = event.value
    kind = "str"
    if event.tag not in {None, "!"}:
        kind = event.tag.removeprefix(_TAG)
    elif event.implicit[0] and (found := _CORE.match(text)):
        kind = found.lastgroup or kind
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
    raise _error(event, f"has the {kind} {text[:40]!r}, which JSON cannot express")


def _is_same(one: Any, other: Any) -> bool:
    return one == other and type(one) is type(other)


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{escape_token(str(token))}" for token in path)


def _error(event: _Event, message: str) -> ValueError:
    mark = event.start_mark
    return ValueError(f"line {mark.line + 1}, column {mark.column + 1} {message}")
