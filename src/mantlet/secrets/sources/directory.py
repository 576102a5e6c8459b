"""Files with secrets: read within bounds, and never outside of the directory that they are in."""

import errno
import os
import stat
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mantlet.secrets.sources.read import FLAGS, Unfit, identity, read_file, words
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SecretSource,
    SourceError,
    SourceResult,
    typos,
)
from mantlet.secrets.sources.steady import steady

__all__ = ["SecretFiles", "SystemdCredentials"]

#: How many links are followed for one name.
_MOST_LINKS: Final = 8
#: Kubernetes exchanges this link when it exchanges the secrets.
_DATA: Final = "..data"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class SecretFiles(SecretSource):
    """A directory with a file for each secret, as Docker and Kubernetes mount them.

    All are read from one state of the directory: where Kubernetes exchanges it meanwhile, all are
    from before or all from after. Links are followed within the directory alone.

    Args:
        directory: where they are. One that isn't there has no secrets.
        separator: what stands for the slash in names of secrets in directories further in: with
            ``"__"``, ``db__password`` is the file ``db/password``.
        allow_world_readable: take files that every user of the machine may read. Docker makes
            such ones, and so does Kubernetes without a ``defaultMode``.

    Raises:
        ValueError: ``separator`` is empty.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        separator: str | None = None,
        allow_world_readable: bool = False,
    ) -> None:
        if separator == "":
            raise ValueError("separator must not be empty; None stands for no directories")
        self.name = os.fspath(directory)
        self._separator = separator
        self._allow_world_readable = allow_world_readable

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return what there is in the directory."""
        return steady(lambda: self._read(fields), lambda: self.change_token(fields))

    def _read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        found: dict[str, SourceResult] = {}
        with _opened(self.name) as root:
            if root is None:
                return found
            for wanted in fields:
                for name in dict.fromkeys((wanted.key, wanted.env)):
                    value = self._value(root, name)
                    if value is not None:
                        found[wanted.name] = value
                        break
        return found

    def _value(self, root: int, name: str) -> SourceResult | None:
        shown = self._shown(name)
        try:
            with _found(root, self._parts(name)) as file:
                if file is None:
                    return None
                return read_file(file, shown, allow_world_readable=self._allow_world_readable)
        except Unfit as unfit:
            return RejectedValue(shown, str(unfit))

    def _parts(self, name: str) -> list[str]:
        parts = name.split(self._separator) if self._separator else [name]
        if not all(parts) or any(
            "/" in part or "\0" in part or part.startswith("..") or part == "." for part in parts
        ):
            raise Unfit("has a name that no file in the directory can have")
        return parts

    def _shown(self, name: str) -> str:
        return str(Path(self.name, *(name.split(self._separator) if self._separator else [name])))

    def location(self, field: SecretField) -> str:
        """Return where the file would be."""
        return self._shown(field.key)

    def change_token(self, fields: Sequence[SecretField]) -> Hashable:
        """Return what tells the directory, Kubernetes' link and the files."""
        with _opened(self.name) as root:
            if root is None:
                return None
            return (identity(root), *(self._file_stamp(root, field) for field in fields))

    def _file_stamp(self, root: int, field: SecretField) -> Hashable:
        for name in (field.key, field.env):
            with suppress(Unfit), _found(root, self._parts(name)) as file:
                if file is not None:
                    return name, identity(file)
        return None

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return names of files that resemble a secret's."""
        with _opened(self.name) as root:
            names = [] if root is None else _names(root)
        known = [name for field in fields for name in (field.key, field.env)]
        return typos(names, known)


class SystemdCredentials(SecretFiles):
    """The credentials of a systemd service: ``LoadCredential=`` and its like (systemd.exec(5)).

    Args:
        directory: where they are; ``$CREDENTIALS_DIRECTORY`` by default. Without it there are none.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        found = os.environ.get("CREDENTIALS_DIRECTORY") if directory is None else directory
        super().__init__(found or os.devnull)
        self._is_there = bool(found)
        self.name = self.name if found else "$CREDENTIALS_DIRECTORY"

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return what there is in the directory, if there is one."""
        return super().read(fields) if self._is_there else {}

    def change_token(self, fields: Sequence[SecretField]) -> Hashable:
        """Return what tells the directory and its files."""
        return super().change_token(fields) if self._is_there else None

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return names of credentials that resemble a secret's."""
        return super().similar_names(fields) if self._is_there else ()


@contextmanager
def _opened(directory: str) -> Iterator[int | None]:
    """Open a directory, or, where Kubernetes exchanges what is in it, that which holds now."""
    try:
        root = os.open(directory, _DIRECTORY)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise SourceError(f"can't be opened: {words(error)}") from None
    try:
        yield root
    finally:
        os.close(root)


@contextmanager
def _found(root: int, parts: Sequence[str]) -> Iterator[int | None]:
    """Open a file below a directory, which no link leads out of; None where there is none.

    Raises:
        Unfit: it is not to be had.
    """
    try:
        here = os.dup(root)
    except OSError as error:
        raise Unfit(f"can't be opened: {words(error)}") from None
    try:
        pending = list(reversed(parts))
        links = 0
        while pending:
            here = _into_data(here)
            part = pending.pop()
            try:
                flags = (_DIRECTORY if pending else FLAGS) | os.O_NOFOLLOW
                inner = os.open(part, flags, dir_fd=here)
            except FileNotFoundError:
                yield None
                return
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR) or not _is_link(part, here):
                    raise Unfit(f"can't be opened: {words(error)}") from None
                links += 1
                pending += reversed(_target(part, here, links))
                continue
            here = _exchange(here, inner)
        yield here
    finally:
        os.close(here)


def _into_data(here: int) -> int:
    """Go on to what Kubernetes' link names, if there is one."""
    target = None
    with suppress(OSError):
        target = os.readlink(_DATA, dir_fd=here)
    if target is None or "/" in target or target in (".", ".."):
        return here
    try:
        return _exchange(here, os.open(target, _DIRECTORY | os.O_NOFOLLOW, dir_fd=here))
    except OSError:
        return here


def _names(root: int) -> list[str]:
    with os.scandir(root) as entries:
        return [entry.name for entry in entries if not entry.name.startswith(".")]


def _exchange(old: int, new: int) -> int:
    os.close(old)
    return new


def _is_link(name: str, here: int) -> bool:
    with suppress(OSError):  # it may have been taken away meanwhile
        return stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode)
    return False


def _target(name: str, here: int, links: int) -> list[str]:
    try:
        target = os.readlink(name, dir_fd=here)
    except OSError as error:
        raise Unfit(f"can't be opened: {words(error)}") from None
    parts = [part for part in target.split("/") if part not in ("", ".")]
    if target.startswith("/") or ".." in parts:
        raise Unfit("is a link that leads out of the directory")
    if links > _MOST_LINKS:
        raise Unfit("is a link that leads on to too many others, or to itself")
    return parts
