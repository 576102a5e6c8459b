"""`JwksFile`: keys from a file on this machine."""

import os
import stat
from pathlib import Path
from time import time_ns
from typing import Final

from mantlet._internal.options import KnowsOptions
from mantlet._internal.trusted_paths import READ_FLAGS, UnreadableFile, open_trusted, writers
from mantlet.authentication.http import ProviderError
from mantlet.authentication.keys.source import LoadedKeys, RenewedKeys
from mantlet.exceptions import MantletError

__all__ = ["JwksFile"]

_MAX_SIZE: Final = 512 * 1024
#: Seconds between two looks at the file.
_INTERVAL: Final = 5.0
#: Nanoseconds after which the next change of a file certainly has another time.
_SETTLING: Final = 2_000_000_000


class JwksFile(KnowsOptions, RenewedKeys):
    """Load keys from a file with a JWK Set (RFC 7517, 5), for an app that can't reach its provider.

    The file is looked at every 5 seconds at most, after a response, and is read again if it has
    changed; replace it by renaming another one. As for secrets, a file is refused that other users
    of the machine can write to or replace. While a changed file can't be used, the last keys are.
    Unlike a provider that does not respond, a file that can't be used at the start stops the
    server.

    Args:
        path: the path of the file.

    Raises:
        TypeError: it is not a path.
    """

    def __init__(self, path: str | Path) -> None:
        if not isinstance(path, str | Path):
            raise TypeError(f"path must be a path, not {path!r}")
        super().__init__("JwksFile", timeout=10.0)
        self._path = str(path)
        self._seen: tuple[int, ...] | None = None

    async def startup(self) -> None:
        """Read the file.

        Raises:
            MantletError: it can't be used.
        """
        await super().startup()
        if self.key_set is None:
            raise MantletError(f"JwksFile: {self._failure or 'the file is not read in time'}")

    def load(self, deadline: float) -> LoadedKeys:
        """Read the file, if it has changed."""
        try:
            file = open_trusted(self._path, READ_FLAGS)
        except UnreadableFile as error:
            raise ProviderError(f"the file {error}") from None
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            reason = os.strerror(number) if number else "invalid path"
            raise ProviderError(f"the file can't be opened: {reason}") from None
        try:
            return self._read(file)
        finally:
            os.close(file)

    def _read(self, file: int) -> LoadedKeys:
        before = _check(file)
        if before == self._seen and not self._failure:
            return LoadedKeys(None, _INTERVAL)
        try:
            with os.fdopen(os.dup(file), "rb") as stream:
                document = stream.read(_MAX_SIZE + 1)
        except OSError as error:  # of a disk or a file server
            raise ProviderError(f"the file can't be read: {error.strerror}") from None
        if len(document) > _MAX_SIZE:
            raise ProviderError(f"the file is larger than {_MAX_SIZE // 1024} KiB")
        if _check(file) != before:
            raise ProviderError("the file is being written: replace it by renaming another one")
        is_settled = time_ns() - max(before[-2:]) > _SETTLING
        self._seen = before if is_settled else None
        return LoadedKeys(document, _INTERVAL)


def _check(file: int) -> tuple[int, ...]:
    """Return the identity of an open file, which differs after each change.

    Raises:
        ProviderError: other users may write to it, or it is not a file.
    """
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        raise ProviderError("the file is not a regular file")
    others = writers(file)
    if others is not None:
        raise ProviderError(f"the file can be written to by {others}: chmod go-w")
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
