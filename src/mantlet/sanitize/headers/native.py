"""Headers as the native pairs of a protocol: bytes under ASGI, text under WSGI."""

from collections.abc import Collection
from typing import Any

__all__ = [
    "HeaderPair",
    "as_text",
    "indexes_of",
    "joined_headers",
    "with_value",
    "without",
]

# Any: a name and a value, as bytes under ASGI and as str under WSGI.
HeaderPair = tuple[Any, Any]


def as_text(native: Any) -> str:
    """Return a header name or value as text."""
    if isinstance(native, memoryview):
        native = native.tobytes()
    text: str = native if isinstance(native, str) else native.decode("latin-1")
    return text


def with_value(pair: HeaderPair, value: str) -> HeaderPair:
    """Return a pair with another value, in the type of its name."""
    name = pair[0]
    return name, value if isinstance(name, str) else value.encode("latin-1")


def without(raw: Any, dropped: Collection[int]) -> list[HeaderPair]:
    """Return the pairs, except those at some indexes."""
    return [pair for index, pair in enumerate(raw) if index not in dropped]


def indexes_of(names: list[str], wanted: str) -> tuple[int, ...]:
    """Return the indexes of a name."""
    return tuple(index for index, name in enumerate(names) if name == wanted)


def joined_headers(raw: Any) -> bytes:
    """Return the names and values of headers, joined, to be scanned."""
    parts = [part for pair in raw for part in pair]
    if parts and isinstance(parts[0], str):
        return ",".join(parts).encode("latin-1", "replace")
    return b",".join(parts)
