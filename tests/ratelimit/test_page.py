"""The code of docs/rate-limiter.md on options of the limiter runs as it stands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mantlet import RateLimiter, Rule, keys
from tests.drive import Adapter, both_adapters, hello

if TYPE_CHECKING:
    import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "rate-limiter.md").read_text()


def section(title: str) -> str:
    """Return the code of a section."""
    (text,) = [part for part in PAGE.split("\n## ")[1:] if part.startswith(f"{title}\n")]
    return "\n".join(block.partition("```")[0] for block in text.split("```python\n")[1:])


def limiters(title: str, **names: Any) -> list[RateLimiter]:
    """Run the code of a section; return the limiters that it makes."""
    made: list[RateLimiter] = []

    def make(*args: Any, **options: Any) -> RateLimiter:
        made.append(RateLimiter(*args, clock=lambda: 0, **options))
        return made[-1]

    code = section(title)
    exec(code, {"RateLimiter": make, "Rule": Rule, "keys": keys, **names})  # noqa: S102  # our page
    return made


@both_adapters
def test_preflights(adapter: Adapter) -> None:
    """Both examples count them."""
    preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]
    for limiter in limiters("Limits in the browser"):
        app = adapter.wrap(hello, limiter)
        answer = adapter.drive(app, "OPTIONS", "/search", headers=preflight)
        assert answer.get("RateLimit") is not None


@both_adapters
def test_networks(adapter: Adapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a file in the place of the one that the page names."""
    path = tmp_path / "deny.txt"
    path.write_text("198.51.100.0/24 # a comment\n")
    source = section("Allowed and denied networks").replace("/etc/app/deny.txt", str(path))
    monkeypatch.setattr("tests.ratelimit.test_page.section", lambda _title: source)
    (limiter,) = limiters("Allowed and denied networks")
    app = adapter.wrap(hello, limiter)
    clients = ["192.0.2.1", "203.0.113.7", "198.51.100.1", "203.0.113.8"]
    assert [adapter.drive(app, client=one).status for one in clients] == [200, 403, 403, 200]


@both_adapters
def test_on_refuse(adapter: Adapter) -> None:
    """The callable counts."""
    counter: Counter[str] = Counter()
    (limiter,) = limiters("Hearing of refusals", counter=counter)
    app = adapter.wrap(hello, limiter)
    for _ in range(102):
        adapter.drive(app)
    assert counter == {"default": 2}
