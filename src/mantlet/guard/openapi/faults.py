"""Find the operations that the faults of a document concern.

A fault concerns a part of an operation if it lies in the declaration of that part, or in anything
that this refers to. Faults are traced back along the references, each reference once, so the cost
is linear in the size of the document.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from mantlet.guard.openapi.diagnostics import DocumentLocation

__all__ = ["Fault", "FaultGraph", "OperationPart", "PartKind", "PartLocations"]

#: A location as text, and a message.
Fault = tuple[str, str]
#: The parts of an operation that are faulty apart from each other: all that describes requests, the
#: responses, which need not be validated, and the security, which may be left to the app.
PartKind = Literal["request", "responses", "security"]

#: How many faults are traced back to each operation; `FaultGraph.split()` has all of them.
_MAX_TRACED: Final = 5


class OperationPart(NamedTuple):
    """A part of the operation at a location; of a path item if it hides its operations."""

    operation: str
    kind: PartKind


class PartLocations:
    """Where the parts of operations are declared.

    Attributes:
        whole: the parts that all content of a location belongs to.
        exact: those that only the location itself belongs to.
    """

    def __init__(self) -> None:
        self.whole: dict[DocumentLocation, list[OperationPart]] = {}
        self.exact: dict[DocumentLocation, list[OperationPart]] = {}

    def add(self, location: DocumentLocation, part: OperationPart) -> None:
        """Declare that a part of an operation is all content of a location."""
        self.whole.setdefault(location, []).append(part)

    def add_exact(self, location: DocumentLocation, part: OperationPart) -> None:
        """Declare that a location itself belongs to a part, but not all of its content."""
        self.exact.setdefault(location, []).append(part)


class FaultGraph:
    """The faults of a document, and the way from each to the operations that it concerns.

    Args:
        faults: locations and messages.
        references: the location of each reference, and that of its target.
        parts: where operations are declared.
    """

    def __init__(
        self,
        faults: Iterable[tuple[DocumentLocation, str]],
        references: Iterable[tuple[DocumentLocation, DocumentLocation]],
        parts: PartLocations,
    ) -> None:
        self._parts = parts
        self._faults = list(faults)
        self._forward: dict[DocumentLocation, list[DocumentLocation]] = {}
        self._nodes: set[DocumentLocation] = set()
        self._traced: Mapping[OperationPart, list[Fault]] = {}
        if self._faults:  # else there is nothing to trace
            links = list(references)
            self._nodes = {target for _, target in links} | parts.whole.keys()
            for source, target in links:
                for owner in self._owners(source):
                    self._forward.setdefault(owner, []).append(target)
            self._traced = self._trace()

    def of(self, operation: str, kind: PartKind) -> tuple[Fault, ...]:
        """Return the first faults that concern a part of an operation."""
        return tuple(self._traced.get(OperationPart(operation, kind), ()))

    def split(
        self, is_wanted: Callable[[OperationPart], bool]
    ) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
        """Return all faults that concern one of some parts, and those that concern none."""
        reached = {at for at, parts in self._parts.whole.items() if any(map(is_wanted, parts))}
        pending = list(reached)
        while pending:
            for target in self._forward.get(pending.pop(), ()):
                if target not in reached:
                    reached.add(target)
                    pending.append(target)
        sides: tuple[list[Fault], list[Fault]] = [], []
        for location, message in self._faults:
            concerns = any(map(is_wanted, self._parts.exact.get(location, ()))) or any(
                owner in reached for owner in self._owners(location)
            )
            sides[not concerns].append((str(location), message))
        return tuple(sides[0]), tuple(sides[1])

    def _owners(self, location: DocumentLocation) -> Iterator[DocumentLocation]:
        """Iterate over the targets and declarations that contain a location."""
        return (one for one in location.ancestors() if one in self._nodes)

    def _trace(self) -> Mapping[OperationPart, list[Fault]]:
        backward: dict[DocumentLocation, list[DocumentLocation]] = {}
        for owner, targets in self._forward.items():
            for target in targets:
                backward.setdefault(target, []).append(owner)
        traced: dict[OperationPart, list[Fault]] = {}
        found: dict[DocumentLocation, list[Fault]] = {}
        pending: list[tuple[DocumentLocation, Fault]] = []
        for location, message in self._faults:
            fault = (str(location), message)
            for part in self._parts.exact.get(location, ()):
                _add(traced.setdefault(part, []), fault)
            pending += [(owner, fault) for owner in self._owners(location)]
        # In the order of the faults: a stack would take the last ones first.
        pending.reverse()
        while pending:
            node, fault = pending.pop()
            if _add(found.setdefault(node, []), fault):
                pending += [(owner, fault) for owner in backward.get(node, ())]
        for node, faults in found.items():
            for part in self._parts.whole.get(node, ()):
                known = traced.setdefault(part, [])
                for fault in faults:
                    _add(known, fault)
        return traced


def _add(faults: list[Fault], fault: Fault) -> bool:
    """Add a fault unless it is known or there are enough; return whether it was added."""
    if len(faults) >= _MAX_TRACED or fault in faults:
        return False
    faults.append(fault)
    return True
