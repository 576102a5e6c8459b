"""This tree and another revision side by side: ``python -m benchmarks.compare REVISION``.

The other revision is checked out under ``.bench/revision``; both are measured by these benchmarks,
in one run: instructions, microseconds in process, and processor time over HTTP. The ratios are this
tree's over the other's. ``--only`` leaves out all but some of the three.
"""

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from benchmarks import environment, hot_path, instructions, names
from benchmarks.load import generator
from benchmarks.method import Contender, calibrate, elapsed_ns
from benchmarks.over_http import Served, measure_group

_REVISION = environment.HOME / "revision"
_OURS, _OTHER = "this tree", "the other"
_SLICE_MS = 10
_SERVED = (names.TWO, names.ALL_FIVE)
PARTS = ("instructions", "in-process", "http")


def _check_out(revision: str) -> Path:
    """Return the source directory of a revision, checked out."""
    git = ("git", "-C", str(environment.ROOT))
    name = f"{revision}^{{commit}}"
    found = subprocess.run(
        [*git, "rev-parse", "--verify", name], check=True, capture_output=True, text=True
    )
    subprocess.run([*git, "worktree", "prune"], check=True)
    if not _REVISION.exists():
        command = [*git, "worktree", "add", "--quiet", "--detach", str(_REVISION)]
        subprocess.run([*command, found.stdout.strip()], check=True)
    subprocess.run(
        ["git", "-C", _REVISION, "checkout", "--quiet", "--detach", found.stdout.strip()],
        check=True,
    )
    return _REVISION / "src"


def _cases(source: Path) -> list[str]:
    """Return the cases whose policies another tree has, too; say which are left out."""
    exported = (source / "mantlet/__init__.py").read_text()
    missing = [case for case, name in hot_path.IDENTITY.items() if f'"{name}"' not in exported]
    if missing:
        print(f"not in the other: {', '.join(missing)}")
    return [case for case in hot_path.CASES if case not in missing]


def _print(title: str, rows: Iterable[tuple[str, float, float]], digits: int) -> None:
    print(f"\n{title:44}{_OTHER:>12}{_OURS:>12}{'ratio':>8}")
    for label, other, ours in rows:
        print(f"{label:44}{other:12.{digits}f}{ours:12.{digits}f}{ours / other:8.2f}", flush=True)


# -- instructions ---------------------------------------------------------------------------------


def _instructions(
    sources: Mapping[str, Path], python: Path, cases: list[str], requests: int
) -> None:
    if not instructions.available():
        print(instructions.MISSING)
        return
    counts = {
        side: instructions.added(
            instructions.measure(cases, python=python, source=source, requests=requests)
        )
        for side, source in sources.items()
    }
    for what, title, scale in (
        ("instructions", "k instructions added", 1000),
        ("misses", "L2 misses added (over 20)", 1),
    ):
        rows = [
            (f"{hot_path.LABELS[case]}, {protocol}", other / scale, ours / scale)
            for case in cases
            if case != hot_path.BARE
            for protocol in hot_path.PROTOCOLS
            for other in (counts[_OTHER][case][protocol][what],)
            for ours in (counts[_OURS][case][protocol][what],)
            if other > 20
        ]
        _print(title, rows, 1)


# -- in process -----------------------------------------------------------------------------------


def _in_process(sources: Mapping[str, Path], python: Path, cases: list[str], rounds: int) -> None:
    """Time both in turns: each has a process, for one can't import two versions."""
    with ExitStack() as stack:
        workers = {
            side: stack.enter_context(_worker(python, src, cases)) for side, src in sources.items()
        }
        sides = list(workers)
        told: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for index in range(rounds):
            for side in sides if index % 2 else sides[::-1]:
                worker = workers[side]
                worker.stdin.write("another round\n")
                worker.stdin.flush()
                told[side].append(json.loads(worker.stdout.readline()))
    rows = []
    for case in cases:
        if case == hot_path.BARE:
            continue
        for protocol in hot_path.PROTOCOLS:
            medians = {
                side: median(
                    times[f"{case} {protocol}"] - times[f"{hot_path.BARE} {protocol}"]
                    for times in told[side]
                )
                for side in sides
            }
            label = f"{hot_path.LABELS[case]}, {protocol}"
            rows.append((label, medians[_OTHER], medians[_OURS]))
    _print("us added in process", rows, 2)


@contextmanager
def _worker(python: Path, source: Path, cases: Sequence[str]) -> Iterator[Any]:
    process = subprocess.Popen(
        [str(python), "-m", "benchmarks.compare", "--work", *cases],
        cwd=environment.ROOT,
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process


async def _work(cases: Sequence[str]) -> None:
    """For each line of the input, time a round of all cases, in microseconds a request."""
    contenders = [
        Contender(f"{one.name} {protocol}", one.serve)
        for protocol in hot_path.PROTOCOLS
        for one in await hot_path.contenders(protocol, cases)
    ]
    calls = {one.name: await calibrate(one, _SLICE_MS) for one in contenders}
    order = Random(0)  # noqa: S311  # an order, not a secret
    gc.disable()
    for _ in sys.stdin:
        gc.collect()
        told = {}
        for one in order.sample(contenders, len(contenders)):
            count = calls[one.name]
            told[one.name] = await elapsed_ns(one, count) / count / 1000
        print(json.dumps(told), flush=True)


# -- over HTTP ------------------------------------------------------------------------------------


def _http(sources: Mapping[str, Path], python: Path, rounds: int) -> None:
    load = generator()
    for group in (("FastAPI", "uvicorn"), ("Flask", "gunicorn")):
        contenders = {names.BARE: Served(names.BARE)}
        for name in _SERVED:
            for side, source in sources.items():
                contenders[f"{name} {side}"] = Served(name, {"PYTHONPATH": str(source)})
        times = measure_group(python, load, group, contenders, rounds=rounds, seconds=0.4)
        bare = times[names.BARE]
        rows = []
        for name in _SERVED:
            added = {
                side: median(
                    time - base for time, base in zip(times[f"{name} {side}"], bare, strict=True)
                )
                for side in sources
            }
            rows.append((name, added[_OTHER], added[_OURS]))
        title = f"us of CPU added, {group[0]} under {group[1]}"
        _print(title, rows, 1)
        print(f"{'the bare app, in all':44}{median(bare):12.1f}")


# -- all of it ------------------------------------------------------------------------------------


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("revision", nargs="?", default="HEAD", help="of git (HEAD)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=20, help="in process and over HTTP")
    parser.add_argument("--requests", type=int, default=instructions.REQUESTS)
    parser.add_argument("--work", nargs="+", metavar="CASE", help=SUPPRESS)
    options = parser.parse_args()
    if options.work:
        logging.disable(logging.CRITICAL)
        asyncio.run(_work(options.work))
        return
    python = environment.make("peers", environment.PEERS, with_mantlet=True)
    sources = {_OTHER: _check_out(options.revision), _OURS: environment.ROOT / "src"}
    cases = _cases(sources[_OTHER])
    if "instructions" in options.only:
        _instructions(sources, python, cases, options.requests)
    if "in-process" in options.only:
        _in_process(sources, python, cases, options.rounds)
    if "http" in options.only:
        _http(sources, python, options.rounds)


if __name__ == "__main__":
    main()
