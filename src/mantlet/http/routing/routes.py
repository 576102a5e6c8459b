"""`Routes`: values by route patterns, and the match of a request."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from mantlet.http.routing.patterns import NAMELESS_REST, PathShape, parse_pattern, parse_template
from mantlet.http.routing.trie import REST, Node, Segment, insert, walk

__all__ = ["Routes"]

T = TypeVar("T")
Entry = TypeVar("Entry")

#: A value with the places of its template's parameters.
Placed = tuple[T, PathShape]

_NO_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType({})


class Routes(Generic[T]):
    """Values by route patterns, built once.

    Args:
        routes: pairs of a pattern, such as ``"GET /users/{id}"``, and its value.

    Raises:
        TypeError: a pattern is not text.
        ValueError: a pattern is malformed; the message ends with a correct one.
    """

    __slots__ = ("_depth", "_root", "_static")

    def __init__(self, routes: Iterable[tuple[str, T]]) -> None:
        # A template of literals alone is the most specific one, so it needs no walk.
        self._static: dict[str, _Methods[tuple[T, Mapping[str, str]]]] = {}
        self._root: Node[_Ends[T]] = Node()
        self._depth = 0  # the segments of the longest template in the trie
        for text, value in routes:
            pattern = parse_pattern(text)
            shape = parse_template(pattern)
            if shape.places or shape.compounds or NAMELESS_REST in shape.segments:
                try:
                    self._insert(pattern.methods, list(shape.segments), (value, shape))
                except ValueError as error:
                    raise ValueError(f"the pattern {text!r}: {error}") from None
            else:
                here = self._static.setdefault("/".join(map(str, shape.segments)), _Methods())
                here.add(pattern.methods, (value, _NO_PARAMETERS))

    def _insert(self, methods: Iterable[str], shape: list[Segment], entry: Placed[T]) -> None:
        rest_from = None
        if shape[-1] in (REST, NAMELESS_REST):
            rest_from = len(shape) - 1
            above = self._ends(shape[:-1], None)
            (above.slash if shape[-1] == NAMELESS_REST else above.empty_rest).add(methods, entry)
            shape[-1] = REST
        self._ends(shape, rest_from).here.add(methods, entry)
        self._depth = max(self._depth, len(shape))

    def _ends(self, shape: list[Segment], rest_from: int | None) -> "_Ends[T]":
        node = insert(self._root, shape)
        if node.value is None:
            node.value = _Ends(rest_from)
        return node.value

    def match(self, method: str, path: str) -> Sequence[tuple[T, Mapping[str, str]]]:
        """Return the values that apply to a request, each with the parameters of its pattern.

        Args:
            method: the method as sent.
            path: the decoded path within the app: `Request.route_path`.

        Returns:
            The values of the most specific template, in the order given; empty if none matches.
        """
        core = path.strip("/\n")
        if "//" in core:
            core = _folded(core)
        static = self._static.get(core)
        return (static and static[method]) or self._walk(method, path, core)

    def match_all(
        self, method: str, paths: Sequence[str]
    ) -> list[Sequence[tuple[T, Mapping[str, str]]]]:
        """Return the values that apply to each reading of a path, without repetition.

        Beside the readings that differ by the root path, apps differ in whether a slash at the end
        makes an empty rest of ``/files/{name:path}`` (Starlette, Falcon), and whether a repeated
        slash makes an empty segment, the value of a parameter (Falcon), or is ignored.

        Args:
            method: the method as sent.
            paths: the readings: `Request.route_paths`.

        Returns:
            The result of `match()` for each of them, the first reading's first; empty where none
            matches. A policy that treats these differently applies the strictest treatment.
        """
        found = [self.match(method, path) for path in paths]
        if self._depth:
            # Spellings with other slashes count as readings only where they match other templates.
            found += filter(None, (one for path in paths for one in self._of_slashes(method, path)))
        distinct: dict[tuple[int, ...], Sequence[tuple[T, Mapping[str, str]]]] = {}
        for one in found:
            distinct.setdefault(tuple(id(value) for value, _ in one), one)
        return list(distinct.values())

    def _of_slashes(
        self, method: str, path: str
    ) -> Iterator[Sequence[tuple[T, Mapping[str, str]]]]:
        """Iterate over the values of templates that take slashes for empty segments."""
        core = _folded(path)
        parts = core.split("/", self._depth) if core else []
        if path.endswith("/"):
            for ends in self._ends_of(parts):
                if entries := ends.slash[method] or ends.empty_rest[method]:
                    yield _named(entries, parts, None)
                    break
        is_slashes = len(path) > 1
        path = path.lstrip("/")
        if "//" in path or (is_slashes and not path):
            parts = path.removesuffix("/").split("/", self._depth)
            for ends in self._ends_of(parts, empty=True):
                if entries := ends.here[method]:
                    yield _named(entries, parts, ends.rest_from)
                    break

    def _ends_of(self, parts: list[str], *, empty: bool = False) -> Iterator["_Ends[T]"]:
        later = [(self._root, 0)]
        while (ends := walk(later, parts, len(parts), empty=empty)) is not None:
            yield ends

    def groups(self) -> Iterator[tuple[T, ...]]:
        """Iterate over the values that `match()` may return together; some occur several times."""
        nodes = [self._root]
        for literal in self._static.values():
            yield from (tuple(value for value, _ in found) for found in literal.values())
        while nodes:
            node = nodes.pop()
            ends = node.value
            for methods in () if ends is None else (ends.here, ends.slash, ends.empty_rest):
                yield from (tuple(value for value, _ in found) for found in methods.values())
            nodes += node

    def _walk(self, method: str, path: str, core: str) -> Sequence[tuple[T, Mapping[str, str]]]:
        parts = core.split("/", self._depth) if core else []
        end = len(parts)
        later = [(self._root, 0)]
        while (ends := walk(later, parts, end)) is not None:
            entries = ends.here[method]
            if not entries and ends.slash and (not core or path.rstrip("\n")[-1] == "/"):
                entries = ends.slash[method]
            if entries:
                return _named(entries, parts, ends.rest_from)
        return ()


class _Methods(dict[str, tuple[Entry, ...]], Generic[Entry]):
    """The entries of one template by method; a missing method falls back to GET or ``*``."""

    __slots__ = ()

    def add(self, methods: Iterable[str], entry: Entry) -> None:
        for method in methods:
            self[method] = (*self.get(method, ()), entry)

    def __missing__(self, method: str) -> tuple[Entry, ...]:
        method = method.upper()
        found = self.get(method)
        if found is None and method == "HEAD":
            found = self.get("GET")
        return found or self.get("*", ())


class _Ends(Generic[T]):
    """The entries for paths that end at a node, and for those that end there with a slash.

    Args:
        rest_from: the index of the first segment of the rest, if the node is one of a rest.

    Attributes:
        here: the entries of templates that end at the node.
        slash: those of templates with a nameless rest below it, which may be empty.
        empty_rest: those of templates with a named rest below it, which is empty to some apps.
    """

    __slots__ = ("empty_rest", "here", "rest_from", "slash")

    def __init__(self, rest_from: int | None) -> None:
        self.rest_from = rest_from
        self.here: _Methods[Placed[T]] = _Methods()
        self.slash: _Methods[Placed[T]] = _Methods()
        self.empty_rest: _Methods[Placed[T]] = _Methods()


def _folded(path: str) -> str:
    """Return a path without the slashes, and newlines, that are ignored."""
    path = path.strip("/\n")
    while "//" in path:  # halves every run of slashes, so it ends soon
        path = path.replace("//", "/")
    return path


def _named(
    entries: Iterable[Placed[T]], parts: list[str], rest_from: int | None
) -> list[tuple[T, Mapping[str, str]]]:
    if rest_from is not None:
        parts[rest_from:] = ["/".join(parts[rest_from:])]
    found: list[tuple[T, Mapping[str, str]]] = []
    for value, (_, places, compounds) in entries:
        parameters = {}
        for name, index in places:  # a comprehension would cost a call, mostly for one name
            parameters[name] = parts[index] if index < len(parts) else ""  # an empty rest
        for index, names, pieces in compounds:
            parameters.update(zip(names, pieces.split(parts[index]) or (), strict=True))
        found.append((value, parameters))
    return found
