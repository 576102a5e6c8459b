"""All operations that a guard knows: which of them a request is for."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from mantlet.core.policy import Reply
from mantlet.core.request import Request
from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.operation_validator import Entry
from mantlet.guard.paths import PathForm, sent_as
from mantlet.guard.table import Methods, Table

__all__ = ["WEBSOCKET", "Book", "Options"]

#: What becomes of an OPTIONS request that no operation is declared for.
Options = Literal["pass", "answer", "refuse"]

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_NO_PATH: Final = Fault("path", "", "undeclared_path", "The API has no such path")
_SEMICOLON: Final = Fault("path", "", "path_parameter", "Has a semicolon")
_NO_METHOD: Final = Fault("path", "", "undeclared_method", "The path does not have this method")
#: The method of an operation that is a WebSocket.
WEBSOCKET: Final = "WS"


class Book:
    """The operations of an API, made once and replaced as a whole.

    Args:
        entries: the operations.
        paths: in which form paths may come.
        allow: ``"path"`` and ``"method"``, where requests for others pass.
        options: what becomes of an OPTIONS request that no operation is declared for.
    """

    __slots__ = (
        "_allow",
        "_options",
        "_paths",
        "_sockets",
        "_table",
        "_whole",
        "entries",
        "sockets",
    )

    def __init__(
        self,
        entries: Sequence[Entry],
        *,
        paths: PathForm,
        allow: frozenset[str],
        options: Options,
    ) -> None:
        self.entries = tuple(entries)
        kinds: tuple[list[Entry], list[Entry]] = [], []
        for entry in entries:
            kinds[entry.operation.method == WEBSOCKET].append(entry)
        # Apart from each other, since a client could call its method "WS".
        self._table, self._sockets = map(_table, kinds)
        self._paths = paths
        #: Whether paths begin outside of what the app is mounted under, as servers have them.
        self._whole = any(entry.operation.base for entry in entries)
        #: Whether there are WebSockets among them.
        self.sockets = bool(kinds[True])
        self._allow = allow
        self._options = options

    def find(self, request: Request) -> tuple[Entry, Mapping[str, str]] | Reply | None:
        """Return the operation that a request is for, and what the path has for its names.

        Returns:
            Else the answer to an OPTIONS request, or None for what passes unseen.

        Raises:
            Invalid: 404, 405, or 400 for a path that may be read in two ways.
        """
        websocket = request.protocol == "websocket"
        table = self._sockets if websocket else self._table
        path = request.path if self._whole else request.route_path
        methods = table.static.get(path)
        parts: Sequence[str] = ()
        if methods is None or not sent_as(request, path):  # else it is just what is declared
            path = self._paths.check(request)
            if self._whole:
                path = request.path
            found = table.find(path)
            if found is None:
                if "path" in self._allow and not table.near(path):
                    return None
                raise Invalid(404, [_NO_PATH])
            methods, parts = found
        method = WEBSOCKET if websocket else request.method
        declared = methods.by_name.get(method)
        if declared is not None:
            entry, template = declared
            if ";" in path and not (entry.semicolons or self._paths.form == "raw"):
                raise Invalid(400, [_SEMICOLON])
            return entry, template.captured(parts) if parts else NOTHING
        return self._other(method, methods)

    def _other(self, method: str, methods: Methods[Entry]) -> Reply | None:
        """Return what becomes of a method that the path does not have."""
        if method == "OPTIONS" and self._options != "refuse":
            if self._options == "pass":
                return None
            return Reply(204, [("Allow", f"{methods.allow}, OPTIONS")])
        if "method" in self._allow and not methods.has_in_any_case(method):
            return None
        raise Invalid(405, [_NO_METHOD], {"Allow": methods.allow})


def _table(entries: list[Entry]) -> Table[Entry]:
    return Table((entry.operation.method, entry.operation.template, entry) for entry in entries)
