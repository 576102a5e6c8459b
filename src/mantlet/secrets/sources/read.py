"""One file with a secret, read within bounds."""

import os
import stat
from collections.abc import Hashable, Iterator
from contextlib import closing, contextmanager
from typing import Final

from mantlet.secrets.sources.source import SourceValue

__all__ = ["FLAGS", "MOST_BYTES", "Unfit", "identity", "opened_file", "read_file", "words"]

#: The largest file that is read: systemd's own limit is 1 MiB, Kubernetes' too.
MOST_BYTES: Final = 1024 * 1024
#: How a file is opened: nothing is waited for, as a FIFO or a terminal would have it.
FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class Unfit(Exception):
    """A file can't be taken. The message is a line of the report."""


def read_file(file: int, shown: str, *, allow_world_readable: bool) -> SourceValue:
    """Read an open file, without the line's end that most have at their end.

    Args:
        file: its descriptor, which stays open.
        shown: its path.
        allow_world_readable: whether every user of the machine may read it.

    Raises:
        Unfit: it can't be a secret's file.
    """
    status = os.fstat(file)
    if stat.S_ISDIR(status.st_mode):
        raise Unfit("is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise Unfit("is no regular file")
    if status.st_mode & stat.S_IROTH and not allow_world_readable:
        raise Unfit(
            "can be read by every user of this machine: chmod 600, or say allow_world_readable=True"
        )
    try:
        with closing(os.fdopen(os.dup(file), "rb")) as stream:
            raw = stream.read(MOST_BYTES + 1)
    except OSError as error:  # of a disk, or a server of files
        raise Unfit(f"can't be read: {words(error)}") from None
    if len(raw) > MOST_BYTES:
        raise Unfit(f"is larger than {MOST_BYTES // 1024} KiB")
    if raw.startswith(_MARKS):
        raise Unfit("begins with a byte order mark, which would be a part of the secret")
    note = None
    if raw.endswith(b"\r\n"):
        raw = raw[:-2]
        note = "its line ends with CR LF, which is taken off"
    elif raw.endswith(b"\n"):
        raw = raw[:-1]
    return SourceValue(raw, shown, status.st_mtime, note)


@contextmanager
def opened_file(path: str) -> Iterator[int]:
    """Open a file by a path that whoever runs the app has given; links are followed.

    Raises:
        FileNotFoundError: it isn't there.
        Unfit: it can't be opened.
    """
    try:
        file = os.open(path, FLAGS)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise Unfit(f"can't be opened: {words(error)}") from None
    try:
        yield file
    finally:
        os.close(file)


def identity(file: int) -> Hashable:
    """Return what tells an open file or directory from others, and from itself once changed."""
    status = os.fstat(file)
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def words(error: OSError | ValueError) -> str:
    """Return what the system says of an error, without the path."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else "it is no path"
