"""What the commands print."""

import time
from collections.abc import Sequence
from typing import Final

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mantlet.cli.search import Findings
from mantlet.secrets.report import SecretStatus

__all__ = ["age", "plain", "show_findings", "show_report"]

_COLOURS: Final = {
    "ok": "green",
    "reported": "yellow",
    "unset": "dim",
    "missing": "red",
    "invalid": "red",
}
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))
#: Where nobody looks at it on a terminal nothing is folded.
_WIDE: Final = 10_000


def plain(text: str) -> str:
    """Return a text that a terminal takes for nothing but text, whatever a file's name is."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def age(seconds: float) -> str:
    """Return a time in the largest unit that there is one of."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _console(*, err: bool = False) -> Console:
    console = Console(stderr=err, highlight=False)
    return console if console.is_terminal else Console(stderr=err, highlight=False, width=_WIDE)


def show_report(
    report: Sequence[SecretStatus], problems: Sequence[str], *, err: bool = False
) -> None:
    """Print a report as a table, and the problems behind it."""
    table = Table("name", "state", "source", "age", "fingerprint", "note", box=SIMPLE)
    now = time.time()
    for entry in report:
        table.add_row(
            Text(entry.name, overflow="fold"),
            Text(entry.state, _COLOURS[entry.state]),
            Text(plain(entry.location), overflow="fold"),
            "" if entry.changed_at is None else age(now - entry.changed_at),
            entry.fingerprint or "",
            Text(plain(entry.note or ""), overflow="fold"),
        )
    console = _console(err=err)
    console.print(table)
    for problem in problems:
        console.print(Text(plain(problem)), style="red", soft_wrap=True)


def show_findings(found: Findings) -> None:
    """Print where values are, and what could not be searched."""
    console = _console()
    for one in found.findings:
        place = f"{plain(str(one.path))}:{one.offset}"
        console.print(Text(f"{place}: {one.name} ({one.fingerprint})"), soft_wrap=True)
    errors = _console(err=True)
    for name in found.unsearched:
        errors.print(Text(f"{name}: is not searched for: it is short, or easy to guess"))
    for path, why in found.unread:
        errors.print(Text(f"{plain(str(path))}: can't be read: {why}"), soft_wrap=True)
    errors.print(Text(f"{found.files} files searched, {len(found.findings) or 'nothing'} found"))
