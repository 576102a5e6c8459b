"""Files of findings: each worker writes its own, and the command line adds them up.

A worker writes when an exchange ends, at most every few seconds, and when it ends itself: without
a thread, and without failing a request. A file replaces the one before it as a whole, so that a
reader never sees half of it, and what a worker has written outlives it.

Servers replace their workers all day. So a new worker adds the files of those that have ended to
one file, in bounded memory. A worker has ended if this is the system that it ran on, in the same
namespace of processes, and it has no process with its number. The file names those that it
includes, so that nothing is counted twice if a worker is killed before it has removed them.
"""

import json
import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from time import monotonic, time
from typing import Any, Final, NamedTuple

from mantlet._internal.locks import ForkSafeLock
from mantlet.guard.findings.finding import Finding
from mantlet.guard.findings.recorder import FindingRecorder

fcntl: Any  # a module, None on Windows, where no process can ask for another one without harm
try:
    import fcntl
except ImportError:
    fcntl = None

__all__ = ["FindingFile", "read_findings"]

_log: Final = logging.getLogger("mantlet.guard")
#: Seconds between two writes of a worker.
_INTERVAL: Final = 5.0
_VERSION: Final = 1
_PATTERN: Final = "guard-*.json"
_NAME: Final = re.compile(r"guard-(\d{1,18})-[0-9a-f]{8}\.json")
#: A file that a worker did not finish before it was killed.
_UNFINISHED: Final = re.compile(r"\.guard-[a-z0-9]+-[0-9a-f]{8}\.json\.new")
#: Seconds after which such a file is removed.
_UNFINISHED_AGE: Final = 3600.0
#: How many files of ended workers stay as they are.
_MAX_ENDED: Final = 8
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
        self._has_merged = False
        self._written = 0
        self._due = 0.0
        self._has_failed = False

    def write_if_due(self) -> None:
        """Write new findings, unless the last ones were written a few seconds ago."""
        is_new = self._pid != os.getpid()  # of a worker that was forked
        if is_new or (self._recorder.version != self._written and monotonic() >= self._due):
            self.write()

    def write(self) -> None:
        """Write new findings. The first of several failures is logged, and the end of them."""
        with self._lock.hold(waits=False) as is_held:
            if not is_held:
                return  # another thread is writing
            if self._pid != os.getpid():
                self._pid, self._written = os.getpid(), 0
                self._has_merged = False
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
                if self._has_failed:
                    self._has_failed = False
                    _log.warning("SchemaGuard: findings are written to %s again", self._directory)

    def _replace(self, findings: list[Finding]) -> None:
        _write(self._directory / self._name, findings, [])
        if not self._has_merged:
            self._has_merged = True
            _merge_ended(self._directory)


def _write(path: Path, findings: list[Finding], merged: list[str]) -> None:
    content = {
        "version": _VERSION,
        "host": _host(),
        "findings": [one.as_json() for one in findings],
        "merged": merged,
    }
    new = path.with_name(f".{path.name}.new")
    try:
        # A file that exists is not ours, and a link could lead anywhere.
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise


# -- files of workers that have ended -------------------------------------------------------------


def _host() -> str:
    """Return what tells the processes of this system from those of others."""
    namespace = ""
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()} {namespace}"


def _has_ended(name: str) -> bool:
    """Return whether a worker of this system has ended, by the name of its file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    try:
        os.kill(int(match[1]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        pass  # of another user
    return False


def _merge_ended(directory: Path) -> None:
    """Add up the files of workers that have ended, if there are many.

    Raises:
        OSError: a file can't be written.
    """
    if fcntl is None:
        return
    if sum(_has_ended(path.name) for path in directory.iterdir()) <= _MAX_ENDED:
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass  # another worker is doing it
    else:
        _merge_locked(directory)
    finally:
        os.close(descriptor)


def _merge_locked(directory: Path) -> None:
    host = _host()
    whole = directory / f"guard-ended-{sha256(host.encode()).hexdigest()[:8]}.json"
    total = FindingRecorder()
    included: set[str] = set()
    known = _read(whole)
    if isinstance(known, _Content):
        included.update(known.merged)
        for finding in known.findings:
            total.add(finding)
    merged = []
    names = [path.name for path in directory.iterdir()]
    for name in filter(_has_ended, names):
        content = _read(directory / name)
        if isinstance(content, _Content) and content.host == host:
            merged.append(name)
            for finding in content.findings if name not in included else ():
                total.add(finding)
    if merged:
        _write(whole, total.findings(), merged)
    oldest = time() - _UNFINISHED_AGE
    for path in map(directory.joinpath, names):
        with suppress(OSError):
            if path.name in merged or (
                _UNFINISHED.fullmatch(path.name) and path.stat().st_mtime < oldest
            ):
                path.unlink()


# -- reading --------------------------------------------------------------------------------------


class _Content(NamedTuple):
    """A file of findings.

    Attributes:
        host: the system of the worker.
        findings: its findings.
        merged: the names of other files, which these findings include.
    """

    host: str
    findings: list[Finding]
    merged: list[str]


def read_findings(directory: Path) -> Iterator[tuple[Path, list[Finding] | str]]:
    """Yield each file of a directory with its findings, or the reason why it can't be read.

    Raises:
        OSError: the directory can't be read.
    """
    # Those of workers come before those that may include them: digits before letters.
    names = sorted(entry.name for entry in os.scandir(directory))
    read = {path: _read(path) for path in map(directory.joinpath, names) if path.match(_PATTERN)}
    merged = {
        name
        for content in read.values()
        if isinstance(content, _Content)
        for name in content.merged
    }
    for path, content in read.items():
        if isinstance(content, _Content):
            if path.name not in merged:
                yield path, content.findings
        elif content is not None:
            yield path, content


def _read(path: Path) -> _Content | str | None:
    """Return a file's content, or the reason why it can't be read; None if it is not there."""
    try:
        if path.stat().st_size > _MAX_SIZE:
            raise ValueError("too large")
        return _parse(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror or type(error).__name__
    except (KeyError, TypeError, ValueError, RecursionError):
        return "not a file of findings"


# Any: a value of JSON.
def _parse(content: Any) -> _Content:
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise ValueError("another version")
    merged = content.get("merged", [])
    if not isinstance(merged, list) or not all(isinstance(name, str) for name in merged):
        raise ValueError("merged must be names")
    findings = [Finding.from_json(one) for one in content["findings"]]
    return _Content(str(content.get("host", "")), findings, merged)
