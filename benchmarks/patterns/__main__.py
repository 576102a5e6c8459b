"""Measure the groups: ``python -m benchmarks.patterns``.

It runs in the environment of the peers, and writes its results to standard output.
"""

import asyncio
import json
import logging
import sys
from argparse import ArgumentParser
from typing import Any

from benchmarks import names
from benchmarks.method import measure
from benchmarks.patterns.groups import contenders


async def groups(rounds: int, slice_ms: float) -> list[dict[str, Any]]:
    """Measure every group, one after the other."""
    measured = []
    for title in names.PATTERN_GROUPS:
        print(title, file=sys.stderr)
        group = await measure(title, await contenders(title), rounds, slice_ms)
        measured.append({**group, "missing": {}})
    return measured


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--slice-ms", type=float, required=True)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print(json.dumps(asyncio.run(groups(options.rounds, options.slice_ms))))


if __name__ == "__main__":
    main()
