"""Origins match in full, by a wildcard for one label, or by a function; nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import Cors, CrossOrigin
from mantlet.origins.matching import OriginMatcher

PATTERN = "https://*.example.com"


@pytest.mark.parametrize(
    ("origin", "matches"),
    [
        ("https://a.example.com", True),
        ("https://a-b_c.example.com", True),
        ("https://xn--bcher-kva.example.com", True),
        ("https://example.com", False),
        ("https://a.b.example.com", False),
        ("https://.example.com", False),
        ("https://*.example.com", False),
        ("https://aexample.com", False),
        ("https://evil.example/.example.com", False),
        ("https://evil.example#.example.com", False),
        ("https://evil.example:1@a.example.com", False),
        ("https://a.example.com.evil.example", False),
        ("https://a.example.com:8443", False),
        ("https://a.example.com:443", False),
        ("http://a.example.com", False),
        ("https://A.example.com", False),
        ("https://a.example.com.", False),
        ("https://a.example.com\n", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_wildcard_is_one_label(origin: str, matches: bool) -> None:
    """No more, no less, and never a part of another name."""
    assert OriginMatcher("origins", PATTERN).matches(origin) is matches
    assert OriginMatcher("origins", ["https://other.example", PATTERN]).matches(origin) is matches


@given(st.text(max_size=30))
def test_nothing_but_a_label_matches(text: str) -> None:
    """Whatever stands in the place of the wildcard."""
    if OriginMatcher("origins", PATTERN).matches(f"https://{text}.example.com"):
        assert text
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_pattern_may_have_a_port() -> None:
    """Which then counts."""
    matcher = OriginMatcher("origins", "http://*.localhost:3000")
    assert matcher.matches("http://app.localhost:3000")
    assert not matcher.matches("http://app.localhost")
    assert not matcher.matches("http://app.localhost:3001")


def test_a_function_is_asked_about_origins_alone() -> None:
    """So it needs no parser of its own."""
    asked: list[str] = []

    def is_ours(origin: str) -> bool:
        asked.append(origin)
        return True

    matcher = OriginMatcher("origins", ["https://app.example", is_ours])
    for origin in ("https://app.example", "https://a.example", "null", "x", "https://b.example/"):
        assert matcher.matches(origin) is (origin in ("https://app.example", "https://a.example"))
    assert asked == ["https://a.example"]


def test_an_origin_of_another_scheme_is_named_in_full() -> None:
    """Of an app or an extension of a browser."""
    matcher = OriginMatcher("origins", ["capacitor://localhost", "chrome-extension://abcdef"])
    assert matcher.matches("capacitor://localhost")
    assert matcher.matches("chrome-extension://abcdef")
    assert not matcher.matches("ionic://localhost")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("null", "sandboxed page"),
        ("app.example", 'it needs a scheme, such as "https://app.example"'),
        ("https://app.example/", 'browsers write it as "https://app.example"'),
        ("https://App.Example:443/x", 'browsers write it as "https://app.example"'),
        ("http://app.example.:8080", 'browsers write it as "http://app.example:8080"'),
        ("https://user@app.example", 'browsers write it as "https://app.example"'),
        ("https://bücher.example", "xn--bcher-kva"),
        ("https://[::1", "write it as browsers do"),
        ("https://app.example:0", "write it as browsers do"),
        ("https://*", "one whole label"),
        ("https://*.com", "that is your own"),
        ("https://*.1.2.3.4", "that is your own"),
        ("https://*.Example.com", "that is your own"),
        ("https://*.*.example.com", "one whole label"),
        ("https://app*.example.com", "one whole label"),
        ("https://app.*.com", "one whole label"),
        ("*.example.com", "a scheme and a domain"),
        ("*", "a scheme and a domain"),
        ("https://*.example.com:443", "is not a pattern"),
        ("https://*.example.com/", "one whole label|your own"),
    ],
)
def test_a_malformed_origin_is_refused_at_construction(text: str, message: str) -> None:
    """With what to write."""
    for make in (
        lambda: OriginMatcher("origins", [text]),
        lambda: CrossOrigin(trusted=text),
    ):
        with pytest.raises(ValueError, match=message):
            make()


async def is_slow(origin: str) -> bool:
    """Return a coroutine, which is true."""
    return False


@pytest.mark.parametrize("origins", [None, 1, [1], b"https://app.example", is_slow, [is_slow]])
def test_an_origin_is_text_or_a_plain_function(origins: Any) -> None:
    """A coroutine would be true for all."""
    for policy, option in ((Cors, "origins"), (CrossOrigin, "trusted")):
        with pytest.raises(TypeError, match=option):
            policy(**{option: origins})


def test_there_must_be_an_origin() -> None:
    """An empty list, as from a variable that is not set, is a mistake for Cors."""
    with pytest.raises(ValueError, match="must not be empty"):
        Cors(origins=[])
    CrossOrigin(trusted=[])
