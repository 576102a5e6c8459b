"""Format and print the output of the commands."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mantlet.cli.scan import ScanResult
from mantlet.secrets.model import SecretModel, SecretSpec, specs
from mantlet.secrets.report import SecretStatus

if TYPE_CHECKING:
    from mantlet.guard.findings import Finding

__all__ = [
    "escape_unprintable",
    "format_age",
    "format_example_file",
    "print_findings",
    "print_scan_result",
    "print_statuses",
    "print_unreadable",
]

_COLOURS: Final = {
    "ok": "green",
    "reported": "yellow",
    "unset": "dim",
    "missing": "red",
    "invalid": "red",
}
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))
#: The width of output that does not go to a terminal: no line is folded.
_UNFOLDED: Final = 10_000


def escape_unprintable(text: str) -> str:
    """Escape control characters: a file's name must not send commands to the terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def format_age(seconds: float) -> str:
    """Format a duration in its largest unit, such as ``"3 d"``."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _console(*, err: bool = False) -> Console:
    console = Console(stderr=err, highlight=False)
    return console if console.is_terminal else Console(stderr=err, highlight=False, width=_UNFOLDED)


def print_statuses(
    report: Sequence[SecretStatus], problems: Sequence[str], *, err: bool = False
) -> None:
    """Print the status of each secret as a table, then the problems.

    Args:
        report: the status of each secret.
        problems: one line per problem.
        err: print to standard error.
    """
    table = Table("name", "state", "source", "age", "fingerprint", "note", box=SIMPLE)
    now = time.time()
    for status in report:
        table.add_row(
            Text(status.name, overflow="fold"),
            Text(status.state, _COLOURS[status.state]),
            Text(escape_unprintable(status.location), overflow="fold"),
            "" if status.changed_at is None else format_age(now - status.changed_at),
            status.fingerprint or "",
            Text(escape_unprintable(status.note or ""), overflow="fold"),
        )
    console = _console(err=err)
    console.print(table)
    for problem in problems:
        console.print(Text(escape_unprintable(problem)), style="red", soft_wrap=True)


def print_scan_result(result: ScanResult, mask: Callable[[str], str]) -> None:
    """Print leaks to standard output; files and secrets not searched to standard error.

    Args:
        result: the result of the search.
        mask: masks secrets: files may be named by one.
    """
    console = _console()
    for leak in result.leaks:
        place = f"{escape_unprintable(mask(str(leak.path)))}:{leak.offset}"
        console.print(Text(f"{place}: {leak.name} ({leak.fingerprint})"), soft_wrap=True)
    errors = _console(err=True)
    for name in result.unsearched:
        errors.print(Text(f"{name}: not searched for: the value is too short or easy to guess"))
    print_unreadable(result.unreadable, mask)
    files = "1 file" if result.files == 1 else f"{result.files} files"
    errors.print(Text(f"{files} searched, {len(result.leaks) or 'nothing'} found"))


def print_unreadable(
    unreadable: Sequence[tuple[Path, str]], mask: Callable[[str], str] = str
) -> None:
    """Print files that can't be read to standard error."""
    errors = _console(err=True)
    for path, reason in unreadable:
        text = f"{escape_unprintable(mask(str(path)))}: can't be read: {reason}"
        errors.print(Text(text), soft_wrap=True)


def print_findings(findings: Sequence["Finding"]) -> None:
    """Print the findings of a guard as a table, the most frequent first."""
    console = _console()
    if not findings:
        console.print("no findings")
        return
    columns = ("count", "refused", "operation", "place", "rule", "status", "last seen", "sample")
    table = Table(*columns, box=SIMPLE)
    now = time.time()
    for one in findings:
        operation = one.operation if one.declared else f"{one.operation} (undeclared)"
        place = one.place + one.pointer
        if one.subject != "request":
            place = f"{one.subject} {place}"
        cells = (operation, place, one.code, str(one.status or "-"))
        table.add_row(
            str(one.count),
            str(one.refused),
            *(Text(escape_unprintable(cell), overflow="fold") for cell in cells),
            f"{format_age(now - one.last_seen.timestamp())} ago",
            Text(escape_unprintable(one.sample), overflow="fold"),
        )
    console.print(table)


def format_example_file(model: type[SecretModel]) -> str:
    """Return a ``.env`` file with the name and the rules of each secret, and no values."""
    parts = ["\n".join([*_comments(spec), f"{spec.field.env}="]) for spec in specs(model)]
    return "\n\n".join(parts) + "\n"


def _comments(spec: SecretSpec) -> Iterator[str]:
    for line in spec.description.splitlines():
        yield f"# {line}".rstrip()
    yield f"# {'Required' if spec.required else 'Optional'}: {_type_name(spec)}."
    if spec.pattern is not None:
        first, *others = spec.pattern.pattern.strip().splitlines() or [""]
        yield f"# Matches: {first}"
        yield from (f"# {line}".rstrip() for line in others)


def _type_name(spec: SecretSpec) -> str:
    unit = "bytes" if spec.type is bytes else "characters"
    if spec.type in (str, bytes):
        kind = "text" if spec.type is str else f"bytes in {spec.encoding or 'UTF-8'}"
        return f"{kind}, {spec.min_length} {unit} or more"
    name = getattr(spec.type, "__name__", None)
    return name if isinstance(spec.type, type) and name else str(spec.type).replace("typing.", "")
