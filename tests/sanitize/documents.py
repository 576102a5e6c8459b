"""JSON documents of any form, and the same with their fields masked or dropped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from mantlet.redact.names import NameMatcher

if TYPE_CHECKING:
    from mantlet.sanitize.json_fields import JsonField

#: An object as its fields in order, duplicates included.
Fields = list[tuple[str, Any]]

NAMES = [
    *("password", "ssn", "access_token", "a", "salt", "", "0", "1", ",", ":", ":{", "]", " "),
    *("Password", "accessToken", "ACCESS-TOKEN", "token", "A", "É", "_", "-", "a_b", "aB"),
    *('quo"te', "sl/ash", "back\\slash", "tab\t", "\x00", "é", "\U0001f600", "\ud83d", "\u2028"),
    "null",
]
VALUES = ["", "password", ':"x', '","password":', '{"ssn":1}', "\\", '\\"', "end\\\\", "\u2029<&>"]
FIELDS = [
    *("password", "ssn", "*_token", "a", "s*", "*a*", "?", "*", "[as]*", ",", ":", 'quo"te', "é"),
    *("accessToken", "[!a]*", "*_*", "*A?", "a-b", "b*_*a*", "*_t*n"),
    *("sl/ash", "back\\slash", "\U0001f600", "*0*", "tab\t", "\u2028", "null", "*word", "pass*"),
    *("/password", "/a/ssn", "/0", "/*/password", "/a/*/0", "/", "/*", "/sl~1ash", "/a/0/a", "/,"),
]


@dataclass(frozen=True)
class Object:
    """An object, told from an array."""

    fields: Fields = field(default_factory=list)


class Raw(str):
    """A number as it is written."""

    __slots__ = ()


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["0", "-0.0", "1e5", "1E-07", "123456789012345678901"]).map(Raw),
    st.sampled_from(VALUES),
    st.text(max_size=6),
)
names = st.sampled_from(NAMES) | st.text(max_size=3)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(st.tuples(names, inner), max_size=4).map(Object)
    ),
    max_leaves=12,
)


@dataclass
class Writer:
    """Writes documents in forms that are drawn.

    Args:
        draw: chooses.
        fields: what is masked or dropped in what is expected.
    """

    draw: Any
    fields: list[JsonField]

    def write(self, value: Any, path: tuple[str, ...] = ()) -> tuple[str, str]:
        """Return a document, and the same masked as `FieldMasker` does it."""
        if isinstance(value, Object):
            return self._join("{}", [self._member(member, path) for member in value.fields])
        if isinstance(value, list):
            items = []
            for index, item in enumerate(value):
                here = (*path, str(index))
                items.append(self._masked(item, here, action_for(self.fields, None, here)))
            return self._join("[]", items)
        if isinstance(value, Raw):
            return value, value
        text = self._string(value) if isinstance(value, str) else json.dumps(value)
        return text, text

    def _member(self, member: tuple[str, Any], path: tuple[str, ...]) -> tuple[str, str]:
        name, value = member
        here = (*path, name)
        head = self._string(name) + self._space() + ":" + self._space()
        written, masked = self._masked(value, here, action_for(self.fields, name, here))
        return head + written, head + masked

    def _masked(self, value: Any, path: tuple[str, ...], action: str | None) -> tuple[str, str]:
        written, masked = self.write(value, path)
        if action == "mask" and value is not None:
            return written, '"***"'
        return written, masked

    def _join(self, brackets: str, parts: list[tuple[str, str]]) -> tuple[str, str]:
        spaces = [(self._space(), self._space()) for _ in parts] or [(self._space(), "")]
        out = []
        for index in (0, 1):
            inner = ",".join(
                before + part[index] + behind
                for part, (before, behind) in zip(parts, spaces, strict=False)
            )
            out.append(brackets[0] + (inner if parts else spaces[0][0]) + brackets[1])
        return out[0], out[1]

    def _space(self) -> str:
        made: str = self.draw(st.sampled_from(["", "", "", " ", "\n  ", "\t\r\n"]))
        return made

    def _string(self, text: str) -> str:
        form = self.draw(st.sampled_from(["ascii", "utf-8", "numbers", "slashes"]))
        if form == "numbers":
            units = text.encode("utf-16-be", "surrogatepass").hex()
            return '"' + "".join("\\u" + units[at : at + 4] for at in range(0, len(units), 4)) + '"'
        made = json.dumps(text, ensure_ascii=form == "ascii" or has_surrogates(text))
        return made.replace("/", "\\/") if form == "slashes" else made


def has_surrogates(text: str) -> bool:
    """Return whether UTF-8 can't say a text."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def action_for(fields: list[JsonField], name: str | None, path: tuple[str, ...]) -> str | None:
    """Return the action for a field, or for an item, whose name is None."""
    found = None
    for asked in fields:
        if asked.name.startswith("/"):
            tokens = [t.replace("~1", "/").replace("~0", "~") for t in asked.name[1:].split("/")]
            matches = len(tokens) == len(path) and all(
                token in ("*", part) for token, part in zip(tokens, path, strict=True)
            )
        else:
            matches = name is not None and NameMatcher([asked.name]).matches(name)
        if matches and found != "drop":
            found = asked.action
    return found


def edited(value: Any, fields: list[JsonField], path: tuple[str, ...] = ()) -> Any:
    """Return what is expected of a document that was read by `read()`."""
    if not isinstance(value, (Object, list)):
        return value
    entries = value.fields if isinstance(value, Object) else [(None, item) for item in value]
    kept: list[tuple[Any, Any]] = []
    for index, (name, inner) in enumerate(entries):
        here = (*path, str(index) if name is None else name)
        action = action_for(fields, name, here)
        if action == "drop":
            continue
        masked = action == "mask" and inner is not None
        kept.append((name, "***" if masked else edited(inner, fields, here)))
    return Object(kept) if isinstance(value, Object) else [inner for _, inner in kept]


def read(data: bytes) -> Any:
    """Return a document with the order of its fields, and its numbers as they are written."""
    return json.loads(data, object_pairs_hook=Object, parse_float=Raw, parse_int=Raw)


def cut(draw: Any, data: bytes) -> list[bytes]:
    """Return data in chunks that are drawn."""
    places = draw(st.lists(st.integers(0, len(data)), max_size=8))
    ends = [0, *sorted(places), len(data)]
    return [data[begin:end] for begin, end in pairwise(ends)]


def run(stage: Any, chunks: list[bytes]) -> bytes:
    """Return what a filter makes of chunks."""
    last = len(chunks) - 1
    return b"".join(stage(chunk, index < last) for index, chunk in enumerate(chunks))


def bytewise(stage: Any, data: bytes) -> bytes:
    """Return what a filter makes of data that comes byte by byte, and then of its end."""
    out = b"".join(stage(data[at : at + 1], True) for at in range(len(data)))
    made: bytes = out + stage(b"", False)
    return made
