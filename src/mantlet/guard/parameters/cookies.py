"""Read parameters from cookies, and reject cookies that frameworks read differently."""

import re
from collections.abc import Sequence
from typing import Any, Final

from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters.collector import (
    NameIndex,
    ParameterErrors,
    ParameterReader,
    ValueCollector,
)
from mantlet.guard.parameters.decoding import UndecodableText, check_cookie, decode_percent
from mantlet.guard.parameters.parameter import Parameter
from mantlet.http.headers import FieldNames

__all__ = ["CookieReader", "joined_cookies"]

# A quoted value as Werkzeug reads it, also past semicolons.
_QUOTED: Final = re.compile(r'"(?:[^\\"]|\\.)*"[ \t]*(?:;|\Z)')
_HEADER: Final = FieldNames("cookie")
_AMBIGUOUS: Final = UndecodableText(
    "ambiguous_cookie", "Must be a name, an equals sign and a value, separate from other cookies"
)


def _decode_form_cookie(text: str) -> str:
    return decode_percent(check_cookie(text))


class CookieReader:
    """Reads parameters from cookies (RFC 6265, 4.2).

    The style ``form`` decodes percent-encoding, as OpenAPI requires (3.2.0, Appendix D), though no
    framework does; the style ``cookie`` keeps the value as it is. A raw comma is accepted, since
    readers agree on it. An exploded ``form`` of an array or an object is in one cookie, with
    ampersands: OpenAPI calls that delimiter wrong for cookies, but RFC 6570 writes it.

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
                parameter, check_cookie if parameter.style == "cookie" else _decode_form_cookie
            )
            for parameter in parameters
        ]
        self._names = NameIndex(self._readers).exact
        self._unique = unique
        self._max_cookies = limits.parameters
        self._limit = limits.errors

    def read(self, request: Request) -> tuple[dict[str, Any], ParameterErrors | None]:
        """Return the values, and the errors, if any.

        Raises:
            ValidationFailed: there are too many cookies.
        """
        text = joined_cookies(request)
        if not text:
            return {}, None
        if text.count(";") >= self._max_cookies:
            detail = f"More than {self._max_cookies} cookies"
            raise ValidationFailed(400, [ErrorItem("cookie", "", "too_many_parameters", detail)])
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


def joined_cookies(request: Request) -> str | None:
    """Return the cookies of all ``Cookie`` headers; HTTP/2 allows several (RFC 9113, 8.2.3)."""
    text = request.get_headers(_HEADER).get("cookie")
    # Repeated headers have been joined by a comma, which does not separate cookies.
    if text is not None and "," in text:
        lines = [value for name, value in request.headers if name == "cookie"]
        if len(lines) > 1:
            return "; ".join(lines)
    return text
