"""Interfaces of schemas and body readers, and the reader of raw bodies."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.http.media_types import UTF_8, MediaType

__all__ = [
    "BodyParser",
    "BodyReader",
    "FullBodyReader",
    "RawBodyReader",
    "Schema",
    "StreamingBodyReader",
]


class Schema(Protocol):
    """One compiled schema: a model, or a schema of an OpenAPI document.

    `load()` and `check()` return the value for the app: a model's instance, or the plain value with
    the schema's defaults.
    """

    # Any: plain JSON values in, whatever the schema makes of them out.
    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Validate a JSON text.

        Args:
            text: the text, which is well-formed and within the limits.
            value: its parsed value.
            place: where it stands, for the errors.

        Raises:
            ValidationFailed: with 422.
        """
        ...

    def check(self, value: Any, place: Place) -> Any:
        """Validate a value that was not read from JSON, such as a query.

        A model converts text to numbers and the like itself; for JSON Schema this has been done.

        Raises:
            ValidationFailed: with 422.
        """
        ...

    def dump(self, value: Any) -> bytes:
        """Serialize a value that `load()` or `check()` returned as canonical JSON."""
        ...


class FullBodyReader(Protocol):
    """Reads a body that has been received completely."""

    def read(self, body: bytes, media: MediaType) -> Any:
        """Return the value for the app.

        Raises:
            ValidationFailed: the body is invalid.
        """
        ...

    def dump(self, value: Any) -> bytes:
        """Serialize a value that `read()` returned in its canonical form."""
        ...


class BodyParser(Protocol):
    """Parses one body while it is received."""

    def feed(self, chunk: bytes) -> None:
        """Take a chunk of the decoded body.

        Raises:
            ValidationFailed: the body is invalid; raised as early as possible.
        """
        ...

    def finish(self) -> Any:
        """Return the value for the app.

        Raises:
            ValidationFailed: the body is invalid.
        """
        ...

    def dump(self, value: Any, write: Callable[[bytes], object]) -> str | None:
        """Write the value that `finish()` returned in its canonical form.

        Args:
            value: the value.
            write: takes the next bytes.

        Returns:
            The ``Content-Type`` of the new body, or None for the client's.
        """
        ...

    def close(self) -> None:
        """Release temporary files; always called at the end of the exchange."""
        ...


@runtime_checkable
class StreamingBodyReader(Protocol):
    """Reads a body chunk by chunk, so that it is never completely in memory."""

    @property
    def limits(self) -> BodyLimits:
        """The limits of these bodies, which may be higher than the operation's."""
        ...

    def start(self, media: MediaType) -> BodyParser:
        """Begin to read a body."""
        ...


BodyReader = FullBodyReader | StreamingBodyReader


class RawBodyReader:
    """A `FullBodyReader` of bodies that are bounded in size and not parsed: text, images, ...

    Text must be UTF-8 if its charset says so or is not stated.
    """

    __slots__ = ()

    # Any: the interface's; the value is bytes.
    def read(self, body: bytes, media: MediaType) -> Any:
        """Return the bytes.

        Raises:
            ValidationFailed: the body should be text in UTF-8 and is not.
        """
        charset = (media.get("charset") or "utf-8").lower()
        if media.kind.startswith("text/") and charset in UTF_8:
            try:
                body.decode()
            except UnicodeDecodeError:
                error = ErrorItem("body", "", "text_encoding", "Invalid UTF-8")
                raise ValidationFailed(400, [error]) from None
        return body

    def dump(self, value: Any) -> bytes:
        """Return the bytes."""
        body: bytes = value
        return body
