"""Read and validate all parameters of one place: path, query, headers or cookies."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters.collector import (
    NameIndex,
    ParameterErrors,
    ParameterReader,
    ValueCollector,
)
from mantlet.guard.parameters.decoding import (
    UndecodableText,
    check_cookie,
    check_path,
    decode_cookie_content,
    decode_header,
)
from mantlet.guard.parameters.parameter import Parameter
from mantlet.guard.parameters.query import FullQueryReader, QueryReader
from mantlet.guard.readers import Schema
from mantlet.http.headers import MAX_LINES, MAX_SIZE, OVERSIZED, UNPREFIXED, HeaderNames

__all__ = [
    "CookieReader",
    "HeaderReader",
    "ParameterGroup",
    "PathReader",
    "joined_cookies",
]

#: The places of groups, with those of their parameters.
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "path": ("path",),
    "query": ("query", "querystring"),
    "header": ("header",),
    "cookie": ("cookie",),
}
#: Cookies without quotes, escapes and control characters, which all readers split alike.
_SIMPLE_COOKIES: Final = re.compile(r"[ !#$&-~]*")
# A quoted value as Werkzeug reads it, also past semicolons.
_QUOTED: Final = re.compile(r'"(?:[^\\"]|\\.)*"[ \t]*(?:;|\Z)')
_COOKIE: Final = HeaderNames("cookie")
_AMBIGUOUS: Final = UndecodableText(
    "ambiguous_cookie", "Must be a name, an equals sign and a value, separate from other cookies"
)


class ParameterGroup:
    """Reads all parameters of one place, and validates them together.

    Malformed and ambiguous input is a 400 that reports all such errors. Readable input is validated
    completely: missing parameters, undeclared names and the errors of the schema are reported
    together in a 422.

    Queries are split at ``&`` alone, as Werkzeug, Starlette and Django do; a raw ``;``, at which
    old readers split them too, is a 400 except in a value of a parameter with ``allow_reserved``.
    ``+`` is a space there too, as it is to all of them. A name without ``=`` has the empty text.
    Names are decoded before they are compared. Raw characters outside of ASCII, control characters
    (encoded or not), spaces and ``#`` are a 400, except that values may have encoded tabs and line
    ends; others that RFC 3986 wants encoded, such as ``[``
    and ``|``, are accepted, since browsers send them and all readers agree.

    Args:
        place: the place.
        parameters: all parameters of the place; for queries, or a single one of the place
            ``"querystring"``.
        schema: the schema of an object of the parameters by name; None to validate nothing.
        limits: bounds on the input, and on the number of reported errors.
        closed: whether to reject undeclared names in a query; else they are ignored. Undeclared
            headers and cookies are always ignored.
        unique: whether to reject repeated parameters that are not arrays.
        body: whether the query is an urlencoded body, whose text may have any character but NUL.

    Raises:
        ValueError: a parameter is in another place, or two of them have or read the same name.
    """

    __slots__ = ("_limit", "_read", "_required", "_schema", "names", "place", "semicolons")

    def __init__(
        self,
        place: Place,
        parameters: Sequence[Parameter],
        schema: Schema | None,
        limits: BodyLimits,
        *,
        closed: bool = True,
        unique: bool = True,
        body: bool = False,
    ) -> None:
        _check(place, parameters)
        self.place: Place = place
        self._schema = schema
        #: The declared names of the parameters.
        self.names = tuple(one.name for one in parameters)
        #: Whether the text of a parameter begins with a semicolon.
        self.semicolons = any(one.style == "matrix" for one in parameters)
        self._limit = limits.errors
        self._required = frozenset(one.name for one in parameters if one.required)
        # Any: each place is read from another type.
        self._read: Any
        if place == "path":
            self._read = PathReader(parameters, limits).read
        elif place == "header":
            self._read = HeaderReader(parameters, limits, unique=unique).read
        elif place == "cookie":
            self._read = CookieReader(parameters, limits, unique=unique).read
        elif parameters and parameters[0].place == "querystring":
            self._read = FullQueryReader(parameters[0], limits).read
        else:
            self._read = QueryReader(
                parameters, limits, closed=closed, unique=unique, body=body
            ).read

    # Any: whatever the schema makes of the values.
    def read_path(self, values: Mapping[str, str]) -> Any:
        """Return the path parameters.

        Args:
            values: their decoded texts by name.

        Raises:
            ValidationFailed: with 400 or 422.
        """
        return self._finish(*self._read(values))

    def read_query(self, query: bytes) -> Any:
        """Return the query parameters.

        Args:
            query: the query as sent, without its question mark.

        Raises:
            ValidationFailed: with 400, 414 or 422.
        """
        return self._finish(*self._read(query))

    def read_headers(self, request: Request) -> Any:
        """Return the declared headers of a request.

        Raises:
            ValidationFailed: with 400 or 422.
        """
        return self._finish(*self._read(request))

    def read_cookies(self, request: Request, *, join: bool = False) -> Any:
        """Return the declared cookies of a request.

        Args:
            request: the request.
            join: see `joined_cookies()`.

        Raises:
            ValidationFailed: with 400 or 422.
        """
        return self._finish(*self._read(request, join))

    def _finish(self, values: dict[str, Any], errors: ParameterErrors | None) -> Any:
        if errors is None and self._required <= values.keys():
            return values if self._schema is None else self._schema.check(values, self.place)
        errors = errors or ParameterErrors(self.place, self._limit)
        for name in sorted(self._required - values.keys() - errors.excused):
            errors.add_missing(name)
        if errors.unreadable:
            raise errors.failure()
        checked: Any = values
        if self._schema is not None:
            try:
                checked = self._schema.check(values, self.place)
            except ValidationFailed as failure:
                if not errors.items:
                    raise
                errors.add_schema_errors(failure)
        if errors.items:
            raise errors.failure()
        return checked


def _check(place: Place, parameters: Sequence[Parameter]) -> None:
    """Reject parameters that do not belong to a place, or conflict with each other."""
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


class PathReader:
    """Reads path parameters, whose texts are already decoded.

    An item of an array or an object can't contain the delimiter of its style: encoded or not, it
    looks the same in a decoded path.

    Args:
        parameters: all path parameters.
        limits: the maximum number of errors.
    """

    __slots__ = ("_limit", "_readers")

    def __init__(self, parameters: Sequence[Parameter], limits: BodyLimits) -> None:
        self._readers = [ParameterReader(parameter, check_path) for parameter in parameters]
        self._limit = limits.errors

    def read(self, texts: Mapping[str, str]) -> tuple[dict[str, Any], ParameterErrors | None]:
        """Return the values, and the errors, if any.

        Args:
            texts: decoded, by the parameters' names.
        """
        values: dict[str, Any] = {}
        errors = None
        for reader in self._readers:
            name = reader.name
            if name not in texts:
                continue
            text, scalar = texts[name], reader.scalar
            if scalar is not None and text.isascii() and text.isprintable():
                values[name] = scalar(text)
                continue
            try:
                values[name] = reader.read(text)
            except UndecodableText as error:
                errors = errors or ParameterErrors("path", self._limit)
                errors.add_undecodable(name, error)
            except ValidationFailed as failure:
                errors = errors or ParameterErrors("path", self._limit)
                errors.add_nested(name, failure)
        return values, errors


class HeaderReader:
    """Reads parameters from headers.

    A repeated scalar is rejected under ASGI. Under WSGI the server has joined the two by a comma
    already, so the joined text is the value: not a number or boolean, but a string. An array may be
    split over several headers under both (RFC 9110, 5.3).

    Args:
        parameters: all headers. Their names are case-insensitive.
        limits: the maximum number of errors.
        unique: whether to reject a repeated scalar; else its values are joined by a comma.
    """

    __slots__ = ("_limit", "_names", "_readers", "_unique")

    def __init__(
        self, parameters: Sequence[Parameter], limits: BodyLimits, *, unique: bool
    ) -> None:
        self._readers = {one.name: ParameterReader(one, decode_header) for one in parameters}
        self._names = HeaderNames(*self._readers)
        self._unique = unique
        self._limit = limits.errors

    def read(self, request: Request) -> tuple[dict[str, Any], ParameterErrors | None]:
        """Return the values, and the errors, if any."""
        values: dict[str, Any] = {}
        errors: ParameterErrors | None = None
        for name, text in request.get_headers(self._names).items():
            reader = self._readers[name]
            if not text and name.lower() in UNPREFIXED.values():
                continue  # some servers set these two to "" if the client sent none
            scalar = reader.scalar
            # Repeated headers are joined by a comma.
            if scalar is not None and "," not in text and text.isascii() and text.isprintable():
                values[name] = scalar(text)
                continue
            try:
                self._check_lines(reader, text, request)
                if reader.parameter.lines:
                    values[name] = [decode_header(line) for line in request.headers.getall(name)]
                else:
                    values[name] = reader.read(text)
            except UndecodableText as error:
                errors = errors or ParameterErrors("header", self._limit)
                errors.add_undecodable(name, error)
            except ValidationFailed as failure:
                errors = errors or ParameterErrors("header", self._limit)
                errors.add_nested(name, failure)
        return values, errors

    def _check_lines(self, reader: ParameterReader, text: str, request: Request) -> None:
        parameter = reader.parameter
        if text == OVERSIZED:
            detail = f"More than {MAX_LINES} headers of this name or {MAX_SIZE} bytes"
            raise UndecodableText("header_too_large", detail)
        if "," not in text or not self._unique:
            return
        if parameter.shape.structured and parameter.decode is None:
            return
        if len(request.headers.getall(reader.name)) > 1:
            raise UndecodableText("duplicate_parameter", "Duplicate header")


class CookieReader:
    """Reads parameters from cookies (RFC 6265, 4.2).

    Values are what frameworks read, so neither style decodes percent-encoding: OpenAPI requires it
    for ``form`` (3.2.0, Appendix D), but of all frameworks only Litestar decodes it, so it is
    rejected, except in a parameter with ``content``, which apps decode themselves. A raw comma is
    accepted, since readers agree on it. An exploded ``form`` of an array or an object is in one
    cookie, with ampersands: OpenAPI calls that delimiter wrong for cookies, but RFC 6570 writes it.

    Other cookies may belong to anyone, so they are never errors. But a quote that opens in one
    cookie and closes in another hides everything between them from some frameworks, so no parameter
    may be there.

    Args:
        parameters: all cookies.
        limits: the maximum number of cookies, and of errors.
        unique: whether to reject a repeated parameter; else the last one counts, as in Starlette
            and Django; Flask takes the first.
    """

    __slots__ = ("_limit", "_max_cookies", "_names", "_readers", "_unique")

    def __init__(
        self, parameters: Sequence[Parameter], limits: BodyLimits, *, unique: bool
    ) -> None:
        self._readers = [
            ParameterReader(
                parameter, check_cookie if parameter.decode is None else decode_cookie_content
            )
            for parameter in parameters
        ]
        self._names = NameIndex(self._readers).exact
        self._unique = unique
        self._max_cookies = limits.parameters
        self._limit = limits.errors

    def read(self, request: Request, join: bool) -> tuple[dict[str, Any], ParameterErrors | None]:
        """Return the values, and the errors, if any.

        Args:
            request: the request.
            join: see `joined_cookies()`.

        Raises:
            ValidationFailed: there are too many cookies.
        """
        text = joined_cookies(request, join=join)
        if not text:
            return {}, None
        if text.count(";") >= self._max_cookies or text == OVERSIZED:
            detail = f"More than {self._max_cookies} cookies"
            raise ValidationFailed(400, [ErrorItem("cookie", "", "too_many_parameters", detail)])
        if _SIMPLE_COOKIES.fullmatch(text):
            values = self._read_scalars(text)
            if values is not None:
                return values, None
        return self._read_any(text)

    def _read_scalars(self, text: str) -> dict[str, Any] | None:
        """Return the values of simple cookies, or None if they are not all scalars."""
        values: dict[str, Any] = {}
        for chunk in text.split(";"):
            name, equals, value = chunk.partition("=")
            name = name.strip(" ")
            owner = self._names.get(name)
            if owner is None:
                continue
            scalar, value = owner[0].scalar, value.strip(" ")
            if scalar is None or not equals or name in values or " " in value:
                return None
            values[name] = scalar(value)
        return values

    def _read_any(self, text: str) -> tuple[dict[str, Any], ParameterErrors]:
        errors = ParameterErrors("cookie", self._limit)
        collector = ValueCollector(errors, self._unique)
        start = hidden = 0
        for chunk in text.split(";"):
            name, equals, value = chunk.partition("=")
            value = value.strip(" \t")
            owner = self._names.get(name.strip())
            if owner is not None:
                reader = owner[0]
                if start < hidden or not equals or name.strip() != name.strip(" \t"):
                    errors.add_undecodable(reader.name, _AMBIGUOUS)
                else:
                    collector.add(owner, chunk.strip(" \t") if reader.chunked else value)
            if value.startswith('"'):
                quoted = _QUOTED.match(text, text.index('"', start + len(name)))
                hidden = max(hidden, quoted.end() if quoted else 0)
            start += len(chunk) + 1
        return collector.values(self._readers), errors


def joined_cookies(request: Request, *, join: bool = False) -> str | None:
    """Return the cookies of all ``Cookie`` headers; HTTP/2 allows several (RFC 9113, 8.2.3).

    They are `OVERSIZED` if they have too many lines or bytes to be read.

    Args:
        request: the request.
        join: whether to give the app one header in place of several, as RFC 9113 says. Of several,
            Litestar reads the first and Falcon the last; Django joins them by a comma, so that the
            second becomes a part of the first one's last cookie.

    Raises:
        ValidationFailed: with 400, for joined cookies with characters that no header may have.
    """
    text = request.get_headers(_COOKIE).get("cookie")
    # Repeated headers have been joined by a comma, which does not separate cookies.
    if text is None or "," not in text:
        return text
    lines = request.headers.getall("cookie")
    text = "; ".join(lines)
    if join and len(lines) > 1:
        try:
            request.replace_header("Cookie", text)
        except ValueError:
            item = ErrorItem("cookie", "", "control_character", "Control characters in cookies")
            raise ValidationFailed(400, [item]) from None
    return text
