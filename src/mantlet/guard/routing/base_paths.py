"""Find the operations of one protocol, below the base paths of a document's servers.

A document's servers may have paths: ``https://api.test/v1`` or ``https://x/prod``. Whether the app
sees them depends on its proxy, so by default (``"optional"``) a path is read in both ways, with
such a base path and without. A request whose readings name different operations is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

from mantlet.guard.operation_validator import OperationValidator
from mantlet.guard.options import WEBSOCKET_METHOD, ServerMode
from mantlet.guard.routing.app_routes import AppRoutes
from mantlet.guard.routing.app_table import AppEntry, AppTable, DeclaredTable
from mantlet.guard.routing.litestar_table import LitestarTable
from mantlet.guard.routing.path_table import PathMethods, PathTable
from mantlet.guard.routing.paths import is_unambiguous

__all__ = ["NO_CAPTURES", "Found", "OperationTables", "app_table"]

T = TypeVar("T")

#: The parameters of a path without any.
NO_CAPTURES: Final[Mapping[str, str]] = MappingProxyType({})
_WEBSOCKET: Final = frozenset({WEBSOCKET_METHOD})
#: The methods of a path, and its parts for `PathTemplate.capture()`.
Found = tuple[PathMethods[OperationValidator], Sequence[str]]
Exact = tuple[OperationValidator, Mapping[str, str]]
Table = PathTable[OperationValidator] | AppTable[OperationValidator]


class OperationTables:
    """Finds the operations that a path may be for.

    Args:
        validators: the validators of the operations.
        servers: whether base paths may, must or must not precede paths.
        routes: the app's routes, if they are known; base paths don't count then.
        websockets: whether the protocol is that of WebSockets.

    Attributes:
        plain: the table of paths without a base path.
        exact: the operations of unambiguous paths without parameters that have one reading, by
            path and method, each with its captures: none. None is the path of no operation.
        is_based: whether there are base paths.
        is_whole: whether paths include the path that the app is mounted under.
        crossings: pairs of templates that cross.
    """

    __slots__ = ("_bases", "crossings", "exact", "is_based", "is_whole", "plain")

    def __init__(
        self,
        validators: Sequence[OperationValidator],
        servers: ServerMode,
        routes: AppRoutes | None = None,
        *,
        websockets: bool = False,
    ) -> None:
        bases: dict[str, list[OperationValidator]] = {}
        if servers != "ignore" and routes is None:
            for one in validators:
                for base in one.operation.bases:
                    bases.setdefault(base, []).append(one)
        self.is_based = any(bases)
        self.is_whole = self.is_based and servers == "required"
        unbased = bases.pop("", []) if self.is_whole else validators
        self.plain: Table = (
            _table(unbased)
            if routes is None
            else app_table(routes, [_entry(one) for one in unbased], websockets=websockets)
        )
        self._bases: list[tuple[str, Table]] = [
            (base, self.plain if len(under) == len(unbased) else _table(under))
            for base, under in bases.items()
            if base
        ]
        self.crossings = tuple(
            dict.fromkeys(
                pair
                for table in (self.plain, *(table for _, table in self._bases))
                for pair in table.crossings
            )
        )
        self.exact: dict[str | None, dict[str, Exact]] = {}
        for base, table in [("", self.plain), *self._bases]:
            for path, methods in table.static.items():
                whole = base + path
                if is_unambiguous(whole) and all(
                    found is methods for found, _ in self.find(whole, whole)
                ):
                    self.exact[whole] = {
                        method: (validator, NO_CAPTURES)
                        for method, (validator, template) in methods.by_name.items()
                        if not template.names  # those of a wider route, which has more methods
                    }

    def find(self, path: str, whole: str) -> Iterator[Found]:
        """Yield the methods of each reading of a path that has any.

        Args:
            path: the path within the app.
            whole: the path with the one that the app is mounted under.
        """
        for table, reading in self._readings(path, whole):
            found = table.find(reading)
            if found is not None:
                yield found

    def matches_loosely(self, path: str, whole: str) -> bool:
        """Return whether an app could take the path for a declared one."""
        return any(table.matches_loosely(one) for table, one in self._readings(path, whole))

    def _readings(self, path: str, whole: str) -> Iterator[tuple[Table, str]]:
        yield self.plain, whole if self.is_whole else path
        for base, table in self._bases:
            for one in (whole,) if self.is_whole or path == whole else (path, whole):
                if one.startswith(base) and one[len(base) : len(base) + 1] == "/":
                    yield table, one[len(base) :]


def _entry(one: OperationValidator) -> AppEntry[OperationValidator]:
    operation = one.operation
    return AppEntry(operation.method, operation.template, one, operation.is_pattern)


def _table(validators: Sequence[OperationValidator]) -> PathTable[OperationValidator]:
    operations = [one.operation for one in validators]
    return PathTable(
        ((one.operation.method, one.operation.template, one) for one in validators),
        patterns={one.template for one in operations if one.is_pattern},
    )


def app_table(
    routes: AppRoutes, entries: Sequence[AppEntry[T]], *, websockets: bool = False
) -> AppTable[T]:
    """Return the table of an app's routes.

    Args:
        routes: the routes.
        entries: the values of the protocol.
        websockets: whether the protocol is that of WebSockets.
    """
    kind: type[AppTable[T]] = LitestarTable if routes.order == "litestar" else DeclaredTable
    own = []
    for route in routes.routes:
        methods = route.methods
        if methods is not None:
            methods = methods & _WEBSOCKET if websockets else methods - _WEBSOCKET
        if methods is None or methods:
            own.append(route._replace(methods=methods))
    return kind(own, entries)
