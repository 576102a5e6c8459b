"""The directory that a store keeps its file in: whose it is, what is in it, who may enter."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

__all__ = ["Directory", "boot_id", "hold", "lock_file", "read_path"]

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OURS = re.compile(rf"limits(-{_UUID})?\.mdb")
_RIGHT = '"lmdb:///var/lib/app/limits"'


def read_path(uri: str) -> str:
    """Return the path that a URI such as ``lmdb:///var/lib/app/limits`` names.

    Raises:
        TypeError: it is no string.
        ValueError: it names no absolute path, or more than that. The message hides a password.
    """
    if not isinstance(uri, str):
        raise TypeError(f"a store's URI must be a string such as {_RIGHT}, not {uri!r}")
    match = re.fullmatch(r"lmdb://(/[^?#]*)", uri, re.DOTALL)
    path = "" if match is None else unquote(match[1])
    if not path.strip("/") or not path.isprintable():
        shown = re.sub(r"//[^/]*@", "//***@", uri)
        raise ValueError(
            "store must be lmdb:// and the absolute path of a directory, with no host and no "
            f"options, such as {_RIGHT}, not {shown!r}"
        )
    return path


def boot_id() -> str | None:
    """Return what tells this run of the system from every other; None where it does not say."""
    try:
        said = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    except (OSError, ValueError):
        return None
    return said if re.fullmatch(_UUID, said) else None


def hold(path: Path) -> int:
    """Open a file, make it if it is missing, and have others know that it is held till closed."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def _is_held(path: Path) -> bool:
    """Return whether anyone holds a file."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class Directory:
    """A directory of the user who runs this process, and of nobody else.

    Args:
        path: made, with mode 0700, if it is missing; its parent has to exist.

    Attributes:
        path: with all symbolic links followed, once and for all.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.realpath(path))

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Let in one thread of one process at a time.

        Raises:
            OSError: the directory can't be made or opened, or another user could change what is
                in it.
        """
        with suppress(FileExistsError):
            self.path.mkdir(0o700)
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            # LMDB trusts what it reads, and follows links: nobody else may put anything here.
            about = os.fstat(fd)
            if about.st_uid != os.geteuid() or about.st_mode & 0o022:
                raise PermissionError(
                    f"{self.path} must belong to the user who runs this and be writable by nobody "
                    "else; a directory that does not exist yet is made so"
                )
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def file(self) -> Path:
        """Return the file to keep buckets in, and remove those whose times mean nothing any more.

        Times are those of a clock that starts with the system, so each run of the system has a file
        of its own. Where one run can't be told from another, a file is good for as long as anyone
        holds it. Only within `gate()`.
        """
        boot = boot_id()
        file = self.path / ("limits.mdb" if boot is None else f"limits-{boot}.mdb")
        for old in self.path.glob("limits*.mdb"):
            if not _OURS.fullmatch(old.name) or old.is_symlink() or not old.is_file():
                continue
            if (old != file or boot is None) and not _is_held(old):
                lock_file(old).unlink(missing_ok=True)
                old.unlink()
        return file

    def set_aside(self, file: Path) -> Path:
        """Put a damaged file where the last one was put; return where. Only within `gate()`."""
        aside = self.path / "limits.broken"
        file.replace(aside)
        lock_file(file).unlink(missing_ok=True)
        return aside


def lock_file(file: Path) -> Path:
    """Return where LMDB keeps the locks for a file."""
    return file.with_name(file.name + "-lock")
