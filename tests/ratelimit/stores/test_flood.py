"""The effects of two million addresses on the memory store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MAX_KEYS = 100_000
#: The size of a key in a flood, as documented by `MemoryStore`.
BYTES = 375
#: The memory that the interpreter itself may allocate in the meantime.
SLACK = 4 << 20


@pytest.mark.exhaustive
def test_a_flood_of_two_million_addresses_takes_the_stated_memory_and_frees_nobody() -> None:
    """Each has a bucket, and a denied client stays denied."""
    command = [sys.executable, "-m", "tests.ratelimit.stores.flood", "2000000", str(MAX_KEYS)]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    grown, admitted, debtor = map(int, output.split())
    assert grown < MAX_KEYS * BYTES + SLACK
    assert admitted == 2_000_000
    assert not debtor
