"""`scripts/test_pythons.py`: the interpreters that it finds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "test_pythons.py"


def script() -> Any:
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("all_pythons", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def interpreter(path: Path, answer: str, code: int = 0) -> Path:
    """Make a file that answers as an interpreter does that is asked for its version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_each_final_cpython_is_found_once_with_and_without_the_gil(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the PATH first, then those of pyenv and uv; nothing else in these folders counts."""
    path = tmp_path / "bin"
    pyenv = tmp_path / ".pyenv/versions"
    uv = tmp_path / ".local/share/uv/python"
    interpreter(path / "python3.10", "cpython 3 10 final 0")
    interpreter(path / "python3.12", "", code=127)  # a shim of pyenv
    interpreter(path / "python3.15", "cpython 3 15 beta 0")
    interpreter(path / "python3.11", "pypy 3 11 final 0")
    interpreter(path / "python3.13-config", "cpython 3 13 final 0")
    expected = {
        "3.12": interpreter(pyenv / "3.12.1/bin/python3.12", "cpython 3 12 final 0"),
        "3.13": interpreter(path / "python3.13", "cpython 3 13 final 0"),
        "3.13t": interpreter(pyenv / "3.13.0t/bin/python3.13t", "cpython 3 13 final 1"),
        "3.14": interpreter(uv / "cpython-3.14.0/bin/python3.14", "cpython 3 14 final 0"),
        # uv and pyenv give a free-threaded build the plain name as well.
        "3.14t": interpreter(uv / "cpython-3.14.0+ft/bin/python3.14", "cpython 3 14 final 1"),
    }
    interpreter(pyenv / "3.13.0/bin/python3.13", "cpython 3 13 final 0")
    interpreter(uv / "cpython-3.14.0+ft/bin/python3.14t", "cpython 3 14 final 1")
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = {str(version): python for version, python in script().pythons().items()}
    assert found == expected
    assert list(found) == ["3.12", "3.13", "3.13t", "3.14", "3.14t"]


def test_the_tests_for_free_threaded_builds_exist() -> None:
    """They are named one by one."""
    assert all((SCRIPT.parents[1] / name).is_file() for name in script().THREAD_TESTS)
