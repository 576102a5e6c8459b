"""Buckets in a file that all processes of a host share: ``lmdb:///var/lib/app/limits``.

Limits are exact across all workers of a host, with no server to run: each decision is one write
transaction of LMDB, and there is one at a time. The URI names a directory that is this store's own.
It is made, for the user who runs the app alone, where only its parent exists. Limiters with the
same directory share its file, and its ``max_keys``. A directory in memory, such as one below
``/run`` or ``/dev/shm``, spares the disk all writing, and loses nothing that would be kept.

What holds when something fails:

- A worker that dies, of whatever and wherever, leaves all others as they were. What it had taken in
  full is taken, and what it was about to take is not. Its places are free when their lease ends.
  LMDB has this from robust mutexes, as Linux has them. On macOS and BSD a worker that is killed
  within a decision stops all others.
- When all workers have ended, buckets and bans are kept until they are back. When the system starts
  again they are forgotten, since a crash may have left half of them on the disk. Where that can't
  be noticed, outside of Linux, they are forgotten as soon as no worker is left.
- A file that turns out to be damaged is set aside as ``limits.broken``, in place of the last such,
  and counting starts anew; the log has a warning. LMDB finds most damage when it runs into it, not
  all. To cut the file off while it is in use kills those who use it, as does a disk that fails.
- A file that is removed is missed within a second. All workers then go on with a new one.
- Space is taken from the file system when the file grows, from 16 MiB to at most 256 bytes for each
  of ``max_keys``. When there is none left, known clients are counted as before. What can't be
  counted is an outage, and ``on_outage`` says what holds then.
- A step of the system's time changes nothing: times are those of the monotonic clock.
- Processes that fork are fine, before the first request and after it.
- A worker that is stopped within a decision (``SIGSTOP``, a debugger) makes all others wait, and so
  does one whose threads keep it from going on with it.
- Network file systems are unfit, as are directories that several hosts or virtual machines share.

A bucket takes about 75 bytes. A flood of new clients does not get beyond ``max_keys``; see
`LmdbStore`. Keys are stored as hashes, and other users of the host can't read or write the file.
"""

from collections.abc import Callable

try:
    from mantlet.ratelimit.stores.lmdb.environment import read_path
    from mantlet.ratelimit.stores.lmdb.store import LmdbStore
except ModuleNotFoundError as error:
    if error.name == "lmdb":
        raise ImportError('lmdb:// needs a library: pip install "mantlet[lmdb]"') from error
    raise ImportError(f"lmdb:// needs Linux, or a system like it: {error}") from error

__all__ = ["LmdbStore", "open_lmdb"]


def open_lmdb(
    uri: str, *, max_keys: int | None = None, clock: Callable[[], int] | None = None
) -> LmdbStore:
    """Return the store that a URI such as ``lmdb:///var/lib/app/limits`` names; see `LmdbStore`.

    Raises:
        ValueError: it does not name the absolute path of a directory, or more than that.
    """
    return LmdbStore(read_path(uri), max_keys=max_keys or 1_000_000, clock=clock)
