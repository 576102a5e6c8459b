"""What is wrong with a schema itself, told of all at once when it is compiled."""

from collections.abc import Iterable
from typing import Final, NamedTuple

__all__ = ["Problem", "SchemaError"]

_TOLD: Final = 20


class Problem(NamedTuple):
    """One thing that is wrong with a schema.

    Attributes:
        pointer: of the place in the document, behind the document's URI and ``#`` if it is not
            the main one.
        words: what is wrong there.
    """

    pointer: str
    words: str


class SchemaError(ValueError):
    """A schema that can't be compiled.

    Args:
        problems: all that is wrong, at least one.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        told = [f"{problem.pointer or '/'}: {problem.words}" for problem in self.problems[:_TOLD]]
        if len(self.problems) > _TOLD:
            told.append(f"and {len(self.problems) - _TOLD} more")
        super().__init__("the schema is wrong at " + "; ".join(told))
