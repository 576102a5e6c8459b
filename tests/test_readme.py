"""README.md does what it says: its files run, and each line of its tables is valid code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
import pydantic
import pytest
import sqlalchemy
from sqlalchemy.orm import sessionmaker

import mantlet
from mantlet.secrets import Environment
from mantlet.versions import header
from tests.docs import walkthrough

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = list(walkthrough.code_blocks(TEXT))
FILES = [block for block in BLOCKS if "title=" in block.options]
(SESSION,) = [block for block in BLOCKS if block.language == "console"]
#: The code of the table of wishes, and of the table of frameworks.
WISHES, FRAMEWORKS = (
    [re.findall(r"`([^`]+)`", line.split(" | ")[1])[0] for line in part.splitlines() if "`" in line]
    for part in (
        TEXT.partition("| I want to |")[2].partition("\n\n")[0],
        TEXT.partition("| framework |")[2].partition("\n\n")[0],
    )
)


class Item(pydantic.BaseModel):
    """The model of a body."""

    name: str


class AppSecrets(mantlet.SecretModel):
    """The secrets of the app."""

    signing_key: mantlet.Secret[str]


NAMES: dict[str, Any] = {
    "__name__": __name__,
    **{name: getattr(mantlet, name) for name in mantlet.__all__},
    "mantlet": mantlet,
    "Flask": flask.Flask,
    "OrderNotFound": LookupError,
    "SIGNING_KEY": "not-the-key-of-anything",
    "Item": Item,
    "AppSecrets": AppSecrets,
    "Environment": Environment,
    "digests": {},
    "header": header,
    "sessionmaker": sessionmaker,
    "engine": sqlalchemy.create_engine("sqlite://"),
}


@pytest.fixture(autouse=True)
def _folder_of_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in a folder with the documents that the table names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openapi.yaml").write_text(
        "{openapi: 3.1.0, info: {title: Shop, version: '1'}, paths: {/orders: {get: {}}}}"
    )


def test_flask_answers_as_shown(tmp_path: Path) -> None:
    """With the first file, the command and the response of the first screen."""
    first_screen = TEXT.partition("The traceback is in the log")[0]
    walkthrough.follow(first_screen.replace("./mantlet", "../mantlet"), tmp_path)


def test_fastapi_answers_alike(tmp_path: Path) -> None:
    """The same problem and headers of Mantlet; the server's own headers differ."""
    with walkthrough.Walkthrough(tmp_path) as walk:
        walk.write(FILES[1])
        walk.run("fastapi run")
        (shown,) = [text for command, text in SESSION.commands if command.startswith("curl")]
        printed = walk.run("curl -i localhost:8000/share/0")
        own = {
            "server",
            "date",
            "connection",
            "content-length",
            "http/1.1 500 internal server error",
        }

        def lines(text: str) -> set[str]:
            found = {line.lower() for line in walkthrough.masked(text).splitlines()}
            return {line for line in found if line.partition(":")[0] not in own}

        assert lines(printed) == lines(shown)
        assert '"each":25.0' in walk.run("curl localhost:8000/share/4")


@pytest.mark.parametrize("code", WISHES, ids=range(len(WISHES)))
def test_each_wish_is_one_line(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is an expression or a statement that works, with policies that can be wrapped."""
    monkeypatch.setenv("SIGNING_KEY", "not-the-key-of-anything")
    code = code.replace("/var/lib/app", str(tmp_path))
    if code.startswith("raise"):
        with pytest.raises(mantlet.Problem):
            exec(code, dict(NAMES))
        return
    names = dict(NAMES)
    exec(f"made = {code}" if not code.startswith("class") else f"{code}\nmade = Quiet()", names)
    assert isinstance(names["made"], mantlet.Policy)


@pytest.mark.parametrize("code", FRAMEWORKS, ids=range(len(FRAMEWORKS)))
def test_each_framework_has_a_line_of_code(code: str) -> None:
    """It calls one of the two functions for apps."""
    call = ast.parse(code.replace(", ...", "")).body[0].value  # type: ignore[attr-defined]  # an expression
    assert ast.unparse(call.func) in {"mantlet.install", "mantlet.wrap"}


def test_policies_are_arguments() -> None:
    """The line below the table makes a protected app."""
    (line,) = [block for block in BLOCKS if block.language == "python" and not block.options]
    names = dict(NAMES)
    exec(line.code, names)
    client = names["app"].test_client()
    with client.get("/") as response:
        assert "RateLimit" in response.headers
    with client.post("/items", json={"name": 5}) as response:
        assert response.status_code == 422


def commands() -> Iterator[str]:
    """Yield the commands that set up Mantlet and the checkout."""
    for block in BLOCKS:
        if block.language == "sh" and "run" not in block.code:
            yield from (line.partition("#")[0].strip() for line in block.code.splitlines())


def test_commands_exist() -> None:
    """Extras in pyproject.toml, and targets in the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    targets = {
        target
        for line in re.findall(r"^([\w -]+):", makefile, re.MULTILINE)
        for target in line.split()
    }
    for command in commands():
        if command.startswith("make "):
            assert command.removeprefix("make ") in targets
        elif not command.startswith("git clone "):
            walkthrough.check_setup(command.replace("./mantlet", "../mantlet"))


def test_the_comparison_is_that_of_its_page() -> None:
    """The rows, and the versions."""
    page = (ROOT / "docs" / "comparison.md").read_text()
    shown = TEXT.partition("## Compared with")[2].partition("## Install")[0]
    rows = [line for line in shown.splitlines() if line.startswith("| ")]
    assert rows
    assert set(rows) <= set(page.splitlines())
    (versions,) = re.findall(r"^Versions: (.*)$", page, re.MULTILINE)
    for name, version in re.findall(r"([\w-]+) ([\d.]+\d)", shown.partition("Measured")[2]):
        assert f"{name} {version}".lower() in versions
