"""The search for loaded values in files: in chunks, however large these are."""

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

from mantlet.redact.scanner import Scanner, StreamScan
from mantlet.secrets.loader import SecretLoader
from mantlet.secrets.parts import nested
from mantlet.secrets.secret import as_bytes

__all__ = ["Finding", "Findings", "search"]

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """A value that is in a file.

    Attributes:
        path: the file.
        offset: where in it, in bytes; in what it holds, where it is compressed.
        name: the secret's.
        fingerprint: the value's.
    """

    path: Path
    offset: int
    name: str
    fingerprint: str


@dataclass
class Findings:
    """What was found, in how many files, and what could not be done.

    Attributes:
        findings: the values that are in files.
        files: how many were searched.
        unread: those that could not be, each with why.
        unsearched: the names of secrets that can't be searched for.
    """

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    unread: list[tuple[Path, str]] = field(default_factory=list)
    unsearched: list[str] = field(default_factory=list)


def search(loader: SecretLoader[Any], paths: Iterable[Path], *, shows_progress: bool) -> Findings:
    """Search files, and those in directories, for the secrets of a loader.

    In directories links are not followed, and what is no regular file is left out.

    Args:
        loader: who knows the secrets.
        paths: where to search.
        shows_progress: whether a bar on standard error shows how far it is.
    """
    searched = {variant.fingerprint for variant in loader.registry.variants}
    found = Findings(
        unsearched=[
            entry.name
            for entry in loader.report
            if entry.state == "ok" and entry.fingerprint not in searched
        ]
    )
    scanner = Scanner((variant.pattern, variant) for variant in loader.registry.variants)
    names = _names(loader)
    files = list(_files(paths, found))
    columns = TextColumn("searching"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not shows_progress, transient=True) as bar:
        task = bar.add_task("", total=sum(size for _, size in files))
        for path, size in files:
            _search_file(path, scanner, names, found)
            bar.advance(task, size)
    return found


def _names(loader: SecretLoader[Any]) -> dict[str, str]:
    """Return the names of the secrets by the fingerprints of all that they consist of."""
    names: dict[str, str] = {}
    for name, secret in vars(loader.current).items():
        if secret is not None:
            for part in nested(secret.reveal()):
                names[loader.registry.fingerprint(as_bytes(part))] = name
    return names | {entry.fingerprint: entry.name for entry in loader.report if entry.fingerprint}


def _files(paths: Iterable[Path], found: Findings) -> Iterator[tuple[Path, int]]:
    def unread(error: OSError) -> None:
        found.unread.append((Path(os.fsdecode(error.filename)), _words(error)))

    for path in paths:
        size = _size(path, found, is_named=True)
        if size is not None:
            yield path, size
            continue
        for directory, _, names in os.walk(path, onerror=unread):
            for inner in (Path(directory, name) for name in sorted(names)):
                size = _size(inner, found, is_named=False)
                if size is not None:
                    yield inner, size


def _size(path: Path, found: Findings, *, is_named: bool) -> int | None:
    """Return the size of a regular file; None of anything else."""
    try:
        status = path.stat() if is_named else path.lstat()
    except OSError as error:
        found.unread.append((path, _words(error)))
        return None
    if stat.S_ISREG(status.st_mode):
        return status.st_size
    if is_named and not stat.S_ISDIR(status.st_mode):
        found.unread.append((path, "it is no regular file"))
    return None


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _search_file(path: Path, scanner: Scanner, names: dict[str, str], found: Findings) -> None:
    def tell(_rule: str, fingerprint: str | None, _leak: bytes, at: int) -> None:
        known = fingerprint or ""
        found.findings.append(Finding(path, at, names.get(known, "?"), known))

    opener: Callable[..., IO[bytes]] = gzip.open if path.suffix == ".gz" else open  # type: ignore[assignment]  # both give bytes
    try:
        with opener(path, "rb") as file:
            look = StreamScan(scanner, tell, masks=False)
            while chunk := file.read(_CHUNK):
                look(chunk, True)
            look(b"", False)
    except (OSError, EOFError, zlib.error) as error:
        found.unread.append((path, getattr(error, "strerror", None) or "it is no gzip file"))
    else:
        found.files += 1
