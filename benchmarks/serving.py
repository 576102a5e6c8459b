"""A server of one worker on a free port of the loopback interface, for as long as it is needed."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import create_server

from benchmarks.environment import ROOT
from benchmarks.traffic import SMALL

_QUIET = ["--log-level", "error"]
UVICORN = ["uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log", *_QUIET]
GUNICORN = ["gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1", *_QUIET]
GUNICORN += ["--no-control-socket"]


@dataclass(frozen=True)
class Running:
    """A server that runs: the address of its app, and the id of its first process."""

    url: str
    pid: int


@contextmanager
def serve(
    python: Path,
    command: list[str],
    app: str,
    *,
    field: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Run a server for as long as the context lasts.

    Args:
        python: the interpreter of the environment that the server is in.
        command: the server's, as a module.
        app: the module of these benchmarks, and the name in it, that it serves.
        field: a header that identifies the wrapped app; None if it has no such header.
        environ: environment variables besides those of this process.
    """
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    filled = [str(python), "-m", *(word.format(port=port) for word in command), f"benchmarks.{app}"]
    process = subprocess.Popen(filled, cwd=ROOT, env={**os.environ, **(environ or {})})
    try:
        _await_answer(process, port, field)
        yield Running(f"http://127.0.0.1:{port}/orders", process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], port: int, field: str | None) -> None:
    """Wait until a server answers, and see that its app is the one that is meant."""
    for _ in range(200):
        assert process.poll() is None, "the server ended before its first answer"
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("POST", "/orders", SMALL.body, dict(SMALL.headers))
            answer = connection.getresponse()
        except (OSError, HTTPException):
            time.sleep(0.1)
        else:
            assert answer.status == 200, answer.read()
            for name in ("RateLimit", "X-RateLimit-Limit"):
                assert (answer.getheader(name) is not None) == (name == field), name
            return
        finally:
            connection.close()
    raise TimeoutError("the server has not answered in 20 seconds")
