"""Buckets in a file shared by all processes of a host: ``lmdb:///var/lib/app/limits``.

Limits are exact across all workers of a host, without a server to run. Each decision is one LMDB
write transaction, and there is only one at a time. The URI names a directory that belongs to this
store alone. If the directory does not exist, it is created with access for the current user only;
its parent must exist. Limiters with the same directory share its file and its ``max_keys``. A
directory in memory, such as one below ``/run`` or ``/dev/shm``, avoids disk writes, and loses
nothing that would otherwise be kept.

Behaviour on failures:

- A worker that dies, for whatever reason, does not affect the others. A decision it had committed
  stands; one it was about to commit is discarded. Its slots are free when their lease ends. LMDB
  relies on robust mutexes for this, which Linux has. On macOS and BSD, a worker that is killed
  during a decision stops all others.
- When all workers have stopped, buckets and bans are kept until workers start again. After a reboot
  they are discarded, as a crash may have left them half-written. Outside of Linux, where a reboot
  can't be detected, they are discarded as soon as no worker is left.
- A file found to be damaged is moved to ``limits.broken``, replacing an earlier one, and counting
  starts anew; a warning is logged. LMDB detects most damage when it reads it, but not all.
  Truncating the file while it is in use kills the processes that use it (``SIGBUS``), as does a
  failing disk. A full disk does not: the file's space is reserved when it is opened and enlarged.
- If the file is removed, this is noticed within a second, and all workers go on with a new one.
- The file begins with 16 MiB and doubles when it is full, until it has 256 bytes for each of
  ``max_keys``. If the disk is full, known clients are counted as before, and new ones as long as
  there is room for them. A request that can't be counted is an outage, to which ``on_outage``
  applies.
- Changes of the system time have no effect: times are those of the monotonic clock.
- Processes may fork, before the first request and after it.
- A worker that is stopped during a decision (``SIGSTOP``, a debugger) blocks all others, as does
  one whose threads keep it from finishing the decision.
- Network file systems are not supported, nor are directories shared by several hosts or virtual
  machines.

A bucket takes up to 130 bytes. A flood of new clients never exceeds ``max_keys``; see `LmdbStore`.
Keys are stored as hashes, and other users of the host cannot read or write the file.
"""

from collections.abc import Callable

from mantlet.stores.lmdb import parse_path  # isort: skip  # says so if the library is missing

from mantlet.ratelimit.stores.lmdb.store import LmdbStore

__all__ = ["LmdbStore", "open_lmdb"]


def open_lmdb(
    uri: str, *, max_keys: int | None = None, clock: Callable[[], int] | None = None
) -> LmdbStore:
    """Open the store that a URI such as ``lmdb:///var/lib/app/limits`` names; see `LmdbStore`.

    Raises:
        ValueError: the URI is not ``lmdb://`` and the absolute path of a directory.
    """
    return LmdbStore(parse_path(uri), max_keys=max_keys or 1_000_000, clock=clock)
