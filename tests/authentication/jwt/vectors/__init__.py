"""Public test vectors of JOSE; see the members ``source`` and ``licence`` of each file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def load(name: str) -> dict[str, Any]:
    """Return the vectors of a file."""
    document: dict[str, Any] = json.loads((Path(__file__).parent / f"{name}.json").read_text())
    return document
