"""What five million addresses do to a store in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
MAX_KEYS = 100_000
#: What `MemoryStore` says that a key takes in a flood.
BYTES = 375
#: What the interpreter itself may take meanwhile.
SLACK = 4 << 20


def test_a_flood_of_five_million_addresses_takes_the_stated_memory_and_frees_nobody() -> None:
    """Fresh keys fill the store; all others share a bucket, and the indebted client stays so."""
    command = [sys.executable, "-m", "tests.ratelimit.stores.flood", "5000000", str(MAX_KEYS)]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    grown, admitted, debtor = map(int, output.split())
    assert grown < MAX_KEYS * BYTES + SLACK
    assert admitted == MAX_KEYS - 1 + 5, "each key has a bucket, and all the others have one"
    assert not debtor
