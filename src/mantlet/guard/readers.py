"""What a body may be: a reader for each media type that is declared."""

from typing import Any, Protocol, runtime_checkable

from mantlet.http.media_types import MediaType

__all__ = ["BodyReader", "Parse", "StreamReader", "WholeReader"]


class WholeReader(Protocol):
    """Reads a body that is there whole."""

    def read(self, body: bytes, media: MediaType) -> Any:
        """Return what the app gets.

        Raises:
            Invalid: the body is not what is declared.
        """
        ...

    def dump(self, value: Any) -> bytes:
        """Return what `read()` has returned in its canonical form."""
        ...


class Parse(Protocol):
    """One body that is read as it comes."""

    def feed(self, chunk: bytes) -> None:
        """Take a chunk of the decoded body.

        Raises:
            Invalid: as soon as it is known.
        """
        ...

    def finish(self) -> Any:
        """Return what the app gets.

        Raises:
            Invalid: the body is not what is declared.
        """
        ...

    def close(self) -> None:
        """Let go of temporary files; called at the end of the exchange in any case."""
        ...


@runtime_checkable
class StreamReader(Protocol):
    """Reads a body chunk by chunk, so that it is never in memory whole."""

    def start(self, media: MediaType) -> Parse:
        """Begin to read a body."""
        ...


BodyReader = WholeReader | StreamReader
