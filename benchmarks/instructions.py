"""Instructions and cache misses of a request, which do not depend on who else runs.

Usage: ``python -m benchmarks.instructions [--source SRC] [--requests N] [CASE...]``, with the cases
of `benchmarks.hot_path`: ``five``, ``two``, ``limiter``...; all of them by default, in about a
minute. ``--source`` is the ``src`` of another checkout, which is measured instead of the one that
is installed.

Valgrind's callgrind counts. For each case and protocol a process of its own serves some requests,
so that all is cached, and then those that are counted: a call of ``getppid()``, which nothing else
makes, ends each phase. Hashes are not random, and the garbage collector is
off. Callgrind also simulates caches of 32 KiB for instructions and for data, and an L2 cache of
512 KiB; every request is the same, so misses are those of a stack whose code and data do not fit.
Figures of a case are those on top of the bare app's.
"""

import os
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.environment import ROOT
from benchmarks.hot_path import ALL_CASES, BARE, LABELS, PROTOCOLS

_CACHES = ("--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=524288,8,64")
#: Before anything is counted, the interpreter has specialized the code, and the limiter has looked
#: for a proxy that was not named, which it does in the first thousand requests.
_WARM_UP = 1_500
REQUESTS = 50
MISSING = "valgrind is not installed, so instructions are not counted (apt-get install valgrind)"

#: For each case and protocol: what a request takes.
Counts = dict[str, dict[str, dict[str, float]]]


def available() -> bool:
    """Return whether instructions can be counted on this machine."""
    return shutil.which("valgrind") is not None


def measure(
    cases: list[str],
    *,
    python: Path = Path(sys.executable),
    source: Path | None = None,
    requests: int = REQUESTS,
) -> Counts:
    """Count the instructions of requests.

    Args:
        cases: names of cases.
        python: the interpreter of an environment with Mantlet.
        source: the directory of the package to measure, if not the installed one.
        requests: how many are counted, per case and protocol.

    Returns:
        For each case, and for each protocol, by name: ``instructions``, ``instruction_misses`` of
        the L1 cache, and ``misses`` of the L2 cache, of one request and in all.
    """
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    if source is not None:
        environ["PYTHONPATH"] = str(source)
    served = [(case, protocol) for case in cases for protocol in PROTOCOLS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = pool.map(lambda one: _count(one[0], one[1], python, environ, requests), served)
        counts: Counts = {case: {} for case in cases}
        for (case, protocol), count in zip(served, counted, strict=True):
            counts[case][protocol] = count
    return counts


def _count(
    case: str, protocol: str, python: Path, environ: Mapping[str, str], requests: int
) -> dict[str, float]:
    with TemporaryDirectory() as scratch:
        output = Path(scratch) / "phase"
        command: list[str | Path] = [
            *("valgrind", "--quiet", "--tool=callgrind", *_CACHES, "--instr-atstart=no"),
            *("--dump-before=getppid", f"--callgrind-out-file={output}"),
            *(python, "-m", "benchmarks.hot_path", case, protocol),
            *(f"--warm-up={_WARM_UP}", f"--requests={requests}"),
        ]
        done = subprocess.run(
            command, check=False, cwd=ROOT, env=environ, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{done.stderr}\nvalgrind failed with status {done.returncode}")
        return _read(output.with_suffix(".2"), requests)


def _read(phase: Path, requests: int) -> dict[str, float]:
    """Return what a request took in a phase that callgrind has written."""
    text = phase.read_text()
    events, totals = (
        re.search(rf"^{key}: (.*)$", text, re.MULTILINE)[1].split()  # type: ignore[index]  # callgrind writes both lines
        for key in ("events", "totals")
    )
    # Zeros at the end are left out.
    total = dict.fromkeys(events, 0) | dict(zip(events, map(int, totals), strict=False))
    return {
        "instructions": total["Ir"] / requests,
        "instruction_misses": total["I1mr"] / requests,
        "misses": (total["ILmr"] + total["DLmr"] + total["DLmw"]) / requests,
    }


def added(counts: Counts) -> Counts:
    """Return the figures of all cases over those of the bare app, which stay as they are."""
    bare = counts[BARE]
    return {
        case: {
            protocol: {
                what: figure - (0 if case == BARE else bare[protocol][what])
                for what, figure in figures.items()
            }
            for protocol, figures in protocols.items()
        }
        for case, protocols in counts.items()
    }


def _table(counts: Counts) -> str:
    """Return the figures as text."""
    head = "".join(
        f"{protocol + ': k instr':>14}{'I1 misses':>11}{'L2':>6}" for protocol in PROTOCOLS
    )
    lines = [f"{'':44}{head}"]
    for case, protocols in added(counts).items():
        cells = "".join(
            f"{figures['instructions'] / 1000:14.1f}{figures['instruction_misses']:11.0f}"
            f"{figures['misses']:6.0f}"
            for figures in protocols.values()
        )
        lines.append(f"{LABELS[case]:44}{cells}")
    return "\n".join(lines)


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--source", type=Path, help="the src directory of another checkout")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="counted for each case")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(ALL_CASES))
    options: Any = parser.parse_args()
    if not available():
        sys.exit(MISSING)
    cases = [one for one in ALL_CASES if one == BARE or one in (options.cases or ALL_CASES)]
    print(_table(measure(cases, source=options.source, requests=options.requests)))


if __name__ == "__main__":
    main()
