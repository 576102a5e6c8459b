"""The demo, run as a reader of the project would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from tests.servers.server import EXAMPLES, poll

COMMAND = (sys.executable, "demo.py")


def test_demo_shows_the_responses() -> None:
    """It succeeds in time, and prints the responses of the bare and the wrapped apps."""
    done = subprocess.run(
        COMMAND, cwd=EXAMPLES, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.stderr == ""
    assert done.returncode == 0, done.stdout
    assert "All responses of the wrapped apps are correct" in done.stdout
    assert done.stdout.count("500 problem, no internals") == 4
    assert done.stdout.count(" ok │") == 34
    assert "******************" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.exhaustive
def test_demo_fails_if_a_response_is_wrong() -> None:
    """It prints the response, and exits with 1."""
    never = (
        "import demo; "
        "case = demo.Case('GET /', demo.get('/'), lambda *_: False); "
        "demo.CASES = {'ordinary': (case,)}; "
        "raise SystemExit(demo.main())"
    )
    done = subprocess.run(
        (sys.executable, "-c", never),
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    _, _, wrong = done.stdout.partition("Wrong responses:")
    assert "FastAPI under uvicorn, GET /: Response(status=200" in wrong
    assert "Flask under gunicorn, GET /: Response(status=200" in wrong


def test_interrupted_demo_leaves_nothing_running() -> None:
    """On Ctrl-C it stops its servers, and ends with what a shell expects."""
    mark = uuid4().hex
    demo = subprocess.Popen(
        COMMAND,
        cwd=EXAMPLES,
        env={**os.environ, "MANTLET_TEST_MARK": mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background may have it ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # no threads
    )
    with demo:
        poll(lambda: running(mark) >= 5, "the demo and its four servers")
        demo.send_signal(signal.SIGINT)
        _, said = demo.communicate(timeout=120)

    assert said == ""
    assert demo.returncode == 130
    poll(lambda: running(mark) == 0, "all of them to be gone")


def running(mark: str) -> int:
    """Return how many processes there are with a mark in their environment."""
    found = 0
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is none of ours
            found += mark.encode() in environment.read_bytes()
    return found
