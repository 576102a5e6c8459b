"""Parameters in header fields."""

from collections.abc import Sequence
from typing import Any

from mantlet.core.request import Request
from mantlet.guard.errors import Invalid
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters.decoding import Unreadable, field_text
from mantlet.guard.parameters.entries import Entry
from mantlet.guard.parameters.findings import Findings
from mantlet.guard.parameters.parameter import Parameter
from mantlet.http.headers import UNPREFIXED, HeaderNames

__all__ = ["HeaderReader"]


class HeaderReader:
    """Reads parameters from header fields.

    A scalar that comes twice is refused under ASGI. Under WSGI the server has joined the two by a
    comma before anyone can tell, so there that is the value: no number or boolean, but a string.
    An array may come in several fields under both (RFC 9110, 5.3).

    Args:
        parameters: all of them. Their names match in any case.
        limits: how many faults are kept.
        unique: refuse a scalar that comes twice; else its values are joined by a comma.
    """

    __slots__ = ("_entries", "_errors", "_names", "_unique")

    def __init__(
        self, parameters: Sequence[Parameter], limits: BodyLimits, *, unique: bool
    ) -> None:
        self._entries = {one.name: Entry(one, field_text) for one in parameters}
        self._names = HeaderNames(*self._entries)
        self._unique = unique
        self._errors = limits.errors

    def read(self, request: Request) -> tuple[dict[str, Any], Findings | None]:
        """Return the values, and what is wrong, if anything is."""
        values: dict[str, Any] = {}
        findings: Findings | None = None
        for name, text in request.get_headers(self._names).items():
            entry = self._entries[name]
            if not text and name.lower() in UNPREFIXED.values():
                continue  # some servers set the two to "" where the client sent none
            read = entry.scalar
            # Fields that came several times are joined by a comma.
            if read is not None and "," not in text and text.isascii() and text.isprintable():
                values[name] = read(text)
                continue
            try:
                self._check_alone(entry, text, request)
                values[name] = entry.read(text)
            except Unreadable as error:
                findings = findings or Findings("header", self._errors)
                findings.unread(name, error)
            except Invalid as error:
                findings = findings or Findings("header", self._errors)
                findings.inside(name, error)
        return values, findings

    def _check_alone(self, entry: Entry, text: str, request: Request) -> None:
        parameter = entry.parameter
        if "," not in text or not self._unique:
            return
        if parameter.shape.structured and parameter.decode is None:
            return
        lower = entry.name.lower()
        if sum(name == lower for name, _ in request.headers) > 1:
            raise Unreadable("duplicate_parameter", "It is there more than once.")
