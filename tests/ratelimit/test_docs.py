"""The code of docs/rate-limiter.md runs."""

from __future__ import annotations

import ast
import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

import mantlet

PAGE = (Path(__file__).parents[2] / "docs" / "rate-limiter.md").read_text()
BLOCKS = [block.partition("```")[0] for block in PAGE.split("```python\n")[1:]]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_runs(block: str, tmp_path: Path) -> None:
    """With the names that the page imports, and a limiter that has the rule that it names."""
    rule = mantlet.Rule("GET /export/{kind}", "10/hour")
    names: dict[str, Any] = {
        name: getattr(mantlet, name)
        for name in ("Ban", "Concurrency", "Quota", "RateLimiter", "Rule", "keys", "on_status")
    }
    names["limiter"] = mantlet.RateLimiter("100/minute", rules=[rule])
    text = block.replace("/var/lib/app/limits", str(tmp_path / "limits"))
    code = compile(text, "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)  # noqa: S307  # the page is ours
    if inspect.iscoroutine(result):
        asyncio.run(result)
