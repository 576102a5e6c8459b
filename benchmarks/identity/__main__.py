"""Measure the groups: ``python -m benchmarks.identity``.

It runs in the environment of these peers, and writes its results to standard output.
"""

import sys
from typing import Any

from benchmarks import names
from benchmarks.identity.groups import contenders
from benchmarks.method import measure, print_groups


async def groups(rounds: int, slice_ms: float) -> list[dict[str, Any]]:
    """Measure every group, one after the other."""
    measured = []
    for title in names.IDENTITY:
        print(title, file=sys.stderr)
        timed, missing = await contenders(title)
        group = await measure(title, timed, rounds, slice_ms)
        measured.append({**group, "missing": missing})
    return measured


if __name__ == "__main__":
    print_groups(__doc__, groups)
