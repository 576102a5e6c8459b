"""Parameters of a path, whose texts are decoded already."""

from collections.abc import Mapping, Sequence
from typing import Any

from mantlet.guard.errors import Invalid
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters.decoding import Unreadable, path_text
from mantlet.guard.parameters.entries import Entry
from mantlet.guard.parameters.findings import Findings
from mantlet.guard.parameters.parameter import Parameter

__all__ = ["PathReader"]


class PathReader:
    """Reads the parameters of a path.

    An item of an array or an object can't have the delimiter of its style in it: encoded or not, it
    looks the same in a decoded path.

    Args:
        parameters: all of them.
        limits: how many faults are kept.
    """

    __slots__ = ("_entries", "_errors")

    def __init__(self, parameters: Sequence[Parameter], limits: BodyLimits) -> None:
        self._entries = [Entry(parameter, path_text) for parameter in parameters]
        self._errors = limits.errors

    def read(self, texts: Mapping[str, str]) -> tuple[dict[str, Any], Findings | None]:
        """Return the values, and what is wrong, if anything is.

        Args:
            texts: decoded, by the parameters' names.
        """
        values: dict[str, Any] = {}
        findings = None
        for entry in self._entries:
            name = entry.name
            if name not in texts:
                continue
            text, read = texts[name], entry.scalar
            if read is not None and text.isascii() and text.isprintable():
                values[name] = read(text)
                continue
            try:
                values[name] = entry.read(text)
            except Unreadable as error:
                findings = findings or Findings("path", self._errors)
                findings.unread(name, error)
            except Invalid as error:
                findings = findings or Findings("path", self._errors)
                findings.inside(name, error)
        return values, findings
