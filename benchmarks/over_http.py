"""Over HTTP: a bare and a wrapped server side by side, under load in turns.

Each server is one worker on a free port of the loopback interface. Both of a pair run all the time,
and a round puts first one and then the other under load, so that other load on the machine affects
both; which of them comes first alternates.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks import names
from benchmarks.load import K9, Wrk
from benchmarks.serving import GUNICORN, UVICORN, serve

PAIRS = {
    ("FastAPI", "uvicorn"): UVICORN,
    ("FastAPI", "gunicorn"): [*GUNICORN, "--worker-class", "asgi"],
    (names.GUARDED, "uvicorn"): UVICORN,
    ("Flask", "gunicorn"): [*GUNICORN, "--worker-class", "gthread", "--threads", "2"],
    ("Flask", "uvicorn"): [*UVICORN, "--interface", "wsgi"],
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
        guarded = framework == names.GUARDED
        app = framework.partition(" ")[0].lower()
        around = f"served:{app}_{'guarded' if guarded else 'wrapped'}"
        field = None if guarded else "RateLimit"
        with (
            serve(python, command, f"served:{app}_bare") as bare,
            serve(python, command, around, field=field) as wrapped,
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
