"""Bound the text that a pattern with lookaround or back-references is matched with.

The engine bounds the steps that such a pattern goes back, not what a step takes: one may read the
rest of the text, as ``(?=.*a)`` does at each place. So most of these patterns don't match a text
that is longer than `MAX_LENGTH`. Those that look around only at the beginning of the text, such as
``^(?=.*[A-Z])(?=.*[0-9]).{8,}$``, read it once for each lookahead, and match texts of any length.
"""

import re
from typing import Final

__all__ = ["MAX_LENGTH", "bound_text"]

#: The longest text, in characters; it takes about a millisecond.
MAX_LENGTH: Final = 1_000

_LOOKAHEADS: Final = ("(?=", "(?!")
_HARD: Final = re.compile(r"\(\?<?[=!]|\\[1-9k]")
#: An escape, a class, or another character.
_TOKEN: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*+(?:\]|\\?\Z)|.", re.DOTALL)


def bound_text(pattern: str) -> str:
    """Return a pattern that matches in about linear time, or no text longer than `MAX_LENGTH`.

    Args:
        pattern: a valid expression with lookaround or back-references, for the engine.
    """
    if _looks_ahead_once(pattern):
        return pattern
    return rf"\A(?=[\s\S]{{0,{MAX_LENGTH}}}\z)[\s\S]*?(?:{pattern})"


def _looks_ahead_once(pattern: str) -> bool:
    """Return whether it is ``^``, lookaheads, and a rest that the linear engine matches."""
    if not pattern.startswith("^"):
        return False
    at = 1
    while pattern.startswith(_LOOKAHEADS, at):
        end = _group_end(pattern, at)
        if _HARD.search(pattern[at + 3 : end]):
            return False
        at = end + 1
    rest = pattern[at:]
    return not (_HARD.search(rest) or _has_alternatives(rest))  # which do not begin with "^"


def _group_end(pattern: str, at: int) -> int:
    """Return where the group that begins at a place ends."""
    depth = 0
    for token in _TOKEN.finditer(pattern, at):
        depth += (token[0] == "(") - (token[0] == ")")
        if not depth:
            return token.start()
    return len(pattern)


def _has_alternatives(pattern: str) -> bool:
    """Return whether a pattern has alternatives outside of groups."""
    depth = 0
    for token in _TOKEN.finditer(pattern):
        depth += (token[0] == "(") - (token[0] == ")")
        if token[0] == "|" and not depth:
            return True
    return False
