"""The members of a JSON object that has an app's secrets."""

import json
from typing import Any

from mantlet.secrets.sources.source import SourceError

__all__ = ["members"]


def members(raw: str | bytes, hint: str = "") -> dict[str, Any]:
    """Return the members of a JSON object.

    RFC 8259. A name that is there twice, which each parser reads its own way, is refused.

    Args:
        raw: the text, or its bytes in UTF-8.
        hint: what to do where it is none, for the error.

    Raises:
        SourceError: it is none. What is in it is not shown.
    """
    found: object = None
    twice = False

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        made = dict(pairs)
        twice = twice or len(made) < len(pairs)
        return made

    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        found = json.loads(text, object_pairs_hook=once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SourceError(f"is no JSON object{hint}")
    if twice:
        raise SourceError("is a JSON object with a name that is there twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(name)
