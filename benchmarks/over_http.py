"""Over HTTP: the processor time that a server takes for a request, in user mode and in the kernel.

Each contender has a server of one worker on a free port of the loopback interface. All servers of a
group run all the time, and a round puts each of them under load once, in an order shuffled for each
round, so that other load on the machine affects all of them alike. What it takes does not depend on
whether the load generator or another process had the processor in between, as requests a second do.

Linux counts the time; without `/proc` nothing is measured.
"""

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import names
from benchmarks.load import K9, Wrk
from benchmarks.processes import cpu_ns
from benchmarks.serving import GUNICORN, UVICORN, serve

_GRANIAN = ["granian", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "error"]
SERVERS = {
    ("FastAPI", "uvicorn"): UVICORN,
    ("FastAPI", "granian"): [*_GRANIAN, "--interface", "asgi"],
    ("Flask", "gunicorn"): [*GUNICORN, "--worker-class", "gthread", "--threads", "2"],
    ("Flask", "granian"): [*_GRANIAN, "--interface", "wsgi", "--blocking-threads", "2"],
}
_LIMITED = (names.LIMITER, names.TWO, names.ALL_FIVE)


@dataclass(frozen=True)
class Served:
    """One contender.

    Attributes:
        name: as `benchmarks.served` knows it.
        environ: further environment variables of its server.
    """

    name: str
    environ: Mapping[str, str] = field(default_factory=dict)


def measure(python: Path, load: Wrk | K9, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Measure all contenders under each server.

    Args:
        python: the interpreter of the environment that the servers are in.
        load: the generator.
        rounds: how many times each server is put under load.
        seconds: how long, each time.

    Returns:
        For each server the microseconds that each contender took for a request, for each round.
    """
    return [
        {
            "framework": framework,
            "server": server,
            "cpu_us": measure_group(
                python,
                load,
                (framework, server),
                {name: Served(name) for name in (*names.SERVED, *names.SERVED_PEERS[framework])},
                rounds=rounds,
                seconds=seconds,
            ),
        }
        for framework, server in SERVERS
    ]


def measure_group(
    python: Path,
    load: Wrk | K9,
    group: tuple[str, str],
    contenders: Mapping[str, Served],
    *,
    rounds: int,
    seconds: float,
) -> dict[str, list[float]]:
    """Measure contenders under one server; see `measure()`.

    Args:
        python: the interpreter of the environment that the server is in.
        load: the generator.
        group: the framework, and the server.
        contenders: those to measure, and what they are called in the result.
        rounds: how many times each is put under load.
        seconds: how long, each time.
    """
    framework, server = group
    print(f"{framework} under {server}", file=sys.stderr)
    measured: dict[str, list[float]] = {title: [] for title in contenders}
    order = Random(0)  # noqa: S311  # an order, not a secret
    with ExitStack() as stack:
        running = {}
        for title, one in contenders.items():
            environ = {"FRAMEWORK": framework, "SERVED": one.name, **one.environ}
            marker = "RateLimit" if one.name in _LIMITED else None
            serving = serve(python, SERVERS[group], "served:app", field=marker, environ=environ)
            running[title] = stack.enter_context(serving)
            load(running[title].url, min(1, seconds))
        for _ in range(rounds):
            for title in order.sample(list(contenders), len(contenders)):
                address = running[title]
                before = cpu_ns(address.pid)
                requests = load(address.url, seconds).requests
                measured[title].append(round((cpu_ns(address.pid) - before) / requests / 1000, 3))
    return measured
