"""The examples of docs/schema-guard/report-mode.md run, and do what the page says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from mantlet.cli.app import app as command
from mantlet.guard.findings import masking, recorder
from tests.docs.pages import DOCS, block_with, blocks, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = "schema-guard/report-mode.md"


def shop() -> FastAPI:
    app = FastAPI()

    @app.post("/items")
    def create(item: dict[str, Any]) -> None:
        pass

    @app.get("/items")
    def listed() -> None:
        pass

    return app


def test_a_day_in_report_mode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every step: report, ask the process, ask the command."""
    begun = block_with(PAGE, "from_app").replace("/var/lib/app/guard", str(tmp_path))
    names = run(PAGE, begun, app=shop())
    client = TestClient(names["app"])
    assert client.get("/items?utm_source=newsletter").status_code == 200
    assert client.get("/items?utm_source=newsletter").status_code == 200
    assert client.get("/old/items/7").status_code == 404  # the app's own
    assert client.post("/items", json=[]).status_code == 422  # the app's own
    run(PAGE, block_with(PAGE, "finding.count"), **names)
    assert capsys.readouterr().out.splitlines() == [
        "2 GET /items query  undeclared_parameter",
        "1 GET /old/items/{} path  undeclared_path",
        "1 POST /items body  dict_type",
    ]
    names["guard"]._reports.file.write()
    printed = CliRunner().invoke(command, ["guard", "report", str(tmp_path)]).output
    (shown,) = blocks(PAGE, "console")
    assert [line.split() for line in printed.splitlines()][1] == shown.splitlines()[2].split()
    row = shown.splitlines()[4].split()
    assert printed.splitlines()[3].split()[2:7] == row[2:7]


def test_the_bounds_of_findings_are_those_of_the_page() -> None:
    """As the recorder and the masks have them."""
    text = (DOCS / PAGE).read_text()
    assert f"{recorder._MAX_POINTERS} places for each operation" in text
    assert f"{recorder._MAX_UNDECLARED} undeclared routes" in text
    assert re.search(r"at\s+most 40 characters", text)
    assert masking.mask_name("x" * 40) != masking.mask_name("x" * 41) == "{}"
