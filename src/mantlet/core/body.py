"""The request body: read by policies within a limit, and replayed to the app, byte for byte."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import IO, Final, Protocol, Self

from mantlet.core.problem import BodyTooLarge, MalformedRequest
from mantlet.core.temporary_files import NoSpace, TemporarySpace

__all__ = [
    "BODY_HEADERS",
    "CHUNK_SIZE",
    "CONTENT_LENGTH",
    "FRAMING_HEADERS",
    "HANDED_OVER",
    "REPLACED",
    "UNREAD",
    "BodyBuffer",
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
    if not (declared.isascii() and declared.isdecimal()):
        raise MalformedRequest("Content-Length is not a number.")
    try:
        length = int(declared)
    except ValueError:  # Python refuses to parse very long numbers; 21 digits exceed every limit
        length = int(declared.lstrip("0")[:21] or "0")
    if length > limit:
        raise BodyTooLarge(limit)
    return length


class BodyBuffer:
    """Keeps bytes in order, and returns any range of them.

    Bytes that do not fit into memory go to an unnamed temporary file, which is written and read
    synchronously: `add()` waits for the disk, mostly for the operating system's cache.

    What is in memory is there once: several chunks are joined in a `BytesIO`, which gives up its
    bytes without a copy.

    Attributes:
        size: the number of bytes that were added.
        closed: whether the buffer is closed, and its bytes are gone.
        spilled: whether there may be a file, which must be closed.
        directory: where the file is made, or None for the system's directory.
        disk: the most bytes that all temporary files of the process may have, or None.
        refused: the problem, once the file could not be written. No more can be added then.
    """

    # Class attributes, since each assignment in __init__ would take time.
    size = 0
    closed = False
    spilled = False
    directory: str | None = None
    disk: int | None = None
    refused: NoSpace | None = None
    _head: bytes | BytesIO = b""
    _space: TemporarySpace | None = None
    _file: IO[bytes] | None = None
    _at_end = True
    #: The number of bytes in the file.
    _written = 0
    #: The rest of the chunk for which there was no space.
    _tail = b""

    def add(self, chunk: bytes, memory: int) -> None:
        """Append bytes.

        Args:
            chunk: the bytes.
            memory: the most bytes to keep in memory, of all that were added. Once there is a file,
                all further bytes go there.

        Raises:
            NoSpace: the file can't be written. The chunk is kept all the same, in memory.
            ValueError: the buffer is closed.
        """
        if self._file is not None or self.size + len(chunk) > memory:
            self._spill(chunk)
        else:
            self._keep(chunk)
            self.size += len(chunk)

    def _keep(self, chunk: bytes) -> None:
        head = self._head
        if not self.size:
            self._head = chunk
            return
        if isinstance(head, bytes):
            joined = BytesIO(head)
            joined.seek(0, 2)
            head = self._head = joined
        head.write(chunk)

    def _spill(self, chunk: bytes) -> None:
        if self.refused is not None:
            raise self.refused
        if self._space is None:
            self._space = TemporarySpace(self.directory, self.disk)
            self.spilled = True
        if self.closed:  # while a thread fills it
            self._space.close()
        before = self._written
        try:
            self._space.reserve(len(chunk))
            self._write(self._space, chunk)
        except NoSpace as problem:
            self.refused = problem
            rest = chunk[self._written - before :]
            if self._file is None:
                self._keep(rest)
            else:
                self._tail = rest
            self.size += len(chunk)
            raise
        self.size += len(chunk)

    def _write(self, space: TemporarySpace, chunk: bytes) -> None:
        start = self._written
        try:
            file = self._file
            if file is None:
                file = self._file = space.open()
                if self.closed:
                    file.close()
            if not self._at_end:
                file.seek(start)
                self._at_end = True
            with memoryview(chunk) as view:
                while (done := self._written - start) < len(chunk):
                    self._written += file.write(view[done:])
        except OSError as error:
            raise space.refused(error) from error

    def read(self, start: int, most: int) -> bytes:
        """Return up to ``most`` bytes from ``start`` on, at least one before the end.

        Raises:
            ValueError: the buffer is closed.
        """
        if self.closed:
            raise ValueError("the buffered body is gone: the exchange has ended")
        head, file = self._head, self._file
        held = len(head) if isinstance(head, bytes) else head.tell()
        if start < held or file is None:
            with memoryview(head) if isinstance(head, bytes) else head.getbuffer() as view:
                return bytes(view[start : start + most])
        start -= held
        left = self._written - start
        if left <= 0:
            return self._tail[-left : most - left]
        self._at_end = False
        file.seek(start)
        return file.read(min(most, left))

    def whole(self) -> bytes:
        """Return all bytes.

        Raises:
            ValueError: the buffer is closed, and its bytes are gone.
        """
        head = self._head
        if type(head) is bytes and len(head) == self.size:
            return head  # the usual case
        if self.closed or self._file is not None:
            joined = BytesIO()
            while piece := self.read(joined.tell(), CHUNK_SIZE):
                joined.write(piece)
            return joined.getvalue()
        if not isinstance(head, bytes):
            head = self._head = head.getvalue()
        return head

    def take_over(self, other: "BodyBuffer") -> None:
        """Take all bytes of another buffer, whose file this one has to close from now on.

        Args:
            other: the buffer, which is closed.
        """
        self._head, self._file, self._space = other._head, other._file, other._space
        self._at_end, self._written = other._at_end, other._written
        self.size, self.spilled = other.size, other.spilled
        other._file = other._space = None
        other.close()

    def close(self) -> None:
        """Discard all bytes, and close the file."""
        self.closed = True
        self._head = self._tail = b""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._space is not None:
            self._space.close()


class SpooledBody(BodyBuffer):
    """A new body for `Request.replace_body()`, which need not fit into memory.

    Args:
        memory: the most bytes of it that are kept in memory; the rest is in a temporary file.
        directory: where the file is made, or None for the system's directory.
        disk: the most bytes that all temporary files of the process may have, or None.
    """

    def __init__(self, memory: int, directory: str | None = None, disk: int | None = None) -> None:
        self._memory = memory
        self.directory = directory
        self.disk = disk

    def write(self, chunk: bytes) -> None:
        """Append bytes.

        Raises:
            NoSpace: the temporary file can't be written.
            ValueError: the body is closed.
        """
        self.add(chunk, self._memory)


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
            NoSpace: the chunk is kept, but there is no space for more.
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
        """Check that the body may be read, by its size as far as that is known.

        Raises:
            BodyTooLarge: it is more than ``limit``.
            NoSpace: there was no space for it.
        """
        if self.refused is not None:
            raise self.refused
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
        disk: the most bytes that all temporary files of the process may have, or None.
    """

    __slots__ = ("_body", "_directory", "_disk", "_limit", "_memory", "_position", "_source")

    def __init__(
        self,
        source: BodySource,
        limit: int,
        memory: int,
        directory: str | None = None,
        disk: int | None = None,
    ) -> None:
        self._directory = directory
        self._disk = disk
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
            body.directory, body.disk = self._directory, self._disk
        elif self._body is not body:
            raise RuntimeError(REPLACED)
        start = self._position
        while start == body.size:
            if body.complete:
                raise StopAsyncIteration
            try:
                chunk = await body.pull(limit, self._memory)
            finally:
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
