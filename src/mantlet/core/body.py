"""The request body on its way to the policies and again to the app, alike in both faces.

It is bounded while it is read, and what has been read is kept, since the app gets every byte.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Protocol, Self

from mantlet._internal.body_buffer import BodyBuffer
from mantlet.core.problem import BodyTooLarge, MalformedRequest

__all__ = [
    "CONTENT_LENGTH",
    "HANDED_OVER",
    "NO_FIELDS",
    "PIECE",
    "REPLACED",
    "Chunks",
    "Incoming",
    "check_length",
]

HANDED_OVER: Final = (
    "the request's body must be read or replaced in on_request, before the app has the request"
)
REPLACED: Final = "the request's body has been replaced since this began to read it"

#: The field that says how long a body is.
CONTENT_LENGTH: Final = "Content-Length"

#: How many bytes are read, or handed on, at once where it is ours to say.
PIECE: Final = 64 * 1024

#: Fields that are true of the bytes that came, or of the way they came, and of no other body.
NO_FIELDS: Final = (
    "Content-Encoding",
    "Content-Length",
    "Transfer-Encoding",
    "Trailer",
    "Content-Digest",
    "Repr-Digest",
    "Digest",
    "Content-MD5",
)


def check_length(declared: str | None, limit: int) -> int | None:
    """Return the declared length in bytes, or None where there is none.

    Args:
        declared: the value of ``Content-Length``.
        limit: in bytes.

    Raises:
        BodyTooLarge: it says more than ``limit``.
        MalformedRequest: it is not a number (RFC 9110, 8.6).
    """
    if declared is None:
        return None
    if not (declared.isascii() and declared.isdigit()):
        raise MalformedRequest("Content-Length is not a number.")
    if len(declared) > 20:
        declared = declared.lstrip("0") or "0"
    # Python refuses to read very long numbers; any of over 20 digits exceeds every limit.
    if len(declared) > 20 or (length := int(declared)) > limit:
        raise BodyTooLarge(limit)
    return length


class Incoming(BodyBuffer):
    """A body, as far as it has come.

    Attributes:
        complete: whether that is all of it.
    """

    complete = False
    #: What its Content-Length says.
    declared: int | None = None

    @abstractmethod
    async def pull(self, limit: int, memory: int) -> bytes:
        """Read the next piece, keep it, and return it; it may be empty.

        Args:
            limit: the most bytes that the body may have, so that no more is read than shows that it
                has more.
            memory: the most bytes that are kept in memory.

        Raises:
            MalformedRequest: it ended early.
            ClientDisconnected: the client went away.
        """
        raise NotImplementedError

    def expect(self, limit: int) -> None:
        """Check what is known of the body's size.

        Raises:
            BodyTooLarge: it is more than ``limit``.
        """
        declared = self.declared
        if self.size > limit or (declared is not None and declared > limit and not self.complete):
            raise BodyTooLarge(limit)


class Source(Protocol):
    """A request, as far as its body asks something of it."""

    def add_cleanup(self, ending: Callable[[], object]) -> None:
        """Have something called at the end of the exchange."""
        ...

    def incoming(self, limit: int) -> Incoming:
        """Return the body."""
        ...


class Chunks:
    """A body, piece by piece as it comes.

    No async generator, since an event loop ends one that is left in its middle by a task.

    Args:
        source: the request.
        limit: the most bytes that the body may have.
        memory: the most bytes of it that are kept in memory.
    """

    __slots__ = ("_body", "_limit", "_memory", "_position", "_source")

    def __init__(self, source: Source, limit: int, memory: int) -> None:
        self._source = source
        self._limit = limit
        self._memory = memory
        self._position = 0
        self._body: Incoming | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        body, limit = self._source.incoming(self._limit), self._limit
        if self._body is None:
            self._body = body
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
        chunk = body.read(start, PIECE)
        self._position = start + len(chunk)
        return chunk
