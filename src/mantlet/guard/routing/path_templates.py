"""Path templates: parse them, and capture the parameters of a path.

A segment of a template is a literal, one parameter (``{id}``), several pieces (``{name}.{ext}``,
``{base}...{head}``, ``{id}:cancel``), or, in the last place, the rest of the path
(``{name:path}``; in a contract also ``*``, which may be empty). A parameter's name is any text
without braces and slashes. Literals may be percent-encoded and are matched in decoded form, as apps
see paths. Contracts are route patterns: they have no such literals, and names are identifiers.

Sources: OpenAPI 3.2.0, "Path Templating"; RFC 3986, 2.1.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from mantlet.http.routing.trie import PARAMETER, REST, Segment, SegmentPattern

__all__ = ["PathTemplate", "parse_template"]

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REST_SUFFIX: Final = ":path"


class PathTemplate(NamedTuple):
    """A parsed path template.

    Attributes:
        text: the template as written.
        shape: its segments without parameter names; two templates of the same shape collide.
        places: the parameters that fill a segment, with its index; the first segment is 1.
        compounds: the segments of several pieces: the index, the names, the pieces.
        rest: the parameter that matches the rest of the path, with the index of its first segment,
            or None.
        has_nameless_rest: whether it ends with ``*``.
        expression: matches its paths and captures its parameters, where its segments do not tell.
        names: the names of the expression's parameters.
    """

    text: str
    shape: tuple[Segment, ...]
    places: tuple[tuple[str, int], ...]
    compounds: tuple[tuple[int, tuple[str, ...], SegmentPattern], ...]
    rest: tuple[str, int] | None
    has_nameless_rest: bool = False
    expression: re.Pattern[str] | None = None
    names: tuple[str, ...] = ()

    @property
    def path(self) -> str | None:
        """The decoded path that the template matches, if it has no parameters."""
        literals = [segment for segment in self.shape if isinstance(segment, str)]
        return "/" + "/".join(literals) if len(literals) == len(self.shape) else None

    def capture(self, parts: Sequence[str]) -> Mapping[str, str]:
        """Return the text of each parameter in a path that matches.

        Args:
            parts: the path, split at its slashes.
        """
        if self.expression is not None:
            return self._groups(self.expression, "/".join(parts))
        found = {}
        for name, index in self.places:  # a comprehension would cost a call, mostly for one name
            found[name] = parts[index]
        for index, names, pieces in self.compounds:
            found.update(zip(names, pieces.split(parts[index]) or (), strict=True))
        if self.rest is not None:
            name, index = self.rest
            found[name] = "/".join(parts[index:])
        return found

    def _groups(self, expression: re.Pattern[str], path: str) -> Mapping[str, str]:
        match = expression.fullmatch(path)
        if match is None:
            return {}
        groups = sorted(expression.groupindex.values()) or range(1, len(self.names) + 1)
        return dict(zip(self.names, (match[group] or "" for group in groups), strict=True))


def parse_template(text: str, *, is_pattern: bool = False) -> PathTemplate:
    """Parse a path template.

    Args:
        text: such as ``/items/{item_id}``.
        is_pattern: whether ``*`` at the end is a rest; in a document it is a literal.

    Raises:
        TypeError: the template is not text.
        ValueError: the template is malformed; the message names it and the reason.
    """
    if not isinstance(text, str):
        raise TypeError(f'a path must be text such as "/items/{{item_id}}", not {text!r}')
    if not text.startswith("/"):
        raise _malformed(text, "does not begin with a slash")
    if text != text.strip() or _CONTROLS.search(text):
        raise _malformed(text, "begins or ends with a blank, or has a control character")
    for character, what in (("?", "query"), ("#", "fragment")):
        if character in _EXPRESSION.sub("", text):
            raise _malformed(text, f"has a {what}, which does not belong to a path")
    parser = _TemplateParser(text)
    *segments, last = text[1:].split("/")
    for segment in segments:
        parser.add(segment)
    if is_pattern and last == "*":
        return parser.finish(has_nameless_rest=True)
    parser.add(last)
    return parser.finish()


class _TemplateParser:
    """Parses one template, segment by segment."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._shape: list[Segment] = []
        self._names: set[str] = set()
        self._places: list[tuple[str, int]] = []
        self._compounds: list[tuple[int, tuple[str, ...], SegmentPattern]] = []
        self._rest: tuple[str, int] | None = None

    def add(self, segment: str) -> None:
        """Parse the next segment."""
        index = len(self._shape) + 1
        if self._rest is not None:
            raise _malformed(self._text, "has something beside the rest parameter")
        literals = [self._decode(literal) for literal in _EXPRESSION.split(segment)[::2]]
        names = _EXPRESSION.findall(segment)
        if not names:
            self._shape.append(literals[0])
        elif names[-1].endswith(_REST_SUFFIX):
            if literals != ["", ""]:
                raise _malformed(self._text, "has something beside the rest parameter")
            self._rest = self._name(names[0].removesuffix(_REST_SUFFIX)), index
            self._shape.append(REST)
        elif literals == ["", ""]:
            self._places.append((self._name(names[0]), index))
            self._shape.append(PARAMETER)
        elif "" in literals[1:-1]:
            raise _malformed(self._text, "has two parameters with nothing between them")
        else:
            pieces = SegmentPattern(literals)
            self._compounds.append((index, tuple(map(self._name, names)), pieces))
            self._shape.append(pieces)

    def finish(self, *, has_nameless_rest: bool = False) -> PathTemplate:
        """Return the template."""
        return PathTemplate(
            self._text,
            (*self._shape, REST) if has_nameless_rest else tuple(self._shape),
            tuple(self._places),
            tuple(self._compounds),
            self._rest,
            has_nameless_rest,
        )

    def _name(self, name: str) -> str:
        if not name:
            raise _malformed(self._text, "has a parameter without a name")
        if name in self._names:
            raise _malformed(self._text, f"has the parameter {name!r} twice")
        self._names.add(name)
        return name

    def _decode(self, literal: str) -> str:
        if "{" in literal or "}" in literal:
            raise _malformed(self._text, "has an unmatched brace")
        if _BAD_ESCAPE.search(literal):
            raise _malformed(self._text, 'has a "%" that does not begin an escape; write "%25"')
        try:
            decoded = unquote_to_bytes(literal).decode()
        except UnicodeError:
            raise _malformed(self._text, "has escapes that are not UTF-8") from None
        if "/" in decoded or _CONTROLS.search(decoded):
            raise _malformed(self._text, "has an escaped slash or control character")
        return decoded


def _malformed(text: str, reason: str) -> ValueError:
    return ValueError(f'the path {text!r} {reason}; it must be such as "/items/{{item_id}}"')
