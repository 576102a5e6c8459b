"""Files of findings: each worker writes its own, and the command line adds them up.

A worker writes when an exchange ends, at most every few seconds, and when it ends itself: without
a thread, and without failing a request. A file replaces the one before it as a whole, so that a
reader never sees half of it, and what a worker has written outlives it.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import Any, Final

from mantlet._internal.locks import ForkSafeLock
from mantlet.guard.findings.finding import Finding
from mantlet.guard.findings.recorder import FindingRecorder

__all__ = ["FindingFile", "read_findings"]

_log: Final = logging.getLogger("mantlet.guard")
#: Seconds between two writes of a worker.
_INTERVAL: Final = 5.0
_VERSION: Final = 1
_PATTERN: Final = "guard-*.json"
#: The largest file that is read; a worker's has a few megabytes at most.
_MAX_SIZE: Final = 64 * 1024 * 1024


class FindingFile:
    """The file of one worker's findings, or of a forked child's.

    Args:
        directory: the directory of the files of all workers; created if it is missing.
        recorder: the findings.

    Raises:
        TypeError: the directory is not a path.
        ValueError: it can't be created or written, or is not a directory.
    """

    def __init__(self, directory: str | os.PathLike[str], recorder: FindingRecorder) -> None:
        checked: object = directory
        if not isinstance(checked, (str, os.PathLike)):
            raise TypeError(f"findings must be the path of a directory, not {directory!r}")
        self._directory = Path(directory).absolute()
        reason = "it can't be written"
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            reason = error.strerror or type(error).__name__
        if not self._directory.is_dir() or not os.access(self._directory, os.W_OK):
            raise ValueError(
                f"findings must be a directory that the app can write to, not "
                f"{str(directory)!r}: {reason}"
            )
        self._recorder = recorder
        self._lock = ForkSafeLock()
        self._pid = 0
        self._name = ""
        self._written = 0
        self._due = 0.0
        self._has_failed = False

    def write_if_due(self) -> None:
        """Write new findings, unless the last ones were written a few seconds ago."""
        is_new = self._pid != os.getpid()  # of a worker that was forked
        if is_new or (self._recorder.version != self._written and monotonic() >= self._due):
            self.write()

    def write(self) -> None:
        """Write new findings. A failure is logged, once."""
        with self._lock.hold(waits=False) as is_held:
            if not is_held:
                return  # another thread is writing
            if self._pid != os.getpid():
                self._pid, self._written = os.getpid(), 0
                self._name = f"guard-{self._pid}-{token_hex(4)}.json"
            findings = self._recorder.findings()
            version = self._recorder.version
            if not findings or version == self._written:
                return
            self._due = monotonic() + _INTERVAL
            try:
                self._replace(findings)
            except OSError as error:
                if not self._has_failed:
                    self._has_failed = True
                    _log.error(
                        "SchemaGuard: the findings can't be written to %s, and stay in memory: %s",
                        self._directory,
                        error.strerror,
                    )
            else:
                self._written = version

    def _replace(self, findings: list[Finding]) -> None:
        content = {"version": _VERSION, "findings": [one.as_json() for one in findings]}
        new = self._directory / f".{self._name}.new"
        try:
            # A file that exists is not ours, and a link could lead anywhere.
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file)
            new.replace(self._directory / self._name)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise


def read_findings(directory: Path) -> Iterator[tuple[Path, list[Finding] | str]]:
    """Yield each file of a directory with its findings, or the reason why it can't be read.

    Raises:
        OSError: the directory can't be read.
    """
    names = sorted(entry.name for entry in os.scandir(directory))
    for path in (directory / name for name in names):
        if not path.match(_PATTERN):
            continue
        try:
            if path.stat().st_size > _MAX_SIZE:
                raise ValueError("too large")
            yield path, _parse(json.loads(path.read_bytes()))
        except FileNotFoundError:
            continue
        except OSError as error:
            yield path, error.strerror or type(error).__name__
        except (KeyError, TypeError, ValueError, RecursionError):
            yield path, "not a file of findings"


# Any: a value of JSON.
def _parse(content: Any) -> list[Finding]:
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise ValueError("another version")
    return [Finding.from_json(one) for one in content["findings"]]
