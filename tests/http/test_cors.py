"""Headers that policies add are exposed to scripts of other origins, where the app allows these."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.http.header_name import FixedHeaders
from mantlet.http.headers import EXPOSED, UNEXPOSED, replace_headers

ADDED = {"ratelimit": ("RateLimit", '"default";r=1'), "x-request-id": ("X-Request-ID", "abc")}
ORIGIN = ("Access-Control-Allow-Origin", "https://app.example")


def exposed(*pairs: tuple[str, str]) -> list[str]:
    """Return the values of the header, the same under both protocols."""
    kept = replace_headers(list(pairs), ADDED)
    raw = [(name.lower().encode(), value.encode()) for name, value in pairs]
    added = {name.encode(): (name.encode(), value.encode()) for name, (_, value) in ADDED.items()}
    as_bytes = [value.decode() for name, value in replace_headers(raw, added) if name == KEY]
    as_text = [value for name, value in kept if name.lower() == KEY.decode()]
    assert as_text == as_bytes
    return as_text


KEY = b"access-control-expose-headers"


def test_added_headers_are_exposed() -> None:
    """Beside CORS headers only."""
    assert exposed(ORIGIN) == ["RateLimit, X-Request-ID"]
    assert exposed(("Content-Type", "text/plain")) == []
    assert exposed() == []


@pytest.mark.parametrize("name", ["access-control-allow-origin", "ACCESS-CONTROL-ALLOW-ORIGIN"])
def test_the_case_of_a_name_does_not_matter(name: str) -> None:
    """Under WSGI an app may write it in any way."""
    assert exposed((name, "*")) == ["RateLimit, X-Request-ID"]


@pytest.mark.parametrize("name", ["Retry-After", "WWW-Authenticate"])
def test_the_headers_of_refusals_are_exposed_where_they_are_there(name: str) -> None:
    """They are made by a policy that refuses, and by apps; of several, the name comes once."""
    expected = [f"RateLimit, X-Request-ID, {name}"]
    assert exposed(ORIGIN, (name, "5")) == exposed(ORIGIN, (name, "5"), (name, "6")) == expected
    added = {"Access-Control-Allow-Origin": "https://app.example", "RateLimit": "x"}
    kept = both([(name, "5"), (name.upper(), "6")], added, EXPOSED)
    assert names_in(kept) == {"ratelimit", name.lower()}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (["X-Total"], "X-Total, RateLimit, X-Request-ID"),
        (["X-Total", "etag"], "X-Total, etag, RateLimit, X-Request-ID"),
        (["x-request-id, X-Total"], "x-request-id, X-Total, RateLimit"),
        ([""], "RateLimit, X-Request-ID"),
        ([" , X-Total ,"], "X-Total, RateLimit, X-Request-ID"),
    ],
)
def test_the_apps_own_list_is_kept(own: list[str], expected: str) -> None:
    """In one header, each name once."""
    pairs = [("Access-Control-Expose-Headers", value) for value in own]
    assert exposed(*pairs, ORIGIN) == [expected]


def test_a_list_that_has_all_of_them_stays_as_it_is() -> None:
    """Not even its spelling changes."""
    own = ("access-control-expose-headers", "ratelimit,X-REQUEST-ID")
    kept = replace_headers([own, ORIGIN], ADDED)
    assert kept == [own, ORIGIN, *ADDED.values()]


def test_a_star_exposes_all_headers() -> None:
    """But with credentials it is a name (Fetch, 3.3.3)."""
    star = ("Access-Control-Expose-Headers", "*")
    assert exposed(ORIGIN, star) == ["*"]
    credentials = ("Access-Control-Allow-Credentials", "true")
    assert exposed(ORIGIN, star, credentials) == ["*, RateLimit, X-Request-ID"]


def test_an_added_header_replaces_the_apps_own() -> None:
    """Wherever it stands beside the CORS headers."""
    own = ("X-Request-Id", "the app's")
    for pairs in ([own, ORIGIN], [ORIGIN, own]):
        kept = replace_headers(pairs, ADDED)
        assert [value for name, value in kept if name.lower() == "x-request-id"] == ["abc"]
        assert exposed(*pairs) == ["RateLimit, X-Request-ID"]


def test_always_readable_headers_are_not_named() -> None:
    """A policy's Cache-Control can be read by every script, and its Set-Cookie by none."""
    added = {name.lower(): (name, "x") for name in ("Cache-Control", "Set-Cookie")}
    assert replace_headers([ORIGIN], added) == [ORIGIN, *added.values()]


