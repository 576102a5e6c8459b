"""Files that a form has brought, in memory up to a bound and on disk beyond it."""

from tempfile import SpooledTemporaryFile
from typing import IO, Final

__all__ = ["Spool", "UploadedFile"]


class UploadedFile:
    """A file of a form. It is there until the exchange ends.

    Attributes:
        name: what the client calls it: one name without a path, safe on all usual systems. It is
            still the client's; don't store files by it.
        content_type: the type and subtype that the client declares, or None.
        detected_type: the type that its first bytes are of, or None where they are no known ones.
        size: in bytes.
        file: its content, from the beginning.
    """

    __slots__ = ("content_type", "detected_type", "file", "name", "size")

    def __init__(
        self,
        *,
        name: str,
        content_type: str | None,
        detected_type: str | None,
        size: int,
        file: IO[bytes],
    ) -> None:
        self.name: Final = name
        self.content_type: Final = content_type
        self.detected_type: Final = detected_type
        self.size: Final = size
        self.file: Final = file

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of it, by default all."""
        return self.file.read(size)

    def close(self) -> None:
        """Let go of it; it is closed at the end of the exchange in any case."""
        self.file.close()

    def __repr__(self) -> str:
        return f"<UploadedFile {self.detected_type} {self.size} bytes>"


class Spool:
    """The files of one form.

    Args:
        memory: bytes of all of them together that are kept in memory.
    """

    def __init__(self, memory: int) -> None:
        self._left = memory
        self._files: dict[SpooledTemporaryFile[bytes], int | None] = {}

    def open(self) -> SpooledTemporaryFile[bytes]:
        """Return an empty file to `write()` to."""
        # Without a size it stays in memory until it is told not to.
        file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile()  # noqa: SIM115  # close() does
        self._files[file] = 0
        return file

    def write(self, file: SpooledTemporaryFile[bytes], data: bytes) -> None:
        """Add to a file that `open()` has returned."""
        held = self._files[file]
        if held is not None:
            if len(data) <= self._left:
                self._left -= len(data)
                self._files[file] = held + len(data)
            else:
                file.rollover()
                self._left += held
                self._files[file] = None
        file.write(data)

    def drop(self, file: SpooledTemporaryFile[bytes]) -> None:
        """Let go of one file."""
        self._left += self._files.pop(file) or 0
        file.close()

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files:
            file.close()
