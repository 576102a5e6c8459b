"""The examples of docs/logging.md run, and do what it says."""

from __future__ import annotations

import json
import logging
import logging.config
import re
import shlex
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import structlog

import mantlet
from mantlet._internal import log_throttle, traceback_text
from mantlet.errors import RequestId
from tests.docs.pages import DOCS, block_with, run
from tests.drive import Adapter, Said, both_adapters, hello
from tests.servers import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "logging.md"
TEXT = (DOCS / PAGE).read_text()


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What handlers on standard error write, and logging as it was afterwards."""
    root = logging.getLogger()
    loggers = [root, logging.getLogger("mantlet.errors"), logging.getLogger("mantlet.ratelimit")]
    before = [(one.level, one.handlers[:]) for one in loggers]
    yield capsys
    for one, (level, handlers) in zip(loggers, before, strict=True):
        one.setLevel(level)
        one.handlers[:] = handlers


def failing(carrier: Any) -> Said:
    logging.getLogger("shop").warning("before")
    raise LookupError("a lamp")


@both_adapters
def test_one_configuration_gives_every_record_its_id(
    adapter: Adapter, written: pytest.CaptureFixture[str]
) -> None:
    """The app's own and Mantlet's."""
    run(PAGE, block_with(PAGE, "dictConfig"))
    stack = adapter.wrap(failing, mantlet.ErrorEnvelope())
    adapter.drive(stack, headers=[("X-Request-ID", "mine")])
    logging.getLogger("shop").warning("after")
    first, second, *traceback, last = written.readouterr().err.splitlines()
    assert first.endswith("WARNING shop mine before")
    assert second.endswith(
        "ERROR mantlet.errors mine Unhandled LookupError in request mine, answered with 500"
    )
    assert traceback[-1] == "LookupError: a lamp"
    assert last.endswith("WARNING shop - after")


@both_adapters
def test_structlog_has_the_id(adapter: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    """In each event."""

    def handler(carrier: Any) -> Said:
        structlog.get_logger().info("sold")
        return hello(carrier)

    try:
        run(PAGE, block_with(PAGE, "structlog"))
        stack = adapter.wrap(handler, mantlet.ErrorEnvelope())
        adapter.drive(stack, headers=[("X-Request-ID", "mine")])
    finally:
        structlog.reset_defaults()
    event = json.loads(capsys.readouterr().out)
    assert event == {"event": "sold", "level": "info", "request_id": "mine"}


def test_secrets_are_masked(written: pytest.CaptureFixture[str]) -> None:
    """In every record of the handlers."""
    run(PAGE, block_with(PAGE, "dictConfig"))
    run(PAGE, block_with(PAGE, "mask_logging"), database_password="hunter2-hunter2")
    logging.getLogger("shop").error("no login with hunter2-hunter2")
    assert "no login with ***" in written.readouterr().err


@both_adapters
def test_an_id_is_made_by_options(adapter: Adapter) -> None:
    """As in the example."""
    made = "01J9ZC3F8Q1M6W5T2V7R4X0Y8B"
    envelope = run(PAGE, block_with(PAGE, "RequestId("), new_ulid=lambda: made)["envelope"]
    for given, expected in (("17", made), (made[::-1], made[::-1])):
        headers = [("X-Correlation-ID", given)]
        answer = adapter.drive(adapter.wrap(hello, envelope), headers=headers)
        assert answer.get("X-Correlation-ID") == expected


def test_options_have_the_documented_defaults() -> None:
    """As in the table."""
    table = TEXT.partition("| option | default |")[2]
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", table, re.MULTILINE))
    own = RequestId()
    assert rows == {
        name: json.dumps(value) if isinstance(value, str) else str(value)
        for name, value in vars(own).items()
        if name in {"header", "trust_incoming", "from_response"}
    }


def test_every_logger_is_listed() -> None:
    """And no other."""
    listed = set(re.findall(r"^\| `(mantlet[.\w]*)` \|", TEXT, re.MULTILINE))
    used: set[str] = set()
    for path in (DOCS.parent / "src").rglob("*.py"):
        used |= set(re.findall(r'getLogger\("(mantlet[.\w]*)"\)', path.read_text()))
    assert used == listed


def test_the_figures_are_those_of_the_code() -> None:
    """Of the budget, and of a record."""
    assert f"{log_throttle.MAX_RECORDS} records and {log_throttle.MAX_BYTES >> 20} MiB" in TEXT
    assert f"at most {traceback_text.MAX_TEXT >> 10} KiB" in TEXT


# -- access logs ----------------------------------------------------------------------------------


def check_access_log(name: str, app: str, env: dict[str, str]) -> None:
    """Ask for a page, and find the id in the line of the access log."""
    with server.serve(name, app, env=env) as started:
        answer = httpx.get(f"{started.url}/nowhere")
        own = answer.headers["x-request-id"]
        log = started.wait_for_log(f" {own}\n")
        line = rf'127\.0\.0\.1\S* "GET /nowhere \S+" 404( Not Found)? {own}$'
        assert re.search(line, log, re.MULTILINE)
        httpx.get(started.url, headers={"X-Request-ID": "mine"})
        started.wait_for_log(" mine\n")


@pytest.mark.few_cases(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["gunicorn-sync", "gunicorn-gthread"])
def test_gunicorns_access_log_has_the_id(name: str) -> None:
    """From the response."""
    command = shlex.split(block_with(PAGE, "gunicorn", "sh").splitlines()[0])
    assert command[0] == "gunicorn"
    env = {"GUNICORN_CMD_ARGS": shlex.join(command[1:-1])}
    check_access_log(name, "flask_app:app", env)


@pytest.mark.few_cases(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["uvicorn-h11", "uvicorn-httptools"])
def test_uvicorns_access_log_has_the_id(name: str, tmp_path: Path) -> None:
    """From the context."""
    config = tmp_path / "access.json"
    config.write_text(block_with(PAGE, "access", "json"))
    check_access_log(name, "fastapi_app:app", {"UVICORN_LOG_CONFIG": str(config)})


@pytest.mark.slow
def test_hypercorns_access_log_has_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the response."""
    command = shlex.split(block_with(PAGE, "gunicorn", "sh").splitlines()[1])
    assert command[0] == "hypercorn"
    monkeypatch.setitem(server.COMMANDS, "hypercorn-logged", command[:-1])
    check_access_log("hypercorn-logged", "fastapi_app:app", {})
