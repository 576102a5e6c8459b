"""`AccessRules`: the rules of a request, whichever way the app may read its method and path."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Final, NamedTuple

from mantlet._internal.log_throttle import LogThrottle
from mantlet.authorization.decisions import RouteAuthorization, patterns_of
from mantlet.authorization.engine import Engine
from mantlet.authorization.rules import AccessRule, HiddenPath
from mantlet.core.listed_routes import ListedRoute
from mantlet.http.routing import Routes, parse_pattern

__all__ = ["AccessRules", "MatchedRules"]

#: Requests whose rules are remembered, and the most characters of their methods and paths.
_MAX_CACHED: Final = 1024
_MAX_CACHED_LENGTH: Final = 256
#: The most methods that a header of a request may name.
_MAX_METHODS: Final = 8

_SLASHES: Final = re.compile("//+")  # which Werkzeug merges
#: The segments of a rest: more than any template has.
_MANY: Final = 100
_REST: Final = re.compile(r"(?:\{[^{}]*:path\}|(?<=/)\*)\Z")
_PARAMETER: Final = re.compile(r"(\{[^{}]*\})")
#: Letters beside those of `str.casefold()` that regular expressions take for an ``i``.
_DOTLESS: Final = str.maketrans({"\u0130": "i", "\u0131": "i"})


class MatchedRules:
    """The rules of a request, all of which apply.

    Args:
        rules: the rules, without repetition.
        is_complete: whether each reading of the request's method and path has a rule.
        authorizations: how its view's questions are decided; and the same in report mode.

    Attributes:
        is_object: whether the view has to ask by `mantlet.authorize()`.
    """

    __slots__ = ("authorizations", "is_complete", "is_object", "rules")

    def __init__(
        self,
        rules: tuple[AccessRule, ...],
        authorizations: tuple[RouteAuthorization, RouteAuthorization],
        *,
        is_complete: bool,
    ) -> None:
        self.rules = rules
        self.authorizations = authorizations
        self.is_complete = is_complete
        self.is_object = any(rule.is_object for rule in rules)

    @property
    def pattern(self) -> str:
        """The patterns of the rules, for the log."""
        return patterns_of(self.rules)


class _OrderedRoute(NamedTuple):
    """A route, as its router tries it; the pattern is None for a mount."""

    methods: frozenset[str]
    expression: re.Pattern[str]
    pattern: str | None
    may_pass: bool


class AccessRules:
    """Finds the rules of a request.

    The rules of an app's own, and those of a document, are tables of their own: of each, the most
    specific pattern counts, and both apply. So a document can't open what a rule has closed.

    A rule applies however its letters are written: a case-insensitive app runs ``/Admin`` as
    ``/admin``.

    Args:
        tables: the rules of each source.
        engine: decides about objects.
        throttle: for the log of refused objects.

    Attributes:
        rules: all rules.
        recent: the results of `find()` by the method and the paths, the latest ones.
        too_many: the result for a request that names too many methods to tell.

    Raises:
        ValueError: two rules of a source are for the same method and path.
    """

    def __init__(
        self,
        tables: Sequence[Sequence[AccessRule]],
        engine: Engine | None,
        throttle: LogThrottle,
    ) -> None:
        self._engine = engine
        self._throttle = throttle
        self.recent: dict[tuple[str, tuple[str, ...]], MatchedRules] = {}
        self.too_many = self._matched((), is_complete=False)
        self.rules = tuple(rule for table in tables for rule in table)
        self._exact = [Routes((rule.pattern, rule) for rule in table) for table in tables]
        self._folded = [Routes((_folded(rule.pattern), rule) for rule in table) for table in tables]
        #: The rules with those that hide paths, if there are any.
        hiding = [
            [*((rule.pattern, rule) for rule in table), *_hidden_paths(table)]
            for table in tables
            if any(rule.hide for rule in table)
        ]
        self._hiding = [Routes(one) for one in hiding]
        self._folded_hiding = [
            Routes((_folded(pattern), rule) for pattern, rule in one) for one in hiding
        ]
        self._by_shape = [
            Routes((_pattern_of_shape(rule.pattern), rule) for rule in table) for table in tables
        ]
        for routes in self._exact:
            for group in routes.groups():
                if len(group) > 1:
                    raise ValueError(
                        f"two rules are for the same requests: {group[0]!r} and {group[1]!r}; "
                        f"write one that has what both need"
                    )
        #: The routes of the app in its order, by group.
        self._ordered: dict[str, list[_OrderedRoute]] = {}

    def find(self, method: str, paths: tuple[str, ...]) -> MatchedRules:
        """Return the rules of all readings of a request's path, and remember them.

        Args:
            method: the method as sent.
            paths: `Request.route_paths`.
        """
        found = self._find((method,), paths)
        if len(method) + sum(map(len, paths)) <= _MAX_CACHED_LENGTH:
            if len(self.recent) >= _MAX_CACHED:
                self.recent.clear()
            self.recent[method, paths] = found
        return found

    def find_for_each(
        self, method: str, paths: tuple[str, ...], overrides: Iterable[str]
    ) -> MatchedRules:
        """Return the rules of a request for each method that the app may take it for.

        Args:
            method: the method as sent.
            paths: `Request.route_paths`.
            overrides: the values of headers that may replace the method, in a middleware of the
                app, which may take any of several values.

        Returns:
            The rules of all of them; `too_many` if there are too many methods.
        """
        methods = [method]
        for value in overrides:
            if value.count(",") >= _MAX_METHODS:
                return self.too_many
            methods += filter(None, map(str.strip, value.split(",")))
        return self._find(methods, paths)

    def _find(self, methods: Iterable[str], paths: tuple[str, ...]) -> MatchedRules:
        found: dict[AccessRule, None] = {}
        is_complete = True
        for method in methods:
            for path in paths:
                is_complete &= self._add(method, path, found)
        return self._matched(tuple(found), is_complete=is_complete)

    def _matched(self, rules: tuple[AccessRule, ...], *, is_complete: bool) -> MatchedRules:
        enforced, reported = (
            RouteAuthorization(rules, self._engine, self._throttle, reports=reports)
            for reports in (False, True)
        )
        return MatchedRules(rules, (enforced, reported), is_complete=is_complete)

    def _add(self, method: str, path: str, found: dict[AccessRule, None]) -> bool:
        """Add the rules of one reading; return whether it has any."""
        has_rule = False
        folded = _fold(path)
        for routes, text in (
            *((one, path) for one in self._exact),
            *((one, folded) for one in self._folded),
        ):
            readings = routes.match_all(method, (text,))
            # The others read its slashes differently: their rules apply too, but to other routes.
            has_rule |= bool(readings[0])
            for reading in readings:
                found.update((rule, None) for rule, _ in reading)
        for routes, text in (
            *((one, path) for one in self._hiding),
            *((one, folded) for one in self._folded_hiding),
        ):
            for reading in routes.match_all(method, (text,)):
                found.update((rule, None) for rule, _ in reading if type(rule) is HiddenPath)
        for route in self._first_routes(method, path):
            own = self.of_pattern(route, method)
            has_rule &= bool(own)
            found.update(dict.fromkeys(own))
        return has_rule

    def of_pattern(self, pattern: str, method: str) -> list[AccessRule]:
        """Return the rules for a method of the routes of a pattern.

        That is the rule of the same pattern, else the most specific one that includes it.
        """
        path = parse_pattern(pattern).path
        found = [routes.match(method, _shape(path)) for routes in self._by_shape]
        if not any(found):
            # No parameter matches a rest of many segments, and no literal one that is a NUL.
            sample = _PARAMETER.sub("\0", _REST.sub("/".join("\0" * _MANY), path))
            found = [routes.match(method, sample) for routes in self._exact]
        return [rule for one in found for rule, _ in one]

    def set_order(self, routes: Sequence[ListedRoute]) -> None:
        """Apply the rules of the first route that matches in each group beside the most specific.

        Args:
            routes: the routes of an app whose router takes the first that matches.
        """
        ordered: dict[str, list[_OrderedRoute]] = {}
        for route in routes:
            if route.expression is not None:
                methods = frozenset(parse_pattern(route.pattern).methods)
                pattern = None if route.is_mount else route.pattern
                ordered.setdefault(route.group, []).append(
                    _OrderedRoute(methods, route.expression, pattern, route.may_pass)
                )
        self._ordered = ordered
        self.recent.clear()

    def _first_routes(self, method: str, path: str) -> Iterator[str]:
        """Iterate over the patterns of the routes that the app may run, if its routes are known."""
        method, paths = method.upper(), [path]
        if path.endswith("\n"):  # which Starlette ignores, and others take for a part of a name
            paths.append(path[:-1])
        if "//" in path:
            paths += [
                form for one in paths for form in (_SLASHES.sub("/", one), f"/{one.lstrip('/')}")
            ]
        for one, group in product(paths, self._ordered.values()):
            for methods, expression, pattern, may_pass in group:
                if (method in methods or "*" in methods) and expression.fullmatch(one):
                    if pattern is not None:
                        yield pattern
                    if not may_pass:
                        break


def _hidden_paths(table: Sequence[AccessRule]) -> Iterator[tuple[str, HiddenPath]]:
    """Iterate over what hides the paths of hidden rules, and those without their rests.

    It is less specific than the rules for the methods of the same path.
    """
    named: dict[str, set[str]] = {}
    for rule in table:
        methods, path = parse_pattern(rule.pattern)[1:]
        named.setdefault(_shape(path).rstrip("/"), set()).update(methods)
    for rule in table:
        path = parse_pattern(rule.pattern).path.rstrip("/")
        for one in dict.fromkeys((path, _REST.sub("", path).rstrip("/"))) if rule.hide else ():
            if one and "*" not in named.get(_shape(one), ()):
                yield f"* {one}", HiddenPath(rule)


def _shape(path: str) -> str:
    """Return a path template without the names of its parameters, as one without any."""
    return _PARAMETER.sub("~parameter", _REST.sub("~rest", path))


def _pattern_of_shape(pattern: str) -> str:
    methods, _, path = pattern.partition(" ")
    return f"{methods} {_shape(path)}"


def _fold(text: str) -> str:
    """Return a text as apps that ignore the case of letters may compare it."""
    if text.isascii():
        return text.lower()
    return text.translate(_DOTLESS).casefold()


def _folded(pattern: str) -> str:
    methods, _, path = pattern.partition(" ")
    return f"{methods} {''.join(_folded_pieces(path))}"


def _folded_pieces(path: str) -> Iterator[str]:
    for piece in _PARAMETER.split(path):
        yield piece if piece.startswith("{") else _fold(piece)
