"""Add up the findings of all workers of an app."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mantlet._internal.extras import import_extra
from mantlet.cli.loading import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from mantlet.guard.findings import Finding

__all__ = ["FoundFindings", "load_findings"]


@dataclass
class FoundFindings:
    """Findings of a directory.

    Attributes:
        findings: the findings, the most frequent first.
        unreadable: the files that can't be read, each with the reason.
    """

    findings: list[Finding] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def load_findings(directory: Path) -> FoundFindings:
    """Read the files of a directory, and add up their findings.

    Raises:
        UsageError: the directory can't be read, or an extra is missing.
    """
    try:
        import_extra("jiter", "guard")
    except ImportError as error:
        raise UsageError(str(error)) from None
    from mantlet.guard.findings.files import read_findings  # requires an extra
    from mantlet.guard.findings.finding import merge  # requires an extra

    result = FoundFindings()
    found: list[Finding] = []
    try:
        for path, content in read_findings(directory):
            if isinstance(content, str):
                result.unreadable.append((path, content))
            else:
                found = merge([*found, *content])
    except OSError as error:
        raise UsageError(f"{directory} can't be read: {error.strerror}") from None
    result.findings = found
    return result
