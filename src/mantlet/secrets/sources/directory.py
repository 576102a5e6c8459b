"""Read secrets from a directory with one file each, and never from outside of the directory."""

import errno
import os
import stat
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mantlet._internal.trusted_paths import (
    HAS_OWNERS,
    READ_FLAGS,
    UnreadableFile,
    check_replaceable,
    open_step,
    open_trusted,
)
from mantlet.secrets.sources.read import (
    file_identity,
    note_separate_files,
    os_message,
    read_consistently,
    read_file,
)
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SecretSource,
    SourceError,
    SourceResult,
    find_similar_names,
)

__all__ = ["SecretFiles", "SystemdCredentials"]

#: The maximum number of links followed for one name.
_MAX_LINKS: Final = 8
#: The link that Kubernetes replaces when it replaces the secrets of a volume.
_KUBERNETES_LINK: Final = "..data"
_DIRECTORY_FLAGS: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)


class SecretFiles(SecretSource):
    """A directory with one file per secret, as mounted by Docker and Kubernetes.

    All files are read in one consistent state: if Kubernetes replaces them meanwhile, all are old
    or all are new. Files that are replaced one by one are read again once none of them has changed
    for two seconds. Links are only followed within the directory.

    Args:
        directory: the directory. A missing one has no secrets.
        separator: the separator of subdirectories in the names of secrets: with ``"__"``,
            ``db__password`` is the file ``db/password``. None for no subdirectories.
        allow_world_readable: accept files that every user of the machine can read. Docker creates
            them, and so does Kubernetes without a ``defaultMode``.

    Raises:
        ValueError: ``separator`` is empty.
    """

    #: Whether the files change together, however they are replaced.
    _changes_together = False

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        separator: str | None = None,
        allow_world_readable: bool = False,
    ) -> None:
        if separator == "":
            raise ValueError("separator must not be empty; use None for no subdirectories")
        self.name = self._directory = os.fspath(directory)
        self._separator = separator
        self._allow_world_readable = allow_world_readable

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return the content of the fields' files."""
        return read_consistently(lambda: self._read(fields), lambda: self.change_token(fields))

    def _read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        found: dict[str, SourceResult] = {}
        with _open_directory(self._directory) as root:
            if root is None:
                return found
            for wanted in fields:
                for name in dict.fromkeys((wanted.key, wanted.env)):
                    value = self._read_file(root, name)
                    if value is not None:
                        found[wanted.name] = value
                        break
            is_swapped = self._changes_together or _has_kubernetes_link(root)
        return found if is_swapped else note_separate_files(found)

    def _read_file(self, root: int, name: str) -> SourceResult | None:
        path = self._path(name)
        try:
            with _open_within(root, self._parts(name), self.name) as file:
                if file is None:
                    return None
                return read_file(file, path, allow_world_readable=self._allow_world_readable)
        except UnreadableFile as error:
            return RejectedValue(path, str(error))

    def _parts(self, name: str) -> list[str]:
        parts = name.split(self._separator) if self._separator else [name]
        if not all(parts) or any(
            "/" in part or "\0" in part or part.startswith("..") or part == "." for part in parts
        ):
            raise UnreadableFile("has a name that is not valid for a file in the directory")
        return parts

    def _path(self, name: str) -> str:
        return str(Path(self.name, *(name.split(self._separator) if self._separator else [name])))

    def location(self, field: SecretField) -> str:
        """Return the path of the file."""
        return self._path(field.key)

    def change_token(self, fields: Sequence[SecretField]) -> Hashable:
        """Return the identities of the directory and of the files."""
        with _open_directory(self._directory) as root:
            if root is None:
                return None
            # Files that are replaced at once need not settle: their identities are plain tuples.
            identify = _plain_identity if _has_kubernetes_link(root) else file_identity
            return (identify(root), *(self._file_token(root, one, identify) for one in fields))

    def _file_token(
        self, root: int, field: SecretField, identify: Callable[[int], Hashable]
    ) -> Hashable:
        for name in (field.key, field.env):
            with suppress(UnreadableFile), _open_within(root, self._parts(name), self.name) as file:
                if file is not None:
                    return name, identify(file)
        return None

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return unknown files whose names resemble a secret's."""
        with _open_directory(self._directory) as root:
            names = [] if root is None else _list_names(root)
        known = [name for field in fields for name in (field.key, field.env)]
        return find_similar_names(names, known)


