"""All parameters of one place, and the schema of them together."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mantlet.core.request import Request
from mantlet.guard.errors import Invalid, Place
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters.cookies import CookieReader
from mantlet.guard.parameters.findings import Findings
from mantlet.guard.parameters.headers import HeaderReader
from mantlet.guard.parameters.parameter import Parameter
from mantlet.guard.parameters.path import PathReader
from mantlet.guard.parameters.query import QueryReader, WholeQueryReader
from mantlet.guard.schemas import Schema

__all__ = ["Group"]

#: The places of groups, with those of their parameters.
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "path": ("path",),
    "query": ("query", "querystring"),
    "header": ("header",),
    "cookie": ("cookie",),
}


class Group:
    """Reads all parameters of one place, and checks them by the schema of them together.

    What can't be read in one way only is a 400, which tells of everything of that kind. What can
    be is checked whole: missing parameters, names that are not declared and the schema's faults
    come together in a 422.

    Queries are parted at ``&`` alone, as Werkzeug, Starlette and Django do; a raw ``;``, at which
    readers of old part them too, is a 400 but in a value of a parameter with ``allow_reserved``.
    ``+`` is a space, also there, as it is to all of them. A name without ``=`` has the empty text.
    Names are decoded before they are compared. Raw characters outside of ASCII, control characters
    (encoded or not), spaces and ``#`` are a 400; others that RFC 3986 wants encoded, such as ``[``
    and ``|``, are taken as they are, since browsers send them and all readers agree.

    Args:
        place: where they stand.
        parameters: all of them; for queries, or one alone of the place ``"querystring"``.
        schema: of an object with the parameters by their names; None checks nothing.
        limits: how much may come, and how many faults are told.
        closed: refuse names in a query that are not declared; else they are left out. Header fields
            and cookies that are not declared are never looked at.
        unique: refuse what comes twice and is no array.

    Raises:
        ValueError: a parameter stands elsewhere, or two of them have or read the same name.
    """

    __slots__ = ("_most", "_read", "_required", "_schema", "names", "place", "semicolons")

    def __init__(
        self,
        place: Place,
        parameters: Sequence[Parameter],
        schema: Schema | None,
        limits: BodyLimits,
        *,
        closed: bool = True,
        unique: bool = True,
    ) -> None:
        _check(place, parameters)
        self.place: Place = place
        self._schema = schema
        #: The names of the parameters, as they were declared.
        self.names = tuple(one.name for one in parameters)
        #: Whether the text of one of them begins with a semicolon.
        self.semicolons = any(one.style == "matrix" for one in parameters)
        self._most = limits.errors
        self._required = frozenset(one.name for one in parameters if one.required)
        # Any: each place is read of something else.
        self._read: Any
        if place == "path":
            self._read = PathReader(parameters, limits).read
        elif place == "header":
            self._read = HeaderReader(parameters, limits, unique=unique).read
        elif place == "cookie":
            self._read = CookieReader(parameters, limits, unique=unique).read
        elif parameters and parameters[0].place == "querystring":
            self._read = WholeQueryReader(parameters[0], limits).read
        else:
            self._read = QueryReader(parameters, limits, closed=closed, unique=unique).read

    # Any: what the schema makes of the values.
    def read_path(self, values: Mapping[str, str]) -> Any:
        """Return the parameters of a path.

        Args:
            values: their texts, decoded, by their names.

        Raises:
            Invalid: with 400 or 422.
        """
        return self._finish(*self._read(values))

    def read_query(self, query: bytes) -> Any:
        """Return the parameters of a query.

        Args:
            query: as sent, without its question mark.

        Raises:
            Invalid: with 400, 414 or 422.
        """
        return self._finish(*self._read(query))

    def read_headers(self, request: Request) -> Any:
        """Return the parameters of a request's header fields.

        Raises:
            Invalid: with 400 or 422.
        """
        return self._finish(*self._read(request))

    def read_cookies(self, request: Request) -> Any:
        """Return the parameters of a request's cookies.

        Raises:
            Invalid: with 400 or 422.
        """
        return self._finish(*self._read(request))

    def _finish(self, values: dict[str, Any], findings: Findings | None) -> Any:
        if findings is None and self._required <= values.keys():
            return values if self._schema is None else self._schema.check(values, self.place)
        findings = findings or Findings(self.place, self._most)
        for name in sorted(self._required - values.keys() - findings.excused):
            findings.missing(name)
        if findings.unreadable:
            raise findings.error()
        checked: Any = values
        if self._schema is not None:
            try:
                checked = self._schema.check(values, self.place)
            except Invalid as error:
                if not findings.faults:
                    raise
                findings.checked(error)
        if findings.faults:
            raise findings.error()
        return checked


def _check(place: Place, parameters: Sequence[Parameter]) -> None:
    """Refuse parameters that do not stand in a place, or not beside each other."""
    if place not in _PLACES:
        raise ValueError(f"place must be one of {', '.join(_PLACES)}, not {place!r}")
    names: set[str] = set()
    for parameter in parameters:
        if parameter.place not in _PLACES[place]:
            raise ValueError(
                f"parameters of the {place} must not have {parameter.name!r}, whose place is "
                f"{parameter.place}"
            )
        if parameter.place == "querystring" and len(parameters) > 1:
            raise ValueError(
                f"querystring parameter {parameter.name!r} must be the only one of the query"
            )
        name = parameter.name.lower() if place == "header" else parameter.name
        if name in names:
            raise ValueError(f"{place} parameter {parameter.name!r} must not be declared twice")
        names.add(name)
