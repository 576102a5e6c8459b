"""Escape characters that could forge a line of a log, or steer a terminal that shows it."""

import re
from typing import Final

__all__ = ["byte_size", "printable"]

_NOT_ASCII: Final = re.compile(r"[^\x20-\x7e]")


def printable(text: str, most: int | None = None) -> str:
    r"""Return a text in one line, with escapes in place of all that is not printable.

    These are control characters and line separators (``\n``, ESC, NEL, U+2028), formatting ones
    that reverse the direction of a text or are invisible (U+202E, U+200B), and lone surrogates,
    which no encoding of a file has.

    Args:
        text: any text.
        most: the most bytes of UTF-8 that are returned; an ellipsis follows where text is cut off.
    """
    if most is None:
        return _escape(text)
    escaped = _escape(text[:most])
    if len(text) <= most and byte_size(escaped) <= most:
        return escaped
    return escaped.encode()[:most].decode(errors="ignore") + "..."


def byte_size(text: str) -> int:
    """Return the size of a text without surrogates in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def _escape(text: str) -> str:
    return text if text.isprintable() else _NOT_ASCII.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    if found.isprintable():
        return found
    return found.encode("unicode_escape").decode("ascii")
