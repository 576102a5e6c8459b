"""JSON Pointers (RFC 6901): text such as ``/items/0/a~1b`` for a path of names and indices."""

import re
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["escape_token", "has_bad_escape", "join_pointer", "split_pointer"]

# RFC 6901, 3: "~" stands only in "~0" and "~1".
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")


def escape_token(token: str) -> str:
    """Escape a name for a pointer: ``~`` as ``~0`` and ``/`` as ``~1`` (RFC 6901, 3)."""
    return token.replace("~", "~0").replace("/", "~1")


# Any: tokens are names of members and indices of items.
def join_pointer(tokens: Iterable[Any]) -> str:
    """Return the pointer of a path of names and indices."""
    return "".join(
        f"/{escape_token(token)}" if isinstance(token, str) else f"/{token}" for token in tokens
    )


def split_pointer(pointer: str) -> tuple[str, ...]:
    """Return the unescaped tokens of a pointer that is empty or begins with a slash.

    A ``~`` that begins no escape stays; `has_bad_escape()` finds it.
    """
    tokens = pointer.split("/")[1:]
    if "~" not in pointer:
        return tuple(tokens)
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def has_bad_escape(pointer: str) -> bool:
    """Return whether a ``~`` of a pointer is followed by neither 0 nor 1."""
    return _BAD_ESCAPE.search(pointer) is not None
