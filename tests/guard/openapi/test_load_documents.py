"""The script that loads every document of a folder."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, parameter

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).parents[3] / "scripts" / "load_documents.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("load_documents", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def faulty(count: int) -> dict[str, Any]:
    """Return a document of one good operation and some faulty ones."""
    bad = {"parameters": [parameter("query", "q", {"pattern": "("})], "responses": OK}
    paths: dict[str, Any] = {f"/bad{index}": {"get": bad} for index in range(count)}
    return document({"/good": {"get": {"responses": OK}}, **paths})


def test_it_tells_what_becomes_of_each_document(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that load, those that are refused, and how long it took."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "good.json").write_text(json.dumps(faulty(0)))
    (tmp_path / "partly.yaml").write_text(json.dumps(faulty(2)))
    (tmp_path / "refused.yml").write_text("a: b")
    (tmp_path / "no document.txt").write_text("x")
    assert script.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    words = [line.split() for line in lines[:3]]
    assert [line[:3] for line in words[:2]] == [
        ["inner/good.json", "1", "0"],
        ["partly.yaml", "3", "2"],
    ]
    assert words[2][0] == "refused.yml"
    assert "DocumentError" in words[2]
    assert lines[3] == "2 of 3 documents loaded (66.7%)"
    assert lines[4] == "2 of 4 operations closed"
    assert lines[-1] == "0 raised another exception or took too long"


def test_it_fails_for_any_other_exception(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And for a document that takes too long."""
    (tmp_path / "a.json").write_text(json.dumps(faulty(0)))

    def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(script, "SchemaGuard", fail)
    assert script.main([str(tmp_path)]) == 1
    assert "KeyError" in capsys.readouterr().out
    monkeypatch.setattr(script, "load", lambda *_, **__: script.time.sleep(60))
    assert script.main([str(tmp_path), "--limit", "0.1"]) == 1
    assert "timeout" in capsys.readouterr().out


def test_a_folder_without_documents_is_reported(script: ModuleType, tmp_path: Path) -> None:
    """It is most likely the wrong one."""
    assert script.main([str(tmp_path)]) == 1
