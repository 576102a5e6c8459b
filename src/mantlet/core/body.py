"""The request body: read by policies within a limit, and replayed to the app, byte for byte."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Protocol, Self

from mantlet._internal.body_buffer import BodyBuffer, SpooledBody
from mantlet.core.problem import BodyTooLarge, MalformedRequest

__all__ = [
    "BODY_HEADERS",
    "CHUNK_SIZE",
    "CONTENT_LENGTH",
    "FRAMING_HEADERS",
    "HANDED_OVER",
    "REPLACED",
    "UNREAD",
    "BodyChunks",
    "IncomingBody",
    "SpooledBody",
    "check_length",
]

HANDED_OVER: Final = "the request must be read or changed in on_request, before the app has it"
UNREAD: Final = "the request's body has not been read to its end"
REPLACED: Final = "the request's body has been replaced since this began to read it"

#: The header with the length of the body.
CONTENT_LENGTH: Final = "Content-Length"

#: Bytes that are read, or handed on, at once.
CHUNK_SIZE: Final = 64 * 1024

#: Headers that say how a body was sent, once it has been received.
FRAMING_HEADERS: Final = ("Content-Length", "Transfer-Encoding", "Trailer")
#: Headers that describe the original body, or how it was sent, and no other body.
BODY_HEADERS: Final = (
    *FRAMING_HEADERS,
    "Content-Encoding",
    "Content-Digest",
    "Repr-Digest",
    "Digest",
    "Content-MD5",
)


def check_length(declared: str | None, limit: int) -> int | None:
    """Return the declared length in bytes, or None where none is declared.

    Args:
        declared: the value of ``Content-Length``.
        limit: in bytes.

    Raises:
        BodyTooLarge: it is more than ``limit``.
        MalformedRequest: it is not a number (RFC 9110, 8.6).
    """
    if declared is None:
        return None
    if not (declared.isascii() and declared.isdigit()):
        raise MalformedRequest("Content-Length is not a number.")
    if len(declared) > 20:
        declared = declared.lstrip("0") or "0"
    # Python refuses to parse very long numbers; any of over 20 digits exceeds every limit.
    if len(declared) > 20 or (length := int(declared)) > limit:
        raise BodyTooLarge(limit)
    return length


class IncomingBody(BodyBuffer):
    """A body as far as it has arrived.

    Attributes:
        complete: whether that is the whole body.
        declared: its Content-Length, or None.
    """

    complete = False
    declared: int | None = None

    @abstractmethod
    async def pull(self, limit: int, memory: int) -> bytes:
        """Read the next chunk, keep it, and return it; it may be empty.

        Args:
            limit: the most bytes that the body may have; at most one byte more is read.
            memory: the most bytes that are kept in memory.

        Raises:
            MalformedRequest: the body ended early.
            ClientDisconnected: the client disconnected.
        """
        raise NotImplementedError

    def fill(self, body: bytes | SpooledBody) -> int:
        """Take a new body, and return its size."""
        if isinstance(body, SpooledBody):
            self.take_over(body)
        else:
            self.add(body, len(body))
        return self.size

    def expect(self, limit: int) -> None:
        """Check the body's size as far as it is known.

        Raises:
            BodyTooLarge: it is more than ``limit``.
        """
        declared = self.declared
        if self.size > limit or (declared is not None and declared > limit and not self.complete):
            raise BodyTooLarge(limit)


class BodySource(Protocol):
    """A request, as `BodyChunks` uses it."""

    def add_cleanup(self, cleanup: Callable[[], object]) -> None:
        """Call something at the end of the exchange."""
        ...

    def incoming(self, limit: int) -> IncomingBody:
        """Return the body."""
        ...


class BodyChunks:
    """Iterates over a body in chunks as they arrive.

    Not an async generator, since an event loop closes an abandoned one in a task.

    Args:
        source: the request.
        limit: the most bytes that the body may have.
        memory: the most bytes of it that are kept in memory.
        directory: where the rest is kept, or None for the system's directory.
    """

    __slots__ = ("_body", "_directory", "_limit", "_memory", "_position", "_source")

    def __init__(self, source: BodySource, limit: int, memory: int, directory: str | None) -> None:
        self._directory = directory
        self._source = source
        self._limit = limit
        self._memory = memory
        self._position = 0
        self._body: IncomingBody | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        body, limit = self._source.incoming(self._limit), self._limit
        if self._body is None:
            self._body = body
            body.directory = self._directory
        elif self._body is not body:
            raise RuntimeError(REPLACED)
        start = self._position
        while start == body.size:
            if body.complete:
                raise StopAsyncIteration
            chunk = await body.pull(limit, self._memory)
            if body.spilled:
                body.spilled = False
                self._source.add_cleanup(body.close)
            body.expect(limit)
            if chunk:
                self._position = start + len(chunk)
                return chunk
        chunk = body.read(start, CHUNK_SIZE)
        self._position = start + len(chunk)
        return chunk
