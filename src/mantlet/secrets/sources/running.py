"""A command that is run for what it prints."""

import os
import selectors
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mantlet.secrets.sources.read import MOST_BYTES
from mantlet.secrets.sources.remote import LATE, Unavailable, remaining
from mantlet.secrets.sources.source import SourceError

__all__ = ["printed"]

_PART = 64 * 1024


def printed(command: Sequence[str], stdin: int, until: float) -> tuple[int, bytes]:
    """Run a command, without a shell, and return its exit code and what it prints.

    It has no terminal to ask at. What it says of errors is thrown away: values may be in it. When
    the time is up, it is killed with all processes that it has begun.

    Args:
        command: an absolute path, and the arguments.
        stdin: the descriptor of what it reads; ``subprocess.DEVNULL`` for nothing.
        until: when it has to be over, by ``time.monotonic()``.

    Raises:
        Unavailable: it was not over in time.
        SourceError: it can't be run, or prints more than 1 MiB.
    """
    process = _begun(command, stdin)
    try:
        raw = _read(process, until)
        code = _ended(process, until)
    except BaseException:
        # It has not been waited for, so that no other group can have its number by now.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        process.stdout.close()
    return code, raw


def _begun(command: Sequence[str], stdin: int) -> Any:
    with suppress(OSError):
        return subprocess.Popen(  # noqa: S603  # no shell, and nothing of a client's is in it
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
    raise SourceError(f"{command[0]} can't be run")


def _read(process: Any, until: float) -> bytes:
    """Read all that it prints, though it may never end."""
    raw = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(remaining(until)):
                raise Unavailable(LATE)
            part = process.stdout.read(_PART)
            if not part:
                return bytes(raw)
            raw += part
            if len(raw) > MOST_BYTES:
                raise SourceError(f"is larger than {MOST_BYTES // 1024} KiB once decrypted")


def _ended(process: Any, until: float) -> int:
    with suppress(subprocess.TimeoutExpired):
        code: int = process.wait(remaining(until))
        return code
    raise Unavailable(LATE)
