"""The values of paths and methods: exactly, and in bounded time.

Route patterns (`mantlet.http.routing`) ignore differences in spelling, so that no spelling gets
around a rule. An operation, by contrast, has exactly one path: slashes and case count. The most
specific template wins, decided segment by segment from the left: a literal before a segment of
several pieces, that before a parameter, and that before the rest of the path. It wins for all
methods (OpenAPI 3.2.0, "Path Templating Matching"): wider templates are not searched for a method
that it lacks. No template wins over one that it crosses (`mantlet.guard.routing.path_overlaps`): a
path that several of them match is ambiguous for all of their methods, since some routers look at
the path alone, and a view may take any method.

What it costs: one look-up for a path without parameters; else at most one visit to each node of the
trie that the path leads to.

Sources: OpenAPI 3.2.0, "Path Templating Matching".
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from mantlet.guard.routing.path_overlaps import Crossings, includes
from mantlet.guard.routing.path_templates import PathTemplate, parse_template
from mantlet.guard.routing.paths import is_unambiguous
from mantlet.http.headers import is_token
from mantlet.http.routing.trie import Node, Segment, insert, walk

__all__ = ["ANY_METHOD", "PathMethods", "PathTable"]

T = TypeVar("T")

#: The name of all methods in `PathMethods.undeclared`.
ANY_METHOD: Final = "*"
#: Methods that apps accept in any case (RFC 9110, 9.3; RFC 5789; QUERY is a draft).
_STANDARD_METHODS: Final = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)
_NONE_UNDECLARED: Final[Mapping[str, bool]] = MappingProxyType({})


class PathMethods(Generic[T]):
    """The values of one path by method; ``HEAD`` follows ``GET``.

    Args:
        shape: the segments of the template; those of several templates differ only in names.

    Attributes:
        by_name: the values, each with its own template of the path.
        allow: the methods, for ``Allow`` (RFC 9110, 10.2.1).
        ambiguous: the methods, if the path is that of several crossing templates.
        crosses: whether other templates cross this one.
        undeclared: methods, or `ANY_METHOD`, for which the app has a route and the declaration has
            no operation, and whether requests for it pass.
    """

    __slots__ = ("allow", "ambiguous", "by_name", "crosses", "shape", "undeclared")

    def __init__(self, shape: Sequence[Segment] = ()) -> None:
        self.by_name: dict[str, tuple[T, PathTemplate]] = {}
        self.allow = ""
        self.ambiguous: frozenset[str] = frozenset()
        self.crosses = False
        self.shape = shape
        self.undeclared: Mapping[str, bool] = _NONE_UNDECLARED

    def add(self, method: str, template: PathTemplate, value: T) -> None:
        """Add a method.

        Raises:
            ValueError: the method is malformed, or declared already.
        """
        text = template.text
        if not is_token(method) or (
            method not in _STANDARD_METHODS and method.upper() in _STANDARD_METHODS
        ):
            raise ValueError(f'the method of {text!r} must be such as "GET", not {method!r}')
        for known, (_, other) in self.by_name.items():
            if known.upper() != method.upper():
                continue
            if known != method:
                raise ValueError(f"{known} and {method} of {text!r} are the same to some apps")
            if other.text == text:
                raise ValueError(f"{method} {text} is declared twice")
            raise ValueError(
                f"the paths {other.text!r} and {text!r} are the same for {method}: they differ "
                f"only in parameter names or percent-encoding"
            )
        self.by_name[method] = value, template

    def has_in_any_case(self, method: str) -> bool:
        """Return whether an app could take the method for a declared one."""
        return any(known.upper() == method.upper() for known in self.by_name)

    def close(self) -> None:
        """Add ``HEAD`` where only ``GET`` is declared."""
        if "GET" in self.by_name:
            self.by_name.setdefault("HEAD", self.by_name["GET"])
        self.allow = ", ".join(sorted(self.by_name))


class PathTable(Generic[T]):
    """Values by method and path template, built once.

    Args:
        entries: methods, templates and values.
        patterns: the templates in which ``*`` at the end is a rest, which may be empty.

    Attributes:
        static: the values of paths without parameters that are unambiguous
            (`paths.is_unambiguous()`).
        crossings: pairs of templates that cross.

    Raises:
        TypeError: a template is not text.
        ValueError: a template or a method is malformed, or two templates are the same path for one
            method; the message names both.
    """

    __slots__ = ("_max_splits", "_root", "crossings", "static")

    def __init__(
        self, entries: Iterable[tuple[str, str, T]], *, patterns: Collection[str] = ()
    ) -> None:
        self.static: dict[str, PathMethods[T]] = {}
        self._root: Node[PathMethods[T]] = Node()
        known: dict[str, tuple[PathTemplate, PathMethods[T]]] = {}
        for method, text, value in entries:
            if text not in known:
                template = parse_template(text, is_pattern=text in patterns)
                known[text] = template, self._insert(template)
            template, methods = known[text]
            methods.add(method, template, value)
        for template, methods in known.values():
            methods.close()
            if template.has_nameless_rest:
                empty = insert(self._root, (*template.shape[:-1], ""))
                empty.value = empty.value or methods
            if template.path is not None and is_unambiguous(template.path):
                self.static[template.path] = methods
        self._mark_crossings()
        # A path is split no further than the longest template and one segment more.
        self._max_splits = 1 + max(
            (len(template.shape) for template, _ in known.values()), default=0
        )

    def _insert(self, template: PathTemplate) -> PathMethods[T]:
        try:
            node = insert(self._root, template.shape)
        except ValueError as error:
            raise ValueError(f"the path {template.text!r}: {error}") from None
        node.value = node.value or PathMethods(template.shape)
        return node.value

    def _mark_crossings(self) -> None:
        """Note which templates cross others, in `crossings` and in their `PathMethods`."""
        crossings = Crossings[PathMethods[T]](self._root)
        for pair in crossings.pairs:
            for methods in pair:
                methods.crosses = True
        if not crossings.complete:
            for methods in _values(self._root):
                methods.crosses = True
        self.crossings = tuple((_text(one), _text(other)) for one, other in crossings.pairs)

    def find(self, path: str) -> tuple[PathMethods[T], Sequence[str]] | None:
        """Return the values of a decoded path, and its parts for `PathTemplate.capture()`."""
        methods = self.static.get(path)
        if methods is not None:
            return methods, ()
        parts = path.split("/", self._max_splits)
        if parts[0]:
            return None
        later = [(self._root, 1)]
        methods = walk(later, parts, len(parts))
        if methods is None:
            return None
        if methods.crosses:
            methods = self._checked(methods, later, parts)
        return methods, parts

    def _checked(
        self,
        first: PathMethods[T],
        later: list[tuple[Node[PathMethods[T]], int]],
        parts: Sequence[str],
    ) -> PathMethods[T]:
        """Return the methods of a path: all ambiguous if it is that of crossing templates."""
        found = [first]
        while (methods := walk(later, parts, len(parts))) is not None:
            if methods is not first and not includes(methods.shape, first.shape):
                found.append(methods)
        if len(found) == 1:
            return first
        made: PathMethods[T] = PathMethods(first.shape)
        made.ambiguous = frozenset(method for methods in found for method in methods.by_name)
        made.allow = ", ".join(sorted(made.ambiguous))
        return made

    def matches_loosely(self, path: str) -> bool:
        """Return whether an app could take the path for a declared one.

        Some routers ignore trailing slashes, repeated slashes, and newlines at the end.
        """
        folded = "/" + "/".join(filter(None, path.strip("\n").split("/")))
        return any(self.find(spelling) for spelling in (folded, folded + "/"))


def _text(methods: PathMethods[Any]) -> str:
    """Return a template of a path."""
    _, template = next(iter(methods.by_name.values()))
    return template.text


def _values(root: Node[PathMethods[T]]) -> Iterator[PathMethods[T]]:
    pending = [root]
    while pending:
        node = pending.pop()
        if node.value is not None:
            yield node.value
        pending += node
