"""What is wrong with the parameters of one place, collected."""

from mantlet.guard.errors import Fault, Invalid, Place, pointer
from mantlet.guard.parameters.decoding import Unreadable

__all__ = ["Findings"]

#: Characters of a name of the client's own in a pointer.
LONGEST_NAME = 64


class Findings:
    """What is wrong with the parameters of one place.

    Args:
        place: for the faults.
        most: how many faults are kept.

    Attributes:
        faults: what is wrong.
        unreadable: whether something of it can't be read in one way.
        excused: the parameters that don't count as missing.
    """

    __slots__ = ("_most", "excused", "faults", "place", "unreadable")

    def __init__(self, place: Place, most: int) -> None:
        self.place: Place = place
        self._most = most
        self.faults: list[Fault] = []
        self.unreadable = False
        self.excused: set[str] = set()

    def unread(self, name: str, error: Unreadable) -> None:
        """Add that a parameter can't be read.

        Args:
            name: as it is declared.
            error: why.
        """
        where = pointer((name,))
        if error.member is not None:
            where += pointer((error.member[:LONGEST_NAME],))
        self.refuse(where, error.code, error.detail)
        self.excused.add(name)

    def refuse(self, where: str, code: str, detail: str) -> None:
        """Add a fault for which all of it can't be read in one way."""
        self.unreadable = True
        self._add(Fault(self.place, where, code, detail))

    def undeclared(self, name: str) -> None:
        """Add that a name is the client's own."""
        where = pointer((name[:LONGEST_NAME],))
        self._add(Fault(self.place, where, "undeclared_parameter", "It is not declared."))

    def missing(self, name: str) -> None:
        """Add that a parameter is not there."""
        self._add(Fault(self.place, pointer((name,)), "missing_parameter", "It is required."))

    def inside(self, name: str, error: Invalid) -> None:
        """Add what is wrong inside of a parameter's value."""
        where = pointer((name,))
        self.unreadable = self.unreadable or error.status != 422
        for fault in error.faults:
            self._add(Fault(self.place, where + fault.pointer, fault.code, fault.detail))
        self.excused.add(name)

    def checked(self, error: Invalid) -> None:
        """Add what a schema has found, but for parameters that are known to be wrong."""
        known = {fault.pointer for fault in self.faults}
        missing = any(fault.code == "missing_parameter" for fault in self.faults)
        for fault in error.faults:
            if fault.pointer not in known and not (missing and fault.code == "required"):
                self._add(fault)

    def error(self) -> Invalid:
        """Return all of it as what is raised."""
        return Invalid(400 if self.unreadable else 422, self.faults)

    def _add(self, fault: Fault) -> None:
        if len(self.faults) < self._most and fault not in self.faults:
            self.faults.append(fault)
