"""The examples of the page on Versions, and what its tables say."""

from __future__ import annotations

from typing import Any

import flask
import pytest

import mantlet
from mantlet import Identity, Version, Versions
from mantlet.testing import PolicyClient
from mantlet.versions import header
from tests.docs.pages import block_with, blocks, run
from tests.drive import drive_wsgi

PAGE = "versions.md"
BLOCKS = blocks(PAGE)


def app() -> flask.Flask:
    """Return an app with two versions in its paths."""
    made = flask.Flask(__name__)
    for one in ("/v1/items", "/v2/items", "/health"):
        made.add_url_rule(one, one.replace("/", "-"), lambda: str(flask.request.url_rule))
    return made


def names() -> dict[str, Any]:
    """Return the names that later blocks take from the first one."""
    first = run(PAGE, BLOCKS[0], app=app())
    return {"mantlet": mantlet, "app": app(), "Version": Version, "Versions": Versions} | {
        name: first[name] for name in ("header", "versions")
    }


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_runs(block: str) -> None:
    """With the names of the first one."""
    assert run(PAGE, block, **names())


def test_the_first_example() -> None:
    """Forwards a header to the path, and announces the end of version 1."""
    wrapped = run(PAGE, BLOCKS[0], app=app())["app"]
    answer = drive_wsgi(wrapped, path="/items", headers=[("API-Version", "1")])
    assert (answer.body, answer.get("api-version")) == (b"/v1/items", "1")
    assert answer.get("deprecation") == "@1767225600"
    assert drive_wsgi(wrapped, path="/items").body == b"/v2/items"
    assert drive_wsgi(wrapped, path="/v2/items").body == b"/v2/items"
    health = drive_wsgi(wrapped, path="/health", headers=[("API-Version", "9")])
    assert (health.body, health.get("api-version")) == (b"/health", None)
    assert drive_wsgi(wrapped, path="/v9/items").status == 404


def test_a_version_for_each_client() -> None:
    """Is that of the subject."""
    version_of = run(PAGE, block_with(PAGE, "PINNED"), **names())["version_of"]

    class State:
        identity: Identity | None = None

    class Request:
        state = State()

    assert version_of(Request) == "2"
    Request.state.identity = Identity("acme", "api_key")
    assert version_of(Request) == "1"


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Is printed by version."""
    given = names()
    PolicyClient(given["versions"]).get("/v1/items")
    run(PAGE, block_with(PAGE, "usage()"), **given)
    assert capsys.readouterr().out.startswith("1 1 20")


def test_a_limit_for_each_version() -> None:
    """Counts the requests of one version alone."""
    block = block_with(PAGE, "RateLimiter(").replace('"1000/minute"', '"1/hour"')
    source = block.replace("RateLimiter(\n", "limiter = RateLimiter(\n")
    limiter = run(PAGE, source, **names())["limiter"]
    versions = Versions({"1": Version(), "2": Version()}, read=[header("API-Version")])
    client = PolicyClient(versions, limiter)
    statuses = [client.get("/", headers=[("API-Version", version)]).status for version in "11222"]
    assert statuses == [200, 429, 200, 200, 200]


def test_a_schema_for_each_version() -> None:
    """Refuses the body of the other version."""
    guard = run(PAGE, block_with(PAGE, "VersionedGuard("), **names())["guard"]
    versions = Versions({"1": Version(), "2": Version()}, read=[header("API-Version")])
    client = PolicyClient(versions, guard)
    for version, body, status in (
        ("1", '{"a": 1}', 200),
        ("1", "[1]", 422),
        ("2", "[1]", 200),
        ("2", '{"a": 1}', 422),
    ):
        fields = [("API-Version", version), ("Content-Type", "application/json")]
        assert client.post("/items", body=body, headers=fields).status == status
