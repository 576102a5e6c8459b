"""Interfaces of schemas and body readers, and the readers of raw bodies."""

from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.http.media_types import UTF_8, MediaType

__all__ = [
    "BodyParser",
    "BodyReader",
    "FullBodyReader",
    "LargeBodyReader",
    "MediaRangeReader",
    "RawBodyReader",
    "Schema",
    "StreamingBodyReader",
    "raw_body_reader",
]

_Utf8Decoder = getincrementaldecoder("utf-8")


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

    def completes(self, chunk: bytes) -> int:
        """Return the bytes of the item that a chunk of at most 64 KiB would complete; 0 if none.

        Feeding the chunk takes so long.
        """
        ...

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


class MediaRangeReader:
    """Reads bodies of a media range such as ``*/*``.

    Args:
        json: reads the bodies whose own type is one of JSON.
        other: reads the others.
    """

    __slots__ = ("json", "other")

    def __init__(self, json: FullBodyReader, other: "RawBodyReader | LargeBodyReader") -> None:
        self.json = json
        self.other = other


BodyReader = FullBodyReader | StreamingBodyReader | MediaRangeReader


def raw_body_reader(limits: BodyLimits) -> "RawBodyReader | LargeBodyReader":
    """Return the reader of bodies that are bounded in size and not parsed: text, images, ..."""
    large = max(limits.body, limits.decoded) > limits.memory
    return LargeBodyReader(limits) if large else RawBodyReader()


class RawBodyReader:
    """A `FullBodyReader` of raw bodies that always fit into memory.

    Text must be UTF-8 if its charset says so or is not stated.
    """

    __slots__ = ()

    # Any: the interface's; the value is bytes.
    def read(self, body: bytes, media: MediaType) -> Any:
        """Return the bytes.

        Raises:
            ValidationFailed: the body should be text in UTF-8 and is not.
        """
        parser = _RawBodyParser(checks_text=_is_utf_8(media))
        parser.feed(body)
        parser.finish()
        return body

    def dump(self, value: Any) -> bytes:
        """Return the bytes."""
        body: bytes = value
        return body


class LargeBodyReader:
    """A `StreamingBodyReader` of raw bodies, which may be too large for memory.

    The app reads such a body itself, so that nothing holds it as a whole.

    Args:
        limits: ``body``, ``decoded``, ``ratio`` and ``memory`` apply.
        checks_text: whether text must be in UTF-8, as for `RawBodyReader`.
    """

    __slots__ = ("_checks_text", "limits")

    def __init__(self, limits: BodyLimits, *, checks_text: bool = True) -> None:
        self.limits = limits
        self._checks_text = checks_text

    def start(self, media: MediaType) -> "_RawBodyParser":
        """Begin to read a body."""
        return _RawBodyParser(checks_text=self._checks_text and _is_utf_8(media))


class _RawBodyParser:
    """Checks the encoding of one body, and keeps nothing of it."""

    __slots__ = ("_decoder",)

    def __init__(self, *, checks_text: bool) -> None:
        self._decoder = _Utf8Decoder() if checks_text else None

    def completes(self, chunk: bytes) -> int:
        """Return 0: there are no items."""
        return 0

    def feed(self, chunk: bytes) -> None:
        """Take a chunk of the body.

        Raises:
            ValidationFailed: the body should be text in UTF-8 and is not.
        """
        self._check(chunk, final=False)

    def finish(self) -> None:
        """Note the end of the body; see `feed()`."""
        self._check(b"", final=True)

    def _check(self, chunk: bytes, *, final: bool) -> None:
        if self._decoder is None:
            return
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            error = ErrorItem("body", "", "text_encoding", "Invalid UTF-8")
            raise ValidationFailed(400, [error]) from None

    def dump(self, value: Any, write: Callable[[bytes], object]) -> str | None:
        """Do nothing: `BodyValidator` hands on the body as it is."""
        return None

    def close(self) -> None:
        """Do nothing: nothing was kept."""


def _is_utf_8(media: MediaType) -> bool:
    """Return whether a body is text in UTF-8 by its type."""
    charset = (media.get("charset") or "utf-8").lower()
    return media.kind.startswith("text/") and charset in UTF_8
