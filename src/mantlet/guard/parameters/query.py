"""Parameters of a query, read from its raw bytes."""

import re
from collections.abc import Sequence
from typing import Any, Final

from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters.claims import Claims, Misplaced
from mantlet.guard.parameters.collector import Gathering
from mantlet.guard.parameters.decoding import (
    Unreadable,
    form_text,
    percent_decoded,
    reserved_form_text,
)
from mantlet.guard.parameters.entries import Entry
from mantlet.guard.parameters.findings import Findings
from mantlet.guard.parameters.parameter import Parameter

__all__ = ["QueryReader", "WholeQueryReader"]

#: Bytes that stand for themselves, and part a query into pairs.
_PLAIN: Final = bytes(set(range(0x21, 0x7F)) - set(b"#%+;"))
#: Bytes that stand for others.
_CODED: Final = b"%+"
# RFC 3986, 3.4, in which a fragment is no part of a request (RFC 9112, 3.2), and what readers
# agree on besides.
_NEVER: Final = re.compile(rb"[^\x21-\x7e]|#")


def check_bytes(query: bytes, limit: int) -> None:
    """Check what no query may have.

    Raises:
        Invalid: with 414 where it is too long, with 400 where a byte must be percent-encoded.
    """
    if len(query) > limit:
        detail = f"The query is longer than {limit} bytes."
        raise Invalid(414, [Fault("query", "", "query_too_long", detail)])
    if _NEVER.search(query):
        detail = "A character must be percent-encoded (RFC 3986, 3.4)."
        raise Invalid(400, [Fault("query", "", "invalid_character", detail)])


class QueryReader:
    """Reads the parameters of a query.

    Args:
        parameters: all of them.
        limits: how much of it.
        closed: refuse names that are not declared; else they are left out.
        unique: refuse a scalar that comes twice; else the last one counts, as with Starlette and
            Django; Flask takes the first.
    """

    __slots__ = (
        "_claims",
        "_closed",
        "_entries",
        "_errors",
        "_length",
        "_most",
        "_scalars",
        "_unique",
    )

    def __init__(
        self, parameters: Sequence[Parameter], limits: BodyLimits, *, closed: bool, unique: bool
    ) -> None:
        self._entries = [
            Entry(parameter, reserved_form_text if parameter.allow_reserved else form_text)
            for parameter in parameters
        ]
        self._claims = Claims(self._entries)
        self._scalars = {
            entry.name: entry.scalar for entry in self._entries if entry.scalar is not None
        }
        self._closed = closed
        self._unique = unique
        self._length = limits.query
        self._most = limits.parameters
        self._errors = limits.errors

    def read(self, query: bytes) -> tuple[dict[str, Any], Findings | None]:
        """Return the values, and what is wrong, if anything is.

        Raises:
            Invalid: the query can't be parted into pairs, or is too large.
        """
        if not query:
            return {}, None
        if len(query) > self._length or query.count(b"&") >= self._most:
            return self._read_any(query)
        others = query.translate(None, _PLAIN)
        if others and others.strip(_CODED):
            return self._read_any(query)
        # Nearly all queries are a few scalars.
        values: dict[str, Any] = {}
        scalars = self._scalars
        for pair in query.decode("ascii").split("&"):
            name, _, text = pair.partition("=")
            read = scalars.get(name)
            if read is None or name in values:
                return self._read_any(query)
            if others:
                try:
                    text = form_text(text)
                except Unreadable:
                    return self._read_any(query)
            values[name] = read(text)
        return values, None

    def _read_any(self, query: bytes) -> tuple[dict[str, Any], Findings | None]:
        check_bytes(query, self._length)
        if query.count(b"&") >= self._most:
            detail = f"The query has more than {self._most} fields."
            raise Invalid(400, [Fault("query", "", "too_many_parameters", detail)])
        findings = Findings("query", self._errors)
        gathering = Gathering(findings, self._unique)
        for pair in query.decode("ascii").split("&"):
            if pair:  # all readers pass over nothing between two ampersands
                self._take(pair, gathering, findings)
        return gathering.values(self._entries), findings

    def _take(self, pair: str, gathering: Gathering, findings: Findings) -> None:
        raw, _, text = pair.partition("=")
        try:
            name = form_text(raw)
            claim = self._claims.find(name)
            if claim is None:
                form_text(text)
        except Misplaced as error:
            findings.unread(error.name, error)
            return
        except Unreadable as error:
            findings.refuse("", error.code, error.detail)
            return
        if claim is not None:
            gathering.put(claim, text)
        elif self._closed:
            findings.undeclared(name)


class WholeQueryReader:
    """Reads a query that is one value (OpenAPI 3.2.0, ``in: querystring``).

    Args:
        parameter: which one; its ``decode`` is given the query with its percent-encoding undone, in
            which ``+`` is itself, unless it is ``raw``.
        limits: how much of it.
    """

    __slots__ = ("_errors", "_length", "_parameter")

    def __init__(self, parameter: Parameter, limits: BodyLimits) -> None:
        self._parameter = parameter
        self._length = limits.query
        self._errors = limits.errors

    def read(self, query: bytes) -> tuple[dict[str, Any], Findings | None]:
        """Return the value by its name, and what is wrong, if anything is.

        Raises:
            Invalid: the query is too large, or has what no query may have.
        """
        if not query:
            return {}, None
        check_bytes(query, self._length)
        parameter = self._parameter
        decode = parameter.decode or str
        text = query.decode("ascii")
        findings = Findings("query", self._errors)
        try:
            value = decode(text if parameter.raw else percent_decoded(text))
        except Unreadable as error:
            findings.unread(parameter.name, error)
        except Invalid as error:
            findings.inside(parameter.name, error)
        else:
            return {parameter.name: value}, None
        return {}, findings
