"""The code of README.md: the first block runs, and the others use names and options that exist."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import mantlet

ROOT = Path(__file__).parents[1]
BLOCKS = [
    block.partition("```")[0] for block in (ROOT / "README.md").read_text().split("```python\n")[1:]
]


def test_the_first_code_runs() -> None:
    """As a reader would run it; the wheel check does so in a bare environment."""
    subprocess.run([sys.executable, "-W", "error", ROOT / "scripts" / "run_readme.py"], check=True)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_imported_names_exist(block: str) -> None:
    """In the modules that they are imported from."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                assert hasattr(module, alias.name), ast.unparse(node)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_keyword_arguments_exist(block: str) -> None:
    """In each call of a name of the package."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).removeprefix("mantlet.")
            function = getattr(mantlet, name, None) if name.isidentifier() else None
            if function is not None:
                options = set(inspect.signature(function).parameters)
                assert {str(keyword.arg) for keyword in node.keywords} <= options, name
