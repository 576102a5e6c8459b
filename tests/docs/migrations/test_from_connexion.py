"""docs/how-to/migrate-from-connexion.md: what it says about both, with the same document."""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.docs.clients import send
from tests.docs.migrations.moving import check_options, report, statuses
from tests.docs.pages import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Of connexion's own.
pytestmark = pytest.mark.filterwarnings(
    "ignore:jsonschema:DeprecationWarning", "ignore:.*swagger_ui:UserWarning"
)
PAGE = "how-to/migrate-from-connexion.md"
KEY = {"X-API-Key": "a-long-random-key"}
JSON = KEY | {"Content-Type": "application/json"}


class Load(Protocol):
    """Imports one of the page's two apps, with a text of it replaced."""

    def __call__(self, index: int, old: str = "", new: str = "") -> Any: ...


@pytest.fixture(name="load")
def _load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Return a function that imports one of the page's two apps, with a text of it replaced."""
    (document,) = blocks(PAGE, "yaml")
    (tmp_path / "openapi.yaml").write_text(document)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def load(index: int, old: str = "", new: str = "") -> Any:
        code = blocks(PAGE)[index]
        assert old in code
        (tmp_path / "app.py").write_text(code.replace(old, new) if old else code)
        importlib.invalidate_caches()
        sys.modules.pop("app", None)
        return importlib.import_module("app").app

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield load
    sys.modules.pop("app", None)


CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "public": ("GET /health", {}, 200),
    "valid": ("GET /items/1", {"headers": KEY}, 200),
    "query": ("GET /items/1?detail=true", {"headers": KEY}, 200),
    "created": ("POST /items", {"headers": KEY, "json": {"name": "a", "price": 5}}, 201),
    "no-key": ("GET /items/1", {}, 401),
    "unknown-key": ("GET /items/1", {"headers": {"X-API-Key": "another"}}, 401),
    "invalid": ("POST /items", {"headers": KEY, "json": {"name": ""}}, 400),
    "undeclared-member": ("POST /items", {"headers": KEY, "json": {"name": "a", "b": 1}}, 400),
    "undeclared-query": ("GET /items/1?a=b", {"headers": KEY}, 400),
    "form": ("POST /items", {"headers": KEY, "data": {"name": "a"}}, 415),
    "path": ("GET /none", {"headers": KEY}, 404),
    "method": ("DELETE /items/1", {"headers": KEY}, 405),
}


def test_both_apps_answer_alike(load: Load) -> None:
    """With the status, the media type and, of a success, the content."""
    found = []
    for index in (0, 1):
        app = load(index)
        seen = {name: send(app, request, **more) for name, (request, more, _) in CASES.items()}
        assert {name: one.status_code for name, one in seen.items()} == {
            name: status for name, (_, _, status) in CASES.items()
        }
        found.append(
            {
                name: one.json() if one.is_success else one.headers["content-type"]
                for name, one in seen.items()
            }
        )
    assert found[0] == found[1]


def test_responses_that_do_not_conform(load: Load) -> None:
    """Are not sent."""
    for index in (0, 1):
        app = load(index, '{"name": ', '{"nam": ')
        assert send(app, "GET /items/1", headers=KEY).status_code == 500


def test_differences(load: Load) -> None:
    """In paths, duplicate members, HEAD, and what errors tell."""
    twice = b'{"name": "", "name": "b"}'
    found = []
    for index in (0, 1):
        app = load(index)
        found.append(
            [
                *statuses(app, "GET /items/x", "HEAD /items/1", headers=KEY),
                send(app, "POST /items", content=twice, headers=JSON).status_code,
            ]
        )
        wrong = {"name": 987654321, "price": "x"}
        problem = send(app, "POST /items", json=wrong, headers=KEY)
        assert ("987654321" in problem.text) == (index == 0)
        assert len(problem.json().get("errors", ())) == (0, 2)[index]
    assert found == [[404, 500, 201], [400, 200, 400]]


def test_types_that_are_not_declared(load: Load) -> None:
    """Are sent by connexion where the document has no content."""
    with_content = ", content: {application/json: {schema: {type: object}}}"
    (document,) = blocks(PAGE, "yaml")
    Path("openapi.yaml").write_text(document.replace(with_content, ""))
    found = [send(load(index), "GET /health").status_code for index in (0, 1)]
    assert found == [200, 500]


def test_options_exist() -> None:
    """On both sides."""
    from connexion import AsyncApp

    check_options(PAGE, AsyncApp.__init__, AsyncApp.add_api)


def test_report_mode_around_connexion(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """The responses are connexion's, and the log has what Mantlet would refuse."""
    caplog.set_level(logging.INFO, "mantlet.guard")
    app = load(0)
    served = report(PAGE, app)["served"]
    alone, both = (send(one, "GET /items/1?a=b", headers=KEY) for one in (app, served))
    assert (alone.status_code, alone.content) == (both.status_code, both.content)
    assert [one.name for one in caplog.records].count("mantlet.guard") == 1
