"""GitHub's own document: each operation compiles, each path leads to itself, and nothing breaks.

It is a package of npm: where npm is, the test installs it for itself, into a cache of the user's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard import SchemaGuard
from tests.drive import Adapter, both_adapters
from tests.guard.asking import JSON, Guarded

if TYPE_CHECKING:
    from tests.drive import Answer

pytestmark = pytest.mark.slow

PACKAGE = "@octokit/openapi"
VERSION = "19"
#: What a guard may answer; 200 is the app's.
STATUSES = {200, 400, 415, 422}


@pytest.fixture(scope="module")
def path() -> Path:
    """Where the document is."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(base) / "mantlet" / f"octokit-{VERSION}"
    found = cache / "node_modules" / PACKAGE / "generated" / "api.github.com.json"
    if found.is_file():
        return found
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here: install it to have a large document read")
    cache.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--silent", "--prefix", str(cache), f"{PACKAGE}@{VERSION}"]
    try:
        installed = subprocess.run(command, capture_output=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("npm takes too long here: no large document is read")
    if installed.returncode or not found.is_file():
        pytest.skip(f"npm can't install {PACKAGE} here: no large document is read")
    return found


@pytest.fixture(scope="module")
def root(path: Path) -> Any:
    """What the document says, read by another parser."""
    return json.loads(path.read_bytes())


@pytest.fixture(scope="module")
def guard(path: Path) -> SchemaGuard:
    """A guard of the whole document."""
    return SchemaGuard(openapi=path, responses="report")


def operations(root: Any) -> list[tuple[str, str, Any]]:
    """Return the methods, the paths and what is said of them."""
    return [
        (method.upper(), template, operation)
        for template, item in root["paths"].items()
        for method, operation in item.items()
        if method in {"get", "put", "post", "patch", "delete", "head", "options"}
    ]


def filled(template: str) -> str:
    """Return a path of a template, with a plain text for each parameter."""
    return re.sub(r"\{[^{}]+\}", "x7", template)


def test_each_operation_is_there(guard: SchemaGuard, root: Any) -> None:
    """And is named in the report, with what of it is checked."""
    wanted = [f"{method} {template}" for method, template, _ in operations(root)]
    assert len(wanted) > 1000
    assert sorted(name for name, _ in guard.coverage.operations) == sorted(wanted)
    checked = dict(guard.coverage.operations)
    assert "query: " in str(checked["GET /repos/{owner}/{repo}/issues"])
    assert "body: application/json" in checked["POST /repos/{owner}/{repo}/issues"]


def test_the_report_of_it_can_be_read(guard: SchemaGuard) -> None:
    """What is not checked is told once for each kind, not once for each place."""
    notes = guard.coverage.notes
    assert len(notes) < 40
    assert len({re.sub(r" \(\d+ times, first here\)$", "", words) for _, words in notes}) == len(
        notes
    )
    assert any("string formats are not asserted (" in words for _, words in notes)


@pytest.mark.few_cases(1)
@both_adapters
def test_each_path_leads_to_itself(adapter: Adapter, guard: SchemaGuard, root: Any) -> None:
    """Also where another one is more specific for other texts."""
    reached: list[tuple[str, str]] = []
    app = Guarded(adapter, guard)
    find = guard._router.find

    class Spy:
        """The book of the guard, which tells what it has found."""

        def __getattr__(self, name: str) -> Any:
            return getattr(book, name)

        def find(self, request: Any) -> Any:
            found: Any = find(request)
            reached.append((found[0].operation.method, found[0].operation.template))
            return found

    book = guard._router
    guard._router = Spy()  # type: ignore[assignment]  # a spy
    try:
        for method, template, _ in operations(root):
            app.ask(method, filled(template))
    finally:
        guard._router = book
    assert reached == [(method, template) for method, template, _ in operations(root)]


@pytest.mark.few_cases(1)
@both_adapters
def test_no_request_breaks_it(adapter: Adapter, guard: SchemaGuard, root: Any) -> None:
    """Good ones, bad ones and odd ones are taken or refused, in words."""
    app = Guarded(adapter, guard)

    def send(method: str, target: str, **more: Any) -> Answer:
        answer = app.ask(method, target, **more)
        assert answer.error is None, (method, target)
        assert answer.status in STATUSES, (method, target, answer.text())
        return answer

    taken = 0
    for method, template, operation in operations(root)[:: 2 if adapter.name == "asgi" else 7]:
        target = filled(template)
        names = [one.get("name") for one in operation.get("parameters", ()) if "name" in one]
        taken += send(method, target).status == 200
        send(method, f"{target}?{'&'.join(f'{name}=1' for name in names)}")
        assert send(method, f"{target}?undeclared=1").status == 422
        if "requestBody" in operation:
            for body in ("{}", "[]", "null", '{"name": {"name": [1, null, "x"]}, "id": -1}'):
                send(method, target, body=body, headers=JSON)
            assert send(method, target, body="{", headers=JSON).status in (400, 415)
    assert taken > 10


@pytest.mark.exhaustive
def test_it_accepts_itself(path: Path) -> None:
    """A reload of the same says that nothing is accepted less."""
    assert SchemaGuard(openapi=path).reload(path) == ()
