"""What a test's parameters are called, the same in every process that collects the tests."""

from __future__ import annotations

import re


def shown(value: object) -> str:
    """Return what a value looks like, without where it is in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", value if isinstance(value, str) else repr(value))
