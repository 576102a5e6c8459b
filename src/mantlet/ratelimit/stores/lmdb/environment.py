"""A file of buckets as this process has it open: opened, enlarged, followed, mended, forked."""

import errno
import fcntl
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TypeAlias, TypeVar
from urllib.parse import unquote
from weakref import WeakValueDictionary, finalize

import lmdb

from mantlet.exceptions import StoreOutage

__all__ = [
    "LOCK",
    "Directory",
    "Environment",
    "Transaction",
    "boot_id",
    "hold",
    "lock_file",
    "read_path",
]


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


log = logging.getLogger("mantlet.ratelimit")

T = TypeVar("T")
Transaction: TypeAlias = "lmdb.Transaction[bytes]"

#: Held by whoever uses any environment of this process, so that no transaction is open while a file
#: is mapped anew or closed, or while the process forks.
LOCK = Lock()
#: LMDB forbids a process to have a file open twice.
_environments: WeakValueDictionary[Path, "Environment"] = WeakValueDictionary()

SMALLEST = 16 << 20
#: How many processes may have a file open at once.
_PROCESSES = 4096
#: How often a transaction is tried. Between two tries a fault is mended, rarely more than one.
_TRIES = 8
_DAMAGE = (
    lmdb.CorruptedError,
    lmdb.CursorFullError,
    lmdb.IncompatibleError,
    lmdb.InvalidError,
    lmdb.PageFullError,
    lmdb.PageNotFoundError,
    lmdb.VersionMismatchError,
)


class Environment:
    """One file of buckets, opened where it is first used, and anew where it has to be.

    Attributes:
        opened: None as long as this process has not used it. Only while `LOCK` is held.
    """

    def __init__(self, directory: Directory) -> None:
        self.opened: lmdb.Environment | None = None
        self._largest = SMALLEST
        self._directory = directory
        self._path = directory.path
        #: The file once more, for what LMDB does not do, and what closes that.
        self._fd = -1
        self._close_fd: Callable[[], object] = bool
        self._aside: Path | None = None

    @classmethod
    def of(cls, directory: Directory) -> "Environment":
        """Return the environment that this process has for a directory."""
        with LOCK:
            return _environments.setdefault(directory.path, cls(directory))

    def prove(self, largest: int) -> None:
        """Find out whether the file can be used, and let it grow to a size in bytes.

        It does not stay open for that: this may be a process that only forks those who use it.

        Raises:
            OSError: it can't.
            lmdb.Error: it can't.
        """
        with LOCK:
            self._largest = max(self._largest, largest)
            if self.opened is None:
                self._open()
                self.rest()
        self._report()

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Return what ``work`` returns; it does it in one transaction, and commits what it writes.

        Raises:
            StoreOutage: the file can't be used at the moment.
        """
        try:
            with LOCK:
                return self._work(work)
        except (lmdb.Error, OSError) as error:
            raise StoreOutage(f"{self._path} can't be used: {error}") from error
        finally:
            self._report()

    def _work(self, work: Callable[[Transaction], T]) -> T:
        fault: lmdb.Error | None = None
        for _ in range(_TRIES):
            if fault is not None:
                self._mend(fault)
            transaction = None
            try:
                transaction = lmdb.Transaction(self.opened or self._open(), write=True)
                return work(transaction)
            except lmdb.Error as error:
                fault = error
            finally:
                if transaction is not None:
                    transaction.abort()  # unless it was committed. No frame may keep it open
        raise fault or lmdb.Error("nothing was tried")

    def look(self) -> None:
        """Let go of a file that is no longer in its place: others use another one already."""
        with LOCK:
            if self.opened is not None and not self._is_in_place():
                self.rest()

    def rest(self) -> None:
        """Close the file until it is used again. Only while `LOCK` is held."""
        opened, self.opened = self.opened, None
        if opened is not None:
            opened.close()

    def _open(self) -> lmdb.Environment:
        with self._directory.gate():
            path = self._directory.file()
            try:
                return self._open_file(path)
            except _DAMAGE:
                self._aside = self._directory.set_aside(path)
                return self._open_file(path)

    def _open_file(self, path: Path) -> lmdb.Environment:
        self._close_fd()
        self._fd, self._path = hold(path), path
        self._close_fd = finalize(self, os.close, self._fd)
        size = os.fstat(self._fd).st_size
        # LMDB cuts the file to the size that it is told, under those who have mapped more of it.
        opened = lmdb.open(
            str(path),
            map_size=max(size, SMALLEST),
            subdir=False,
            mode=0o600,
            sync=False,
            metasync=False,
            writemap=True,
            max_readers=_PROCESSES,
        )
        try:
            import_extra = (opened.info()["last_pgno"] + 1) * opened.stat()["psize"]
            if 0 < size < import_extra:
                raise lmdb.CorruptedError(f"{path} is cut off")
            opened.reader_check()
            if size < SMALLEST:
                _allocate(self._fd, size, SMALLEST)
        except Exception:
            opened.close()
            if size == 0:
                lock_file(path).unlink(missing_ok=True)
                path.unlink()
            raise
        self.opened = opened
        return opened

    def _mend(self, fault: lmdb.Error) -> None:
        opened = self.opened
        if opened is None:
            raise fault
        if isinstance(fault, lmdb.MapFullError):
            # One that died while it read keeps all pages since then from being used again.
            if not opened.reader_check():
                self._fit(opened, grow=True)
        elif isinstance(fault, lmdb.MapResizedError):
            self._fit(opened, grow=False)
        else:
            self.rest()
            if isinstance(fault, _DAMAGE):
                with self._directory.gate():
                    if self._is_in_place():
                        self._aside = self._directory.set_aside(self._path)

    def _fit(self, opened: lmdb.Environment, *, grow: bool) -> None:
        """Map all of the file, after having it made larger if need be."""
        with self._directory.gate():
            size = os.fstat(self._fd).st_size
            if grow and size <= opened.info()["map_size"]:
                if size >= self._largest:
                    raise OSError("it is as large as it may become")
                _allocate(self._fd, size, 2 * size)
                size *= 2
            opened.set_mapsize(size)

    def _is_in_place(self) -> bool:
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._fd))

    def _report(self) -> None:
        aside, self._aside = self._aside, None
        if aside is not None:
            log.warning("Rate limits are counted anew: their file was damaged, and is %s", aside)


def _allocate(fd: int, size: int, wanted: int) -> None:
    """Have the file system set space aside: to run out of it in a mapped file kills the process."""
    if sys.platform != "darwin":
        try:
            os.posix_fallocate(fd, size, wanted - size)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                return  # this file system can't
            os.ftruncate(fd, size)
            raise


def _before_fork() -> None:
    # What is open must not be used in another process, nor even be closed there.
    LOCK.acquire()
    for environment in list(_environments.values()):
        environment.rest()


os.register_at_fork(before=_before_fork, after_in_parent=LOCK.release, after_in_child=LOCK.release)
