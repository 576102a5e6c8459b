"""Decisions a second of the processes of one host on one file: ``python -m benchmarks.workers``.

Every process decides as fast as it can, about one key and then about ten thousand. Buckets hold
nine tenths of the requests and take a year to refill, so that the number admitted shows
whether the count is exact.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks import names
from benchmarks.limiting import sqlite
from mantlet import Quota
from mantlet.ratelimit.stores.lmdb import LmdbStore

PROCESSES = (1, 2)
KEYS = (1, 10_000)
_YEAR = 365 * 86_400_000

Decide = Callable[[str], bool]


def _lmdb(directory: Path, burst: int) -> Decide:
    store, quota = LmdbStore(directory / "limits"), Quota("1/year", burst=burst)
    return lambda key: store.take_one("benchmark:" + key, quota, 1) >= 0


def _sqlite(directory: Path, burst: int) -> Decide:
    """Pyrate-limiter's bucket, which is one for all names."""
    decide = sqlite(directory / "limits.sqlite", burst, _YEAR)
    return lambda _: decide()


MAKERS = {names.LMDB: (_lmdb, KEYS), names.SQLITE: (_sqlite, (1,))}


def _work(case: tuple[str, Path, int], keys: int, calls: int, ready: Barrier, told: Any) -> None:
    decide = _decide(*case)
    asked = [str(number % keys) for number in range(calls)]
    ready.wait()
    start = perf_counter()
    admitted = sum(map(decide, asked))
    told.put((admitted, calls / (perf_counter() - start)))


def _decide(name: str, directory: Path, burst: int) -> Decide:
    return MAKERS[name][0](directory, burst)


def measure_one(name: str, processes: int, keys: int, calls: int) -> dict[str, Any]:
    """Have processes decide side by side once.

    Returns:
        Decisions a second of all of them, how many were admitted, and how many should have been.
    """
    context = get_context("spawn")
    burst = calls * processes * 9 // (keys * 10)
    with TemporaryDirectory() as scratch:
        ready, told = context.Barrier(processes), context.SimpleQueue()
        case = (name, Path(scratch), burst)
        _decide(*case)  # makes the file
        work = (case, keys, calls, ready, told)
        workers = [context.Process(target=_work, args=work) for _ in range(processes)]
        for worker in workers:
            worker.start()
        results = [told.get() for _ in workers]
        for worker in workers:
            worker.join()
    return {
        "rate": sum(rate for _, rate in results),
        "admitted": sum(admitted for admitted, _ in results),
        "right": burst * keys,
    }


def measure(rounds: int) -> list[dict[str, Any]]:
    """Measure each store in turns, over one process and over two."""
    cases = [
        {"name": name, "processes": processes, "keys": keys, "rounds": []}
        for processes in PROCESSES
        for name, (_, counts) in MAKERS.items()
        for keys in counts
    ]
    for _ in range(rounds):
        for case in cases:
            calls = 100_000 if case["name"] == names.LMDB else 1000
            one = measure_one(case["name"], case["processes"], case["keys"], calls)
            case["rounds"].append(one)
    return cases


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    print("the processes of a host", file=sys.stderr)
    print(json.dumps(measure(parser.parse_args().rounds)))


if __name__ == "__main__":
    main()
