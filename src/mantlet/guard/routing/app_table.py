"""Find the values of paths and methods in the order of an app's own router.

`DeclaredTable` finds, among all routes that match a path, the first one that has the method, as
Starlette and Werkzeug do. The trie of `mantlet.http.routing` finds the routes that may match; those
with converters are then matched exactly. `LitestarTable` walks as Litestar's router does.

Routes that the declaration leaves out take part, since one of them may come before a declared one.

What it costs: one look-up for a path without parameters; else at most one visit to each node of the
trie that the path leads to, and one test for each route there that has converters.

Sources: Starlette's ``Router.app()``, ``compile_path()`` and ``convertors.py``; Werkzeug's
``StateMachineMatcher``; Litestar's ``parse_path_to_route()`` and ``add_route_to_trie()``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from mantlet.guard.routing.app_routes import AppRoute
from mantlet.guard.routing.path_table import ANY_METHOD, PathMethods, PathTable
from mantlet.guard.routing.path_templates import PathTemplate
from mantlet.guard.routing.paths import is_unambiguous
from mantlet.http.routing.trie import (
    PARAMETER,
    REST,
    Node,
    Segment,
    SegmentPattern,
    insert,
    walk,
)

__all__ = [
    "CONVERTERS",
    "PARAMETER_EXPRESSION",
    "AppEntry",
    "AppTable",
    "DeclaredTable",
    "TableRoute",
    "merge_methods",
]

T = TypeVar("T")

PARAMETER_EXPRESSION: Final = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
#: The converters of Starlette.
CONVERTERS: Final = {
    "str": "[^/]+",
    "path": ".*",
    "int": "[0-9]+",
    "float": r"[0-9]+(\.[0-9]+)?",
    "uuid": "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}",
}


class AppEntry(NamedTuple, Generic[T]):
    """A value of an operation.

    Attributes:
        method: its method.
        template: its path.
        value: the value.
        is_pattern: whether it is a contract's, whose parameters may have other names than the
            app's.
    """

    method: str
    template: str
    value: T
    is_pattern: bool = False


class TableRoute(NamedTuple, Generic[T]):
    """A route in a table.

    Attributes:
        rank: its place in the router's order.
        route: the app's route.
        template: its template, with the names of the route.
        values: the values of its methods, each with the template that names its parameters.
        expression: matches its paths, where its place in the trie does not tell all.
    """

    rank: int
    route: AppRoute
    template: PathTemplate
    values: Mapping[str, tuple[T, PathTemplate]]
    expression: re.Pattern[str] | None


class AppTable(Generic[T]):
    """Values by the routes of an app; the base of the tables of each kind of router.

    A value that no route runs counts where the app has no route, or one that is not declared.

    Args:
        routes: all routes of the protocol, in the router's order.
        entries: the values.

    Attributes:
        static: as in `PathTable`.

    Raises:
        ValueError: a route or a template is malformed.
    """

    __slots__ = ("_others", "static")

    #: Whether routes are matched by their converters.
    _matches_converters = True
    #: Routers do not leave open which of two templates wins.
    crossings: tuple[tuple[str, str], ...] = ()

    def __init__(self, routes: Sequence[AppRoute], entries: Sequence[AppEntry[T]] = ()) -> None:
        self.static: dict[str, PathMethods[T]] = {}
        values = _Values(entries)
        self._build(
            [
                values.route(rank, route, exact=self._matches_converters)
                for rank, route in enumerate(routes)
            ]
        )
        others = values.unclaimed()
        self._others: PathTable[T] | None = None
        if others:
            self._others = PathTable(
                ((one.method, one.template, one.value) for one in others),
                patterns={one.template for one in others if one.is_pattern},
            )
            for path in [path for path in self.static if self._others.find(path) is not None]:
                del self.static[path]

    def _build(self, routes: list[TableRoute[T]]) -> None:
        raise NotImplementedError

    def _find(self, path: str) -> tuple[PathMethods[T], Sequence[str]] | None:
        raise NotImplementedError

    def find(self, path: str) -> tuple[PathMethods[T], Sequence[str]] | None:
        """Return the values of a decoded path, and its parts for `PathTemplate.capture()`."""
        methods = self.static.get(path)
        if methods is not None:
            return methods, ()
        found = self._find(path)
        if self._others is None:
            return found
        other = self._others.find(path)
        if found is None or other is None:
            return found or other
        return _fill(found[0], other[0]), found[1] or other[1]

    def matches_loosely(self, path: str) -> bool:
        """Return whether an app could take the path for a declared one."""
        folded = "/" + "/".join(filter(None, path.strip("\n").split("/")))
        return any(self.find(spelling) for spelling in (folded, folded + "/"))


class _Values(Generic[T]):
    """Values, and the routes that run them."""

    def __init__(self, entries: Sequence[AppEntry[T]]) -> None:
        self._entries = entries
        self._claimed: set[int] = set()
        #: The indexes of entries by path: as written, without converters, and without names.
        self._exact: dict[str, list[int]] = {}
        self._plain: dict[str, list[int]] = {}
        self._nameless: dict[str, list[int]] = {}
        for index, one in enumerate(entries):
            if one.is_pattern:
                self._nameless.setdefault(_nameless(one.template), []).append(index)
            else:
                self._exact.setdefault(one.template, []).append(index)
                plain = PARAMETER_EXPRESSION.sub(r"{\1}", one.template)
                self._plain.setdefault(plain, []).append(index)

    def route(self, rank: int, route: AppRoute, *, exact: bool) -> TableRoute[T]:
        """Return a route with its values."""
        template, expression = _parse(route, exact=exact)
        found: dict[str, tuple[T, PathTemplate]] = {}
        own = route.template or ""
        for index in (
            *self._nameless.get(_nameless(route.path), ()),
            *self._exact.get(own, ()),
            *self._plain.get(own, ()),
        ):
            one = self._entries[index]
            if one.method in found or not (route.methods is None or one.method in route.methods):
                continue
            self._claimed.add(index)
            found[one.method] = one.value, _rename(template, one.template)
        if "GET" in found and (route.methods is None or "HEAD" in route.methods):
            found.setdefault("HEAD", found["GET"])
        return TableRoute(rank, route, template, found, expression)

    def unclaimed(self) -> list[AppEntry[T]]:
        """Return the values that no route runs."""
        return [one for index, one in enumerate(self._entries) if index not in self._claimed]


def _nameless(path: str) -> str:
    """Return a path without names, and without the converters of one segment."""
    path = f"{path[:-1]}{{:path}}" if path.endswith("/*") else path
    return PARAMETER_EXPRESSION.sub(lambda found: "{:path}" if found[2] == "path" else "{}", path)


def _rename(template: PathTemplate, declared: str) -> PathTemplate:
    """Return a template with the names of another one, in their order."""
    names = [match[1] for match in PARAMETER_EXPRESSION.finditer(declared)]
    if declared.endswith("/*"):
        names.append(template.names[-1])
    renamed = dict(zip(template.names, names, strict=True))
    return template._replace(
        places=tuple((renamed[name], index) for name, index in template.places),
        compounds=tuple(
            (index, tuple(renamed[name] for name in names), pattern)
            for index, names, pattern in template.compounds
        ),
        rest=None if template.rest is None else (renamed[template.rest[0]], template.rest[1]),
        names=tuple(names),
    )


def _fill(found: PathMethods[T], other: PathMethods[T]) -> PathMethods[T]:
    """Return methods with the values of others where the app has no declared route."""
    made: PathMethods[T] = PathMethods()
    made.by_name = {**other.by_name, **found.by_name}
    made.undeclared = {
        method: passes for method, passes in found.undeclared.items() if method not in made.by_name
    }
    made.ambiguous = frozenset(other.ambiguous - found.by_name.keys())
    made.allow = _allow(made)
    return made


def _allow(methods: PathMethods[T]) -> str:
    return ", ".join(sorted({*methods.by_name, *methods.undeclared} - {ANY_METHOD}))


def _parse(route: AppRoute, *, exact: bool) -> tuple[PathTemplate, re.Pattern[str] | None]:
    """Return the template of a route, and the expression that it needs beside the trie.

    Args:
        route: the route.
        exact: whether converters decide which paths match.
    """
    shape: list[Segment] = []
    places: list[tuple[str, int]] = []
    compounds: list[tuple[int, tuple[str, ...], SegmentPattern]] = []
    rest: tuple[str, int] | None = None
    tells_all = True
    for index, segment in enumerate(route.path.removeprefix("/").split("/"), 1):
        if rest is not None:
            tells_all = False  # something follows the rest
            break
        pieces = PARAMETER_EXPRESSION.split(segment)
        literals, own, converters = pieces[::3], pieces[1::3], pieces[2::3]
        plain = not exact or all(converter in (None, "str") for converter in converters)
        if not own:
            shape.append(segment)
        elif "path" in converters:
            tells_all = tells_all and literals == ["", ""]
            rest = own[-1], index
            shape.append(REST)
        elif literals == ["", ""]:
            tells_all = tells_all and plain
            places.append((own[0], index))
            shape.append(PARAMETER)
        elif plain and "" not in literals[1:-1]:
            pattern = SegmentPattern(literals)
            compounds.append((index, tuple(own), pattern))
            shape.append(pattern)
        else:
            tells_all = False
            shape.append(PARAMETER)
    expression = route.expression
    if expression is None and exact and not tells_all:
        expression = _expression(route.path)
    names = tuple(match[1] for match in PARAMETER_EXPRESSION.finditer(route.path))
    template = PathTemplate(
        route.path,
        tuple(shape),
        tuple(places),
        tuple(compounds),
        rest,
        expression=None if tells_all else expression,
        names=names,
    )
    return template, expression


def _expression(path: str) -> re.Pattern[str]:
    made, end = "", 0
    for match in PARAMETER_EXPRESSION.finditer(path):
        converter = match[2] or "str"
        if converter not in CONVERTERS:
            raise ValueError(f"the route {path!r} has the unknown converter {converter!r}")
        inner = CONVERTERS[converter].replace("(", "(?:")
        made += f"{re.escape(path[end : match.start()])}({inner})"
        end = match.end()
    return re.compile(made + re.escape(path[end:]))


def merge_methods(routes: Iterable[TableRoute[T]]) -> PathMethods[T]:
    """Return the methods of a path that several routes match, the first one's first."""
    made: PathMethods[T] = PathMethods()
    undeclared: dict[str, bool] = {}
    for one in sorted(routes, key=lambda one: one.rank):
        for method in one.route.methods or ():
            if method not in made.by_name and method not in undeclared:
                if method in one.values:
                    made.by_name[method] = one.values[method]
                else:
                    undeclared[method] = one.route.passes
        if one.route.methods is None:
            for method, value in one.values.items():
                if method not in undeclared:
                    made.by_name.setdefault(method, value)
            undeclared[ANY_METHOD] = one.route.passes
            break  # no later route ever runs
    if undeclared:
        made.undeclared = undeclared
    # An app without HEAD answers it by itself; it has no endpoint that could run.
    if not undeclared.keys() & {"HEAD", ANY_METHOD}:
        made.close()
    made.allow = _allow(made)
    return made