class SystemdCredentials(SecretFiles):
    """The credentials of a systemd service: ``LoadCredential=`` and similar (systemd.exec(5)).

    Args:
        directory: the directory; ``$CREDENTIALS_DIRECTORY`` by default. Without either there are no
            secrets.
    """

    _changes_together = True

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        found = os.environ.get("CREDENTIALS_DIRECTORY") if directory is None else directory
        super().__init__(found or "")
        self.name = self.name or "$CREDENTIALS_DIRECTORY"


@contextmanager
def _open_directory(directory: str) -> Iterator[int | None]:
    """Open a directory, or yield None if it is missing."""
    if not HAS_OWNERS and directory and Path(directory).exists():
        raise SourceError("directories of secrets need Linux, macOS or another Unix")
    try:
        root = open_trusted(directory, _DIRECTORY_FLAGS)
    except FileNotFoundError:
        yield None
        return
    except UnreadableFile as error:
        raise SourceError(str(error)) from None
    except OSError as error:
        raise SourceError(f"can't be opened: {os_message(error)}") from None
    try:
        yield root
    finally:
        os.close(root)


@contextmanager
def _open_within(root: int, parts: Sequence[str], path: str) -> Iterator[int | None]:
    """Open a file below a directory that no link leads out of, or yield None if it is missing.

    Raises:
        UnreadableFile: the file can't be opened, or other users may replace it.
    """
    try:
        here = os.dup(root)
    except OSError as error:
        raise UnreadableFile(f"can't be opened: {os_message(error)}") from None
    try:
        pending = list(reversed(parts))
        links = 0
        while pending:
            here = _enter_kubernetes_link(here, path)
            part = pending.pop()
            try:
                flags = _DIRECTORY_FLAGS if pending else READ_FLAGS
                inner = open_step(part, flags, here, path)
            except FileNotFoundError:
                yield None
                return
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR) or not _is_link(part, here):
                    raise UnreadableFile(f"can't be opened: {os_message(error)}") from None
                _check_link(part, here, path)
                links += 1
                pending += reversed(_link_target(part, here, links))
                continue
            here = _replace_descriptor(here, inner)
            path = f"{path}/{part}"
        yield here
    finally:
        os.close(here)


def _enter_kubernetes_link(here: int, path: str) -> int:
    """Open the target of the ``..data`` link of a directory, if there is one."""
    target = None
    with suppress(OSError):
        target = os.readlink(_KUBERNETES_LINK, dir_fd=here)
    if target is None or "/" in target or target in (".", ".."):
        return here
    _check_link(_KUBERNETES_LINK, here, path)
    try:
        inner = open_step(target, _DIRECTORY_FLAGS, here, path)
    except OSError:
        return here
    return _replace_descriptor(here, inner)


def _has_kubernetes_link(here: int) -> bool:
    return _is_link(_KUBERNETES_LINK, here)


def _plain_identity(file: int) -> Hashable:
    return tuple(file_identity(file))


def _list_names(root: int) -> list[str]:
    with os.scandir(root) as entries:
        return [entry.name for entry in entries if not entry.name.startswith(".")]


def _replace_descriptor(old: int, new: int) -> int:
    os.close(old)
    return new


def _is_link(name: str, here: int) -> bool:
    with suppress(OSError):  # it may have been removed meanwhile
        return stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode)
    return False


def _check_link(name: str, here: int, path: str) -> None:
    """Check that no other user can have put a link into a directory."""
    try:
        status = os.stat(name, dir_fd=here, follow_symlinks=False)
    except OSError as error:
        raise UnreadableFile(f"can't be opened: {os_message(error)}") from None
    check_replaceable(here, status, path)


def _link_target(name: str, here: int, links: int) -> list[str]:
    try:
        target = os.readlink(name, dir_fd=here)
    except OSError as error:
        raise UnreadableFile(f"can't be opened: {os_message(error)}") from None
    parts = [part for part in target.split("/") if part not in ("", ".")]
    if target.startswith("/") or ".." in parts:
        raise UnreadableFile("is a link that leads out of the directory")
    if links > _MAX_LINKS:
        raise UnreadableFile("is a link to itself, or the start of too many links")
    return parts
