"""Real servers, each a process of its own on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HOST = "127.0.0.1"
EXAMPLES = Path(__file__).parents[2] / "examples"
#: Small apps of several frameworks, alike, for what concerns all servers.
FRAMEWORK_APPS = Path(__file__).parent / "framework_apps"

#: In less time uvicorn may take a worker that is still importing for one that hangs, and kill it;
#: and it may notice only after that time that a worker has ended.
PATIENT = ("--timeout-worker-healthcheck", "20")
#: How each server is started, but for the app and the port.
COMMANDS: Mapping[str, Sequence[str]] = {
    "gunicorn-sync": ("gunicorn", "--worker-class", "sync"),
    "gunicorn-gthread": ("gunicorn", "--worker-class", "gthread", "--threads", "4"),
    "granian-wsgi": ("granian", "--interface", "wsgi"),
    "granian-asgi": ("granian", "--interface", "asgi"),
    "uvicorn-h11": ("uvicorn", "--http", "h11", *PATIENT),
    "uvicorn-httptools": ("uvicorn", "--http", "httptools", *PATIENT),
    "hypercorn": ("hypercorn",),
}


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes:
        name: the server's, a key of `COMMANDS`.
        app: what it serves, as ``module:name``.
        port: where.
    """

    name: str
    app: str
    port: int
    _output: IO[bytes]

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> str:
        """All that the server has written so far to standard output and standard error."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def wait_for_log(self, text: str) -> str:
        """Return the log as soon as it has ``text``; some servers write it from another thread."""
        poll(lambda: text in self.log, f"{text!r} in the log of {self.name}")
        return self.log

    def connect(self, source: str) -> socket.socket:
        """Connect from an address, which is what the rate limiter counts by."""
        return socket.create_connection((HOST, self.port), timeout=120, source_address=(source, 0))

    def exchange(self, source: str, request: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes as they are; return every byte of the answer, to the connection's end.

        Args:
            source: the client's address.
            request: what to send. It should ask for the connection to be closed.
            half_close: end the sending direction, as a client does that breaks off.
        """
        with self.connect(source) as connection:
            answer = bytearray()
            try:
                connection.sendall(request)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    answer += chunk
            except (ConnectionResetError, BrokenPipeError):
                pass  # a server need not read all of what it refuses
            return bytes(answer)


@contextmanager
def serve(
    name: str,
    app: str,
    *,
    directory: Path = FRAMEWORK_APPS,
    env: Mapping[str, str] | None = None,
    workers: int = 1,
    options: Sequence[str] = (),
) -> Iterator[Server]:
    """Start a server on a free port; stop it in the end.

    Args:
        name: which, a key of `COMMANDS`.
        app: ``module:name`` of the app.
        directory: where the module is.
        env: environment variables beside those that the tests run with.
        workers: how many processes it has.
        options: more of its arguments, in place of equal ones of `COMMANDS`.
    """
    with TemporaryFile() as output:
        port = free_port()
        process = subprocess.Popen(
            [*command(name, app, port, workers), *options],
            cwd=directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(name, app, port, output)
        try:
            poll(lambda: _answers(server, process), f"an answer from {name}")
            yield server
        finally:
            stop(process)


def command(name: str, app: str, port: int, workers: int = 1) -> list[str]:
    """Return the command line of a server."""
    module, *options = COMMANDS[name]
    options += ["--workers", str(workers)]
    match module:
        case "gunicorn":
            options += ["--bind", f"{HOST}:{port}", "--no-control-socket"]
        case "hypercorn":
            options += ["--bind", f"{HOST}:{port}"]
        case _:
            options += ["--host", HOST, "--port", str(port)]
    return [sys.executable, "-m", module, *options, app]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def poll(condition: Callable[[], bool], what: str, *, seconds: float = 120) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it does not, for so long.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def _answers(server: Server, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"{server.name} ended with {process.returncode}:\n{server.log}")
    connection = HTTPConnection(HOST, server.port, timeout=10)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a server to end; after five seconds, or when it has left workers behind, end them."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
