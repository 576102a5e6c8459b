"""Parameters in cookies, where what frameworks read in two ways is refused."""

import re
from collections.abc import Sequence
from typing import Any, Final

from mantlet.core.request import Request
from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters.claims import Claims
from mantlet.guard.parameters.collector import Gathering
from mantlet.guard.parameters.decoding import Unreadable, cookie_text, percent_decoded
from mantlet.guard.parameters.entries import Entry
from mantlet.guard.parameters.findings import Findings
from mantlet.guard.parameters.parameter import Parameter
from mantlet.http.headers import HeaderNames

__all__ = ["CookieReader", "joined_cookies"]

# A quoted value as Werkzeug reads it, also past semicolons.
_QUOTED: Final = re.compile(r'"(?:[^\\"]|\\.)*"[ \t]*(?:;|\Z)')
_FIELD: Final = HeaderNames("cookie")
_AMBIGUOUS: Final = Unreadable(
    "ambiguous_cookie", "It is not a name, an equals sign and a value, apart from other cookies."
)


def _form_text(text: str) -> str:
    return percent_decoded(cookie_text(text))


class CookieReader:
    """Reads parameters from cookies (RFC 6265, 4.2).

    Of the style ``form``, percent-encoding is undone, as OpenAPI has it (3.2.0, Appendix D), though
    no framework does that; of ``cookie`` the value is as it is. A raw comma is taken, since readers
    agree on it. An exploded ``form`` of an array or an object is in one cookie, with ampersands:
    OpenAPI calls that delimiter wrong for cookies, and it is what RFC 6570 writes.

    Other cookies are anyone's, so they are never faults. But a quote that opens in one and closes
    in another one hides what lies between from some frameworks, so a parameter must not be there.

    Args:
        parameters: all of them.
        limits: how many cookies, and how many faults are kept.
        unique: refuse a cookie of theirs that comes twice; else the last one counts, as with
            Starlette and Django; Flask takes the first.
    """

    __slots__ = ("_claims", "_entries", "_errors", "_most", "_unique")

    def __init__(
        self, parameters: Sequence[Parameter], limits: BodyLimits, *, unique: bool
    ) -> None:
        self._entries = [
            Entry(parameter, cookie_text if parameter.style == "cookie" else _form_text)
            for parameter in parameters
        ]
        self._claims = Claims(self._entries).exact
        self._unique = unique
        self._most = limits.parameters
        self._errors = limits.errors

    def read(self, request: Request) -> tuple[dict[str, Any], Findings | None]:
        """Return the values, and what is wrong, if anything is.

        Raises:
            Invalid: there are too many cookies.
        """
        text = joined_cookies(request)
        if not text:
            return {}, None
        if text.count(";") >= self._most:
            detail = f"There are more than {self._most} cookies."
            raise Invalid(400, [Fault("cookie", "", "too_many_parameters", detail)])
        findings = Findings("cookie", self._errors)
        gathering = Gathering(findings, self._unique)
        start = hidden = 0
        for chunk in text.split(";"):
            name, equals, value = chunk.partition("=")
            value = value.strip(" \t")
            claim = self._claims.get(name.strip())
            if claim is not None:
                entry = claim[0]
                if start < hidden or not equals or name.strip() != name.strip(" \t"):
                    findings.unread(entry.name, _AMBIGUOUS)
                else:
                    gathering.put(claim, chunk.strip(" \t") if entry.chunked else value)
            if value.startswith('"'):
                quoted = _QUOTED.match(text, text.index('"', start + len(name)))
                hidden = max(hidden, quoted.end() if quoted else 0)
            start += len(chunk) + 1
        return gathering.values(self._entries), findings


def joined_cookies(request: Request) -> str | None:
    """Return the cookies of all fields, of which HTTP/2 allows several (RFC 9113, 8.2.3)."""
    text = request.get_headers(_FIELD).get("cookie")
    # Where there are several they have been joined by a comma, which is no delimiter of cookies.
    if text is not None and "," in text:
        lines = [value for name, value in request.headers if name == "cookie"]
        if len(lines) > 1:
            return "; ".join(lines)
    return text
