"""Uploaded files: in memory up to a limit, and on disk beyond it."""

from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from mantlet.core.temporary_files import TemporarySpace

__all__ = ["FileSpool", "UploadedFile"]


class UploadedFile:
    """A file of a form; available until the exchange ends.

    Attributes:
        name: the client's file name: without a path, and safe on all common systems. Do not store
            files under it all the same.
        content_type: the type and subtype that the client declares, or None.
        detected_type: the type of its signature, or None if that is unknown.
        size: the size in bytes.
        file: the content, positioned at its beginning.
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
        """Return the next bytes, by default all."""
        return self.file.read(size)

    def close(self) -> None:
        """Close the file; it is always closed at the end of the exchange."""
        self.file.close()

    def __repr__(self) -> str:
        return f"<UploadedFile {self.detected_type} {self.size} bytes>"


class FileSpool:
    """The files of one form.

    Args:
        memory: the total number of bytes to keep in memory.
        directory: where larger files are made, or None for the system's directory.
        disk: the most bytes that all temporary files of the process may have, or None.
    """

    def __init__(self, memory: int, directory: str | None = None, disk: int | None = None) -> None:
        self._directory = directory
        self._left = memory
        self._space = TemporarySpace(directory, disk)
        #: The size of each file, and whether it is on the disk.
        self._files: dict[SpooledTemporaryFile[bytes], tuple[int, bool]] = {}

    def open(self) -> SpooledTemporaryFile[bytes]:
        """Return an empty file to `write()` to."""
        # Without a size it stays in memory until rollover().
        file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(dir=self._directory)  # noqa: SIM115  # close() does
        self._files[file] = 0, False
        return file

    def write(self, file: SpooledTemporaryFile[bytes], data: bytes) -> None:
        """Append to a file that `open()` returned.

        Raises:
            NoSpace: there is no space for it on the disk.
        """
        size, on_disk = self._files[file]
        new = size + len(data)
        if not on_disk and len(data) <= self._left:
            file.write(data)
            self._left -= len(data)
            self._files[file] = new, False
            return
        self._space.reserve(len(data) if on_disk else new)
        try:
            if not on_disk:
                file.rollover()
            file.write(data)
            file.flush()  # so that nothing is left to be written when the app reads it
        except OSError as error:
            raise self._space.refused(error) from error
        if not on_disk:
            self._left += size
        self._files[file] = new, True

    def drop(self, file: SpooledTemporaryFile[bytes]) -> None:
        """Discard one file."""
        size, on_disk = self._files.pop(file)
        file.close()
        if on_disk:
            self._space.give_back(size)
        else:
            self._left += size

    def close(self) -> None:
        """Close all files."""
        for file in self._files:
            with suppress(OSError):  # a full disk raises once more
                file.close()
        self._space.close()
