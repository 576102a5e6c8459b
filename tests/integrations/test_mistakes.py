"""Likely mistakes of those who wrap an app get a message that says what to write instead."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings

import flask
import litestar
import pytest
import quart
from fastapi import FastAPI
from fastapi_cli.discover import get_import_data
from litestar.cli._utils import LitestarEnv

import mantlet

if TYPE_CHECKING:
    from pathlib import Path


def create_app(config: object = None) -> flask.Flask:
    """Return an app, as a factory does."""
    return flask.Flask(__name__)


@pytest.mark.parametrize("into", [mantlet.wrap, mantlet.install])
def test_a_factory_is_a_type_error_that_tells_to_call_it(into: Any) -> None:
    """With its name, as it is to be written."""
    with pytest.raises(TypeError, match=r"; if it returns the app, call it: create_app\(\)$"):
        into(create_app)


def test_a_policy_before_the_app_is_a_type_error_that_shows_the_order() -> None:
    """The app comes first, in `wrap()` as in `install()`."""
    order: Any = (mantlet.RateLimiter("5/hour"), create_app())
    with pytest.raises(TypeError, match=r"before the policies: wrap\(app, RateLimiter\(...\)\)"):
        mantlet.wrap(*order)


@pytest.mark.parametrize(
    ("argv", "app"),
    [
        ("/bin/flask --app site run --port 8000", flask.Flask(__name__)),
        ("/lib/flask/__main__.py run", flask.Flask(__name__)),
        ("/bin/quart run", quart.Quart(__name__)),
        ("/bin/fastapi run site.py", FastAPI()),
        ("/bin/fastapi dev", FastAPI()),
    ],
    ids=["flask", "python -m flask", "quart", "fastapi run", "fastapi dev"],
)
def test_a_command_that_may_serve_the_bare_app_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, argv: str, app: Any
) -> None:
    """In the line that wraps it, and `install()` is what to use."""
    monkeypatch.setattr(sys, "argv", argv.split())
    with pytest.warns(UserWarning, match=r"without its policies; use mantlet.install\(") as caught:
        mantlet.wrap(app)
    assert caught[0].filename == __file__
    mantlet.install(app)


BARE_LITESTAR = """
import litestar, mantlet
bare = litestar.Litestar(openapi_config=None)
app = mantlet.wrap(bare)
"""
LITESTAR_FACTORY = """
import litestar, mantlet
def create_app():
    return mantlet.wrap(litestar.Litestar(openapi_config=None))
app = create_app()
"""


@pytest.mark.parametrize(
    ("module", "served", "warnings"),
    [
        (BARE_LITESTAR, litestar.Litestar, ["let create_app() return the result"]),
        (LITESTAR_FACTORY, mantlet.asgi.Stack, []),
    ],
    ids=["bare", "factory"],
)
def test_the_command_of_litestar_takes_a_stack_from_a_factory(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    module: str,
    served: type,
    warnings: list[str],
) -> None:
    """And serves the bare app of a module that has a name for it, with a warning."""
    (tmp_path / "app.py").write_text(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/bin/litestar", "run"])
    monkeypatch.setenv("LITESTAR_APP", "")  # which the command sets
    with catch_warnings(record=True, action="always") as caught:
        environment = LitestarEnv.from_env(None)
    del sys.modules["app"]
    assert type(environment.app) is served
    assert [str(one.message).rpartition("; ")[2] for one in caught] == warnings


@pytest.mark.parametrize(
    ("argv", "app"),
    [
        ("/bin/flask shell", flask.Flask(__name__)),
        ("/bin/flask run", flask.Flask(__name__).wsgi_app),
        ("/bin/flask run", FastAPI()),
        ("/bin/fastapi run --entrypoint site:app", FastAPI()),
        ("/bin/gunicorn site:run", flask.Flask(__name__)),
        ("", FastAPI()),
    ],
    ids=["another command", "its own call", "another framework", "entrypoint", "server", "none"],
)
@pytest.mark.filterwarnings("error")
def test_a_command_that_serves_the_stack_is_not_warned_about(
    monkeypatch: pytest.MonkeyPatch, argv: str, app: Any
) -> None:
    """Or that serves nothing."""
    monkeypatch.setattr(sys, "argv", argv.split())
    mantlet.wrap(app)


def test_the_commands_do_find_the_bare_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a module which has a name for it: the reason for the warning."""
    for module, name in ("flask", "Flask"), ("fastapi", "FastAPI"):
        made = f"bare = {name}(__name__)" if name == "Flask" else f"bare = {name}()"
        (tmp_path / f"with_{module}.py").write_text(
            f"import mantlet\nfrom {module} import {name}\n{made}\napp = mantlet.wrap(bare)\n"
        )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    found = flask.cli.ScriptInfo(app_import_path="with_flask").load_app()
    assert type(found) is flask.Flask
    assert get_import_data(path=tmp_path / "with_fastapi.py").app_name == "bare"
