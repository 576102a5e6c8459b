"""Sources of operations, and the report of the parts of them that are checked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mantlet.guard.operation import Operation
from mantlet.guard.options import OperationSettings
from mantlet.guard.routing.app_routes import AppRoutes

__all__ = ["Coverage", "OperationSource", "checked_parts"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """A report of the parts of a declaration that are checked.

    ``print(guard.coverage)`` shows all of it.

    Attributes:
        operations: the names of the operations, each with its checked parts, such as
            ``"query: limit, order"`` or ``"body: application/json"``.
        keywords: the schema keywords that are checked.
        notes: parts that are not checked, or not as one may expect: the place (a JSON Pointer into
            the document, or the name of an operation), and the reason.
        closed: the operations whose declaration is faulty, so that requests for them are refused:
            the names, each with its faults, which are places and messages.
        unvalidated: the faulty operations that pass unvalidated by ``on_invalid="open"``.
    """

    operations: tuple[tuple[str, tuple[str, ...]], ...]
    keywords: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    closed: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    unvalidated: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()

    def __str__(self) -> str:
        lines = []
        for title, faulty in (
            ("Closed, since the declaration is invalid:", self.closed),
            ("Open without validation, since the declaration is invalid:", self.unvalidated),
        ):
            if faulty:
                lines.append(title)
            for name, faults in faulty:
                lines.append(f"  {name}")
                lines += [f"    {place}: {message}" for place, message in faults]
        count = len(self.operations)
        lines += ["1 checked operation:" if count == 1 else f"{count} checked operations:"]
        for name, parts in self.operations:
            lines.append(f"  {name}")
            lines += [f"    {part}" for part in parts]
        if self.keywords:
            lines.append(f"Checked schema keywords: {', '.join(self.keywords)}")
        if self.notes:
            lines.append("Not checked, or not as declared:")
            lines += [f"  {place}: {reason}" for place, reason in self.notes]
        return "\n".join(lines)


class OperationSource(Protocol):
    """The declared operations of an API: contracts, or an OpenAPI document.

    Attributes:
        reloads: whether another source may replace it.
    """

    reloads: bool

    @property
    def app_routes(self) -> AppRoutes | None:
        """The routes of the app, if they are known."""
        ...

    def names(self) -> list[tuple[str, str]]:
        """Return the methods and templates of the operations."""
        ...

    def compile(self, settings: Mapping[tuple[str, str], OperationSettings]) -> Iterator[Operation]:
        """Yield the compiled operations, in the order of `names()`.

        Args:
            settings: how strictly to treat each of them.

        Raises:
            TypeError: a declaration can't be compiled.
            ValueError: a declaration is wrong.
        """
        ...

    def log_ignored(self) -> None:
        """Log the parts that can't be enforced, once the operations have been compiled."""
        ...

    def narrower_than(self, other: Any) -> tuple[str, ...]:  # Any: one of the same class
        """Describe the requests that another source accepts and this one does not."""
        ...

    def coverage(self, operations: list[Operation]) -> Coverage:
        """Report which parts of the declaration are checked, and which are not."""
        ...


def checked_parts(operation: Operation, *, security_by_app: bool = False) -> Iterator[str]:
    """Yield descriptions of the parts of an operation that are checked.

    Args:
        operation: the operation.
        security_by_app: whether the app authenticates.
    """
    groups = (
        ("path", operation.path),
        ("query", operation.query),
        ("header", operation.headers),
        ("cookie", operation.cookies),
    )
    for place, group in groups:
        if group is not None:
            yield f"{place}: {', '.join(group.names) or 'must be empty'}"
    if operation.body is not None:
        presence = "" if operation.body.required else " (optional)"
        yield f"body: {', '.join(operation.body.readers)}{presence}"
    if operation.message is not None:
        yield "incoming messages"
    if operation.outgoing is not None:
        yield "outgoing messages"
    if operation.responses:
        yield f"responses, if enabled: {', '.join(operation.responses)}"
    for requirement in operation.security:
        names = " and ".join(scheme.name for scheme, _ in requirement)
        yield f"credentials{' (by the app)' * security_by_app}: {names or 'none'}"
