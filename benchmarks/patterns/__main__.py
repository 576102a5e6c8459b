"""Measure the groups: ``python -m benchmarks.patterns``.

It runs in the environment of the peers, and writes its results to standard output.
"""

import sys
from typing import Any

from benchmarks import names
from benchmarks.method import measure, print_groups
from benchmarks.patterns.groups import contenders


async def groups(rounds: int, slice_ms: float) -> list[dict[str, Any]]:
    """Measure every group, one after the other."""
    measured = []
    for title in names.PATTERN_GROUPS:
        print(title, file=sys.stderr)
        group = await measure(title, await contenders(title), rounds, slice_ms)
        measured.append({**group, "missing": {}})
    return measured


if __name__ == "__main__":
    print_groups(__doc__, groups)
