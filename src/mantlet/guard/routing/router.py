"""Find the operation for a request.

The path is read as the app reads it, and in every other way in which the app may read it; all of
them must lead to one operation. Methods are case-sensitive (RFC 9110, 9.1), so ``post``, which
Django, Flask and Quart treat as ``POST``, is not a declared method.
"""

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.preflight import METHOD_OVERRIDE_NAMES, has_body, is_preflight
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.operation_validator import OperationValidator, check_method
from mantlet.guard.options import WEBSOCKET_METHOD, ServerMode
from mantlet.guard.routing.app_routes import AppRoutes
from mantlet.guard.routing.base_paths import NO_CAPTURES, Found, OperationTables
from mantlet.guard.routing.exemptions import Exemptions
from mantlet.guard.routing.path_table import ANY_METHOD, PathMethods
from mantlet.guard.routing.paths import PathChecker, is_unambiguous

__all__ = ["OperationRouter", "UndeclaredOptions"]

#: What to do with an OPTIONS request that no operation is declared for; "pass" is for CORS
#: preflights alone.
UndeclaredOptions = Literal["pass", "answer", "refuse"]

_UNDECLARED_PATH: Final = ErrorItem("path", "", "undeclared_path", "Unknown path")
_SEMICOLON: Final = ErrorItem("path", "", "path_parameter", "Semicolons are not allowed")
_SEVERAL_PATHS: Final = ErrorItem(
    "path", "", "ambiguous_root_path", "The root path can be removed from the path in two ways"
)
_UNDECLARED_METHOD: Final = ErrorItem(
    "path", "", "undeclared_method", "The path does not support this method"
)

_SEVERAL_OPERATIONS: Final = ErrorItem(
    "path", "", "ambiguous_operation", "The path matches several operations"
)
_SEVERAL_BASES: Final = ErrorItem(
    "path",
    "",
    "ambiguous_base_path",
    "The path matches different operations with and without the base path of a server",
)
#: What a mounted app's declaration leaves out is closed.
_MOUNTED: Final = {ANY_METHOD: False}
#: How many requests may match no operation before that is logged.
_UNMATCHED: Final = 100

#: The operation of a request, with the captured path parameters; or a reply; or None to pass.
Match = tuple[OperationValidator, Mapping[str, str]] | Reply | Awaitable[None] | None
FindOperation = Callable[[Request], Match]


