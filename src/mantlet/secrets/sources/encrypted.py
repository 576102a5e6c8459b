"""Read secrets from encrypted files, decrypted by a command: age or sops."""

import os
import selectors
import shutil
import signal
import subprocess
from abc import abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from mantlet.secrets.secret import Secret
from mantlet.secrets.sources.dotenv import parse_dotenv
from mantlet.secrets.sources.read import (
    MAX_BYTES,
    UnreadableFile,
    file_identity,
    is_settled,
    open_file,
    read_file,
)
from mantlet.secrets.sources.remote import (
    TIMED_OUT,
    RemoteSource,
    SourceUnavailable,
    remaining_seconds,
)
from mantlet.secrets.sources.source import (
    SecretField,
    SourceError,
    SourceResult,
    find_similar_names,
    parse_json_object,
    select_values,
)

__all__ = ["AgeFile", "SopsFile", "run_command"]

#: https://github.com/getsops/sops/blob/main/cmd/sops/codes/codes.go
_SOPS_EXIT_CODES: Final[Mapping[int, str]] = {
    51: "was modified after it was encrypted",
    52: "was modified after it was encrypted",
    128: "no key can decrypt it",
}
_CHUNK: Final = 64 * 1024


class _EncryptedFile(RemoteSource):
    """A file that a command decrypts.

    Like a store, it is read after a response is complete, since a command may call a key server;
    and it is only decrypted again after it has changed.
    """

    def __init__(
        self, path: str | os.PathLike[str], command: str, *, timeout: float, poll_interval: float
    ) -> None:
        if not hasattr(os, "killpg"):
            raise ValueError(
                "encrypted files need Linux, macOS or another Unix, where a command that hangs "
                "can be killed with all of its processes"
            )
        # Absolute: the command runs in another directory, and a name may begin with "-".
        self._path = str(Path(path).absolute())
        super().__init__(
            os.fspath(path), timeout=timeout, retries=0, refresh_interval=poll_interval
        )
        executable = shutil.which(command)
        if executable is None:
            raise ValueError(f"the command {command} is not installed")
        self._command = str(Path(executable).absolute())
        #: The identity of the file, its decrypted content, and the time of its last change.
        self._decrypted: tuple[Hashable, Secret[bytes], float] | None = None
        self._names: Sequence[str] = ()

    def read_once(
        self, fields: Sequence[SecretField], deadline: float
    ) -> Mapping[str, SourceResult]:
        """Decrypt the file if it has changed, and return its values."""
        reason = ""
        try:
            with open_file(self._path) as file:
                changed_at = read_file(file, self.name, allow_world_readable=True).changed_at
                identity = file_identity(file)
                if self._decrypted is None or self._decrypted[0] != identity:
                    os.lseek(file, 0, os.SEEK_SET)
                    content = Secret(self._decrypt(file, deadline))
                    known = identity if is_settled(identity) else object()
                    self._decrypted = known, content, changed_at or 0.0
        except FileNotFoundError:
            self._decrypted = None
            return {}
        except UnreadableFile as error:
            reason = str(error)
        if reason or self._decrypted is None:
            raise SourceError(reason)
        values = self.parse(self._decrypted[1].reveal())
        self._names = tuple(values)
        return select_values(fields, values, self.name, self._decrypted[2])

    def _decrypt(self, file: int, deadline: float) -> bytes:
        code, raw = self.run(file, deadline)
        if code:
            raise SourceError(self.failure_reason(code))
        return raw

    @abstractmethod
    def run(self, file: int, deadline: float) -> tuple[int, bytes]:
        """Run the command, and return its exit code and output.

        Args:
            file: the descriptor of the encrypted file.
            deadline: the end of the timeout by ``time.monotonic()``.
        """

    @abstractmethod
    def failure_reason(self, code: int) -> str:
        """Return the meaning of an exit code, as a line of the report."""

    def parse(self, raw: bytes) -> Mapping[str, object]:
        """Return the values of the decrypted content."""
        return parse_json_object(raw)

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return unknown names in the file that resemble a secret's."""
        known = [name for one in fields for name in (one.key, one.env)]
        return find_similar_names(self._names, known)


