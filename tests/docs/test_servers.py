"""docs/servers.md: every option exists in the installed server, with the default of the page."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypercorn.config import Config

from mantlet import OutputSanitizer, RateLimiter, keys
from tests.docs.pages import DOCS
from tests.drive import AsgiAdapter, drive_asgi, hello

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

TEXT = (DOCS / "servers.md").read_text()
SERVERS = ("gunicorn", "uvicorn", "hypercorn", "granian", "daphne", "waitress")
#: Its `--help` gives no defaults.
HYPERCORN = {"--keep-alive": "keep_alive_timeout"}
UNITS = {"": 1, " ms": 1, " s": 1, " KiB": 2**10, " MiB": 2**20, " GiB": 2**30}


def cells() -> Iterator[tuple[str, str]]:
    """Return each cell of the tables that names options, with the server of its row."""
    for line in TEXT.splitlines():
        first, *others = line.strip("|").split("|")
        names = [name for name in SERVERS if re.match(rf"\W*{name}\b", first)]
        if line.startswith("|") and names:
            yield from ((names[0], cell) for cell in others)


OPTIONS = sorted(
    {(name, one) for name, cell in cells() for one in re.findall(r"`(--[\w-]+)`", cell)}
)
AMOUNTS = sorted(
    {
        (name, option, int(number) * UNITS[unit])
        for name, cell in cells()
        for option, number, unit in re.findall(r"`([\w-]+)` (\d+)( (?:ms|s|KiB|MiB|GiB)\b|)", cell)
    }
)


@cache
def usage(server: str) -> str:
    """Return what the server prints with ``--help``."""
    completed = subprocess.run(
        [sys.executable, "-m", server, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    return completed.stdout


def test_the_tables_have_options_and_amounts() -> None:
    """So that the tests below test something."""
    assert len(OPTIONS) > 20
    assert len(AMOUNTS) > 15


@pytest.mark.parametrize(("server", "option"), OPTIONS)
def test_each_option_exists(server: str, option: str) -> None:
    """By its name in ``--help``."""
    assert re.search(rf"{option}\b(?!-)", usage(server))


@pytest.mark.parametrize(("server", "option", "amount"), AMOUNTS)
def test_each_default_is_the_server_s(server: str, option: str, amount: int) -> None:
    """In ``--help``, or where the server keeps it."""
    if not option.startswith("--"):
        assert getattr(Config(), option) == amount
    elif (server, option) == ("uvicorn", "--h11-max-incomplete-event-size"):
        implementation = importlib.import_module("uvicorn.protocols.http.h11_impl")
        assert amount == implementation.DEFAULT_MAX_INCOMPLETE_EVENT_SIZE
    elif server == "daphne":
        parser: Any = importlib.import_module("daphne.cli").CommandLineInterface().parser
        assert parser.get_default(option.removeprefix("--").replace("-", "_")) == amount
    elif server == "hypercorn":
        assert getattr(Config(), HYPERCORN[option]) == amount
    else:
        text = re.split(rf"{option}\b(?!-)", usage(server))[-1]
        told = re.search(
            r"default(?: is|:)? \(?(\d+)|\[(\d+)\]", " ".join(text.split()), re.IGNORECASE
        )
        assert told is not None
        assert int(told[1] or told[2]) == amount


def test_a_proxy_that_the_server_knows_may_be_known_to_the_policies_too() -> None:
    """The server's peer is the client then, and nothing that it sends is believed."""
    limiter = RateLimiter("2/hour", key=keys.client_address(trusted_proxies=["127.0.0.1"]))
    sanitizer = OutputSanitizer(headers="web", trusted_proxies=["127.0.0.1"])
    app = AsgiAdapter().wrap(hello, sanitizer, limiter)
    forged = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")]
    for forwarded in ([], forged):
        answer = drive_asgi(app, client="198.51.100.1", headers=forwarded)
        assert "strict-transport-security" not in answer.names
    assert drive_asgi(app, client="198.51.100.1").status == 429
