"""The code blocks of the pages in docs/, to be run by tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str = "python") -> list[str]:
    """Return the code of a page in a language."""
    text = (DOCS / page).read_text()
    return [part.partition("```")[0] for part in text.split(f"```{language}\n")[1:]]


def run(page: str, *code: str, **names: Any) -> dict[str, Any]:
    """Run code of a page, one block after the other; return the names that it defines."""
    names.setdefault("__name__", "page")
    for block in code:
        exec(compile(block, f"docs/{page}", "exec"), names)  # noqa: S102  # our own text
    return names