class AgeFile(_EncryptedFile):
    """A ``.env`` file or a JSON object that is encrypted with age: https://age-encryption.org.

    Args:
        path: the file, named ``*.env.age`` or ``*.json.age``. A missing file has no secrets.
        identity: the path of the identity file, which no other user may be able to read. It must
            not have a passphrase, since nobody is there to enter it.
        timeout: seconds for decrypting.
        poll_interval: seconds until the file is checked for a change.
        command: the name or the path of age.

    Raises:
        ValueError: the command is not installed, or an option is invalid; the message names it.
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
        suffixes = Path(path).suffixes[-2:]
        valid = suffixes in ([".env", ".age"], [".json", ".age"]) or Path(path).name == ".env.age"
        if not valid:
            raise ValueError(f"path must end with .env.age or .json.age, not {self.name!r}")
        self._is_json = suffixes == [".json", ".age"]
        self._identity = str(Path(identity).absolute())

    def run(self, file: int, deadline: float) -> tuple[int, bytes]:
        """Run ``age --decrypt``."""
        reason = ""
        try:
            with open_file(self._identity) as opened:
                read_file(opened, self._identity, allow_world_readable=False)
        except FileNotFoundError:
            reason = "does not exist"
        except UnreadableFile as error:
            reason = str(error)
        if reason:
            raise SourceError(f"its identity {self._identity} {reason}")
        return run_command([self._command, "--decrypt", "-i", self._identity], file, deadline)

    def failure_reason(self, code: int) -> str:
        """Return the meaning of an exit code; age uses the same for all errors."""
        return f"can't be decrypted (age exits with {code}): check the identity"

    def parse(self, raw: bytes) -> Mapping[str, object]:
        """Return the values of the ``.env`` file or the JSON object."""
        return parse_json_object(raw) if self._is_json else parse_dotenv(raw)


class SopsFile(_EncryptedFile):
    """A file of any format that is encrypted with sops: https://getsops.io.

    Sops finds its keys by itself, in the environment and on key servers.

    Args:
        path: the file. A missing file has no secrets.
        timeout: seconds for decrypting, including key servers.
        poll_interval: seconds until the file is checked for a change.
        command: the name or the path of sops.

    Raises:
        ValueError: the command is not installed, or an option is invalid; the message names it.
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

    def run(self, file: int, deadline: float) -> tuple[int, bytes]:
        """Run ``sops decrypt``, which derives the format from the file's name."""
        command = [self._command, "decrypt", "--output-type", "json", self._path]
        return run_command(command, subprocess.DEVNULL, deadline)

    def failure_reason(self, code: int) -> str:
        """Return the meaning of an exit code."""
        return f"can't be decrypted: {_SOPS_EXIT_CODES.get(code, f'sops exits with {code}')}"


def run_command(command: Sequence[str], stdin: int, deadline: float) -> tuple[int, bytes]:
    """Run a command without a shell, and return its exit code and output.

    The command has no terminal. Its error output is discarded, since it may contain values. At the
    deadline it is killed with all processes that it has started.

    Args:
        command: an absolute path and the arguments.
        stdin: the descriptor of the input; ``subprocess.DEVNULL`` for none.
        deadline: the end of the timeout by ``time.monotonic()``.

    Raises:
        SourceUnavailable: the command exceeded the deadline.
        SourceError: the command can't be run, or its output exceeds 1 MiB.
    """
    process = _start(command, stdin)
    try:
        raw = _read_output(process, deadline)
        code = _wait(process, deadline)
    except BaseException:
        # It has not been waited for, so no other process group can have its number yet.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        process.stdout.close()
    return code, raw


def _start(command: Sequence[str], stdin: int) -> Any:
    with suppress(OSError):
        return subprocess.Popen(  # noqa: S603  # no shell, and no input of a client
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
    raise SourceError(f"{command[0]} can't be run")


def _read_output(process: Any, deadline: float) -> bytes:
    """Read the output, which may be endless."""
    raw = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(remaining_seconds(deadline)):
                raise SourceUnavailable(TIMED_OUT)
            chunk = process.stdout.read(_CHUNK)
            if not chunk:
                return bytes(raw)
            raw += chunk
            if len(raw) > MAX_BYTES:
                raise SourceError(f"is larger than {MAX_BYTES // 1024} KiB once decrypted")


def _wait(process: Any, deadline: float) -> int:
    with suppress(subprocess.TimeoutExpired):
        code: int = process.wait(remaining_seconds(deadline))
        return code
    raise SourceUnavailable(TIMED_OUT)
