r"""A body of many JSON texts, read one by one as they come.

NDJSON (ndjson.org, 1.0.0) and JSON Lines (jsonlines.org) have one on each line; a line may end with
``\r\n``, the last one with nothing, and empty lines are passed over. A JSON text sequence (RFC
7464) has record separators before each, several counting as one, and a line feed behind it; a last
one without its line feed may have been cut off (2.4), so it is refused.
"""

import re
from typing import Any, Final, Literal

from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.jsonbody import check_parameters
from mantlet.guard.limits import BodyLimits
from mantlet.guard.schemas import Schema
from mantlet.guard.strict_json import Structure
from mantlet.http.media_types import MediaType

__all__ = ["Framing", "JsonLines"]

Framing = Literal["lines", "sequence"]

_BLANK: Final = b" \t\r\n"


class JsonLines:
    """Reads a body of many JSON texts; a `StreamReader` whose result is the list of their values.

    Args:
        schema: what each of them must be.
        limits: ``line`` and ``lines`` bound their sizes and their number, the others each of them.
        framing: how they are told apart.
    """

    __slots__ = ("delimiter", "delimiters", "framing", "limits", "schema", "structure")

    def __init__(self, schema: Schema, limits: BodyLimits, framing: Framing) -> None:
        self.schema = schema
        self.limits = limits
        self.framing = framing
        self.structure = Structure(limits)
        # No JSON text has either in it: in strings both are written as escapes.
        self.delimiter = b"\x1e" if framing == "sequence" else b"\n"
        #: A delimiter and all that may follow it before the next text. What is empty counts for
        #: nothing, so it must also cost nothing.
        self.delimiters = re.compile(
            rb"\x1e++" if framing == "sequence" else rb"\n(?:[ \t\r]{0,%d}+\n)*+" % limits.line
        )

    def start(self, media: MediaType) -> "_Lines":
        """Begin to read a body.

        Raises:
            Invalid: with 415, for a type with other parameters than a charset of UTF-8.
        """
        check_parameters(media)
        return _Lines(self)


class _Lines:
    """One body, as far as it has come; never more of it than one line is kept."""

    def __init__(self, reader: JsonLines) -> None:
        self._reader = reader
        self._sequence = reader.framing == "sequence"
        self._begun = not self._sequence
        self._rest = bytearray()
        self._values: list[Any] = []
        self._faults: list[Fault] = []

    def feed(self, chunk: bytes) -> None:
        """Take a chunk of the body.

        Raises:
            Invalid: with 413 for a text, or a number of them, that is too large, 400 for what is no
                JSON, 422 once there are as many texts that the schema does not allow as are told.
        """
        rest, delimiter = self._rest, self._reader.delimiter
        rest += chunk
        # What has been looked at is not looked at again, however small the chunks are.
        end = rest.find(delimiter, len(rest) - len(chunk))
        if end >= 0:
            start = 0
            while end >= 0:
                self._take(bytes(rest[start:end]))
                passed = self._reader.delimiters.match(rest, end)
                start = end + 1 if passed is None else passed.end()
                end = rest.find(delimiter, start)
            del rest[:start]
        if len(rest) > self._reader.limits.line:
            raise self._too_long()

    def _take(self, text: bytes) -> None:
        reader = self._reader
        index = len(self._values)
        if len(text) > reader.limits.line:
            raise self._too_long()
        if not self._begun:
            self._begun = True
            if text:
                raise self._malformed("json_separator", "Must begin with a separator")
            return
        if self._sequence and not text:
            return
        if self._sequence and not text.endswith(b"\n"):
            raise self._cut_off()
        if not self._sequence and not text.strip(_BLANK):
            return
        if index >= reader.limits.lines:
            words = f"Has more than {reader.limits.lines} items"
            raise Invalid(413, [Fault("body", "", "too_many_items", words)])
        value = None
        try:
            value = reader.schema.load(text, reader.structure.read(text, "body"), "body")
        except Invalid as invalid:
            self._faults += [
                fault._replace(pointer=f"/{index}{fault.pointer}") for fault in invalid.faults
            ]
            if invalid.status != 422 or len(self._faults) >= reader.limits.errors:
                raise self._invalid(invalid.status) from None
        self._values.append(value)

    def finish(self) -> Any:
        """Return the values.

        Raises:
            Invalid: as `feed()` raises it.
        """
        if self._rest:
            self._take(bytes(self._rest))
        elif self._sequence and self._begun:  # nothing follows the last separator
            raise self._cut_off()
        if self._faults:
            raise self._invalid(422)
        return self._values

    def close(self) -> None:
        """Let go of what has been read."""
        self._rest = bytearray()

    def _invalid(self, status: int) -> Invalid:
        return Invalid(status, self._faults[: self._reader.limits.errors])

    def _too_long(self) -> Invalid:
        words = f"An item is longer than {self._reader.limits.line} bytes"
        return Invalid(413, [Fault("body", f"/{len(self._values)}", "item_too_large", words)])

    def _cut_off(self) -> Invalid:
        return self._malformed("json_cut_off", "An item may have been cut off")

    def _malformed(self, code: str, words: str) -> Invalid:
        return Invalid(400, [*self._faults, Fault("body", f"/{len(self._values)}", code, words)])
