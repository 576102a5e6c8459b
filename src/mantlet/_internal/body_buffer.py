"""`BodyBuffer`: bytes that can be read again, the first in memory, the rest in a file."""

from contextlib import suppress
from io import BytesIO
from typing import IO, Final

__all__ = ["BodyBuffer", "SpooledBody", "check_directory"]

#: Bytes that are copied from the file at once.
_PIECE: Final = 64 * 1024


class BodyBuffer:
    """Keeps bytes in order, and returns any range of them.

    Bytes that do not fit into memory go to an unnamed temporary file, which is written and read
    synchronously: `add()` waits for the disk, mostly for the operating system's cache.

    What is in memory is there once: several chunks are joined in a `BytesIO`, which gives up its
    bytes without a copy.

    Attributes:
        size: the number of bytes that were added.
        closed: whether the buffer is closed, and its bytes are gone.
        spilled: whether there is a file, which must be closed.
        directory: where the file is made, or None for the system's directory.
    """

    # Class attributes, since each assignment in __init__ would take time.
    size = 0
    closed = False
    spilled = False
    directory: str | None = None
    _head: bytes | BytesIO = b""
    _file: IO[bytes] | None = None
    _at_end = True

    def add(self, chunk: bytes, memory: int) -> None:
        """Append bytes.

        Args:
            chunk: the bytes.
            memory: the most bytes to keep in memory, of all that were added. Once there is a file,
                all further bytes go there.

        Raises:
            OSError: the file cannot be written. The buffer is closed then.
        """
        head = self._head
        if self._file is not None or self.size + len(chunk) > memory:
            self._write(chunk)
        elif not self.size:
            self._head = chunk
        else:
            if isinstance(head, bytes):
                joined = BytesIO(head)
                joined.seek(0, 2)
                head = self._head = joined
            head.write(chunk)
        self.size += len(chunk)

    def _write(self, chunk: bytes) -> None:
        try:
            file = self._file
            if file is None:
                from tempfile import TemporaryFile  # noqa: PLC0415  # for large bodies alone

                # No name is left of it, so that nothing is left of it when the process is killed.
                file = self._file = TemporaryFile(dir=self.directory)  # noqa: SIM115  # see close()
                self.spilled = True
            if not self._at_end:
                file.seek(0, 2)
                self._at_end = True
            file.write(chunk)
        except BaseException:
            self.close()
            raise

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
        self._at_end = False
        file.seek(start - held)
        return file.read(most)

    def whole(self) -> bytes:
        """Return all bytes.

        Raises:
            ValueError: the buffer is closed.
        """
        if self.closed or self._file is not None:
            joined = BytesIO()
            while piece := self.read(joined.tell(), _PIECE):
                joined.write(piece)
            return joined.getvalue()
        if not isinstance(self._head, bytes):
            self._head = self._head.getvalue()
        return self._head

    def take_over(self, other: "BodyBuffer") -> None:
        """Take all bytes of another buffer, whose file this one has to close from now on.

        Args:
            other: the buffer, which is closed.
        """
        self._head, self._file, self._at_end = other._head, other._file, other._at_end
        self.size, self.spilled = other.size, other.spilled
        other._file = None
        other.close()

    def close(self) -> None:
        """Discard all bytes, and close the file."""
        self.closed = True
        self._head = b""
        if self._file is not None:
            with suppress(OSError):  # a full disk raises once more
                self._file.close()


class SpooledBody(BodyBuffer):
    """A new body for `Request.replace_body()`, which need not fit into memory.

    Args:
        memory: the most bytes of it that are kept in memory; the rest is in a temporary file.
        directory: where the file is made, or None for the system's directory.
    """

    def __init__(self, memory: int, directory: str | None = None) -> None:
        self._memory = memory
        self.directory = directory

    def write(self, chunk: bytes) -> None:
        """Append bytes.

        Raises:
            OSError: the temporary file cannot be written.
        """
        self.add(chunk, self._memory)


def check_directory(directory: str | None) -> None:
    """Check that temporary files can be made.

    Args:
        directory: where, or None for the system's directory.

    Raises:
        ValueError: they can't.
    """
    from tempfile import TemporaryFile  # noqa: PLC0415  # for large bodies alone

    try:
        with TemporaryFile(dir=directory) as file:
            file.write(b"x")
    except OSError as error:
        raise ValueError(
            f"large bodies need a directory for temporary files, and none can be written in "
            f"{directory or 'the default one'}: {error}; set BodyLimits(directory=) or TMPDIR to "
            f"one that the process may write to"
        ) from error
