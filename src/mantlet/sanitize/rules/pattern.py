"""`Pattern`: a leak of an app's own, as a regular expression.

It is matched where one of its literals is found, in time that is bounded whatever the data: an
expression that could match texts of any length, or could go back and forth in them, is refused. The
bound on the steps is computed from the expression: a repetition that can end at several places
counts as many times as it has, unless what follows it can't begin within it.
"""

import re
from re import _constants as codes  # type: ignore[attr-defined]  # not in the stubs
from re import _parser as parser  # type: ignore[attr-defined]  # not in the stubs
from typing import Any, Final

from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchEnd, MatchFound, MatchResult

__all__ = ["RULE_ID", "Pattern"]

RULE_ID: Final = re.compile(r"[a-z][a-z0-9-]*")
#: Maximum length of a match, in bytes.
MAX_WIDTH: Final = 1024
#: Minimum length of a literal, in bytes: a shorter one is found everywhere.
MIN_LITERAL: Final = 3
#: The most literals that are derived from alternatives.
_MAX_LITERALS: Final = 16
#: The most ways in which a text may be tried.
_MAX_WAYS: Final = 1000
_ALL: Final = frozenset(range(256))
_REPEATS: Final = {
    codes.MAX_REPEAT: b"",
    codes.MIN_REPEAT: b"?",
    codes.POSSESSIVE_REPEAT: b"+",
}
#: A match ends at the latest with the string or element that it stands in.
_WITHIN_STRING: Final = MatchEnd(re.compile(b""), 1)