# -- the first declared route wins ----------------------------------------------------------------


class _Ends(NamedTuple, Generic[T]):
    """The routes that end at a node.

    Attributes:
        routes: the routes.
        merged: their methods, if no route has to be matched exactly.
    """

    routes: list[TableRoute[T]]
    merged: PathMethods[T] | None


class DeclaredTable(AppTable[T]):
    """Values of an app whose router takes the first route that matches and has the method."""

    __slots__ = ("_alone", "_max_splits", "_root")

    def _build(self, routes: list[TableRoute[T]]) -> None:
        #: The methods of single routes, by rank.
        self._alone = {one.rank: merge_methods([one]) for one in routes}
        self._root: Node[_Ends[T]] = Node()
        ends: dict[int, tuple[Node[_Ends[T]], list[TableRoute[T]]]] = {}
        for one in routes:
            shapes = [one.template.shape]
            if shapes[0][-1] is REST:
                shapes.append((*shapes[0][:-1], ""))  # a rest may be empty
            for shape in shapes:
                node = insert(self._root, shape)
                ends.setdefault(id(node), (node, []))[1].append(one)
        for node, here in ends.values():
            exact = all(one.expression is None for one in here)
            node.value = _Ends(here, merge_methods(here) if exact else None)
        self._max_splits = 1 + max((len(one.template.shape) for one in routes), default=0)
        for one in routes:
            path = one.template.path
            if path is not None and is_unambiguous(path) and path not in self.static:
                found = self._find(path)
                if found is not None:
                    self.static[path] = found[0]

    def _find(self, path: str) -> tuple[PathMethods[T], Sequence[str]] | None:
        if "\n" in path or "//" in path:
            return None  # expressions and rests may match these in ways of their own
        parts = path.split("/", self._max_splits)
        later = [(self._root, 1)]
        first = None if parts[0] else walk(later, parts, len(parts))
        if first is None:
            return None
        if not later and first.merged is not None:
            return first.merged, parts
        ends = [first]
        while (more := walk(later, parts, len(parts))) is not None:
            ends.append(more)
        matching = [
            one
            for found in ends
            for one in found.routes
            if one.expression is None or one.expression.fullmatch(path)
        ]
        if not matching:
            return None
        methods = self._alone[matching[0].rank] if len(matching) == 1 else merge_methods(matching)
        return methods, parts
