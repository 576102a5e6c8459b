"""Where in a document a walk is."""

from enum import Enum
from typing import Final

from mantlet.sanitize.members.pointers import Node

__all__ = ["PASSES", "At", "Level"]


class At(Enum):
    """What comes next where nothing is masked or dropped."""

    VALUE = 1
    NAME = 2
    COLON = 3
    BEHIND = 4  # a value
    PASSING = 5  # the rest of a value that is of no interest
    PASSING_NAME = 6  # the rest of a name that is too long


PASSES: Final = (At.PASSING, At.PASSING_NAME)


class Level:
    """An object or an array that is open."""

    __slots__ = ("array", "index", "nodes")

    def __init__(self, array: bool, nodes: tuple[Node, ...]) -> None:
        self.array = array
        self.nodes = nodes
        self.index = 0
