"""The LMDB file and its directory: permissions, opening, growing, repairing, forking."""

import errno
import fcntl
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TypeAlias, TypeVar
from urllib.parse import unquote
from weakref import WeakValueDictionary, finalize

import lmdb

from mantlet.exceptions import StoreOutage

__all__ = [
    "LmdbEnvironment",
    "StoreDirectory",
    "Transaction",
    "boot_id",
    "lock_path",
    "open_shared",
    "parse_path",
]

T = TypeVar("T")
Transaction: TypeAlias = "lmdb.Transaction[bytes]"

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

#: Held while `_environments` changes.
_LOCK = Lock()
#: One environment for each file: LMDB forbids a process to open a file twice.
_environments: WeakValueDictionary[tuple[Path, str], "LmdbEnvironment"] = WeakValueDictionary()

MIN_SIZE = 16 << 20
#: How many processes may have a file open at once.
_MAX_PROCESSES = 4096
#: Size of LMDB's lock file in bytes: 64 for each process, and a header.
_LOCKS_SIZE = 64 * _MAX_PROCESSES + 4096
#: How often a transaction is tried. A fault is repaired before the next try; there is rarely more
#: than one.
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


def parse_path(uri: str, example: str = "lmdb:///var/lib/app/limits") -> str:
    """Return the path that a URI such as ``lmdb:///var/lib/app/limits`` names.

    Args:
        uri: the URI.
        example: a correct one, for the message of an error.

    Raises:
        TypeError: the URI is not a string.
        ValueError: the URI is not an absolute path, or has other parts. The message hides
            passwords.
    """
    if not isinstance(uri, str):
        raise TypeError(f'a store\'s URI must be a string such as "{example}", not {uri!r}')
    match = re.fullmatch(r"lmdb://(/[^?#]*)", uri, re.DOTALL)
    path = "" if match is None else unquote(match[1])
    if not path.strip("/") or not path.isprintable():
        shown = re.sub(r"//[^/]*@", "//***@", uri)
        raise ValueError(
            "store must be lmdb:// and the absolute path of a directory, with no host and no "
            f'options, such as "{example}", not {shown!r}'
        )
    return path


def boot_id() -> str | None:
    """Return an identifier of the current boot of the system; None if it has no such identifier."""
    try:
        found = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    except (OSError, ValueError):
        return None
    return found if re.fullmatch(_UUID, found) else None


def open_shared(path: Path) -> int:
    """Open a file, creating it if missing, and hold a shared lock on it until it is closed."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def _is_in_use(path: Path) -> bool:
    """Return whether any process holds a lock on a file."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def lock_path(file: Path) -> Path:
    """Return the path of LMDB's lock file for a file."""
    return file.with_name(file.name + "-lock")


class StoreDirectory:
    """The directory of a store, writable only by the user who runs this process.

    Args:
        path: created with mode 0700 if it is missing; its parent must exist.
        stem: the name of the store's file, without ``.mdb``.
        on_reset: called with the directory and the reason when the contents of the file are lost.
        is_durable: whether commits survive a restart or crash of the system. If so, one file serves
            all boots. If not, each boot of the system has its own file, and may lose it.

    Attributes:
        path: the path with all symbolic links resolved, once.
        stem: as given.
        on_reset: as given.
        is_durable: as given.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        stem: str,
        on_reset: Callable[[Path, str], None],
        *,
        is_durable: bool = False,
    ) -> None:
        self.path = Path(os.path.realpath(path))
        self.stem = stem
        self.on_reset = on_reset
        self.is_durable = is_durable

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the directory: one thread of one process may hold it at a time.

        Raises:
            OSError: the directory can't be created or opened, or another user could change its
                contents.
        """
        try:
            self.path.mkdir(0o700)
        except FileExistsError:
            pass
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"its parent directory {self.path.parent} does not exist; create that first"
            ) from error
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            # LMDB trusts the data it reads, and follows links: nobody else may write here.
            status = os.fstat(fd)
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise PermissionError(
                    f"{self.path} must belong to the current user and be writable by nobody else; "
                    "a directory that does not exist is created that way"
                )
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
            if self.is_durable:
                os.fsync(fd)  # the names of new and renamed files
        finally:
            os.close(fd)

    def current_file(self) -> tuple[Path, str]:
        """Return the file to use, and why an outdated one was removed. Only inside `exclusive()`.

        If the file is not durable, its timestamps are those of a clock that starts at boot, so each
        boot of the system has its own file. Where boots can't be told apart, a file is valid for as
        long as a process uses it.
        """
        if self.is_durable:
            return self.path / f"{self.stem}.mdb", ""
        boot = boot_id()
        removed = ""
        file = self.path / (f"{self.stem}.mdb" if boot is None else f"{self.stem}-{boot}.mdb")
        own_file = re.compile(rf"{re.escape(self.stem)}(-{_UUID})?\.mdb")
        for old in self.path.glob("*.mdb"):
            if not own_file.fullmatch(old.name) or old.is_symlink() or not old.is_file():
                continue
            if (old != file or boot is None) and not _is_in_use(old):
                lock_path(old).unlink(missing_ok=True)
                old.unlink()
                removed = "no process used their file" if boot is None else "the host has restarted"
        return file, removed

    def set_aside(self, file: Path) -> Path:
        """Move a damaged file away, replacing an earlier one. Only inside `exclusive()`.

        Returns:
            The file's new path.
        """
        moved = self.path / f"{self.stem}.broken"
        file.replace(moved)
        lock_path(file).unlink(missing_ok=True)
        return moved


