"""Read query parameters from the raw bytes of the query."""

import re
from collections.abc import Sequence
from typing import Any, Final

from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters.collector import (
    InvalidMemberName,
    NameIndex,
    ParameterErrors,
    ParameterReader,
    ValueCollector,
)
from mantlet.guard.parameters.decoding import (
    UndecodableText,
    decode_form,
    decode_percent,
    form_decoder,
)
from mantlet.guard.parameters.parameter import Parameter
from mantlet.http.media_types import UTF_8, read_media_type

__all__ = ["FullQueryReader", "QueryReader", "check_query_charset"]

#: Bytes that stand for themselves, or separate pairs.
_PLAIN: Final = bytes(set(range(0x21, 0x7F)) - set(b"#%+;"))
#: Bytes that encode others.
_ESCAPES: Final = b"%+"
# RFC 3986, 3.4, without fragments, which do not belong to a request (RFC 9112, 3.2), and with
# further characters that all readers agree on.
_FORBIDDEN: Final = re.compile(rb"[^\x21-\x7e]|#")


def check_bytes(query: bytes, limit: int) -> None:
    """Check the length and the characters of a query.

    Raises:
        ValidationFailed: with 414 for a query that is too long, 400 for a byte that must be
            percent-encoded.
    """
    if len(query) > limit:
        detail = f"The query is longer than {limit} bytes"
        raise ValidationFailed(414, [ErrorItem("query", "", "query_too_long", detail)])
    if _FORBIDDEN.search(query):
        detail = "Character must be percent-encoded (RFC 3986, 3.4)"
        raise ValidationFailed(400, [ErrorItem("query", "", "invalid_character", detail)])


def check_query_charset(stated: str) -> None:
    """Reject a media type of another charset than UTF-8 beside a query.

    Django decodes the query by it too, also without a body: ``%2BADw-`` is ``<`` in UTF-7. It reads
    it from malformed types and extended parameters (RFC 2231) as well.

    Args:
        stated: the ``Content-Type``, which may be empty.

    Raises:
        ValidationFailed: with 415.
    """
    if "charset" not in stated.lower():
        return
    media = read_media_type(stated)
    if media is None or any(
        name.startswith("charset") and not (name == "charset" and value.lower() in UTF_8)
        for name, value in media.parameters
    ):
        detail = "The charset of a request with a query must be utf-8"
        raise ValidationFailed(415, [ErrorItem("header", "/Content-Type", "charset", detail)])


class QueryReader:
    """Reads query parameters.

    Args:
        parameters: all query parameters.
        limits: bounds on the query.
        closed: whether to reject undeclared names; else they are ignored.
        unique: whether to reject a repeated scalar; else the last one counts, as in Starlette and
            Django; Flask takes the first.
        body: whether the query is an urlencoded body, whose text may have more characters.
    """

    __slots__ = (
        "_closed",
        "_decode",
        "_empties",
        "_limit",
        "_max_length",
        "_max_parameters",
        "_names",
        "_readers",
        "_scalars",
        "_unique",
    )

    def __init__(
        self,
        parameters: Sequence[Parameter],
        limits: BodyLimits,
        *,
        closed: bool,
        unique: bool,
        body: bool = False,
    ) -> None:
        self._decode = form_decoder(body=body)
        reserved = form_decoder(body=body, allow_semicolons=True)
        self._readers = [
            ParameterReader(parameter, reserved if parameter.allow_reserved else self._decode)
            for parameter in parameters
        ]
        self._names = NameIndex(self._readers)
        self._scalars = {
            reader.name: reader.scalar for reader in self._readers if reader.scalar is not None
        }
        self._empties = frozenset(one.name for one in parameters if one.allow_empty)
        self._closed = closed
        self._unique = unique
        self._max_length = limits.query
        self._max_parameters = max(limits.parameters, len(self._names.exact))
        self._limit = limits.errors

    def read(self, query: bytes) -> tuple[dict[str, Any], ParameterErrors | None]:
        """Return the values, and the errors, if any.

        Raises:
            ValidationFailed: the query is malformed or too large.
        """
        if not query:
            return {}, None
        if len(query) > self._max_length or query.count(b"&") >= self._max_parameters:
            return self._read_any(query)
        others = query.translate(None, _PLAIN)
        if others and others.strip(_ESCAPES):
            return self._read_any(query)
        # Nearly all queries are a few scalars.
        values: dict[str, Any] = {}
        scalars = self._scalars
        for pair in query.decode("ascii").split("&"):
            name, _, text = pair.partition("=")
            read = scalars.get(name)
            if read is None or name in values or (not text and name in self._empties):
                return self._read_any(query)
            if others:
                try:
                    text = self._decode(text)
                except UndecodableText:
                    return self._read_any(query)
            values[name] = read(text)
        return values, None

    def _read_any(self, query: bytes) -> tuple[dict[str, Any], ParameterErrors | None]:
        check_bytes(query, self._max_length)
        if query.count(b"&") >= self._max_parameters:
            detail = f"The query has more than {self._max_parameters} parameters"
            raise ValidationFailed(400, [ErrorItem("query", "", "too_many_parameters", detail)])
        errors = ParameterErrors("query", self._limit)
        collector = ValueCollector(errors, self._unique)
        for pair in query.decode("ascii").split("&"):
            if pair:  # all readers skip an empty pair between two ampersands
                self._add(pair, collector, errors)
        return collector.values(self._readers), errors

    def _add(self, pair: str, collector: ValueCollector, errors: ParameterErrors) -> None:
        raw, _, text = pair.partition("=")
        try:
            name = decode_form(raw)
            owner = self._names.find(name)
            if owner is None:
                self._decode(text)
        except InvalidMemberName as error:
            errors.add_undecodable(error.name, error)
            return
        except UndecodableText as error:
            errors.add_unreadable("", error.code, error.detail)
            return
        if owner is not None:
            collector.add(owner, text)
        elif self._closed:
            errors.add_undeclared(name)


class FullQueryReader:
    """Reads the query as one value (OpenAPI 3.2.0, ``in: querystring``).

    Args:
        parameter: the parameter; unless it is ``raw``, its ``decode`` gets the query with its
            percent-encoding decoded, in which ``+`` is itself.
        limits: bounds on the query.
    """

    __slots__ = ("_limit", "_max_length", "_parameter")

    def __init__(self, parameter: Parameter, limits: BodyLimits) -> None:
        self._parameter = parameter
        self._max_length = limits.query
        self._limit = limits.errors

    def read(self, query: bytes) -> tuple[dict[str, Any], ParameterErrors | None]:
        """Return the value by its name, and the errors, if any.

        Raises:
            ValidationFailed: the query is too large, or has a forbidden character.
        """
        if not query:
            return {}, None
        check_bytes(query, self._max_length)
        parameter = self._parameter
        decode = parameter.decode or str
        text = query.decode("ascii")
        errors = ParameterErrors("query", self._limit)
        try:
            value = decode(text if parameter.raw else decode_percent(text))
        except UndecodableText as error:
            errors.add_undecodable(parameter.name, error)
        except ValidationFailed as failure:
            errors.add_nested(parameter.name, failure)
        else:
            return {parameter.name: value}, None
        return {}, errors
