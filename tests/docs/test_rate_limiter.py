"""The examples of docs/rate-limiter.md."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

import mantlet
from mantlet import Ban, Concurrency, Quota, RateLimiter, Rule, keys, on_status
from tests.docs.pages import block_with, blocks, run
from tests.drive import Adapter, both_adapters, hello

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "rate-limiter.md"
BLOCKS = blocks(PAGE)
NAMES: dict[str, Any] = {
    "Ban": Ban,
    "CORSMiddleware": CORSMiddleware,
    "Concurrency": Concurrency,
    "FastAPI": FastAPI,
    "Quota": Quota,
    "RateLimiter": RateLimiter,
    "Rule": Rule,
    "keys": keys,
    "mantlet": mantlet,
    "on_status": on_status,
}


def with_files(block: str, files: Path) -> str:
    """Return a block with files in the place of those that it names."""
    (files / "deny.txt").write_text("198.51.100.0/24 # a comment\n")
    block = block.replace("/etc/app/deny.txt", str(files / "deny.txt"))
    return block.replace("/var/lib/app/limits", str(files / "limits"))


def limiters(block: str, **names: Any) -> list[RateLimiter]:
    """Run a block; return the limiters that it makes."""
    made: list[RateLimiter] = []

    def make(*args: Any, **options: Any) -> RateLimiter:
        made.append(RateLimiter(*args, clock=lambda: 0, **options))
        return made[-1]

    run(PAGE, block, **{**NAMES, "RateLimiter": make, **names})
    return made


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_runs(block: str, tmp_path: Path) -> None:
    """With the names that the page imports, and a limiter that has the rule that it names."""
    limiter = RateLimiter("100/minute", rules=[Rule("GET /export/{kind}", "10/hour")])
    names = {**NAMES, "counter": Counter[str](), "limiter": limiter}
    assert run(PAGE, with_files(block, tmp_path), **names)


@both_adapters
def test_preflights(adapter: Adapter) -> None:
    """Both examples count them."""
    preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]
    found = limiters(block_with(PAGE, "count_preflights=True"))
    assert len(found) == 2
    for limiter in found:
        app = adapter.wrap(hello, limiter)
        answer = adapter.drive(app, "OPTIONS", "/search", headers=preflight)
        assert answer.get("RateLimit") is not None


@both_adapters
def test_networks(adapter: Adapter, tmp_path: Path) -> None:
    """With a file in the place of the one that the page names."""
    (limiter,) = limiters(with_files(block_with(PAGE, "deny="), tmp_path))
    app = adapter.wrap(hello, limiter)
    clients = ["192.0.2.1", "203.0.113.7", "198.51.100.1", "203.0.113.8"]
    assert [adapter.drive(app, client=one).status for one in clients] == [200, 403, 403, 200]


@both_adapters
def test_on_refuse(adapter: Adapter) -> None:
    """The callable counts."""
    counter: Counter[str] = Counter()
    (limiter,) = limiters(block_with(PAGE, "on_refuse="), counter=counter)
    app = adapter.wrap(hello, limiter)
    for _ in range(102):
        adapter.drive(app)
    assert counter == {"default": 2}
