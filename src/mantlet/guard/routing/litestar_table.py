"""Find the values of paths and methods as Litestar's router does.

Sources: Litestar's ``parse_path_to_route()``, ``traverse_route_map()`` and ``add_route_to_trie()``.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from mantlet.guard.routing.app_table import (
    PARAMETER_EXPRESSION,
    AppTable,
    TableRoute,
    merge_methods,
)
from mantlet.guard.routing.path_table import ANY_METHOD, PathMethods
from mantlet.guard.routing.path_templates import PathTemplate

__all__ = ["LitestarTable"]

T = TypeVar("T")


class _Place(Generic[T]):
    """A node of Litestar's trie: literals, and one parameter of any type."""

    __slots__ = ("is_rest", "literals", "methods", "parameter", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Place[T]] = {}
        self.parameter: _Place[T] | None = None
        #: Whether it takes the rest of the path: if any route has a path parameter here.
        self.is_rest = False
        self.routes: list[TableRoute[T]] = []
        self.methods: PathMethods[T] | None = None


class LitestarTable(AppTable[T]):
    """Values of a Litestar app: whole literal paths, then mounts, then the trie."""

    __slots__ = ("_prefixes", "_top")

    _matches_converters = False

    def _build(self, routes: list[TableRoute[T]]) -> None:
        self._top: _Place[T] = _Place()
        self._prefixes: list[tuple[str, PathMethods[T]]] = []
        plain: dict[str, list[TableRoute[T]]] = {}
        places: list[_Place[T]] = []
        for one in routes:
            if one.route.is_prefix:
                self._prefixes.append((one.route.path.rstrip("/"), merge_methods([one])))
            elif one.template.names:
                places.append(self._insert(one))
            else:
                plain.setdefault(_normal(one.route.path), []).append(one)
        for place in places:
            place.methods = merge_methods(
                map(_with_rest, place.routes) if place.is_rest else place.routes
            )
        self.static.update((path, merge_methods(same)) for path, same in plain.items())

    def _insert(self, one: TableRoute[T]) -> _Place[T]:
        place = self._top
        for segment in filter(None, one.route.path.split("/")):
            parameter = PARAMETER_EXPRESSION.fullmatch(segment)
            if parameter is None:
                place = place.literals.setdefault(segment, _Place())
                continue
            place.parameter = place.parameter or _Place()
            place = place.parameter
            place.is_rest = place.is_rest or parameter[2] == "path"
        place.routes.append(one)
        return place

    def _find(self, path: str) -> tuple[PathMethods[T], Sequence[str]] | None:
        path = _normal(path)
        methods = self.static.get(path)
        if methods is not None:
            return methods, ()
        mounted = next((one for prefix, one in self._prefixes if path.startswith(prefix)), None)
        if mounted is not None and not mounted.undeclared[ANY_METHOD]:
            return mounted, ()
        parts = path.split("/")
        place = self._top
        for part in parts[1:]:
            inner = place.literals.get(part, place.parameter)
            if inner is None:
                break
            place = inner
            if place.is_rest:
                return (place.methods, parts) if place.methods is not None else None
        else:
            if place.methods is not None:
                return place.methods, parts
        return None if mounted is None else (mounted, ())


def _with_rest(one: TableRoute[T]) -> TableRoute[T]:
    """Return a route whose last parameter is the rest of the path."""

    def changed(template: PathTemplate) -> PathTemplate:
        if template.rest is not None:
            return template
        *places, rest = template.places
        return template._replace(places=tuple(places), rest=rest)

    values = {method: (value, changed(made)) for method, (value, made) in one.values.items()}
    return one._replace(values=values)


def _normal(path: str) -> str:
    """Return a path as Litestar normalizes it."""
    return "/" + "/".join(filter(None, path.split("/")))
