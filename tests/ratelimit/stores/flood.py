"""A flood of addresses into one store, in a process of its own; it is told how many, of how many.

Prints how many bytes the process has grown by at most, how many of the flood were admitted, and
whether a client that was in debt before it is admitted after it.
"""

from __future__ import annotations

import sys

from benchmarks.machine import most_memory

from mantlet import Quota
from mantlet.ratelimit.stores.memory import MemoryStore

LIMIT = "0123456789ab:"


def main(addresses: int, max_keys: int) -> None:
    """Flood."""
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