class Pattern:
    r"""A leak of an app's own, such as ``Pattern("employee", r"EMP-\d{6}")``.

    Args:
        id: the id that it is reported under: lower-case letters, digits and dashes.
        expression: a regular expression in the syntax of `re`, for UTF-8. All of a match is
            masked. It may have ``\b``, but no other anchors, lookaround, references or flags.
        literal: the text that every match begins with, if the expression does not show it: at
            least three bytes. The search looks for it, so it should be rare.

    Raises:
        ValueError: the id or the expression is invalid; the expression may match texts of any
            length or of more than 1,024 bytes, or in too many ways; or no literal is known.
    """

    __slots__ = ("_beginning", "_expression", "_width", "cost", "id", "literals")

    fingerprint: Final = None

    def __init__(
        self, id: str, expression: str | bytes, *, literal: str | bytes | None = None
    ) -> None:
        if not RULE_ID.fullmatch(id):
            raise ValueError(f'id must be a name such as "employee-number", not {id!r}')
        source = expression.encode() if isinstance(expression, str) else bytes(expression)
        if not source.isascii():
            raise ValueError(f"pattern {id!r} must be ASCII: write \\xc3\\xa9 for the bytes of é")
        self.id = id
        try:
            tree = parser.parse(source)
            self._expression = re.compile(source)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"pattern {id!r} is not a regular expression: {error}") from None
        if tree.state.flags & ~re.ASCII.value:
            raise ValueError(
                f"pattern {id!r} has flags; write what they mean instead, such as [Ee] for (?i)"
            )
        self._width = _width(id, tree)
        ways = _Ways(id).check(tree)
        #: How much work a candidate is, as a multiple of a simple one.
        self.cost = 1 + self._width // 100 * ways
        self.literals = _literals(id, tree, literal)
        self._beginning = re.compile(_beginning(list(tree)) + rb"\Z")

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the expression where a literal was found."""
        if more and len(data) - start <= self._width and self._beginning.match(data, start):
            return NEED_MORE  # it may become a match, or a longer one
        found = self._expression.match(data, start)
        if found is None or found.end() == start:
            return NO_MATCH
        return MatchFound(start, found.end(), _WITHIN_STRING)

    def __repr__(self) -> str:
        return f"Pattern({self.id!r}, {self._expression.pattern!r})"


def _width(id: str, tree: Any) -> int:
    least, most = tree.getwidth()
    if most > MAX_WIDTH:
        size = "any length" if most >= codes.MAXREPEAT else f"{most:,} bytes"
        raise ValueError(
            f"pattern {id!r} may match a text of {size}, which has to be at most {MAX_WIDTH:,} "
            f"bytes: write {{1,100}} instead of + or *"
        )
    if not least:
        raise ValueError(f"pattern {id!r} matches the empty text: let it begin with a literal")
    return int(most)


# -- literals -------------------------------------------------------------------------------------


def _literals(id: str, tree: Any, literal: str | bytes | None) -> tuple[bytes, ...]:
    """Return the texts one of which begins every match."""
    derived, _ = _beginnings(tree)
    if literal is None:
        if not derived or min(map(len, derived)) < MIN_LITERAL:
            raise ValueError(
                f"pattern {id!r} does not show what its matches begin with: pass "
                f"literal= with at least {MIN_LITERAL} bytes that each of them begins with"
            )
        return tuple(sorted(derived))
    given = literal.encode() if isinstance(literal, str) else bytes(literal)
    if len(given) < MIN_LITERAL:
        raise ValueError(f"literal of pattern {id!r} must have at least {MIN_LITERAL} bytes")
    if not all(one.startswith(given) or given.startswith(one) for one in derived):
        raise ValueError(f"pattern {id!r} does not begin with its literal {literal!r}")
    return (given,)


def _beginnings(items: Any) -> tuple[set[bytes], bool]:
    """Return the texts that matches begin with, and whether they are whole matches."""
    found = {b""}
    for op, value in items:
        if op is codes.AT:
            continue
        texts, whole = _texts(op, value)
        found = {before + text for before in found for text in texts}
        if not whole or len(found) > _MAX_LITERALS:
            return (found if len(found) <= _MAX_LITERALS else {b""}), False
    return found, True


def _texts(op: Any, value: Any) -> tuple[set[bytes], bool]:
    """Return the texts that a part begins with, and whether they are all of it."""
    if op is codes.LITERAL:
        return {bytes([value])}, True
    if op is codes.SUBPATTERN:
        return _beginnings(value[3])
    if op is codes.ATOMIC_GROUP:
        return _beginnings(value)
    if op is codes.BRANCH:
        parts = [_beginnings(branch) for branch in value[1]]
        return set().union(*(texts for texts, _ in parts)), all(whole for _, whole in parts)
    if op is codes.IN and all(inner is codes.LITERAL for inner, _ in value):
        return {bytes([one]) for _, one in value}, True
    return {b""}, False


# -- beginnings of matches ------------------------------------------------------------------------


def _beginning(items: list[Any]) -> bytes:
    """Return an expression for any beginning of a sequence, up to the end of the data."""
    expression = b""
    for op, value in reversed(items):
        rest = b"|" + _whole(op, value) + expression if expression else b""
        expression = b"(?:" + _part_beginning(op, value) + rb"\Z" + rest + b")"
    return expression


def _part_beginning(op: Any, value: Any) -> bytes:
    if op is codes.SUBPATTERN:
        return _beginning(list(value[3]))
    if op is codes.ATOMIC_GROUP:
        return _beginning(list(value))
    if op is codes.BRANCH:
        return b"(?:" + b"|".join(_beginning(list(branch)) for branch in value[1]) + b")"
    if op in _REPEATS:
        body = list(value[2])
        whole = b"(?:%b){0,%d}" % (_sequence(body), value[1])
        return whole + b"(?:" + _beginning(body) + b")?"
    return b"" if op is codes.AT else b"(?:" + _whole(op, value) + b")?"


def _sequence(items: list[Any]) -> bytes:
    return b"".join(_whole(op, value) for op, value in items)


def _whole(op: Any, value: Any) -> bytes:
    """Return the expression of a part."""
    if op is codes.SUBPATTERN:
        return b"(?:" + _sequence(list(value[3])) + b")"
    if op is codes.ATOMIC_GROUP:
        return b"(?>" + _sequence(list(value)) + b")"
    if op is codes.BRANCH:
        return b"(?:" + b"|".join(_sequence(list(branch)) for branch in value[1]) + b")"
    if op in _REPEATS:
        return b"(?:%b){%d,%d}%b" % (_sequence(list(value[2])), *value[:2], _REPEATS[op])
    if op is codes.AT:
        return rb"\b" if value is codes.AT_BOUNDARY else rb"\B"
    members = {value} if op is codes.LITERAL else _members(op, value)
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(members)) + b"]"


# -- the bound on the steps -----------------------------------------------------------------------


class _Ways:
    """Counts the ways in which an expression may be tried at one place; too many are an error."""

    def __init__(self, id: str) -> None:
        self._id = id

    def check(self, tree: Any) -> int:
        """Return the ways of an expression; raise a ValueError for too many."""
        ways = self._count(list(tree), frozenset())
        if ways > _MAX_WAYS:
            raise ValueError(
                f"pattern {self._id!r} may be matched in more than {_MAX_WAYS:,} ways, which takes "
                f"too long: let a repetition be followed by what can't be part of it, or end in a "
                f"+ that makes it possessive, as {{1,40}}+ does"
            )
        return ways

    def _count(self, items: list[Any], follows: frozenset[int]) -> int:
        """Return the ways of a sequence.

        Args:
            items: the parts.
            follows: the bytes that may come after it.
        """
        ways = 1
        for op, value in reversed(items):
            ways *= self._count_one(op, value, follows)
            first, is_empty = _first(op, value)
            follows = first | follows if is_empty else first
            if ways > _MAX_WAYS:
                break
        return ways

    def _count_one(self, op: Any, value: Any, follows: frozenset[int]) -> int:
        if op is codes.SUBPATTERN:
            if value[1] or value[2]:
                raise ValueError(f"pattern {self._id!r} has flags in a group, which it may not")
            return self._count(list(value[3]), follows)
        if op is codes.BRANCH:
            return sum(self._count(list(branch), follows) for branch in value[1])
        if op is codes.ATOMIC_GROUP:
            self._count(list(value), frozenset())
            return 1
        if op in _REPEATS:
            return self._count_repeat(op, value, follows)
        if op in (codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY):
            return 1
        if op is codes.AT and value in (codes.AT_BOUNDARY, codes.AT_NON_BOUNDARY):
            return 1
        raise ValueError(
            f"pattern {self._id!r} has an anchor, lookaround or a reference; only \\b is possible"
        )

    def _count_repeat(self, op: Any, value: Any, follows: frozenset[int]) -> int:
        least, most, body = value
        first, is_empty = _sequence_first(list(body))
        inner = self._count(list(body), first | follows)
        if op is codes.POSSESSIVE_REPEAT:
            return 1 if inner <= _MAX_WAYS else inner
        choices = 1 if first.isdisjoint(follows) and not is_empty else int(most) - int(least) + 1
        return choices * (1 if inner == 1 else min(inner ** min(int(most), 16), _MAX_WAYS + 1))


def _sequence_first(items: list[Any]) -> tuple[frozenset[int], bool]:
    """Return the bytes that a sequence may begin with, and whether it may be empty."""
    found: frozenset[int] = frozenset()
    for op, value in items:
        first, is_empty = _first(op, value)
        found |= first
        if not is_empty:
            return found, False
    return found, True


def _first(op: Any, value: Any) -> tuple[frozenset[int], bool]:
    """Return the bytes that a part may begin with, and whether it may be empty."""
    if op is codes.LITERAL:
        return frozenset([value]), False
    if op in (codes.NOT_LITERAL, codes.IN, codes.ANY):
        return _members(op, value), False
    if op in (codes.SUBPATTERN, codes.ATOMIC_GROUP):
        return _sequence_first(list(value[3] if op is codes.SUBPATTERN else value))
    if op is codes.BRANCH:
        parts = [_sequence_first(list(branch)) for branch in value[1]]
        return frozenset().union(*(first for first, _ in parts)), any(empty for _, empty in parts)
    if op in _REPEATS:
        first, is_empty = _sequence_first(list(value[2]))
        return first, is_empty or not value[0]
    return frozenset(), True


def _members(op: Any, value: Any) -> frozenset[int]:
    """Return the bytes of a class; all of them where that is not simple."""
    if op is codes.NOT_LITERAL:
        return _ALL - {value}
    if op is codes.ANY:
        return _ALL - {10}
    found: frozenset[int] = frozenset()
    is_negated = False
    for inner, what in value:
        if inner is codes.NEGATE:
            is_negated = True
        elif inner is codes.LITERAL:
            found |= {what}
        elif inner is codes.RANGE:
            found |= frozenset(range(what[0], what[1] + 1))
        else:
            found |= _CATEGORIES.get(what, _ALL)
    return _ALL - found if is_negated else found


def _category(expression: bytes) -> frozenset[int]:
    match = re.compile(expression).match
    return frozenset(byte for byte in _ALL if match(bytes([byte])))


_CATEGORIES: Final = {
    codes.CATEGORY_DIGIT: _category(rb"\d"),
    codes.CATEGORY_NOT_DIGIT: _category(rb"\D"),
    codes.CATEGORY_SPACE: _category(rb"\s"),
    codes.CATEGORY_NOT_SPACE: _category(rb"\S"),
    codes.CATEGORY_WORD: _category(rb"\w"),
    codes.CATEGORY_NOT_WORD: _category(rb"\W"),
}
