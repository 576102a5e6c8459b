"""Which name in a place belongs to which of its parameters."""

from collections.abc import Iterable
from typing import NoReturn

from mantlet.guard.parameters.decoding import Unreadable
from mantlet.guard.parameters.entries import Entry

__all__ = ["Claims", "Misplaced"]


class Misplaced(Unreadable):
    """A name that begins like that of an object's member, and is none.

    Args:
        name: the parameter's.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            "malformed_parameter", "A member's name must stand in one pair of brackets."
        )
        self.name = name


class Claims:
    """Which name in a place is whose.

    An exploded object has the names of its properties there. Those that no one else has are its own
    too where its schema says what they are (`Shape.additional`).

    Args:
        entries: all of the place.

    Raises:
        ValueError: a name is claimed by two of them.
    """

    __slots__ = ("_deep", "_rest", "exact")

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.exact: dict[str, tuple[Entry, str | None]] = {}
        self._deep: dict[str, Entry] = {}
        self._rest: Entry | None = None
        for entry in entries:
            for name, member in entry.names():
                if name in self.exact:
                    _refuse(entry, self.exact[name][0], name)
                self.exact[name] = (entry, member)
            if entry.is_deep:
                self._deep[entry.name] = entry
            if entry.has_own_members and entry.parameter.shape.additional is not None:
                if self._rest is not None:
                    _refuse(entry, self._rest, "any")
                self._rest = entry
        for name, (entry, _) in self.exact.items():
            deep = self._deep.get(name.partition("[")[0])
            if deep is not None:
                _refuse(entry, deep, name)

    def find(self, name: str) -> tuple[Entry, str | None] | None:
        """Return whose name it is, with the member's that it is of, if any.

        Raises:
            Misplaced: it is not in the style ``deepObject``, which has no deeper levels.
        """
        found = self.exact.get(name)
        if found is not None:
            return found
        if self._deep:
            head, bracket, tail = name.partition("[")
            deep = self._deep.get(head)
            if deep is not None:
                member = tail[:-1]
                if not bracket or tail[-1:] != "]" or not member or set(member) & set("[]"):
                    raise Misplaced(deep.name)
                return deep, member
        return None if self._rest is None else (self._rest, name)


def _refuse(entry: Entry, other: Entry, name: str) -> NoReturn:
    raise ValueError(
        f"{entry.parameter.place} parameters {other.name!r} and {entry.name!r} must not both read "
        f"the name {name!r}"
    )
