"""The code blocks of the pages in docs/, to be run by tests."""

from __future__ import annotations

import ast
import asyncio
import inspect
from contextvars import copy_context
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str = "python") -> list[str]:
    """Return the code of a page in a language."""
    text = (DOCS / page).read_text()
    return [part.partition("```")[0] for part in text.split(f"```{language}\n")[1:]]


def block_with(page: str, needle: str, language: str = "python") -> str:
    """Return the only block of code of a page that has a text in it."""
    (block,) = [one for one in blocks(page, language) if needle in one]
    return block


def run(page: str, *text: str, **names: Any) -> dict[str, Any]:
    """Run code of a page, one block after the other; return the names that it defines.

    A block may await something outside of a function, as in a notebook.
    """
    names.setdefault("__name__", "page")
    for block in text:
        # Not with the annotations of this module, which are text.
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(block, f"docs/{page}", "exec", flags=flags, dont_inherit=True)
        # In a copy of the context: examples do not close the responses of test clients, whose
        # requests then stay the current ones.
        result = copy_context().run(eval, code, names)
        if inspect.iscoroutine(result):
            asyncio.run(result)
    return names
