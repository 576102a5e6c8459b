"""The files that a document may refer to: those in one directory, and no other."""

import os
import stat
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

__all__ = ["Directory", "read_file", "relative_path"]

#: Bytes of a document: the largest public ones have some 15 MB.
LARGEST: Final = 64_000_000


def read_file(path: Path) -> bytes:
    """Return a regular file's content.

    Raises:
        ValueError: it can't be read, is no regular file, or is larger than 64 MB.
    """
    try:
        # Not to wait for a pipe's other end. The caller has resolved symbolic links.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise ValueError("is no regular file")
        with os.fdopen(descriptor, "rb") as file:
            # It may grow meanwhile.
            content = b"" if state.st_size > LARGEST else file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror}") from None
    if max(state.st_size, len(content)) > LARGEST:
        raise ValueError(f"is larger than {LARGEST} bytes")
    return content


def relative_path(reference: str, base: str) -> str:
    """Return the path that a relative reference without a fragment leads to.

    Args:
        reference: a URI reference (RFC 3986, 4.2).
        base: the path of the file that it stands in, relative to the directory.

    Raises:
        ValueError: it leads to the network, or out of the directory.
    """
    try:
        scheme, authority, path, query, _ = urlsplit(reference)
    except ValueError:
        raise ValueError("is no URI reference") from None
    if scheme or authority:
        raise ValueError(
            "leads out of the document: nothing is fetched, so keep the file beside it"
        )
    if query:
        raise ValueError("has a query, which a file has not")
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    # An encoded separator is none (RFC 3986, 2.2), but to the file system it would be one.
    if decoded.count("/") != path.count("/") or not decoded.isprintable() or "\\" in decoded:
        raise ValueError("has an encoded slash, a backslash or a control character in its path")
    if decoded.startswith("/"):
        raise ValueError("is an absolute path: write it relative to the file that it stands in")
    joined = normpath(PurePosixPath(base).parent / decoded)
    if joined == ".." or joined.startswith("../"):
        raise ValueError("leads out of the directory")
    return joined


class Directory:
    """A directory whose files may be referred to.

    Args:
        path: where it is.

    Raises:
        ValueError: it is no directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = Path(path).resolve()
        if not self._root.is_dir():
            raise ValueError(f"ref_root must be a directory, not {str(path)!r}")

    def name(self, path: Path) -> str:
        """Return a file's path relative to the directory.

        Raises:
            ValueError: it is not in it.
        """
        path = path.resolve()
        if not path.is_relative_to(self._root):
            raise ValueError(f"ref_root must hold the document {str(path)!r}: {str(self._root)!r}")
        return path.relative_to(self._root).as_posix()

    def read(self, name: str) -> tuple[str, bytes]:
        """Return a file's path once symbolic links are followed, and its content.

        Raises:
            ValueError: it is not there, no regular file, too large, or out of the directory.
        """
        try:
            path = (self._root / name).resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
            raise ValueError("leads to no file") from None
        if not path.is_relative_to(self._root):
            raise ValueError("leads out of the directory by a symbolic link")
        return path.relative_to(self._root).as_posix(), read_file(path)