class OperationRouter:
    """Finds the operation for a request; built once and replaced as a whole.

    Args:
        validators: the validators of all operations.
        paths: how to check the form of paths.
        allow: ``"path"`` and ``"method"``, if requests for undeclared ones pass.
        undeclared_options: what to do with an OPTIONS request that is not declared; see
            `UndeclaredOptions`.
        servers: whether the base paths of servers may, must or must not precede paths.
        routes: the app's routes, if they are known.
        exempt: the requests that pass unchecked, or None.
        on_unmatched: called once if none of the first hundred requests was for an operation.

    Attributes:
        has_websockets: whether one of the operations is a WebSocket.
        crossings: pairs of templates that cross (`mantlet.guard.routing.path_overlaps`).
        find: returns the validator of a request's operation, and the captured path parameters; else
            the reply to an OPTIONS request, or None to let the request pass unchecked; or an
            awaitable, which raises as this method does, of a preflight that may have a body. It
            raises a ValidationFailed with 404, 405, or 400 for an ambiguous path.
    """

    __slots__ = (
        "_allow",
        "_paths",
        "_redirects",
        "_tables",
        "_undeclared_options",
        "_websockets",
        "crossings",
        "find",
        "has_websockets",
        "validators",
    )

    find: FindOperation

    def __init__(
        self,
        validators: Sequence[OperationValidator],
        *,
        paths: PathChecker,
        allow: frozenset[str],
        undeclared_options: UndeclaredOptions,
        servers: ServerMode = "ignore",
        routes: AppRoutes | None = None,
        exempt: Exemptions | None = None,
        on_unmatched: Callable[[], None] | None = None,
    ) -> None:
        self.validators = tuple(validators)
        kinds: tuple[list[OperationValidator], list[OperationValidator]] = [], []
        for validator in validators:
            kinds[validator.operation.method == WEBSOCKET_METHOD].append(validator)
        # Two tables, since a client could name its HTTP method "WS".
        self._tables = OperationTables(kinds[False], servers, routes)
        self._websockets = OperationTables(kinds[True], servers, routes, websockets=True)
        self._paths = paths
        self.has_websockets = bool(kinds[True])
        self.crossings = (*self._tables.crossings, *self._websockets.crossings)
        self._allow = allow
        self._undeclared_options = undeclared_options
        #: The app's routes, if it redirects requests for some paths to them.
        self._redirects = None if routes is None or routes.slashes is None else routes
        find: FindOperation = self._find
        if routes is not None and routes.others_come_first:
            find = partial(self._find_own, routes)
        if exempt is not None:
            find = partial(self._find_unless_exempt, exempt, find)
        self.find = find if on_unmatched is None else self._watched(find, on_unmatched)

    def _watched(self, watched: FindOperation, on_unmatched: Callable[[], None]) -> FindOperation:
        """Count requests until one of them is for an operation, or enough were not."""
        unmatched = itertools.count(1)

        def find(request: Request) -> Match:
            found: Match = None
            try:
                found = watched(request)
            finally:
                if isinstance(found, tuple):
                    self.find = watched
                elif next(unmatched) == _UNMATCHED:
                    self.find = watched
                    on_unmatched()
            return found

        return find

    def _find_unless_exempt(
        self, exempt: Exemptions, find: FindOperation, request: Request
    ) -> Match:
        return None if exempt.covers(request) else find(request)

    def _find_own(self, routes: AppRoutes, request: Request) -> Match:
        """Find an operation, unless a route of the app may run that was not read.

        Raises:
            ValidationFailed: with 404.
        """
        if not routes.run_by_others(request.raw):
            return self._find(request)
        if "path" in self._allow:
            return None
        raise ValidationFailed(404, [_UNDECLARED_PATH])

    def _find(self, request: Request) -> Match:
        if request.protocol == "http":
            tables, method = self._tables, request.raw[request.method_key]
        else:
            tables, method = self._websockets, WEBSOCKET_METHOD
        literal = request.literal_path
        methods = tables.exact.get(literal)
        if methods is not None:
            found = methods.get(method)
            if found is not None:
                return found
        return self._search(request, tables, method, literal)

    def _search(
        self, request: Request, tables: OperationTables, method: str, literal: str | None
    ) -> Match:
        if literal is not None and not is_unambiguous(literal):
            literal = None
        path = literal or self._paths.check(request)
        found = (
            self._read_bases(request, tables, path, method)
            if tables.is_based
            else tables.plain.find(path)
        )
        if found is None:
            return self._unknown_path(request, tables, path, method)
        methods, parts = found
        if literal is None:
            self._check_readings(request, tables, methods, method)
        declared = methods.by_name.get(method)
        if declared is None:
            return self._undeclared_method(request, tables, path, method, methods)
        validator, template = declared
        if ";" in path and not (validator.allows_semicolons or self._paths.form == "raw"):
            raise ValidationFailed(400, [_SEMICOLON])
        if parts:
            return validator, template.capture(parts)
        if template.names:
            return validator, template.capture(path.split("/"))
        return validator, NO_CAPTURES

    def replaced(self, request: Request) -> list[OperationValidator]:
        """Return the validators of the operations that headers put in place of the request's."""
        tables = self._tables if request.protocol == "http" else self._websockets
        methods = {name.upper() for name in request.get_headers(METHOD_OVERRIDE_NAMES).values()}
        return [
            found.by_name[method][0]
            for path in request.route_paths
            for found, _ in tables.find(path, request.path)
            for method in methods & found.by_name.keys()
        ]

    def _read_bases(
        self, request: Request, tables: OperationTables, path: str, method: str
    ) -> Found | None:
        """Return the methods of a path, with a base path or without; None if it is undeclared.

        Raises:
            ValidationFailed: with 400 if it is for several operations.
        """
        found = list(tables.find(path, request.path))
        if not found:
            return None
        methods = found[0][0]
        if found[1:] and any(_differ(methods, other, method) for other, _ in found[1:]):
            raise ValidationFailed(400, [_SEVERAL_BASES])
        return found[0]

    def _unknown_path(
        self, request: Request, tables: OperationTables, path: str, method: str
    ) -> Reply | None:
        """Let a request for a path without operations pass, if it may.

        Raises:
            ValidationFailed: with 404.
        """
        if self._redirects or "path" in self._allow:
            paths = (path, *self._other_readings(request))
            if "path" in self._allow and not any(
                tables.matches_loosely(one, request.path) for one in paths
            ):
                return None
            if method != WEBSOCKET_METHOD and self._is_redirected(request, tables, paths):
                return None
        raise ValidationFailed(404, [_UNDECLARED_PATH])

    def _is_redirected(
        self, request: Request, tables: OperationTables, paths: Sequence[str]
    ) -> bool:
        """Return whether the app has no route for a path and redirects it to one that it has."""
        routes = self._redirects
        if routes is None:
            return False
        if any("//" in path or "\n" in path for path in paths):
            return False
        here = [found for path in paths for found in tables.find(path, request.path)]
        if any(map(_is_routed, here)):
            return False
        for path in paths:
            if path.endswith("/"):
                other = path.rstrip("/") if routes.slashes == "both" else ""
            else:
                other = f"{path}/"
            if any(_is_routed(found) or not here for found in tables.find(other, request.path)):
                return routes.is_current() and not routes.run_by_others(request.raw)
        return False

    def _check_readings(
        self,
        request: Request,
        tables: OperationTables,
        methods: PathMethods[OperationValidator],
        method: str,
    ) -> None:
        """Reject a path that the app may take for another operation's.

        Raises:
            ValidationFailed: with 400.
        """
        if tables.is_whole:
            return
        for other in self._other_readings(request):
            if any(_differ(methods, found, method) for found, _ in tables.find(other, other)):
                raise ValidationFailed(400, [_SEVERAL_PATHS])

    def _other_readings(self, request: Request) -> Sequence[str]:
        """Return the further readings of the path, which may have been normalized."""
        path, *others = request.route_paths
        # The app is said to have segments of dots of its own.
        return () if self._paths.form == "raw" and "/." in path else others

    def _undeclared_method(
        self,
        request: Request,
        tables: OperationTables,
        path: str,
        method: str,
        methods: PathMethods[OperationValidator],
    ) -> Reply | Awaitable[None] | None:
        if method in methods.ambiguous:
            raise ValidationFailed(400, [_SEVERAL_OPERATIONS])
        if methods.undeclared:
            passes = methods.undeclared.get(method, methods.undeclared.get(ANY_METHOD))
            if passes:
                _check_override(request, methods)
                return None
            if passes is False and not methods.by_name:
                paths = (path, *self._other_readings(request))
                if "path" in self._allow or (
                    method != WEBSOCKET_METHOD and self._is_redirected(request, tables, paths)
                ):
                    return None
                raise ValidationFailed(404, [_UNDECLARED_PATH])
        if method == "OPTIONS" and self._undeclared_options == "answer":
            return Reply(204, [("Allow", f"{methods.allow}, OPTIONS")])
        if "method" in self._allow and not methods.has_in_any_case(method):
            _check_override(request, methods)
            return None
        undeclared = ValidationFailed(405, [_UNDECLARED_METHOD], {"Allow": methods.allow})
        if method == "OPTIONS" and self._undeclared_options == "pass" and is_preflight(request):
            return start_eagerly(_reject_body(request, undeclared))
        raise undeclared


async def _reject_body(request: Request, failure: ValidationFailed) -> None:
    """Raise a failure if the request has a body, which no header need announce."""
    if await has_body(request):
        raise failure


def _is_routed(found: Found) -> bool:
    """Return whether the app has a route for a path, other than a mounted app's for all others."""
    methods = found[0]
    return bool(methods.by_name) or methods.undeclared != _MOUNTED


def _check_override(request: Request, methods: PathMethods[OperationValidator]) -> None:
    """Reject a header that may replace an undeclared method by a declared one.

    Raises:
        ValidationFailed: with 400.
    """
    if methods.by_name:
        check_method(request, request.get_headers(METHOD_OVERRIDE_NAMES))


def _differ(
    one: PathMethods[OperationValidator], other: PathMethods[OperationValidator], method: str
) -> bool:
    """Return whether a method is another operation in two readings of a path."""
    if one is other:
        return False
    first, second = one.by_name.get(method), other.by_name.get(method)
    if first is None or second is None:
        return (
            first is not second
            or method in one.ambiguous
            or method in other.ambiguous
            or one.undeclared != other.undeclared
        )
    return first[0] is not second[0]
