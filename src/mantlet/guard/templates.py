"""Path templates, read: what stands in each segment.

A segment is a literal, one parameter (``{id}``), several pieces (``{name}.{ext}``,
``{base}...{head}``, ``{id}:cancel``), or, as the last one, the rest of the path (``{name:path}``).
A parameter's name is any text without braces and slashes. Literals may be percent-encoded, and are
taken in decoded form, as apps see paths. Every slash counts, and so does case.

Sources: OpenAPI 3.2.0, "Path Templating" and "Path Templating Matching"; RFC 3986, 2.1.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from mantlet.http.routing.trie import PARAMETER, REST, Segment, SegmentPattern

__all__ = ["Template", "read_template"]

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_NO_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REST: Final = ":path"


class Template(NamedTuple):
    """A template.

    Attributes:
        text: as it was written.
        shape: what stands in place of each segment, without names: two of the same collide.
        places: the parameters that are a segment each, with the index of it; the first is 1.
        forks: the segments of several pieces: the index, the names, the pieces.
        rest: the parameter that is all that is left, with the index of its first segment, or None.
    """

    text: str
    shape: tuple[Segment, ...]
    places: tuple[tuple[str, int], ...]
    forks: tuple[tuple[int, tuple[str, ...], SegmentPattern], ...]
    rest: tuple[str, int] | None

    @property
    def path(self) -> str | None:
        """The only path that matches, decoded, where there are no parameters."""
        literals = [segment for segment in self.shape if isinstance(segment, str)]
        return "/" + "/".join(literals) if len(literals) == len(self.shape) else None

    def captured(self, parts: Sequence[str]) -> Mapping[str, str]:
        """Return what a path that matches has for each name.

        Args:
            parts: what stands between its slashes, and before the first one.
        """
        found = {}
        for name, index in self.places:  # a comprehension would be a call, for one name mostly
            found[name] = parts[index]
        for index, names, pieces in self.forks:
            found.update(zip(names, pieces.split(parts[index]) or (), strict=True))
        if self.rest is not None:
            name, index = self.rest
            found[name] = "/".join(parts[index:])
        return found


def read_template(text: str) -> Template:
    """Return a path template, read.

    Args:
        text: such as ``/items/{item_id}``.

    Raises:
        TypeError: it is not text.
        ValueError: it is none; the message names it and says what is wrong.
    """
    if not isinstance(text, str):
        raise TypeError(f'a path must be text such as "/items/{{item_id}}", not {text!r}')
    if not text.startswith("/"):
        raise _malformed(text, "does not begin with a slash")
    if text != text.strip() or _CONTROLS.search(text):
        raise _malformed(text, "has a blank at its end, or a control character")
    for character, what in (("?", "query"), ("#", "fragment")):
        if character in _EXPRESSION.sub("", text):
            raise _malformed(text, f"has a {what}, which is no part of it")
    reading = _Reading(text)
    for segment in text[1:].split("/"):
        reading.take(segment)
    return reading.done()


class _Reading:
    """One template, read segment by segment."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._shape: list[Segment] = []
        self._names: set[str] = set()
        self._places: list[tuple[str, int]] = []
        self._forks: list[tuple[int, tuple[str, ...], SegmentPattern]] = []
        self._rest: tuple[str, int] | None = None

    def take(self, segment: str) -> None:
        """Read the next segment."""
        index = len(self._shape) + 1
        if self._rest is not None:
            raise _malformed(self._text, "has something beside its rest")
        literals = [self._decode(literal) for literal in _EXPRESSION.split(segment)[::2]]
        names = _EXPRESSION.findall(segment)
        if not names:
            self._shape.append(literals[0])
        elif names[-1].endswith(_REST):
            if literals != ["", ""]:
                raise _malformed(self._text, "has something beside its rest")
            self._rest = self._name(names[0].removesuffix(_REST)), index
            self._shape.append(REST)
        elif literals == ["", ""]:
            self._places.append((self._name(names[0]), index))
            self._shape.append(PARAMETER)
        elif "" in literals[1:-1]:
            raise _malformed(self._text, "has two parameters with nothing between them")
        else:
            pieces = SegmentPattern(literals)
            self._forks.append((index, tuple(map(self._name, names)), pieces))
            self._shape.append(pieces)

    def done(self) -> Template:
        """Return the template."""
        return Template(
            self._text, tuple(self._shape), tuple(self._places), tuple(self._forks), self._rest
        )

    def _name(self, name: str) -> str:
        if not name or name in self._names:
            raise _malformed(self._text, f"has the name {name!r} twice, or none")
        self._names.add(name)
        return name

    def _decode(self, literal: str) -> str:
        if "{" in literal or "}" in literal:
            raise _malformed(self._text, "has a brace that belongs to no parameter")
        if _NO_ESCAPE.search(literal):
            raise _malformed(self._text, 'has a "%" that begins no escape; write "%25"')
        try:
            decoded = unquote_to_bytes(literal).decode()
        except UnicodeError:
            raise _malformed(self._text, "has escapes that are not UTF-8") from None
        if "/" in decoded or _CONTROLS.search(decoded):
            raise _malformed(self._text, "has a slash or a control character that is escaped")
        return decoded


def _malformed(text: str, fault: str) -> ValueError:
    return ValueError(f'the path {text!r} {fault}; it must be such as "/items/{{item_id}}"')
