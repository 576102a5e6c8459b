"""Search files for loaded values, in chunks, however large the files are."""

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from mantlet.redact.scanner import Scanner
from mantlet.redact.stream_scan import StreamScan
from mantlet.secrets.loader import SecretLoader
from mantlet.secrets.secret import as_bytes, iter_texts

__all__ = ["Leak", "ScanResult", "scan_files"]

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret value found in a file.

    Attributes:
        path: the file.
        offset: the position in the file in bytes; for a compressed file, in its content.
        name: the name of the secret.
        fingerprint: the fingerprint of the value.
    """

    path: Path
    offset: int
    name: str
    fingerprint: str


@dataclass
class ScanResult:
    """The result of a search.

    Attributes:
        leaks: the values found.
        files: the number of files searched.
        unreadable: the files and directories that could not be read, each with the reason.
        unsearched: the names of secrets that are too weak to search for.
    """

    leaks: list[Leak] = field(default_factory=list)
    files: int = 0
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    unsearched: list[str] = field(default_factory=list)


def scan_files(
    loader: SecretLoader[Any], paths: Iterable[Path], *, show_progress: bool
) -> ScanResult:
    """Search files and directories for the values of a loader.

    Within directories, links are not followed, and anything but regular files is skipped.

    Args:
        loader: the loader whose values are searched for.
        paths: files and directories.
        show_progress: show a progress bar on standard error.
    """
    searched = {variant.fingerprint for variant in loader.registry.variants}
    result = ScanResult(
        unsearched=[
            status.name
            for status in loader.report
            if status.fingerprint is not None and status.fingerprint not in searched
        ]
    )
    scanner = Scanner((variant.pattern, variant) for variant in loader.registry.variants)
    names = _names_by_fingerprint(loader)
    files = list(_list_files(paths, result))
    columns = TextColumn("searching"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not show_progress, transient=True) as bar:
        task = bar.add_task("", total=sum(size for _, size in files))
        for path, size in files:
            _scan_file(path, scanner, names, result)
            bar.advance(task, size)
    return result


def _names_by_fingerprint(loader: SecretLoader[Any]) -> dict[str, str]:
    """Map the fingerprints of all values, and of the texts within them, to the secrets' names."""
    names: dict[str, str] = {}
    for name, secret in vars(loader.current).items():
        if secret is not None:
            for text in iter_texts(secret.reveal()):
                names[loader.registry.fingerprint(as_bytes(text))] = name
    return names | {
        status.fingerprint: status.name for status in loader.report if status.fingerprint
    }


def _list_files(paths: Iterable[Path], result: ScanResult) -> Iterator[tuple[Path, int]]:
    def add_unreadable(error: OSError) -> None:
        result.unreadable.append((Path(os.fsdecode(error.filename)), _message(error)))

    for path in paths:
        size = _file_size(path, result, is_argument=True)
        if size is not None:
            yield path, size
            continue
        for directory, _, names in os.walk(path, onerror=add_unreadable):
            for inner in (Path(directory, name) for name in sorted(names)):
                size = _file_size(inner, result, is_argument=False)
                if size is not None:
                    yield inner, size


def _file_size(path: Path, result: ScanResult, *, is_argument: bool) -> int | None:
    """Return the size of a regular file, or None for anything else."""
    try:
        status = path.stat() if is_argument else path.lstat()
    except OSError as error:
        result.unreadable.append((path, _message(error)))
        return None
    if stat.S_ISREG(status.st_mode):
        return status.st_size
    if is_argument and not stat.S_ISDIR(status.st_mode):
        result.unreadable.append((path, "not a regular file"))
    return None


def _message(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _scan_file(path: Path, scanner: Scanner, names: dict[str, str], result: ScanResult) -> None:
    def add_leak(_rule: str, fingerprint: str | None, _leak: bytes, at: int) -> None:
        known = fingerprint or ""
        result.leaks.append(Leak(path, at, names.get(known, "?"), known))

    opener: Callable[..., IO[bytes]] = gzip.open if path.suffix == ".gz" else open  # type: ignore[assignment]  # both give bytes
    try:
        with opener(path, "rb") as file:
            scan = StreamScan(scanner, add_leak, masks=False)
            while chunk := file.read(_CHUNK):
                scan(chunk, True)
            scan(b"", False)
    except (OSError, EOFError, zlib.error) as error:
        result.unreadable.append((path, getattr(error, "strerror", None) or "not a gzip file"))
    else:
        result.files += 1
