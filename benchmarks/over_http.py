"""Over HTTP: a bare and a wrapped server side by side, under load in turns.

Each server is one worker on a free port of the loopback interface. Both of a pair run all the time,
and a round puts first one and then the other under load, so that whatever the machine does in the
meantime falls on both; which of them comes first alternates.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import create_server
from typing import Any

from benchmarks.environment import ROOT
from benchmarks.load import K9, Wrk
from benchmarks.traffic import SMALL

_QUIET = ["--log-level", "error"]
_UVICORN = ["uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log", *_QUIET]
_GUNICORN = ["gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1", *_QUIET]
_GUNICORN += ["--no-control-socket"]

PAIRS = {
    ("FastAPI", "uvicorn"): _UVICORN,
    ("FastAPI", "gunicorn"): [*_GUNICORN, "--worker-class", "asgi"],
    ("Flask", "gunicorn"): [*_GUNICORN, "--worker-class", "gthread", "--threads", "2"],
    ("Flask", "uvicorn"): [*_UVICORN, "--interface", "wsgi"],
}


def measure(python: Path, load: Wrk | K9, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Measure every pair of servers.

    Args:
        python: the interpreter of the environment that the servers are in.
        load: the generator.
        rounds: how many times each server is put under load.
        seconds: how long, each time.
    """
    measured = []
    for (framework, server), command in PAIRS.items():
        print(f"{framework} under {server}", file=sys.stderr)
        app = framework.lower()
        with (
            _serve(python, command, f"{app}_bare") as bare,
            _serve(python, command, f"{app}_wrapped") as wrapped,
        ):
            urls = {"bare": bare, "wrapped": wrapped}
            alternated = _alternate(load, urls, rounds, seconds)
        measured.append({"framework": framework, "server": server, "rounds": alternated})
    return measured


def _alternate(
    load: Wrk | K9, urls: dict[str, str], rounds: int, seconds: float
) -> list[dict[str, dict[str, float]]]:
    """Put two servers under load in turns."""
    sides = tuple(urls)
    for side in sides:
        load(urls[side], min(1, seconds))
    measured = []
    for index in range(rounds):
        order = sides if index % 2 == 0 else sides[::-1]
        round_ = {side: load(urls[side], seconds).json() for side in order}
        measured.append({side: round_[side] for side in sides})
    return measured


@contextmanager
def _serve(python: Path, command: list[str], app: str) -> Iterator[str]:
    """Run a server for as long as the context lasts; yield its app's address."""
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    filled = [word.format(port=port) for word in command]
    process = subprocess.Popen([python, "-m", *filled, f"benchmarks.served:{app}"], cwd=ROOT)
    try:
        _await_answer(process, port, wrapped=app.endswith("wrapped"))
        yield f"http://127.0.0.1:{port}/orders"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], port: int, *, wrapped: bool) -> None:
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
            assert (answer.getheader("RateLimit") is not None) == wrapped
            return
        finally:
            connection.close()
    raise TimeoutError("the server has not answered in 20 seconds")
