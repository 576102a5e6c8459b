"""The coverage report: what of a declaration is checked, and what is not, in words."""

from collections.abc import Iterator
from dataclasses import dataclass

from mantlet.guard.operation import Operation

__all__ = ["Coverage", "checked_parts"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a declaration is checked.

    ``print(guard.coverage)`` shows it all.

    Attributes:
        operations: the names of the operations, each with what of it is checked, such as
            ``"query: limit, order"`` or ``"body: application/json"``.
        keywords: the keywords of schemas that are checked.
        notes: what is not checked, or otherwise than one may think: where it stands (a JSON Pointer
            into the document, or the name of an operation), and why.
    """

    operations: tuple[tuple[str, tuple[str, ...]], ...]
    keywords: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        count = len(self.operations)
        lines = ["1 operation is checked:" if count == 1 else f"{count} operations are checked:"]
        for name, parts in self.operations:
            lines.append(f"  {name}")
            lines += [f"    {part}" for part in parts]
        if self.keywords:
            lines.append(f"Keywords of schemas that are checked: {', '.join(self.keywords)}")
        if self.notes:
            count = len(self.notes)
            lines.append("1 thing is not:" if count == 1 else f"{count} things are not:")
            lines += [f"  {where}: {words}" for where, words in self.notes]
        return "\n".join(lines)


def checked_parts(operation: Operation) -> Iterator[str]:
    """Yield what of an operation is checked, in words."""
    groups = (
        ("path", operation.path),
        ("query", operation.query),
        ("header", operation.headers),
        ("cookie", operation.cookies),
    )
    for place, group in groups:
        if group is not None:
            yield f"{place}: {', '.join(group.names) or 'nothing may come'}"
    if operation.body is not None:
        presence = "" if operation.body.required else ", if there is one"
        yield f"body: {', '.join(operation.body.readers)}{presence}"
    if operation.message is not None:
        yield "messages from the client"
    if operation.outgoing is not None:
        yield "messages of the app's"
    if operation.responses:
        yield f"answers, where that is wanted: {', '.join(operation.responses)}"
    for requirement in operation.security:
        names = " and ".join(scheme.name for scheme, _ in requirement)
        yield f"credentials: {names or 'none'}"
