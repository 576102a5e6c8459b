"""The public names are imported when they are used, and libraries when a policy needs them."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mantlet

if TYPE_CHECKING:
    from collections.abc import Collection

pytestmark = pytest.mark.slow

WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]

def get(app):
    import io
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1",
               "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1"}
    return b"".join(app(environ, lambda *_: None))
"""
CONTRACTS = 'import mantlet; mantlet.SchemaGuard({"POST /items": dict[str, int]})'
ASGI = "async def app(scope, receive, send): ...\n"


@cache
def loaded(code: str) -> frozenset[str]:
    """Return the modules that a fresh interpreter has loaded after the code."""
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(run.stdout.split())


def third_party(modules: Collection[str]) -> set[str]:
    """Return those that are neither Python's own nor Mantlet's, nor loaded before any code."""
    tops = {name.partition(".")[0] for name in set(modules) - loaded("")}
    return {name.removeprefix("_") for name in tops - sys.stdlib_module_names} - {"mantlet"}


def test_importing_the_package_imports_nothing_else() -> None:
    """An app pays for the policies that it names, and for no other."""
    assert {name for name in loaded("import mantlet") if name.startswith("mantlet")} == {"mantlet"}
    assert third_party(loaded("import mantlet")) == set()


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("import mantlet; mantlet.Policy", {"errors", "guard", "ratelimit", "sanitize", "asgi"}),
        ("import mantlet; mantlet.RateLimiter", {"errors", "guard", "sanitize", "asgi", "wsgi"}),
        ("import mantlet; mantlet.SchemaGuard", {"errors", "ratelimit", "sanitize", "secrets"}),
        (CONTRACTS, {"guard.openapi", "guard.jsonschema", "guard.apps", "guard.graphql.requests"}),
        (WSGI + "import mantlet; mantlet.wrap(app)", {"asgi", "guard", "ratelimit", "secrets"}),
        (ASGI + "import mantlet; mantlet.wrap(app)", {"wsgi", "guard", "ratelimit", "secrets"}),
        (WSGI + "import mantlet; mantlet.wrap(app, baseline=False)", {"errors", "sanitize"}),
    ],
    ids=["Policy", "RateLimiter", "SchemaGuard", "contracts", "wsgi", "asgi", "bare"],
)
def test_a_name_loads_its_own_package(code: str, missing: set[str]) -> None:
    """The others stay where they are."""
    assert loaded(code).isdisjoint({f"mantlet.{name}" for name in missing})


def test_a_guard_of_contracts_loads_nothing_of_documents_and_frameworks() -> None:
    assert third_party(loaded(CONTRACTS)).isdisjoint(
        {"jsonschema_rs", "yaml", "fastapi", "starlette", "flask", "graphql"}
    )


@pytest.mark.parametrize(
    "name", ["core", "errors", "ratelimit", "sanitize", "guard", "secrets", "http", "asgi", "wsgi"]
)
def test_a_package_by_itself_needs_no_library(name: str) -> None:
    """Libraries are loaded where a policy that uses them is made."""
    assert third_party(loaded(f"import mantlet.{name}")) == set()


EACH_ALONE = """
import os, sys
import mantlet

for name in mantlet.__all__:
    if (child := os.fork()) == 0:
        value = getattr(mantlet, name)
        print(name, *sys.modules, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_a_public_name_by_itself_needs_no_library() -> None:
    """Whichever is the first that is used."""
    run = subprocess.run(
        [sys.executable, "-c", EACH_ALONE], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in run.stdout.splitlines()]
    assert [line[0] for line in lines] == mantlet.__all__
    assert {name: third_party(set(modules)) for name, *modules in lines} == {
        name: set() for name in mantlet.__all__
    }


def test_wrapping_an_app_in_the_baseline_needs_no_library() -> None:
    """The automatons of the sanitizer are built when there is something to search."""
    assert third_party(loaded(WSGI + "import mantlet; mantlet.wrap(app)")) == set()
    served = loaded(WSGI + "import mantlet; assert get(mantlet.wrap(app)) == b'hello'")
    assert third_party(served) <= {"ahocorasick_rs", "hyperscan"}


def test_a_limiter_needs_no_library_but_that_of_its_quotas() -> None:
    """No store's client, and nothing of the other policies."""
    code = "import mantlet; mantlet.wrap(app, mantlet.RateLimiter('5/s'))"
    libraries = third_party(loaded(WSGI + code))
    assert "limits" in libraries
    assert libraries.isdisjoint({"lmdb", "redis", "hiredis", "pydantic", "markupsafe", "nh3"})


# -- the names ------------------------------------------------------------------------------------


def test_every_public_name_is_there_and_listed() -> None:
    """By `dir()`, by a star import, and for type checkers."""
    names = set(mantlet.__all__)
    assert list(mantlet.__all__) == sorted(mantlet.__all__)
    assert names <= set(dir(mantlet))
    assert {"__version__", "__all__"} <= set(dir(mantlet))
    tree = ast.parse(Path(mantlet.__file__).read_text())
    typed = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "importlib"
        for alias in node.names
    }
    assert typed == names


def test_a_name_is_the_one_that_type_checkers_see() -> None:
    """The two lists of the package do not differ."""
    tree = ast.parse(Path(mantlet.__file__).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module != "importlib":
            for alias in node.names:
                code = f"from {node.module} import {alias.name} as found"
                namespace: dict[str, object] = {}
                exec(code, namespace)
                assert getattr(mantlet, alias.name) is namespace["found"], code


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="module 'mantlet' has no attribute 'RateLimitter'"):
        mantlet.RateLimitter  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'RateLimitter'"):
        from mantlet import RateLimitter  # type: ignore[attr-defined]  # noqa: F401  # it raises
