"""The language of route patterns: methods, a space and a path template.

`parse_pattern()` is the one parser of patterns: of rules, of routes and of modes. A malformed
pattern is a ValueError whose message ends with a correct one.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from mantlet.http.routing.trie import PARAMETER, REST, Segment, SegmentPattern

__all__ = [
    "METHODS",
    "NAMELESS_REST",
    "PathShape",
    "RoutePattern",
    "check_template",
    "foreign_parameter",
    "parse_pattern",
    "parse_template",
]

#: The methods of IANA's registry "HTTP Method Registry" (RFC 9110, 16.1), and QUERY.
METHODS: Final = frozenset(
    (  # noqa: SIM905  # far shorter
        "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK "
        "MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH "
        "POST PRI PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK "
        "UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL"
    ).split()
)
#: How an unnamed rest stands in a template's shape, where no literal looks like it.
NAMELESS_REST: Final = "*"

_EXAMPLE: Final = "GET /users/{id}/files/{name:path}"
#: Names that other tools have for methods; the handshake of a WebSocket is a GET (RFC 6455, 4.1).
_ALIASES: Final = {"ALL": "*", "ANY": "*", "WEBSOCKET": "GET", "WS": "GET"}
#: How alike a misspelt method and the one that was meant are: GTE and GET are 0.67.
_ALIKE: Final = 0.65

_PATTERN: Final = re.compile(r"(\S+) (/.*)(?<!\s)", re.DOTALL)
_SEPARATOR: Final = re.compile(r"[\s,|;+&]+")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
_PARAMETER: Final = re.compile(r"\{([^{}:]*)(:path)?\}")
_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_NOT_LITERAL: Final = re.compile(r"[{}*<>\x00-\x1f\x7f]")
#: The parameters of Flask and Django, ``<int:id>``; Express, ``:id``; and Starlette, ``{id:int}``.
_ANGLES: Final = re.compile(r"<(?:(\w+)(?:\([^<>]*\))?:)?(\w+)>")
_COLON: Final = re.compile(r"(?<=/):([^\W\d]\w*)(?=/|\Z)")
_CONVERTER: Final = re.compile(r"\{(\w+):(?!path\})[^{}]*\}")


class RoutePattern(NamedTuple):
    """A parsed route pattern.

    Attributes:
        text: the pattern as it was written.
        methods: the methods, in upper case; ``("*",)`` for every method.
        path: the path template as it was written.
    """

    text: str
    methods: tuple[str, ...]
    path: str

    @property
    def any_method(self) -> bool:
        """Whether the pattern is for every method."""
        return self.methods == ("*",)


def parse_pattern(text: str, *, extra_methods: Collection[str] = ()) -> RoutePattern:
    """Parse a route pattern such as ``"GET,POST /users/{id}"``.

    Args:
        text: one or several methods, joined by commas, or ``*``; a space; and a path template.
        extra_methods: names that are allowed beside the registered methods, such as ``"WS"``.

    Returns:
        The methods, and the path, which begins with a slash. Its segments are not checked further
        than for the parameters of other tools.

    Raises:
        TypeError: ``text`` is not text.
        ValueError: it is malformed; the message says why and ends with a correct pattern.
    """
    if not isinstance(text, str):
        raise TypeError(f'a pattern must be text such as "GET /users/{{id}}", not {text!r}')
    known = METHODS.union(extra_methods)
    fault = _pattern_fault(text, known)
    if fault is not None:
        raise _malformed(text, fault, known)
    methods, _, path = text.partition(" ")
    return RoutePattern(text, tuple(dict.fromkeys(methods.split(","))), path)


class PathShape(NamedTuple):
    """A parsed path template.

    Attributes:
        segments: its segments without the names of parameters.
        places: the parameters that fill a segment, each with its index.
        compounds: the segments of several pieces: the index, the names, the pieces.
    """

    segments: list[Segment]
    places: tuple[tuple[str, int], ...]
    compounds: tuple[tuple[int, tuple[str, ...], SegmentPattern], ...]


def parse_template(pattern: RoutePattern) -> PathShape:
    """Parse the path template of a route pattern.

    Raises:
        ValueError: it is malformed; the message says why and ends with a correct pattern.
    """
    check_template(pattern)
    shape: list[Segment] = []
    places: list[tuple[str, int]] = []
    compounds = []
    for segment in _segments(pattern.path):
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is not None:
            places.append((parameter[1], len(shape)))
            shape.append(REST if parameter[2] else PARAMETER)
        elif "{" in segment:
            pieces = SegmentPattern(_EXPRESSION.split(segment)[::2])
            compounds.append((len(shape), tuple(_EXPRESSION.findall(segment)), pieces))
            shape.append(pieces)
        else:
            shape.append(segment)
    return PathShape(shape, tuple(places), tuple(compounds))


def foreign_parameter(path: str) -> tuple[str, str] | None:
    """Return what is wrong with a path that has a parameter in another tool's syntax, or None.

    Returns:
        The fault, and the path that was probably meant: ``"/{id}"`` for ``"/<int:id>"``.
    """
    for syntax, whose in ((_ANGLES, "Flask and Django"), (_COLON, "Express")):
        if foreign := syntax.search(path):
            fault = f"has the parameter {foreign[0]!r} in the syntax of {whose}"
            return fault, _native(path)
    return None


def check_template(pattern: RoutePattern) -> None:
    """Check the path template of a route pattern.

    Raises:
        ValueError: it is malformed; the message says why and ends with a correct pattern.
    """
    fault = _template_fault(pattern.path)
    if fault is not None:
        raise _malformed(pattern.text, fault, METHODS.union(pattern.methods))


def _segments(path: str) -> Iterator[str]:
    return filter(None, path.split("/"))


# -- faults ---------------------------------------------------------------------------------------


def _pattern_fault(text: str, known: Collection[str]) -> str | None:
    """Return what is wrong with the methods or the form of a pattern, or None."""
    found = _PATTERN.fullmatch(text)
    methods = [] if found is None else found[1].split(",")
    if found is None or not (methods == ["*"] or all(method in known for method in methods)):
        return _method_fault(text, known)
    path = found[2]
    foreign = foreign_parameter(path)
    return None if foreign is None else foreign[0]


def _method_fault(text: str, known: Collection[str]) -> str:
    """Return what is wrong with a pattern whose methods, or whose form, are malformed."""
    names = _names(text)
    fault = "must be methods, one space and a path"
    if "/" not in text:
        fault = "has no path"
    elif _URL.search(text):
        fault = "has a URL in place of a path"
    elif not names:
        fault = "has no method"
    elif "*" in names and len(names) > 1:
        fault = 'has other methods beside "*", which is every method'
    elif unknown := [name for name in names if name not in known and name != "*"]:
        fault = _unknown_method(unknown[0], known)
    elif len(names) > 1 and text.partition(" ")[0] != ",".join(names):
        fault = "must join its methods by commas, without spaces"
    return fault


def _unknown_method(name: str, known: Collection[str]) -> str:
    if name.upper() in known:
        return f"has the method {name!r}, which must be in upper case"
    if _ALIASES.get(name.upper()) == "*":
        return f'has the method {name!r}; every method is written "*"'
    return f'has the method {name!r}, which is not registered; only "*" matches such methods'


def _names(text: str) -> list[str]:
    """Return the methods of a pattern, however they are separated."""
    return [name for name in _SEPARATOR.split(text.partition("/")[0]) if name]


def _template_fault(path: str) -> str | None:
    """Return what is wrong with a path template, or None."""
    names: set[str] = set()
    ended = False
    for segment in _segments(path):
        if ended:
            return "has a segment after its rest"
        fault = _segment_fault(segment)
        if fault is not None:
            return fault
        parameter = _PARAMETER.fullmatch(segment)
        for name in _EXPRESSION.findall(segment) if parameter is None else [parameter[1]]:
            if not name.isidentifier():
                return f"has the parameter name {name!r}, which is not an identifier"
            if name in names:
                return f"has the parameter name {name!r} twice"
            names.add(name)
        ended = segment == NAMELESS_REST or (parameter is not None and parameter[2] is not None)
    return None


def _segment_fault(segment: str) -> str | None:
    """Return the fault of a segment apart from the names of its parameters, or None."""
    if _PARAMETER.fullmatch(segment):
        return None
    literals, names = _EXPRESSION.split(segment)[::2], _EXPRESSION.findall(segment)
    if any("?" in literal for literal in literals):
        return "has a query, which is not part of a path"
    if any("%" in literal for literal in literals):
        return "is percent-encoded; paths are matched in decoded form"
    if segment != NAMELESS_REST and (
        any(map(_NOT_LITERAL.search, literals))
        or any(":" in name for name in names)
        or "" in literals[1:-1]
    ):
        return (
            f"has the segment {segment!r}, which is neither a literal nor parameters with text "
            f"between them"
        )
    return None


# -- corrections ----------------------------------------------------------------------------------


def _malformed(text: str, fault: str, known: Collection[str]) -> ValueError:
    return ValueError(f'the pattern {text!r} {fault}; write "{_corrected(text, known)}"')


def _corrected(text: str, known: Collection[str]) -> str:
    """Return the pattern that was probably meant, or an example."""
    text = _URL.sub("", text)
    if "/" not in text:
        text = text.strip().replace(" ", " /") if " " in text.strip() else f"{text.strip()} /"
    methods = dict.fromkeys(_corrected_method(name, known) for name in _names(text))
    path = f"/{text.partition('/')[2].strip().partition('?')[0]}"
    path = _CONVERTER.sub(r"{\1}", _native(path))
    path = re.sub(r"/\*\*\Z", "/*", unquote(path))
    pattern = f"{'*' if '*' in methods or not methods else ','.join(methods)} {path}"
    if _pattern_fault(pattern, known) is None and _template_fault(path) is None:
        return pattern
    return _EXAMPLE


def _native(path: str) -> str:
    """Return a path with the parameters of other tools in the syntax of templates."""
    path = _ANGLES.sub(lambda found: _parameter(found[2], found[1]), path)
    return _COLON.sub(r"{\1}", path)


def _corrected_method(name: str, known: Collection[str]) -> str:
    upper = name.upper()
    if upper in known:
        return upper
    if upper in _ALIASES:
        return _ALIASES[upper]
    from difflib import get_close_matches  # for a mistake alone

    near = get_close_matches(upper, sorted(known), n=1, cutoff=_ALIKE)
    return near[0] if near else "*"


def _parameter(name: str, converter: str | None) -> str:
    return f"{{{name}:path}}" if converter == "path" else f"{{{name}}}"
