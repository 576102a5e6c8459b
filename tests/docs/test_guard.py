"""The examples of the pages on the guard run, and do what the pages say."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html import escape
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, field_validator
from typer.testing import CliRunner

import mantlet
from mantlet import ErrorEnvelope, Problem, Request, SchemaGuard
from mantlet.cli.app import app as command
from tests.docs.pages import DOCS, block_with, blocks, run
from tests.drive import both_adapters
from tests.guard.asking import JSON, Guarded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.drive import Adapter

REPORT = "guard-report-mode.md"
ERRORS = "guard-errors.md"
HTML = [("Accept", "text/html")]


class Item(BaseModel):
    name: str
    price: float


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
    begun = block_with(REPORT, "from_app").replace("/var/lib/app/guard", str(tmp_path))
    names = run(REPORT, begun, app=shop())
    client = TestClient(names["app"])
    assert client.get("/items?utm_source=newsletter").status_code == 200
    assert client.get("/items?utm_source=newsletter").status_code == 200
    assert client.get("/old/items/7").status_code == 404  # the app's own
    assert client.post("/items", json=[]).status_code == 422  # the app's own
    run(REPORT, block_with(REPORT, "finding.count"), **names)
    assert capsys.readouterr().out.splitlines() == [
        "2 GET /items query  undeclared_parameter",
        "1 GET /old/items/{} path  undeclared_path",
        "1 POST /items body  dict_type",
    ]
    names["guard"]._reports.file.write()
    printed = CliRunner().invoke(command, ["guard", "report", str(tmp_path)]).output
    (shown,) = blocks(REPORT, "console")
    assert [line.split() for line in printed.splitlines()][1] == shown.splitlines()[2].split()
    row = shown.splitlines()[4].split()
    assert printed.splitlines()[3].split()[2:7] == row[2:7]


def test_the_bounds_of_findings_are_those_of_the_page() -> None:
    """As the recorder and the masks have them."""
    from mantlet.guard.findings import masking, recorder  # noqa: PLC0415  # what is compared

    text = (DOCS / REPORT).read_text()
    assert f"{recorder._MAX_POINTERS} places for each operation" in text
    assert f"{recorder._MAX_UNDECLARED} undeclared routes" in text
    assert re.search(r"at\s+most 40 characters", text)
    assert masking.mask_name("x" * 40) != masking.mask_name("x" * 41) == "{}"


@both_adapters
def test_the_messages_of_validators(adapter: Adapter) -> None:
    """A constant reaches the client, and the input doesn't."""
    given = {"BaseModel": BaseModel, "field_validator": field_validator, "__name__": __name__}
    given |= {"SchemaGuard": SchemaGuard, "date": date}
    names = run(ERRORS, block_with(ERRORS, "class Booking"), **given)
    app = Guarded(adapter, names["guard"])
    past = date.today() - timedelta(days=3)
    sunday = date.today() + timedelta(days=(6 - date.today().weekday()) % 7 + 7)
    for day, detail in {past: "Must be in the future", sunday: "Invalid value"}.items():
        answer = app.post("/bookings", {"day": str(day)})
        assert answer.json()["errors"][0]["detail"] == detail


@both_adapters
def test_the_page_in_the_sites_own_words(adapter: Adapter) -> None:
    """Of each error's code."""
    wraps = SimpleNamespace(wrap=lambda *policies: policies[-1])
    names = run(
        ERRORS,
        block_with(ERRORS, "WORDS"),
        Problem=Problem,
        Request=Request,
        escape=escape,
        app=None,
        guard=None,
        mantlet=wraps,
        ErrorEnvelope=ErrorEnvelope,
    )
    app = Guarded(adapter, {"POST /items": Item}, policies=[names["app"]])
    answer = app.ask("POST", "/items", body='{"price": 1}', headers=[*JSON, *HTML])
    assert answer.body.decode().endswith("<ul><li>Please fill this in.</ul>")


def test_fastapis_shape_is_that_of_the_page() -> None:
    """Byte for byte."""
    app = FastAPI()

    @app.post("/items")
    def create(item: Item) -> None:
        pass

    names = run(ERRORS, block_with(ERRORS, "shape="), SchemaGuard=SchemaGuard, app=app)
    client = TestClient(mantlet.wrap(app, names["guard"]))
    answer = client.post("/items", json={"price": 1})
    shown = block_with(ERRORS, '"loc"', "http").partition("\n\n")[2]
    assert answer.json() == json.loads(shown)


@both_adapters
def test_a_limit_says_what_the_page_shows(adapter: Adapter) -> None:
    """With its default."""
    app = Guarded(adapter, {"POST /items": Item})
    answer = app.ask("POST", "/items", body="[" * 99 + "]" * 99, headers=JSON)
    assert answer.json()["errors"] == [json.loads(blocks(ERRORS, "json")[0])]


def test_the_page_on_forms_runs() -> None:
    """And makes a guard."""
    guard = run("guard-forms.md", *blocks("guard-forms.md"))["guard"]
    assert [name for name, _ in guard.coverage.operations] == ["POST /posts", "POST /photos"]


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*guard*.md")))
def test_links_lead_somewhere(page: str) -> None:
    """To files, and to headings of pages."""
    for target in re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", (DOCS / page).read_text()):
        path = DOCS / target[0] if target[0] else DOCS / page
        assert path.exists(), target
        if target[1]:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
            assert target[1][1:] in slugs, target
