"""Real database servers, each on a free port, where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.servers.server import HOST, poll
from tests.stores.redis.servers import quiet_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["mariadb", "postgresql"]

_POSTGRESQL: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@contextmanager
def _directory(user: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield a directory of the user's, and the options that start a process as that user.

    Servers refuse to run as root. Who is not root runs them as they are.
    """
    path = Path(tempfile.mkdtemp(prefix="mantlet-"))
    options: dict[str, Any] = {
        "cwd": path,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    try:
        if os.geteuid() == 0:
            try:
                shutil.chown(path, user, user)
            except LookupError:
                pytest.skip(f"there is no user {user}, and the server refuses to run as root")
            options |= {"user": user, "group": user, "extra_groups": []}
        yield path, options
    finally:
        shutil.rmtree(path)


@contextmanager
def _running(
    command: list[str], options: dict[str, Any], connects: Callable[[], bool]
) -> Iterator[None]:
    process = subprocess.Popen(command, **options)
    try:
        poll(connects, f"an answer from {command[0]}")
        yield
    finally:
        process.terminate()
        process.wait(120)


@contextmanager
def postgresql(connect: Callable[[int], Any]) -> Iterator[int]:
    """Yield the port of a PostgreSQL server with the user ``app``, or skip the test."""
    if not _POSTGRESQL:
        pytest.skip("PostgreSQL is not installed")
    port = quiet_port()
    with _directory("postgres") as (path, options):
        binaries, data = _POSTGRESQL[-1].parent, str(path / "data")
        command = [str(binaries / "initdb"), "-D", data, "-U", "app", "-A", "trust", "--no-sync"]
        subprocess.run(command, check=True, **options)
        server = [
            str(binaries / "postgres"),
            "-D",
            data,
            "-p",
            str(port),
            "-h",
            HOST,
            "-F",
            "-k",
            "",
        ]
        with _running(server, options, lambda: _connects(connect, port)):
            yield port


@contextmanager
def mariadb(connect: Callable[[int], Any]) -> Iterator[int]:
    """Yield the port of a MariaDB server with the database ``test``, or skip the test."""
    install, binary = shutil.which("mariadb-install-db"), _mariadbd()
    if install is None or binary is None:
        pytest.skip("MariaDB is not installed")
    port = quiet_port()
    with _directory("mysql") as (path, options):
        data = f"--datadir={path / 'data'}"
        made = [install, "--no-defaults", data, "--auth-root-authentication-method=normal"]
        subprocess.run(made, check=True, **options)
        server = [
            binary, "--no-defaults", data, f"--port={port}", f"--bind-address={HOST}",
            f"--socket={path / 's'}", f"--pid-file={path / 'pid'}",
        ]  # fmt: skip
        with _running(server, options, lambda: _connects(connect, port)):
            yield port


def _mariadbd() -> str | None:
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")


def _connects(connect: Callable[[int], Any], port: int) -> bool:
    try:
        connect(port).close()
    except Exception:
        return False
    return True
