"""Whether a pattern is matched in bounded time, and where one that backtracks may stand."""

from typing import Literal

from mantlet.guard.jsonschema.backend import Build

__all__ = ["Lookaround", "Patterns"]

#: What becomes of patterns with lookaround or back-references, which no engine matches in linear
#: time: refused when compiled, or run with a bound on backtracking.
Lookaround = Literal["refuse", "bounded"]


class Patterns:
    """The patterns of the schemas of one compiler, each tried once."""

    __slots__ = ("_backtracking", "_bounded", "_kinds", "_linear")

    def __init__(self, lookaround: Lookaround) -> None:
        if lookaround not in ("refuse", "bounded"):
            raise ValueError(f'regex_lookaround must be "refuse" or "bounded", not {lookaround!r}')
        self._bounded = lookaround == "bounded"
        self._linear, self._backtracking = Build(None, bounded=False), Build(None, bounded=True)
        self._kinds: dict[str, str] = {}

    def fault(self, pattern: str, *, exact: bool) -> str | None:
        """Return why a pattern can't stand where it does, in words, or None.

        Args:
            pattern: a regular expression of ECMA-262.
            exact: whether a value could be let through because the pattern does not match. One
                that runs into its bound counts as not matching, so it can't stand there.
        """
        kind = self._kinds.get(pattern)
        if kind is None:
            kind = self._kinds[pattern] = self._kind(pattern)
        if kind == "linear":
            return None
        if kind == "malformed":
            return f"the pattern {pattern!r} can't be read"
        if not self._bounded:
            return (
                f"the pattern {pattern!r} has lookaround or a back-reference, which is not matched "
                'in linear time: write it without, or set regex_lookaround="bounded"'
            )
        if exact:
            return (
                f"the pattern {pattern!r} has lookaround or a back-reference, and stands where not "
                "matching may let a value through: under not, if, oneOf, contains or "
                "patternProperties"
            )
        return None

    def _kind(self, pattern: str) -> str:
        if self._linear.reads(pattern):
            return "linear"
        return "backtracking" if self._backtracking.reads(pattern) else "malformed"
