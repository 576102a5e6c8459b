"""Each request is for one version, and every response says which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet import (
    Version,
    Versions,
)
from mantlet.testing import PolicyClient
from mantlet.versions import header, media_type, path, query

if TYPE_CHECKING:
    from mantlet import Policy
    from mantlet.testing import Protocol, ReceivedResponse

both_protocols = pytest.mark.parametrize("protocol", ["asgi", "wsgi"])

#: As the page in docs/ has it.
VERSIONS = {
    "1": Version(deprecated="2026-01-01", sunset="2127-01-01", docs="https://docs.example/v1"),
    "2": Version(),
    "3": Version(preview=True),
}
READ = [path("/v{version}"), header("API-Version"), media_type("version"), query("api-version")]
OLD = "2020-01-01"


def make(**options: Any) -> Versions:
    """Return the policy of most tests, with other options."""
    return Versions(**{"versions": VERSIONS, "read": READ, **options})


def ask(
    protocol: Protocol,
    target: str = "/items",
    policy: Policy | None = None,
    *others: Policy,
    method: str = "GET",
    headers: Any = (),
    app: Any = None,
) -> ReceivedResponse:
    """Send a request to an app that says which version and path it gets."""
    policies = [policy or make(), *others]
    client = PolicyClient(*policies, app=app or told, protocol=protocol)
    return client.request(method, target, headers=headers)


def told(request: Any) -> str:
    """Answer with the version, and the path that the app gets."""
    return f"{getattr(request.state, 'version', None)} {request.path}"


# -- where a version is ----------------------------------------------------------------------------


@both_protocols
@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/v2/items", {}),
        ("/v2", {}),
        ("/v2/", {}),
        ("/items", {"API-Version": "2"}),
        ("/items", {"api-version": "2"}),
        ("/items", {"Accept": "application/json; version=2"}),
        ("/items", {"Accept": 'application/json;version="2"'}),
        ("/items", {"Accept": "text/html, application/vnd.example+json;VERSION=2;q=0.1, */*"}),
        ("/items", {"Content-Type": "application/json; charset=utf-8; version=2"}),
        ("/items?api-version=2", {}),
        ("/items?a=b&api%2Dversion=%32&c", {}),
        # All of them agree:
        ("/v2/items?api-version=2", {"API-Version": "2", "Accept": "*/*;version=2"}),
    ],
)
def test_a_version(protocol: Protocol, target: str, headers: dict[str, str]) -> None:
    """Is read in the path, in a header, in media types and in the query."""
    answer = ask(protocol, target, headers=headers)
    assert (answer.status, answer.text.partition(" ")[0]) == (200, "2")
    assert answer.headers["API-Version"] == "2"


@both_protocols
@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/v9/items", {}, 404),
        ("/items", {"API-Version": "9"}, 400),
        ("/items?api-version=9", {}, 400),
        ("/items?api-version=", {}, 400),
        ("/items?api-version", {}, 400),
        ("/items", {"Accept": "application/json; version=9"}, 406),
        ("/items", {"Content-Type": "application/json; version=9"}, 415),
        # Two of them differ:
        ("/v1/items", {"API-Version": "2"}, 400),
        ("/v1/items?api-version=2", {}, 400),
        ("/items?api-version=2", {"API-Version": "1"}, 400),
        ("/items", {"API-Version": "1", "Accept": "application/json; version=2"}, 400),
        ("/items", {"Accept": "*/*; version=1", "Content-Type": "a/b; version=2"}, 400),
        # None of them has one:
        ("/items", {}, 400),
    ],
)
def test_refused_versions(
    protocol: Protocol, target: str, headers: dict[str, str], status: int
) -> None:
    """The status tells where the version was, and the problem which ones there are."""
    answer = ask(protocol, target, headers=headers)
    assert answer.status == status
    assert answer.json()["supported_versions"] == ["1", "2"]
    assert answer.headers["API-Supported-Versions"] == "1, 2"
    assert "API-Version" not in answer.headers
    assert answer.headers["Vary"] == "API-Version, Accept, Content-Type"


@both_protocols
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", None),
        ("a/b;version=1, a/b;version=2;q=0.9", "1"),
        ("a/b;version=1;q=0.8, a/b;version=2;q=0.9", "2"),
        ("a/b;version=9, a/b;version=2;q=0.5", "2"),
        ("a/b;version=2;q=0.2, a/b;version=2;q=0.7, a/b;version=1;q=0.5", "2"),
        ("a/b;version=1;q=0, a/b;version=2;q=0.001", "2"),
        ("a/b;version=1;q=0", None),
        ('a/b;x=",a/b;version=1,";version=2', "2"),
        ("application/vnd.version+json", None),
        # The client has no preference, so the app might prefer another one:
        ("a/b;version=1, a/b;version=2", 400),
        # Unreadable, though perhaps not for the app:
        ("a/b;version=1;version=2", 406),
        ('a/b;version="1', 406),
        ("a/b;version", 406),
        ("a/b;version=1;q=2", 406),
        ("a/b;version=1;q=x", 406),
        ("version=1", 406),
        (", ".join(["a/b;version=1"] * 33), 406),
        ("a/b;version=1;x=" + "y" * 1100, 406),
    ],
)
def test_preferences(protocol: Protocol, accept: str, expected: str | int | None) -> None:
    """The best range of ``Accept`` counts whose version there is (RFC 9110, 12.5.1)."""
    policy = make(read=[media_type("version")], default=None)
    answer = ask(protocol, "/items", policy, headers={"Accept": accept})
    if isinstance(expected, str):
        assert answer.text == f"{expected} /items"
    else:
        assert answer.status == (expected or 400)
        names_two = "version=1, a/b;version=2" in accept
        assert ("several versions" in answer.json()["detail"]) == names_two


@both_protocols
def test_the_default(protocol: Protocol) -> None:
    """Is the version of requests that name none, and of no other."""
    policy = make(default="2")
    answer = ask(protocol, "/items", policy)
    assert (answer.text, answer.headers["API-Version"]) == ("2 /items", "2")
    assert ask(protocol, "/items", policy, headers={"API-Version": "9"}).status == 400
    assert ask(protocol, "/v1/items", policy).text == "1 /v1/items"


@both_protocols
def test_a_preview(protocol: Protocol) -> None:
    """Is for clients that ask for it, and not in the list from which others may choose."""
    answer = ask(protocol, "/v3/items", make(default="2"))
    assert (answer.text, answer.headers["API-Version"]) == ("3 /v3/items", "3")
    assert answer.headers["API-Supported-Versions"] == "1, 2"


@both_protocols
def test_versions_by_date(protocol: Protocol) -> None:
    """Are compared exactly: a date between two of them is not a version."""
    policy = Versions(
        {"2026-04-01": Version(), "2026-11-01": Version()}, read=[header("Example-Version")]
    )
    assert (
        ask(protocol, "/", policy, headers={"Example-Version": "2026-11-01"}).text == "2026-11-01 /"
    )
    for other in ("2026-11-02", "2026-11-1", "20261101", "2026-04", "2026-04-01T00:00"):
        assert ask(protocol, "/", policy, headers={"Example-Version": other}).status == 400


# -- versions by the client ------------------------------------------------------------------------

KEYS = {"5a1d6b1f0b9dbb5ad1ee9d9b41bdb3e0c1f8f8e5d7d1d6f7f3a4d5d7e5c1a2b3": "ann"}


@both_protocols
def test_a_version_by_a_function(protocol: Protocol) -> None:
    """Is that of the client's account, unless the request names another one."""
    pinned = {"ann": "1", "ben": "3", "old": "0"}
    policy = make(default=lambda request: pinned.get(request.headers.get("X-Account", "")))
    assert ask(protocol, "/items", policy, headers={"X-Account": "ann"}).text == "1 /items"
    assert ask(protocol, "/items", policy, headers={"X-Account": "ben"}).text == "3 /items"
    assert ask(protocol, "/v2/items", policy, headers={"X-Account": "ann"}).text == "2 /v2/items"
    assert ask(protocol, "/items", policy, headers={"X-Account": "nobody"}).status == 400
    with pytest.raises(ValueError, match="one of the versions 1, 2, 3, not '0'"):
        ask(protocol, "/items", policy, headers={"X-Account": "old"})


@both_protocols
def test_a_version_that_is_awaited(protocol: Protocol) -> None:
    """May come from wherever the app keeps accounts."""

    async def version_of(request: Any) -> str | None:
        found: str | None = request.headers.get("X-Account")
        return found

    policy = make(default=version_of)
    assert ask(protocol, "/items", policy, headers={"X-Account": "1"}).text == "1 /items"
    assert ask(protocol, "/items", policy).status == 400
