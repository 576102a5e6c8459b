"""Temporary files of request bodies: unnamed, and bounded in all.

All files of this process are counted together, whichever request, policy and app they belong to,
since they share a disk. A body that would exceed the bound of its policy, or that can't be written
since the disk is full, is refused with 503, and each change of this state is logged once.

Why 503: it is the server that lacks space, for as long as other requests hold it (RFC 9110,
15.6.4). 413 means that the body itself is too large (15.5.14), and after 507 a client may not
repeat the request by itself (RFC 4918, 11.5).
"""

import logging
from collections import deque
from time import monotonic
from typing import IO, Final

from mantlet._internal.fork import after_fork_in_child
from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.printable import printable
from mantlet.core.problem import Problem

__all__ = ["NoSpace", "TemporarySpace", "check_directory"]

_log: Final = logging.getLogger("mantlet.disk")
_throttle: Final = LogThrottle(_log)
#: Seconds without a refusal after which an outage may have ended.
_RECOVERY_SECONDS: Final = 1.0
#: The most outages that are known at a time; there is one for each directory and bound.
_MAX_OUTAGES: Final = 1000
#: Seconds after which a client may try again: other uploads may have ended.
_RETRY_AFTER: Final = 5


class NoSpace(Problem):
    """There is no space for the request's body at the moment, a 503."""

    def __init__(self) -> None:
        super().__init__(
            503,
            detail="The server has no space for the request body at the moment.",
            headers={"Retry-After": str(_RETRY_AFTER)},
        )


class _Outage:
    """The time during which bodies are refused."""

    __slots__ = ("failed_at", "refused", "since")

    def __init__(self, now: float) -> None:
        self.since = self.failed_at = now
        self.refused = 0


class _Usage:
    """The bytes in all temporary files of this process.

    Attributes:
        size: in bytes.
        dropped: sizes that are to be subtracted, from finalizers, which must not wait for a lock.
        outages: by directory and bound.
    """

    def __init__(self) -> None:
        self.lock = ForkSafeLock()
        self.size = 0
        self.dropped: deque[int] = deque()
        self.outages: dict[tuple[str | None, int | None], _Outage] = {}


_usage = _Usage()


def _forget_usage() -> None:
    global _usage  # noqa: PLW0603  # the files are those of the parent's requests
    _usage = _Usage()


after_fork_in_child(_forget_usage)


class TemporarySpace:
    """The space that one body, or the files of one form, take on the disk.

    Args:
        directory: where the files are made, or None for the system's directory.
        disk: the most bytes that all temporary files of the process may have, or None.
    """

    __slots__ = ("_began", "_closed", "_directory", "_disk", "_size", "_usage")

    def __init__(self, directory: str | None = None, disk: int | None = None) -> None:
        self._directory = directory
        self._disk = disk
        self._usage = _usage
        self._size = 0
        self._closed = False
        self._began = monotonic()

    def reserve(self, size: int) -> None:
        """Take space before it is written to.

        Args:
            size: in bytes.

        Raises:
            NoSpace: all files together would exceed the bound.
            ValueError: the space was given up: the exchange has ended.
        """
        usage = self._usage
        with usage.lock.hold():
            if self._closed:
                raise ValueError("the exchange has ended, and its temporary files are closed")
            while usage.dropped:
                usage.size -= usage.dropped.popleft()
            if self._disk is None or usage.size + size <= self._disk:
                usage.size += size
                self._size += size
                return
            used = usage.size
        raise self.refused(
            f"the temporary files of this process hold {used} bytes, of the {self._disk} that "
            f"BodyLimits(disk=) allows, and {size} more are needed"
        )

    def give_back(self, size: int) -> None:
        """Give up some bytes."""
        with self._usage.lock.hold():
            if not self._closed:
                self._usage.size -= size
                self._size -= size

    def close(self) -> None:
        """Give up all bytes. If nothing was refused since the first of them, no outage lasts."""
        usage = self._usage
        with usage.lock.hold():
            if self._closed:
                return
            self._closed = True
            usage.size -= self._size
        if self._size and usage.outages:
            self._recover()

    def __del__(self) -> None:
        # A server may never end an exchange. What its files took must not be lost for good.
        if not self._closed:
            self._usage.dropped.append(self._size)

    def refused(self, reason: OSError | str) -> NoSpace:
        """Note that a body is refused, and return the problem.

        Args:
            reason: why it can't be written.
        """
        now, usage, key = monotonic(), self._usage, (self._directory, self._disk)
        with usage.lock.hold():
            outage = usage.outages.get(key)
            is_new = outage is None and len(usage.outages) < _MAX_OUTAGES
            if is_new:
                outage = usage.outages[key] = _Outage(now)
            if outage is not None:
                outage.failed_at = now
                outage.refused += 1
        if is_new:
            text = printable(str(reason))
            self._record(
                logging.ERROR,
                "no_space",
                text,
                f"can't be written: {text}; requests that need them are refused with 503",
            )
        return NoSpace()

    def _recover(self) -> None:
        now, usage, key = monotonic(), self._usage, (self._directory, self._disk)
        with usage.lock.hold():
            outage = usage.outages.get(key)
            if outage is None or outage.failed_at > min(self._began, now - _RECOVERY_SECONDS):
                return
            del usage.outages[key]
        self._record(
            logging.WARNING,
            "recovered",
            "",
            f"can be written again after {now - outage.since:.1f} s, in which {outage.refused} "
            f"requests were refused",
        )

    def _record(self, level: int, event: str, reason: str, text: str) -> None:
        directory = self._directory or "the system's directory"
        suppressed = _throttle.suppressed(f"{event} {directory} {self._disk}")
        if suppressed is None:
            return
        extra = {
            "event": event,
            "directory": directory,
            "reason": reason,
            "repeats": suppressed,
        }
        more = f" (and {suppressed} more like it)" if suppressed else ""
        _log.log(level, "Temporary files in %s %s%s", directory, text, more, extra=extra)

    def open(self) -> IO[bytes]:
        """Return a new file without a buffer, so that nothing is left to be written later.

        Raises:
            OSError: it can't be made.
        """
        from tempfile import TemporaryFile  # for large bodies alone

        # It has no name, so that nothing is left of it when the process is killed.
        return TemporaryFile(buffering=0, dir=self._directory)


def check_directory(directory: str | None) -> None:
    """Check that temporary files can be made.

    Args:
        directory: where, or None for the system's directory.

    Raises:
        ValueError: they can't.
    """
    try:
        with TemporarySpace(directory).open() as file:
            file.write(b"x")
    except OSError as error:
        raise ValueError(
            f"large bodies need a directory for temporary files, and none can be written in "
            f"{directory or 'the default one'}: {error}; set BodyLimits(directory=) or TMPDIR to "
            f"one that the process may write to"
        ) from error
