"""docs/operations.md: the examples run, and what they print is true."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

import mantlet
from mantlet import StartupError
from mantlet.testing import PolicyClient
from tests.docs.pages import DOCS, block_with, run
from tests.drive import drive_asgi, drive_wsgi
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

PAGE = "operations.md"
TEXT = (DOCS / PAGE).read_text()
PLACE = "127.0.0.1:6379"


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server that knows the user by another password."""
    with Valkey(tmp_path_factory.mktemp("refusing")) as server:
        server.ask("ACL", "SETUSER", "app", "on", ">correct-horse", "+@all", "~*")
        yield server


def test_a_refused_limiter_stops_the_server_with_the_lines_of_the_page(refusing: Valkey) -> None:
    """As uvicorn prints them."""
    block = block_with(PAGE, 'limiter = RateLimiter("100/minute"').replace(PLACE, refusing.place)
    stack = run(PAGE, block)["app"]
    (console,) = re.findall(r"^ERROR:    (RateLimiter.*\n.*)$", TEXT, re.MULTILINE)
    policy = stack.policies[-1]
    with pytest.raises(StartupError) as caught, PolicyClient(policy):
        pass
    assert str(caught.value) == console.replace(PLACE, refusing.place)


def test_a_lazy_start_refuses_what_needs_the_limiter(refusing: Valkey) -> None:
    """And nothing else."""
    block = block_with(PAGE, 'startup="lazy")').replace(PLACE, refusing.place)
    app = run(PAGE, block)["app"]
    assert drive_asgi(app).status == 503
    assert drive_asgi(app, path="/about").status == 200
    assert drive_asgi(app, path="/-/health").status == 200
    assert drive_asgi(app, path="/-/ready").status == 503


@pytest.mark.parametrize("path", ["/-/health", "/-/ready"])
def test_the_checks_answer_as_on_the_page(path: str) -> None:
    """With this body, and for liveness with these headers."""
    app = run(PAGE, block_with(PAGE, "def shop(environ"))["app"]
    console = TEXT.partition("$ curl -i")[2].partition("```")[0]
    shown = re.findall(r"^\{.*\}$", console, re.MULTILINE)[path == "/-/ready"]
    answer = drive_wsgi(app, path=path)
    assert answer.json() == json.loads(shown)
    assert answer.status == 200
    if path == "/-/health":
        for line in ("Content-Type: application/json", "Cache-Control: no-store"):
            assert line in console
            name, _, value = line.partition(": ")
            assert answer.get(name) == value


def test_the_policy_for_a_database_starts_with_it_and_has_its_state(tmp_path: Path) -> None:
    """As docs/write-a-policy.md has it."""
    kind = run("write-a-policy.md", block_with("write-a-policy.md", "class Database"))["Database"]
    file = tmp_path / "shop.db"
    policy = kind(str(file))
    reason = "Database can't start: the database can't be read"
    with pytest.raises(StartupError, match=reason), PolicyClient(policy):
        pass
    file.touch()
    with PolicyClient(mantlet.Health(), policy) as client:
        assert client.get("/-/ready").json()["checks"] == {"Database": {"database": "ok"}}