class LmdbEnvironment:
    """The LMDB file of a directory, opened on first use and reopened when necessary.

    Attributes:
        lock: held by every user of the environment in this process, so that no transaction is open
            while the file is remapped or closed, or while the process forks.
        opened: the open environment, or None. Only to be used while `lock` is held.
        is_full: whether the file could not grow the last time. Some keys may still fit.
    """

    def __init__(self, directory: StoreDirectory) -> None:
        self.lock = Lock()
        self.opened: lmdb.Environment | None = None
        self.is_full = False
        self._max_size = MIN_SIZE
        self._directory = directory
        self._path = directory.path
        #: A second descriptor of the file, for operations that LMDB does not offer.
        self._fd = -1
        self._close_fd: Callable[[], object] = bool
        #: Why the contents were lost, until it is reported.
        self._resets: list[str] = []

    @property
    def path(self) -> Path:
        """The directory."""
        return self._directory.path

    @classmethod
    def of(cls, directory: StoreDirectory) -> "LmdbEnvironment":
        """Return this process's environment for a directory."""
        with _LOCK:
            return _environments.setdefault((directory.path, directory.stem), cls(directory))

    def verify(self, max_size: int) -> None:
        """Check that the file can be used, and allow it to grow to a size in bytes.

        The file is closed again: this may be a process that only forks the workers that use it.

        Raises:
            OSError: the file can't be used.
            lmdb.Error: the file can't be used.
        """
        with self.lock:
            self._max_size = max(self._max_size, max_size)
            if self.opened is None:
                self._open()
                self.close()
        self._report_resets()

    def run(self, work: Callable[[Transaction], T], *, write: bool = True) -> T:
        """Run ``work`` in a transaction, and return its result.

        Args:
            work: called again if a fault was repaired. It commits a write transaction itself.
            write: whether it writes.

        Raises:
            StoreOutage: the file can't be used.
        """
        try:
            with self.lock:
                return self._run(work, write)
        except (lmdb.Error, OSError) as error:
            raise StoreOutage(f"{self._path} can't be used: {error}") from error
        finally:
            self._report_resets()

    def _run(self, work: Callable[[Transaction], T], write: bool) -> T:
        fault: lmdb.Error | None = None
        for _ in range(_TRIES):
            if fault is not None:
                self._repair(fault)
            transaction = None
            try:
                transaction = lmdb.Transaction(self.opened or self._open(), write=write)
                return work(transaction)
            except lmdb.Error as error:
                fault = error
            finally:
                if transaction is not None:
                    # Does nothing after a commit. A frame must not keep the transaction open.
                    transaction.abort()
        raise fault or lmdb.Error("the transaction was not tried")

    def close_if_replaced(self) -> None:
        """Close a file that was removed or replaced: other processes already use another one."""
        with self.lock:
            if self.opened is not None and not self._is_in_place():
                self.close()
                self._resets.append(f"their file {self._path} was removed or replaced")

    def close(self) -> None:
        """Close the file until it is used again. Only while `lock` is held."""
        opened, self.opened = self.opened, None
        if opened is not None:
            opened.close()

    def _open(self) -> lmdb.Environment:
        with self._directory.exclusive():
            path, removed = self._directory.current_file()
            if removed:
                self._resets.append(removed)
            try:
                return self._open_file(path)
            except _DAMAGE:
                self._set_aside(path)
                return self._open_file(path)

    def _open_file(self, path: Path) -> lmdb.Environment:
        self._close_fd()
        is_shared = path.exists() and _is_in_use(path)
        self._fd, self._path = open_shared(path), path
        self._close_fd = finalize(self, os.close, self._fd)
        size = os.fstat(self._fd).st_size
        opened = None
        locks = lock_path(path)
        if size == 0 and locks.exists() and not self._resets:
            self._resets.append(f"their file {path} was emptied or removed")
        try:
            if not is_shared:
                _allocate_locks(locks)
            # LMDB truncates the file to the given size, even while others have mapped more of it.
            is_durable = self._directory.is_durable
            opened = lmdb.open(
                str(path),
                map_size=max(size, MIN_SIZE),
                subdir=False,
                mode=0o600,
                sync=is_durable,
                metasync=is_durable,
                writemap=not is_durable,
                max_readers=_MAX_PROCESSES,
            )
            used = (opened.info()["last_pgno"] + 1) * opened.stat()["psize"]
            if 0 < size < used:
                raise lmdb.CorruptedError(f"{path} is truncated")
            opened.reader_check()
            # All of it: a file may have holes if it was copied, or if its process was killed.
            _allocate(self._fd, size if is_shared else 0, max(size, MIN_SIZE))
        except Exception:
            if opened is not None:
                opened.close()
            os.ftruncate(self._fd, size)
            if size == 0:
                locks.unlink(missing_ok=True)
                path.unlink()
            raise
        self.opened = opened
        return opened

    def _repair(self, fault: lmdb.Error) -> None:
        opened = self.opened
        if opened is None:
            raise fault
        if isinstance(fault, lmdb.MapFullError):
            # A process that died while reading keeps all pages freed since then from being reused.
            if not opened.reader_check():
                self._remap(opened, grow=True)
        elif isinstance(fault, lmdb.MapResizedError):
            self._remap(opened, grow=False)
        else:
            self.close()
            if isinstance(fault, _DAMAGE):
                with self._directory.exclusive():
                    if self._is_in_place():
                        self._set_aside(self._path)

    def _remap(self, opened: lmdb.Environment, *, grow: bool) -> None:
        """Map the whole file, enlarging it first if necessary."""
        self.is_full = True
        with self._directory.exclusive():
            size = os.fstat(self._fd).st_size
            if grow and size <= opened.info()["map_size"]:
                if size >= self._max_size:
                    raise OSError("it has reached its maximum size")
                try:
                    _allocate(self._fd, size, 2 * size)
                except OSError:
                    os.ftruncate(self._fd, size)
                    raise
                size *= 2
            opened.set_mapsize(size)
        self.is_full = False

    def _is_in_place(self) -> bool:
        try:
            status = self._path.lstat()
        except FileNotFoundError:
            return False
        return os.path.samestat(status, os.fstat(self._fd))

    def _set_aside(self, path: Path) -> None:
        moved = self._directory.set_aside(path)
        self._resets.append(f"their file was damaged and is now {moved}")

    def _report_resets(self) -> None:
        while self._resets:
            self._directory.on_reset(self._directory.path, self._resets.pop(0))


def _allocate(fd: int, start: int, end: int) -> None:
    """Reserve disk space: running out of it while writing to a mapped file kills the process.

    Raises:
        OSError: there is not enough. The file may have grown all the same.
    """
    if sys.platform != "darwin" and start < end:
        try:
            os.posix_fallocate(fd, start, end - start)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # not supported here
                raise


def _allocate_locks(path: Path) -> None:
    """Reserve disk space for LMDB's lock file, which is mapped too, while no process uses it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _allocate(fd, 0, _LOCKS_SIZE)
    finally:
        os.close(fd)


#: The environments that are locked while this process forks.
_forking: list[LmdbEnvironment] = []


def _before_fork() -> None:
    # An open environment must not be used in another process, nor even be closed there.
    _LOCK.acquire()
    for environment in list(_environments.values()):
        environment.lock.acquire()
        _forking.append(environment)
        environment.close()


def _after_fork() -> None:
    while _forking:
        _forking.pop().lock.release()
    _LOCK.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