NAMES = st.sampled_from(
    [
        "Access-Control-Allow-Origin",
        "access-control-expose-headers",
        "Access-Control-Allow-Credentials",
        "RateLimit",
        "Content-Type",
        "Retry-After",
        "Vary",
    ]
)
VALUES = st.sampled_from(["*", "true", "RateLimit", "X-Total, *", "x-request-id", "", "null"])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_nothing_else_changes(pairs: list[tuple[str, str]]) -> None:
    """Other headers keep their values and order, and the app's names stay in the list."""
    before = list(pairs)
    kept = replace_headers(pairs, ADDED)
    assert pairs == before
    changed = {KEY.decode(), *ADDED}
    assert others(kept, changed) == others(pairs, changed)
    own = names_in(pairs)
    found = names_in(kept)
    assert own <= found
    if "access-control-allow-origin" in {name.lower() for name, _ in pairs} and "*" not in found:
        assert {"ratelimit", "x-request-id"} <= found


def others(pairs: Any, changed: set[str]) -> list[tuple[str, str]]:
    return [pair for pair in pairs if pair[0].lower() not in changed]


def names_in(pairs: Any) -> set[str]:
    values = [value for name, value in pairs if name.lower() == KEY.decode()]
    return {name.strip().lower() for value in values for name in value.split(",")} - {""}


def both(pairs: list[tuple[str, str]], added: dict[str, str], cors: Any = None) -> list[Any]:
    """Return the headers with others added, the same under both protocols."""
    fixed = FixedHeaders(added, cors=cors)
    text = replace_headers(list(pairs), fixed.native[False])
    raw = [(name.lower().encode(), value.encode()) for name, value in pairs]
    as_bytes = replace_headers(raw, fixed.native[True])
    assert [(name.lower().encode(), value.encode()) for name, value in text] == as_bytes
    return text


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([], "Origin"),
        (["Accept"], "Accept, Origin"),
        (["Accept", "Cookie"], "Cookie, Accept, Origin"),
        (["origin"], "origin"),
        (["Accept,  ORIGIN , Cookie"], "Accept, ORIGIN, Cookie"),
        (["*"], "*"),
        (["Accept, *"], "*"),
        ([""], "Origin"),
    ],
)
@pytest.mark.parametrize("cors", [None, EXPOSED, UNEXPOSED])
def test_the_members_of_vary_are_joined(own: list[str], expected: str, cors: Any) -> None:
    """Each once, in one header, whoever adds them."""
    kept = both([("Vary", value) for value in own], {"Vary": "Origin"}, cors)
    assert kept == [("Vary", expected)]


CORS = [
    ("Access-Control-Allow-Origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("Access-Control-Max-Age", "5"),
    ("Access-Control-Allow-Something-New", "?1"),
]
OTHERS = [("Content-Type", "text/plain"), ("X-Content-Type-Options", "nosniff")]


@pytest.mark.parametrize("cors", [EXPOSED, UNEXPOSED])
def test_headers_of_the_app_give_way_to_a_policy_that_decides(cors: Any) -> None:
    """All that CORS has, also one alone, and nothing else."""
    assert both([*CORS, *OTHERS], {}, cors)[:2] == OTHERS
    for one in CORS:
        kept = both([one, *OTHERS], {"Vary": "Origin"}, cors)
        assert kept == [*OTHERS, ("Vary", "Origin")]


def test_nobody_decides_unless_it_says_so() -> None:
    """A policy that adds another header leaves those of CORS to the app."""
    assert both(CORS, {"Vary": "Origin"})[: len(CORS)] == CORS


def test_headers_are_exposed_to_the_origin_of_the_policy() -> None:
    """With its own list, and once each."""
    added = {"Access-Control-Allow-Origin": "https://a.example", "X-Request-ID": "1", "Vary": "a"}
    key = "Access-Control-Expose-Headers"
    assert dict(both(OTHERS, added, EXPOSED))[key] == "X-Request-ID"
    assert dict(both(CORS, added, EXPOSED))[key] == "X-Request-ID"
    retries = [("Retry-After", "1"), *CORS]
    assert dict(both(retries, added, EXPOSED))[key] == "X-Request-ID, Retry-After"
    own = {**added, key: "X-Total, x-request-id"}
    assert dict(both(OTHERS, own, EXPOSED))[key] == "X-Total, x-request-id"
    assert dict(both(OTHERS, {**added, key: "*"}, EXPOSED))[key] == "*"
    assert key not in dict(both(OTHERS, added, UNEXPOSED))
