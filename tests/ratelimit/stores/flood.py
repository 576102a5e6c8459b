"""Send a flood of addresses to one store, in a process of its own, and print its effects.

Prints the peak growth of the process in bytes, the number of admitted requests of the flood, and
whether a client over its limit before the flood is admitted after it.
"""

from __future__ import annotations

import sys

from benchmarks.machine import most_memory

from mantlet import Quota
from mantlet.ratelimit.stores.memory import MemoryStore

LIMIT = "0123456789ab:"


def main(addresses: int, max_keys: int) -> None:
    """Send the flood."""
    store, quota = MemoryStore(max_keys), Quota("1/hour", burst=5)
    debtor = LIMIT + "203.0.113.7"
    while store.take_one(debtor, quota, 1) >= 0:
        pass
    before, admitted = most_memory(), 0
    for number in range(addresses):
        key = f"{LIMIT}10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        admitted += store.take_one(key, quota, 1) >= 0
    is_admitted = store.take_one(debtor, quota, 1) >= 0
    sys.stdout.write(f"{most_memory() - before} {admitted} {is_admitted:d}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
