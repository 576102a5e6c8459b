"""Bytes that are kept to be read again: the first of them in memory, the rest in a file."""

from contextlib import suppress
from typing import IO

__all__ = ["BodyBuffer"]


class BodyBuffer:
    """Keeps bytes in their order, and gives any of them back.

    What does not fit into memory goes into a temporary file that has no name. It is written and
    read as any file is, so that whoever adds to it waits for the disk, or rather for the cache of
    the operating system before it.

    Attributes:
        size: how many bytes have come.
        closed: whether they are gone.
        spilled: whether there is a file now, that whoever adds has to see to the closing of.
    """

    # Said here, since each attribute that is set takes time.
    size = 0
    closed = False
    spilled = False
    _head: bytes | bytearray = b""
    _file: IO[bytes] | None = None
    _at_end = True

    def add(self, chunk: bytes, memory: int) -> None:
        """Keep more bytes.

        Args:
            chunk: the bytes.
            memory: how many bytes may be in memory, all that have come together. Once there is a
                file, all goes there.

        Raises:
            OSError: the file can't be written. It is closed then, and what has come is gone.
        """
        head = self._head
        if self._file is not None or self.size + len(chunk) > memory:
            self._write(chunk)
        elif not head:
            self._head = chunk
        else:
            if not isinstance(head, bytearray):
                head = self._head = bytearray(head)
            head += chunk
        self.size += len(chunk)

    def _write(self, chunk: bytes) -> None:
        try:
            file = self._file
            if file is None:
                from tempfile import TemporaryFile  # noqa: PLC0415  # for large bodies alone

                file = self._file = TemporaryFile()  # noqa: SIM115  # close() closes it
                self.spilled = True
            if not self._at_end:
                file.seek(0, 2)
                self._at_end = True
            file.write(chunk)
        except BaseException:
            self.close()
            raise

    def read(self, start: int, most: int) -> bytes:
        """Return up to ``most`` bytes from ``start`` on; none where there are none.

        Raises:
            ValueError: it is closed.
        """
        if self.closed:
            raise ValueError("what was kept of the body is gone: the exchange has ended")
        head, file = self._head, self._file
        piece = b""
        if start < len(head) or file is None:
            with memoryview(head) as view:
                piece = bytes(view[start : start + most])
            start, most = start + len(piece), most - len(piece)
        if file is None or not most:
            return piece
        self._at_end = False
        file.seek(start - len(head))
        return piece + file.read(most)

    def whole(self) -> bytes:
        """Return all that has come.

        Raises:
            ValueError: it is closed.
        """
        if self.closed or self._file is not None:
            return self.read(0, self.size)
        if not isinstance(self._head, bytes):
            self._head = bytes(self._head)  # so that it is in memory once
        return self._head

    def close(self) -> None:
        """Let go of everything, now."""
        self.closed = True
        self._head = b""
        if self._file is not None:
            with suppress(OSError):  # a full disk says so once more
                self._file.close()
