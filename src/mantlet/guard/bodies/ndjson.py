r"""Read bodies of many JSON texts: NDJSON, JSON Lines and JSON text sequences.

NDJSON (ndjson.org, 1.0.0) and JSON Lines (jsonlines.org) have one text on each line; a line may end
with ``\r\n``, the last one need not end at all, and empty lines are ignored. A ``\r`` within a line
is rejected, since many readers take it for the end of a line. A JSON text sequence (RFC 7464) has
one or more record separators before each text and a line feed after it; a last text without its
line feed may be truncated (2.4), so it is rejected.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Literal

from mantlet.guard.bodies.strict_json import StrictJson, check_json_parameters
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.readers import Schema
from mantlet.http.media_types import MediaType

__all__ = ["Framing", "JsonLinesReader"]

Framing = Literal["lines", "sequence"]

_BLANK: Final = b" \t\r\n"


class JsonLinesReader:
    """Reads bodies of many JSON texts into a list of values; a `StreamingBodyReader`.

    Args:
        schema: the schema of each text.
        limits: ``line`` and ``lines`` bound the size and number of texts; the others apply to each
            text.
        framing: how the texts are separated.
    """

    __slots__ = ("delimiter", "delimiters", "framing", "json", "limits", "schema")

    def __init__(self, schema: Schema, limits: BodyLimits, framing: Framing) -> None:
        self.schema = schema
        self.limits = limits
        self.framing = framing
        self.json = StrictJson(limits)
        # Neither can occur in a JSON text: in strings both are escaped.
        self.delimiter = b"\x1e" if framing == "sequence" else b"\n"
        #: A delimiter and everything that may follow it before the next text. Empty texts do not
        #: count, so they must not cost time either.
        self.delimiters = re.compile(
            rb"\x1e++" if framing == "sequence" else rb"\n(?:[ \t\r]{0,%d}+\n)*+" % limits.line
        )

    def start(self, media: MediaType) -> "_JsonLinesParser":
        """Begin to read a body.

        Raises:
            ValidationFailed: with 415, for a media type parameter other than a charset of UTF-8.
        """
        check_json_parameters(media)
        return _JsonLinesParser(self)


class _JsonLinesParser:
    """Parses one body; never buffers more of it than one text."""

    def __init__(self, reader: JsonLinesReader) -> None:
        self._reader = reader
        self._sequence = reader.framing == "sequence"
        self._begun = not self._sequence
        self._buffer = bytearray()
        self._values: list[Any] = []
        self._errors: list[ErrorItem] = []

    def completes(self, chunk: bytes) -> int:
        """Return the bytes of the text that a chunk would complete; see `BodyParser`."""
        return len(self._buffer) if self._reader.delimiter in chunk else 0

    def feed(self, chunk: bytes) -> None:
        """Take a chunk of the body.

        Raises:
            ValidationFailed: with 413 for a text that is too large, or too many texts; 400 for
                invalid JSON; 422 as soon as the texts have as many errors as are reported.
        """
        buffer, delimiter = self._buffer, self._reader.delimiter
        buffer += chunk
        # No byte is searched twice, however small the chunks are.
        end = buffer.find(delimiter, len(buffer) - len(chunk))
        if end >= 0:
            start = 0
            while end >= 0:
                self._take(bytes(buffer[start:end]))
                passed = self._reader.delimiters.match(buffer, end)
                start = end + 1 if passed is None else passed.end()
                end = buffer.find(delimiter, start)
            del buffer[:start]
        if len(buffer) > self._reader.limits.line:
            raise self._too_large()

    def _take(self, text: bytes) -> None:
        reader = self._reader
        index = len(self._values)
        if len(text) > reader.limits.line:
            raise self._too_large()
        if not self._begun:
            self._begun = True
            if text:
                raise self._malformed("json_separator", "Must begin with a record separator")
            return
        if not (text if self._sequence else text.strip(_BLANK)):
            return
        if self._sequence and not text.endswith(b"\n"):
            raise self._truncated()
        if index >= reader.limits.lines:
            detail = f"More than {reader.limits.lines} items"
            raise ValidationFailed(413, [ErrorItem("body", "", "too_many_items", detail)])
        value = None
        try:
            value = reader.schema.load(text, reader.json.parse(text, "body"), "body")
        except ValidationFailed as failure:
            self._errors += [
                error._replace(pointer=f"/{index}{error.pointer}") for error in failure.errors
            ]
            if failure.status != 422 or len(self._errors) >= reader.limits.errors:
                raise self._failure(failure.status) from None
        if not self._sequence and b"\r" in text[:-1]:
            raise self._malformed("json_line_break", "A line must end with a line feed")
        self._values.append(value)

    def finish(self) -> Any:
        """Return the values.

        Raises:
            ValidationFailed: see `feed()`.
        """
        if self._buffer:
            self._take(bytes(self._buffer))
        elif self._sequence and self._begun:  # nothing follows the last separator
            raise self._truncated()
        if self._errors:
            raise self._failure(422)
        return self._values

    def dump(self, value: Any, write: Callable[[bytes], object]) -> None:
        """Write the values, each on its line; see `BodyParser.dump()`."""
        prefix = self._reader.delimiter if self._sequence else b""
        for item in value:
            write(b"%s%s\n" % (prefix, self._reader.schema.dump(item)))

    def close(self) -> None:
        """Release the buffer."""
        self._buffer = bytearray()

    def _failure(self, status: int) -> ValidationFailed:
        return ValidationFailed(status, self._errors[: self._reader.limits.errors])

    def _too_large(self) -> ValidationFailed:
        detail = f"The item is larger than {self._reader.limits.line} bytes"
        error = ErrorItem("body", f"/{len(self._values)}", "item_too_large", detail)
        return ValidationFailed(413, [error])

    def _truncated(self) -> ValidationFailed:
        return self._malformed("json_cut_off", "The item may be truncated")

    def _malformed(self, code: str, detail: str) -> ValidationFailed:
        error = ErrorItem("body", f"/{len(self._values)}", code, detail)
        return ValidationFailed(400, [*self._errors, error])
