"""Read the file of a secret within limits, and several files in a consistent state."""

import os
import stat
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from time import time
from typing import Final, NamedTuple, TypeVar

from mantlet._internal.trusted_paths import (
    READ_FLAGS,
    UnreadableFile,
    is_world_readable,
    open_trusted,
    writers,
)
from mantlet.secrets.sources.source import SourceError, SourceResult, SourceValue

__all__ = [
    "MAX_BYTES",
    "SETTLING_SECONDS",
    "FileIdentity",
    "UnreadableFile",
    "file_identity",
    "is_settled",
    "note_separate_files",
    "open_file",
    "os_message",
    "read_consistently",
    "read_file",
]

T = TypeVar("T")

#: The maximum size of a file in bytes: the limit of systemd and of Kubernetes.
MAX_BYTES: Final = 1024 * 1024
_SEPARATE_FILES: Final = (
    "is one of several files, which only change together for certain if their directory is swapped"
)
_BYTE_ORDER_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
#: Seconds after which the next change of a file certainly has another time.
SETTLING_SECONDS: Final = 2.0
#: The maximum number of attempts to read an unchanged state.
_ATTEMPTS: Final = 5


def read_file(
    file: int, location: str, *, allow_world_readable: bool, must_be_trusted: bool = True
) -> SourceValue:
    """Read an open file, without the newline at its end.

    Args:
        file: the descriptor, which stays open.
        location: the path, for the report.
        allow_world_readable: accept a file that every user of the machine can read.
        must_be_trusted: reject a file that other users may write to.

    Raises:
        UnreadableFile: the file can't be the file of a secret.
    """
    status = os.fstat(file)
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableFile("is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableFile("is not a regular file")
    if is_world_readable(status) and not allow_world_readable:
        raise UnreadableFile(
            "is readable by every user of this machine: chmod 600, or set allow_world_readable=True"
        )
    others = writers(file)
    if others is not None and must_be_trusted:
        raise UnreadableFile(f"can be written to by {others}: chmod go-w")
    try:
        with closing(os.fdopen(os.dup(file), "rb")) as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:  # of a disk or a file server
        raise UnreadableFile(f"can't be read: {os_message(error)}") from None
    if len(raw) > MAX_BYTES:
        raise UnreadableFile(f"is larger than {MAX_BYTES // 1024} KiB")
    if raw.startswith(_BYTE_ORDER_MARKS):
        raise UnreadableFile("begins with a byte order mark, which would become part of the secret")
    note = None
    if raw.endswith(b"\r\n"):
        raw = raw[:-2]
        note = "the CR LF at its end is removed"
    elif raw.endswith(b"\n"):
        raw = raw[:-1]
    return SourceValue(raw, location, status.st_mtime, note)


@contextmanager
def open_file(path: str) -> Iterator[int]:
    """Open a file by a path that the operator has configured; links are followed.

    Raises:
        FileNotFoundError: the file is missing.
        UnreadableFile: the file can't be opened, or other users may replace it.
    """
    try:
        file = open_trusted(path, READ_FLAGS)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"can't be opened: {os_message(error)}") from None
    try:
        yield file
    finally:
        os.close(file)


class FileIdentity(NamedTuple):
    """Differs for another file or directory, and after each change that the clock can tell apart.

    Attributes:
        changed_at: the time of the last change, in nanoseconds since 1970; unlike ``modified_at``,
            no program can set it.
    """

    device: int
    inode: int
    size: int
    modified_at: int
    changed_at: int


def file_identity(file: int) -> FileIdentity:
    """Return the identity of an open file or directory."""
    status = os.fstat(file)
    return FileIdentity(
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def is_settled(token: Hashable, seconds: float = SETTLING_SECONDS) -> bool:
    """Return whether each file of a change token has been left alone for a while.

    The next change of a file that has just changed may have the same time: the clocks of file
    systems advance by up to two seconds. And whoever replaces several files, or writes one in
    several steps, may not have finished.

    Args:
        token: the identity of a file, or a tuple with several at any depth.
        seconds: how long the files have to be unchanged.
    """
    if isinstance(token, FileIdentity):
        return time() - token.changed_at / 1e9 >= seconds
    return not isinstance(token, tuple) or all(is_settled(one, seconds) for one in token)


def note_separate_files(found: Mapping[str, SourceResult]) -> Mapping[str, SourceResult]:
    """Return the values of a source, with a note at each if several are from files."""
    files = {name: one for name, one in found.items() if getattr(one, "changed_at", None)}
    if len(files) < 2:
        return found
    noted = {
        name: replace(one, note="; ".join(filter(None, (one.note, _SEPARATE_FILES))))
        for name, one in files.items()
        if isinstance(one, SourceValue)
    }
    return {**found, **noted}


def os_message(error: OSError | ValueError) -> str:
    """Return the operating system's message for an error, without the path."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else "invalid path"


def read_consistently(read: Callable[[], T], change_token: Callable[[], Hashable]) -> T:
    """Read until nothing has changed meanwhile: the result is entirely old or entirely new.

    Args:
        read: reads the files.
        change_token: returns a value that differs after each change.

    Raises:
        SourceError: every attempt saw a change.
    """
    for _ in range(_ATTEMPTS):
        before = change_token()
        found = read()
        if change_token() == before:
            return found
    raise SourceError("kept changing while it was read")
