"""Files that are encrypted, and decrypted by a command: age, sops."""

import os
import shutil
import subprocess
from abc import abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from mantlet.secrets.secret import Secret
from mantlet.secrets.sources.dotenv import bindings
from mantlet.secrets.sources.members import members
from mantlet.secrets.sources.read import Unfit, identity, opened_file, read_file
from mantlet.secrets.sources.remote import Remote
from mantlet.secrets.sources.running import printed
from mantlet.secrets.sources.source import (
    SecretField,
    SourceError,
    SourceResult,
    pick,
    typos,
)

__all__ = ["AgeFile", "SopsFile"]

#: https://github.com/getsops/sops/blob/main/cmd/sops/codes/codes.go
_SOPS_CODES: Final[Mapping[int, str]] = {
    51: "was changed after it was encrypted",
    52: "was changed after it was encrypted",
    128: "there is no key that opens it",
}


class _Encrypted(Remote):
    """A file that a command decrypts.

    That is done behind answers, as for a store, since a command may ask a key's server; and only
    where the file is another than the last time.
    """

    def __init__(
        self, path: str | os.PathLike[str], command: str, *, timeout: float, poll_interval: float
    ) -> None:
        # Absolute: the command is run elsewhere, and a name that begins with "-" is no option.
        self._path = str(Path(path).absolute())
        super().__init__(
            os.fspath(path), timeout=timeout, retries=0, refresh_interval=poll_interval
        )
        found = shutil.which(command)
        if found is None:
            raise ValueError(f"the command {command} is not installed")
        self._command = str(Path(found).absolute())
        self._known: tuple[Hashable, Secret[bytes], float] | None = None
        self._names: Sequence[str] = ()

    def ask(self, fields: Sequence[SecretField], until: float) -> Mapping[str, SourceResult]:
        """Decrypt the file, unless it is the one of the last time."""
        why = ""
        try:
            with opened_file(self._path) as file:
                since = read_file(file, self.name, allow_world_readable=True).changed_at
                state = identity(file)
                if self._known is None or self._known[0] != state:
                    os.lseek(file, 0, os.SEEK_SET)
                    self._known = state, Secret(self._decrypted(file, until)), since or 0.0
        except FileNotFoundError:
            self._known = None
            return {}
        except Unfit as unfit:
            why = str(unfit)
        if why or self._known is None:
            raise SourceError(why)
        values = self.values(self._known[1].reveal())
        self._names = tuple(values)
        return pick(fields, values, self.name, self._known[2])

    def _decrypted(self, file: int, until: float) -> bytes:
        code, raw = self.decrypt(file, until)
        if code:
            raise SourceError(self.refusal(code))
        return raw

    @abstractmethod
    def decrypt(self, file: int, until: float) -> tuple[int, bytes]:
        """Run the command, and return its exit code and what it prints.

        Args:
            file: the descriptor of the encrypted file.
            until: when it has to be over.
        """

    @abstractmethod
    def refusal(self, code: int) -> str:
        """Return what an exit code means."""

    def values(self, raw: bytes) -> Mapping[str, object]:
        """Return what is in the decrypted file."""
        return members(raw)

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return names in the file that resemble those of the app."""
        return typos(self._names, [name for one in fields for name in (one.key, one.env)])


class AgeFile(_Encrypted):
    """A ``.env`` file, or a JSON object, that is encrypted with age: https://age-encryption.org.

    Args:
        path: the file: ``secrets.env.age`` or ``secrets.json.age``. One that isn't there has no
            secrets.
        identity: the path of the file with the identity that opens it, which others must not be
            able to read. One with a passphrase can't be used: there is nobody to ask.
        timeout: seconds that decrypting may take.
        poll_interval: seconds after which it is looked at again whether the file is another.
        command: age's.

    Raises:
        ValueError: the command is not installed, or an option can't be; the message says which.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        identity: str | os.PathLike[str],
        timeout: float = 10.0,
        poll_interval: float = 5.0,
        command: str = "age",
    ) -> None:
        super().__init__(path, command, timeout=timeout, poll_interval=poll_interval)
        kind = Path(path).suffixes[-2:]
        if kind not in ([".env", ".age"], [".json", ".age"]) and Path(path).name != ".env.age":
            raise ValueError(f"path must end with .env.age or .json.age, not {self.name!r}")
        self._is_json = kind == [".json", ".age"]
        self._identity = str(Path(identity).absolute())

    def decrypt(self, file: int, until: float) -> tuple[int, bytes]:
        """Run ``age --decrypt``."""
        why = ""
        try:
            with opened_file(self._identity) as opened:
                read_file(opened, self._identity, allow_world_readable=False)
        except FileNotFoundError:
            why = "isn't there"
        except Unfit as unfit:
            why = str(unfit)
        if why:
            raise SourceError(f"its identity {self._identity} {why}")
        return printed([self._command, "--decrypt", "-i", self._identity], file, until)

    def refusal(self, code: int) -> str:
        """Return what can be said of it: age has one code for all."""
        return f"can't be decrypted (age exits with {code}): is the identity another?"

    def values(self, raw: bytes) -> Mapping[str, object]:
        """Return the variables, or the members."""
        return members(raw) if self._is_json else bindings(raw)


class SopsFile(_Encrypted):
    """A file that is encrypted with sops, of any kind that it knows: https://getsops.io.

    Its keys are those that sops finds by itself, in the environment and in its key servers.

    Args:
        path: the file. One that isn't there has no secrets.
        timeout: seconds that decrypting may take, key servers included.
        poll_interval: seconds after which it is looked at again whether the file is another.
        command: sops's.

    Raises:
        ValueError: the command is not installed, or an option can't be; the message says which.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 10.0,
        poll_interval: float = 5.0,
        command: str = "sops",
    ) -> None:
        super().__init__(path, command, timeout=timeout, poll_interval=poll_interval)

    def decrypt(self, file: int, until: float) -> tuple[int, bytes]:
        """Run ``sops decrypt``, which tells the kind of a file by its name."""
        command = [self._command, "decrypt", "--output-type", "json", self._path]
        return printed(command, subprocess.DEVNULL, until)

    def refusal(self, code: int) -> str:
        """Return what a code of sops's means."""
        return f"can't be decrypted: {_SOPS_CODES.get(code, f'sops exits with {code}')}"
