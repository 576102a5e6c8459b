"""Which of the values given for path templates hold for a request, found in bounded time.

A pattern is a method, a space and a path template::

    POST /login                 one path
    GET,POST /users/{id}        several methods; {id} is one segment
    GET /files/{name:path}      the rest, which is a character or more, with any slashes in it
    * /static/*                 every method; the rest without a name, which may be empty

Methods are in upper case, and ``*`` is every one. ``HEAD`` follows ``GET`` where no pattern of the
template names it (RFC 9110, 9.3.2). A request's method is compared without regard to case: it has
a case (RFC 9110, 9.1), but Django, Flask and Quart take ``post`` for ``POST``.

Templates are in decoded form, as apps see paths: ``/a b`` and never ``/a%20b``; an encoded slash is
a slash. They begin where the app is mounted (`Request.route_path`). A name is an identifier.

The most specific template wins, decided segment by segment from the left: a literal goes before
``{name}``, and that before the rest. Of its patterns, those that name the method go before those of
``*``. If it has neither, the next less specific template is asked. Patterns of the same method
whose templates differ only in how parameters are named hold together.

Frameworks disagree on which paths are one, and a path that the app takes for ``/login`` and this
module does not would be a way around a rule. So repeated slashes, slashes at the end, and newlines
at the end (Starlette routes ``/login%0A`` to ``/login``) are ignored, in templates as in paths, and
are not in parameters: ``//login`` and ``/login/`` match ``/login``. Only ``/static/*`` tells
``/static/``, which it matches, from ``/static``. Case, ``.`` and ``..`` are left as they are.

When it is unsafe: a pattern that exempts does so for all these spellings, even where the app routes
one of them elsewhere. A parameter is what the client has written: ``1`` and ``01`` are two. Falcon
routes an empty segment to a parameter (``/users//reset``), and ``{name}`` does not match it.

What it costs: one look-up for a template of literals, however many there are; else at most one
visit to each node of the trie, as one way leads to each, none deeper than the longest template.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Generic, TypeVar
from urllib.parse import unquote

__all__ = ["Routes"]

T = TypeVar("T")
Entry = TypeVar("Entry")

#: The parameters of a template: each name, with the index of its segment.
Places = tuple[tuple[str, int], ...]

# RFC 9110, 5.6.2: token; here without "*" and lower case.
_METHOD: Final = r"[!#$%&'+\-.^_`|~0-9A-Z]+"
_PATTERN: Final = re.compile(rf"(\*|{_METHOD}(?:,{_METHOD})*) (/.*)(?<!\s)", re.DOTALL)
_PARAMETER: Final = re.compile(r"\{([^{}:]*)(:path)?\}")
_NOT_LITERAL: Final = re.compile(r"[{}*<>\x00-\x1f\x7f]")
# How parameters stand in a template's shape, where no literal looks like them.
_ONE: Final = "{}"
_REST: Final = "{:path}"
_NAMELESS_REST: Final = "*"
_NO_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType({})


class Routes(Generic[T]):
    """Values by patterns, built once.

    Args:
        routes: pairs of a pattern, such as ``"GET /users/{id}"``, and its value.

    Raises:
        TypeError: a pattern is not text.
        ValueError: a pattern is malformed; the message names it and shows a right one.
    """

    __slots__ = ("_depth", "_root", "_static")

    def __init__(self, routes: Iterable[tuple[str, T]]) -> None:
        # Nothing is more specific than literals alone, so templates of these need no walk.
        self._static: dict[str, _Methods[tuple[T, Mapping[str, str]]]] = {}
        self._root: _Node[T] = _Node()
        self._depth = 0  # the segments of the longest template in the trie
        for pattern, value in routes:
            methods, shape, places = _read(pattern)
            if places or _NAMELESS_REST in shape:
                self._plant(methods, shape, (value, places))
            else:
                here = self._static.setdefault("/".join(shape), _Methods())
                here.add(methods, (value, _NO_PARAMETERS))

    def _plant(self, methods: set[str], shape: list[str], entry: tuple[T, Places]) -> None:
        node = self._root
        for depth, segment in enumerate(shape):
            if segment == _ONE:
                node.parameter = node.parameter or _Node()
                node = node.parameter
            elif segment in (_REST, _NAMELESS_REST):
                if segment == _NAMELESS_REST:
                    node.slash.add(methods, entry)
                node.rest = node.rest or _Node(depth)
                node = node.rest
            else:
                node = node.literals.setdefault(segment, _Node())
        node.here.add(methods, entry)
        self._depth = max(self._depth, len(shape))

    def match(self, method: str, path: str) -> Sequence[tuple[T, Mapping[str, str]]]:
        """Return the values that hold for a request, each with the parameters of its pattern.

        Args:
            method: as sent.
            path: decoded, and within the app: `Request.route_path`.

        Returns:
            The values of the most specific template, in the order given; empty where none matches.
        """
        core = path.strip("/\n")
        while "//" in core:  # which halves every run of slashes, so it is soon over
            core = core.replace("//", "/")
        static = self._static.get(core)
        return (static and static[method]) or self._walk(method, path, core)

    def groups(self) -> Iterator[tuple[T, ...]]:
        """Iterate over the values that `match()` may find together; some come several times."""
        nodes = [self._root]
        for methods in self._static.values():
            yield from (tuple(value for value, _ in found) for found in methods.values())
        while nodes:
            node = nodes.pop()
            for planted in (node.here, node.slash):
                yield from (tuple(value for value, _ in found) for found in planted.values())
            nodes += filter(None, (*node.literals.values(), node.parameter, node.rest))

    def _walk(self, method: str, path: str, core: str) -> Sequence[tuple[T, Mapping[str, str]]]:
        parts = core.split("/", self._depth) if core else []
        node, depth, end = self._root, 0, len(parts)
        later: list[tuple[_Node[T], int]] = []  # what is less specific, the last of it first
        while True:
            if depth < end:
                if node.rest is not None:
                    later.append((node.rest, end))
                literal, parameter = node.literals.get(parts[depth]), node.parameter
                depth += 1
                if literal is not None:
                    if parameter is not None:
                        later.append((parameter, depth))
                    node = literal
                    continue
                if parameter is not None:
                    node = parameter
                    continue
            else:
                entries = node.here[method]
                if not entries and node.slash and (not core or path.rstrip("\n")[-1] == "/"):
                    entries = node.slash[method]
                if entries:
                    return _named(entries, parts, node.rest_from)
            if not later:
                return ()
            node, depth = later.pop()


class _Methods(dict[str, tuple[Entry, ...]], Generic[Entry]):
    """What the patterns of one template say, by method; also of methods that none of them names."""

    __slots__ = ()

    def add(self, methods: set[str], entry: Entry) -> None:
        for method in methods:
            self[method] = (*self.get(method, ()), entry)

    def __missing__(self, method: str) -> tuple[Entry, ...]:
        method = method.upper()
        found = self.get(method)
        if found is None and method == "HEAD":
            found = self.get("GET")
        return found or self.get("*", ())


class _Node(Generic[T]):
    """Where templates part that begin alike.

    Args:
        rest_from: the index of the segment that the rest begins with, where a rest leads here.
    """

    __slots__ = ("here", "literals", "parameter", "rest", "rest_from", "slash")

    def __init__(self, rest_from: int | None = None) -> None:
        self.rest_from = rest_from
        self.literals: dict[str, _Node[T]] = {}
        self.parameter: _Node[T] | None = None
        self.rest: _Node[T] | None = None
        #: What holds where a path ends here, and what does where it ends here with a slash.
        self.here: _Methods[tuple[T, Places]] = _Methods()
        self.slash: _Methods[tuple[T, Places]] = _Methods()


def _named(
    entries: Iterable[tuple[T, Places]], parts: list[str], rest_from: int | None
) -> list[tuple[T, Mapping[str, str]]]:
    if rest_from is not None:
        parts[rest_from:] = ["/".join(parts[rest_from:])]
    found: list[tuple[T, Mapping[str, str]]] = []
    for value, places in entries:
        parameters = {}
        for name, index in places:  # a comprehension would be a call, for one name mostly
            parameters[name] = parts[index]
        found.append((value, parameters))
    return found


# -- patterns -------------------------------------------------------------------------------------


def _read(pattern: str) -> tuple[set[str], list[str], Places]:
    """Return a pattern's methods, its template's segments without names, and the names."""
    if not isinstance(pattern, str):
        raise TypeError(f'a pattern must be text such as "GET /users/{{id}}", not {pattern!r}')
    read = _PATTERN.fullmatch(pattern)
    if read is None:
        raise _malformed(pattern, "is not a method in upper case, a space and a path")
    shape: list[str] = []
    places: dict[str, int] = {}
    for segment in filter(None, read[2].split("/")):
        if shape and shape[-1] in (_REST, _NAMELESS_REST):
            raise _malformed(pattern, "has something behind its rest")
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is None:
            _check_literal(pattern, segment)
            shape.append(segment)
            continue
        name = parameter[1]
        if not name.isidentifier() or name in places:
            raise _malformed(pattern, f"has the name {name!r} twice, or it is no identifier")
        places[name] = len(shape)
        shape.append(_REST if parameter[2] else _ONE)
    return set(read[1].split(",")), shape, tuple(places.items())


def _check_literal(pattern: str, segment: str) -> None:
    if "?" in segment:
        raise _malformed(pattern, "has a query, which is no part of a path")
    if "%" in segment:
        raise _malformed(pattern, "is not in decoded form", unquote(pattern))
    if segment != _NAMELESS_REST and _NOT_LITERAL.search(segment):
        raise _malformed(pattern, f"has the segment {segment!r}, which is no literal")


def _malformed(pattern: str, fault: str, right: str = "%") -> ValueError:
    if "%" in right:
        right = "GET /users/{id}/files/{name:path}"
    return ValueError(f'the pattern {pattern!r} {fault}; write one such as "{right}"')
