"""Headers as the native pairs of a protocol: bytes under ASGI, text under WSGI."""

from collections.abc import Collection, Sequence
from typing import Any

__all__ = [
    "HeaderPair",
    "as_text",
    "indexes_of",
    "join_values",
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


def join_values(values: Sequence[Any]) -> tuple[str, bytes]:
    """Return values, joined, as text and as bytes.

    Raises:
        TypeError: the values are neither all bytes nor all text.
    """
    if values and isinstance(values[0], str):
        text = ",".join(values)
        return text, text.encode("latin-1", "replace")
    data = b",".join(values)
    return data.decode("latin-1"), data


def joined_headers(raw: Any) -> bytes:
    """Return the names and values of headers, joined, to be scanned."""
    return join_values([text for pair in raw for text in pair])[1]
