"""Each request is for one version, and every response says which."""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import (
    ApiKeys,
    Authenticator,
    Cors,
    Health,
    Hosts,
    RateLimiter,
    Reply,
    Request,
    SchemaGuard,
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


KEYS = {name: f"key-of-{name}-7vT2qX9mB4wK1" for name in ("ann", "ben")}
AUTHENTICATOR = Authenticator(
    ApiKeys({sha256(key.encode()).hexdigest(): name for name, key in KEYS.items()})
)


def key_of(name: str) -> dict[str, str]:
    """Return the header with an API key."""
    return {"X-API-Key": KEYS[name]}


@both_protocols
def test_a_version_by_identity(protocol: Protocol) -> None:
    """Is known once the Authenticator has found the identity: the policy is inside of it."""
    pinned = {"ann": "1", "ben": "2"}

    def version_of(request: Request) -> str | None:
        identity = request.state.identity
        return None if identity is None else pinned[identity.subject]

    policy = make(default=version_of)
    assert (make().position, policy.position) == (50, 65)
    for name, version in pinned.items():
        client = PolicyClient(AUTHENTICATOR, policy, app=told, protocol=protocol)
        assert client.get("/items", headers=key_of(name)).text == f"{version} /items"
    with pytest.warns(UserWarning, match="Versions is inside RateLimiter"):
        PolicyClient(limiter(), make(), protocol=protocol)


def limiter() -> Policy:
    """Return a policy that belongs inside."""
    return RateLimiter("100/minute")


# -- the end of a version --------------------------------------------------------------------------

ENDING = Version(
    deprecated="2026-01-01",
    sunset="2127-01-01T12:30:00+02:00",
    docs="https://docs.example/v1",
    successor="2",
)


@both_protocols
def test_the_announced_end_of_a_version(protocol: Protocol) -> None:
    """Is in the headers of RFC 9745 and RFC 8594, and links say more."""
    policy = make(versions={"1": ENDING, "2": Version()})
    answer = ask(protocol, "/v1/items", policy)
    assert answer.status == 200
    assert answer.headers["Deprecation"] == "@1767225600"
    assert answer.headers["Sunset"] == "Wed, 01 Jan 2127 10:30:00 GMT"
    assert answer.headers["Link"] == (
        '<https://docs.example/v1>; rel="deprecation", <https://docs.example/v1>; rel="sunset", '
        '<../v2/items>; rel="successor-version"'
    )
    current = ask(protocol, "/v2/items", policy)
    assert not {"Deprecation", "Sunset", "Link"} & {name for name, _ in current.headers}


@both_protocols
def test_a_deprecation_in_the_future(protocol: Protocol) -> None:
    """Is announced as well (RFC 9745, 2.1)."""
    policy = make(versions={"1": Version(deprecated="2127-01-01"), "2": Version()})
    answer = ask(protocol, "/v1/items", policy)
    assert (answer.status, answer.headers["Deprecation"]) == (200, "@4954435200")
    assert {"Sunset", "Link"}.isdisjoint(name for name, _ in answer.headers)


@both_protocols
@pytest.mark.parametrize(
    ("target", "link"),
    [
        ("/v1", "v2"),
        ("/v1/", "../v2/"),
        ("/v1/a/b", "../../v2/a/b"),
        ('/v1/a b;c=\xe4">,', "../v2/a%20b%3Bc%3D%C3%A4%22%3E%2C"),
        ("/v1/javascript:x", "../v2/javascript%3Ax"),
        ("/v1/" + "a" * 1100, None),
    ],
)
def test_the_link_to_the_successor(protocol: Protocol, target: str, link: str | None) -> None:
    """Is relative, so that a proxy may have removed a beginning of the path (RFC 5829, 3.4)."""
    versions = {"1": Version(successor="2"), "2": Version()}
    answer = ask(protocol, target, make(versions=versions))
    assert answer.status == 200
    expected = None if link is None else f'<{link}>; rel="successor-version"'
    assert answer.headers.get("Link") == expected
    by_header = ask(protocol, target[3:] or "/", make(versions=versions), headers=[API_1])
    assert by_header.headers.get("Link") is None  # its URL is the same


API_1 = ("API-Version", "1")


@both_protocols
def test_the_apps_own_announcements(protocol: Protocol) -> None:
    """Stay: a resource may end before its version does, and pages have links."""

    def respond(_request: Any) -> Reply:
        own = [("Deprecation", "@1"), ("Sunset", "soon"), ("Link", '<?page=2>; rel="next"')]
        return Reply(200, [*own, ("Vary", "Cookie"), ("API-Version", "7")])

    answer = ask(protocol, "/v1/items", app=respond)
    assert (answer.headers["Deprecation"], answer.headers["Sunset"]) == ("@1", "soon")
    links = ", ".join(answer.headers.getall("Link"))
    assert '<?page=2>; rel="next"' in links
    assert '<https://docs.example/v1>; rel="deprecation"' in links
    assert answer.headers["Vary"] == "Cookie, API-Version, Accept, Content-Type"
    assert answer.headers["API-Version"] == "1"


@both_protocols
def test_a_version_past_its_sunset(protocol: Protocol) -> None:
    """Is gone, and no longer listed."""
    gone = Version(sunset=OLD, docs="https://docs.example/v1")
    policy = make(versions={"1": gone, "2": Version()})
    answer = ask(protocol, "/v1/items", policy)
    assert answer.status == 410
    problem = answer.json()
    assert problem["supported_versions"] == ["2"]
    assert (problem["docs"], problem["sunset"]) == (gone.docs, "2020-01-01T00:00:00+00:00")
    assert answer.headers["API-Version"] == "1"
    assert answer.headers["API-Supported-Versions"] == "2"
    assert answer.headers["Sunset"] == "Wed, 01 Jan 2020 00:00:00 GMT"
    assert ask(protocol, "/v2/items", policy).status == 200
    # A client that accepts others gets one of these:
    accept = {"Accept": "a/b;version=1, a/b;version=2;q=0.1"}
    assert ask(protocol, "/items", policy, headers=accept).text == "2 /items"
    assert ask(protocol, "/items", policy, headers={"Accept": "a/b;version=1"}).status == 410


@both_protocols
def test_a_sunset_that_is_only_reported(
    protocol: Protocol, caplog: pytest.LogCaptureFixture
) -> None:
    """Lets requests pass and logs them, each kind a few times."""
    overdue = Version(sunset=OLD, mode="report")
    policy = make(versions={"1": overdue, "2": Version()})
    with caplog.at_level(logging.WARNING, "mantlet.versions"):
        for _ in range(30):
            answer = ask(protocol, "/v1/secret-path", policy)
            assert answer.text == "1 /v1/secret-path"
    assert answer.headers["API-Supported-Versions"] == "1, 2"
    assert answer.headers["Sunset"] == "Wed, 01 Jan 2020 00:00:00 GMT"
    assert len(caplog.records) == 10
    record = caplog.records[0].getMessage()
    assert "would have answered with 410, since version 1 is past its sunset (GET" in record
    assert "secret-path" not in caplog.text


@both_protocols
def test_a_sunset_while_the_process_runs(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts from that moment on."""
    policy = make(versions={"1": Version(sunset="2127-01-01"), "2": Version()})
    assert ask(protocol, "/v1/items", policy).headers["API-Supported-Versions"] == "1, 2"
    monkeypatch.setattr("mantlet.versions.policy.time", lambda: 4954435200.0 - 0.001)
    assert ask(protocol, "/v1/items", policy).status == 200
    monkeypatch.setattr("mantlet.versions.policy.time", lambda: 4954435200.0)
    for _ in range(2):
        answer = ask(protocol, "/v1/items", policy)
        assert (answer.status, answer.headers["API-Supported-Versions"]) == (410, "2")
    assert ask(protocol, "/items", policy).json()["supported_versions"] == ["2"]


# -- responses of others ---------------------------------------------------------------------------


@both_protocols
def test_responses_of_inner_policies_and_errors(protocol: Protocol) -> None:
    """Say which version they are of, too."""

    def fail(_request: Any) -> str:
        raise RuntimeError("fails")

    others: list[tuple[Policy, int]] = [
        (AUTHENTICATOR, 401),
        (SchemaGuard({"GET /other": None}), 404),
        (make(versions={"1": Version(), "2": Version()}), 500),
    ]
    for other, status in others:
        client = PolicyClient(make(), other, app=fail, protocol=protocol, baseline=True)
        answer = client.get("/v1/items")
        assert answer.status == status
        assert answer.headers["API-Version"] == "1"
        assert answer.headers["API-Supported-Versions"] == "1, 2"
        assert {"Deprecation", "Sunset", "Link"} <= {name.title() for name, _ in answer.headers}
        members = answer.headers["Vary"].split(", ")
        assert {"API-Version", "Accept", "Content-Type"} <= set(members)
        assert len(members) == len(set(members))


@both_protocols
def test_responses_of_outer_policies(protocol: Protocol) -> None:
    """Are for no version: the request has not come so far."""
    outer = [Health(), Cors(origins=["https://a.example"]), Hosts(allowed=["testserver"])]
    client = PolicyClient(*outer, make(), app=told, protocol=protocol)
    assert client.get("/v1/items", headers=[("Host", "evil.example")]).status == 421
    assert client.get("/-/health").status == 200
    answer = client.get("/v1/items", headers=[("Origin", "https://a.example")])
    assert answer.headers["Vary"] == "Origin, API-Version, Accept, Content-Type"
    exposed = answer.headers["Access-Control-Expose-Headers"].lower().split(", ")
    assert {"api-version", "api-supported-versions", "deprecation", "link"} <= set(exposed)


@both_protocols
def test_vary(protocol: Protocol) -> None:
    """Names the headers that are read, and is left out if none is."""
    for read, expected in (
        ([path("/v{version}"), query("v")], None),
        ([path("/v{version}"), header("X-V")], "X-V"),
        ([media_type("v")], "Accept, Content-Type"),
    ):
        policy = make(read=read, default="2")
        assert ask(protocol, "/items", policy).headers.get("Vary") == expected


# -- routes without a version ----------------------------------------------------------------------


@both_protocols
def test_neutral_routes(protocol: Protocol) -> None:
    """Have no version, whatever the request names, and only the list of those that there are."""
    policy = make(neutral=["* /health", "GET /static/*", "GET /users/{id}/avatar"], default="2")
    for target, headers in (
        ("/health", {}),
        ("/health", {"API-Version": "9"}),
        ("/static/v1/a", {"API-Version": "1"}),
        ("/users/7/avatar?api-version=9", {}),
    ):
        answer = ask(protocol, target, policy, headers=headers)
        assert answer.text == f"None {target.partition('?')[0]}"
        assert answer.headers["API-Supported-Versions"] == "1, 2"
        assert {"API-Version", "Vary"}.isdisjoint(name for name, _ in answer.headers)
    for target in ("/health/", "//health", "/healthy", "/v1/health", "/static", "/x/../health"):
        assert ask(protocol, target, policy, headers={"API-Version": "9"}).status == 400
    assert ask(protocol, "/static/a", policy, method="POST").text == "2 /static/a"


@both_protocols
def test_preflights(protocol: Protocol) -> None:
    """Can't name a version in a header (Fetch, 4.8), so they reach the app without one."""
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    policy = make()
    assert (
        ask(protocol, "/items", policy, method="OPTIONS", headers=preflight).text == "None /items"
    )
    assert ask(protocol, "/v1/x", policy, method="OPTIONS", headers=preflight).text == "1 /v1/x"
    assert ask(protocol, "/v9/x", policy, method="OPTIONS", headers=preflight).status == 404
    for method, more in (("OPTIONS", {"Cookie": "a=b"}), ("GET", {}), ("OPTIONS", {"Origin": ""})):
        headers = {**preflight, **more}
        assert ask(protocol, "/items", policy, method=method, headers=headers).status == 400


# -- modes -----------------------------------------------------------------------------------------


@both_protocols
def test_report_mode(protocol: Protocol, caplog: pytest.LogCaptureFixture) -> None:
    """Changes nothing, and logs; the app and the inner policies still know the version."""
    policy = make(mode="report", forward=path("/app/{version}"))
    answer = ask(protocol, "/v1/items", policy)
    assert answer.text == "1 /v1/items"
    assert not any("version" in name.lower() for name, _ in answer.headers)
    with caplog.at_level(logging.WARNING, "mantlet.report"):
        assert ask(protocol, "/v9/items", policy).text == "None /v9/items"
    assert "Versions would have answered with 404" in caplog.text
    assert ask(protocol, "/v9/items", make(mode="off")).text == "None /v9/items"
    by_route = make(mode={"* /old/*": "off"})
    assert ask(protocol, "/old/items", by_route).text == "None /old/items"
    assert ask(protocol, "/items", by_route).status == 400


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"versions": ["1"]}, TypeError, "takes a mapping such as"),
        ({"versions": {}}, ValueError, "at least one version"),
        ({"versions": {1: Version()}}, TypeError, 'must be text such as "2"'),
        ({"versions": {"1": None}}, TypeError, "'1' must be a Version"),
        ({"versions": {"1": Version}}, TypeError, "did you mean Version"),
        ({"versions": {"3": Version(preview=True)}}, ValueError, "not a preview"),
        ({"versions": {"a": Version(), "A": Version()}}, ValueError, "case alone"),
        *(
            ({"versions": {label: Version()}}, ValueError, "at most 64 letters")
            for label in ("", "1/2", "v 1", "-1", ".", "..", "1,2", "\xb9", "1\n", "1" * 65, "%31")
        ),
        ({"versions": {"1": Version(successor="2")}}, ValueError, "successor of '1'"),
        ({"versions": {"1": Version(successor="1")}}, ValueError, "its own successor"),
        ({"read": path("/v{version}")}, TypeError, "must be a list of readers"),
        ({"read": "path"}, TypeError, "must be a list of readers"),
        ({"read": ["/v{version}"]}, TypeError, "must be a list of readers"),
        ({"read": []}, ValueError, "must have a reader"),
        ({"read": [path("/v{version}")] * 2}, ValueError, "twice"),
        ({"read": [header("A"), header("a")]}, ValueError, "twice"),
        ({"read": [media_type("v"), media_type("V")]}, ValueError, "twice"),
        ({"default": "9"}, ValueError, "one of the versions 1, 2, 3, not '9'"),
        ({"default": "3"}, ValueError, "have to ask for a preview"),
        ({"default": 2}, TypeError, "a version or a function"),
        ({"forward": query("v")}, TypeError, "forward must be"),
        ({"forward": "/v{version}"}, TypeError, "forward must be"),
        ({"neutral": "* /health"}, TypeError, "neutral must be a list"),
        ({"neutral": ["/health"]}, ValueError, "has no method"),
        ({"caller": "key"}, TypeError, "caller must be a function"),
        ({"mode": "warn"}, ValueError, "mode must be"),
        ({"reed": READ}, TypeError, "did you mean 'read'"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """Are errors at construction that say what is right."""
    with pytest.raises(error, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("make_reader", "argument", "error"),
    [
        *(
            (path, pattern, ValueError)
            for pattern in (
                *("", "/", "/v1", "v{version}", "/{version}/items", "/v{version}s", "/{v}"),
                *(
                    "/v{version}/",
                    "//v{version}",
                    "/../v{version}",
                    "/a b/{version}",
                    "/%/{version}",
                ),
            )
        ),
        (path, None, TypeError),
        (header, "API Version", ValueError),
        (header, "", ValueError),
        (header, "accept", ValueError),
        (header, 1, TypeError),
        (media_type, "q", ValueError),
        (media_type, "a b", ValueError),
        (media_type, None, TypeError),
        (query, "", ValueError),
        (query, "a&b", ValueError),
        (query, "a" * 65, ValueError),
        (query, None, TypeError),
    ],
)
def test_wrong_readers(make_reader: Any, argument: Any, error: type[Exception]) -> None:
    """Are errors that show a right one."""
    with pytest.raises(error, match=f"^{make_reader.__name__}\\(\\)"):
        make_reader(argument)


def test_readers_are_values() -> None:
    """So that one may stand in two options."""
    assert path("/v{version}") == path("/v{version}") != path("/{version}")
    assert {header("A"), header("A"), media_type("A"), media_type("a"), query("a")} == {
        *(header("A"), media_type("a"), query("a"))
    }
    with pytest.raises(AttributeError):
        header("A").name = "B"  # type: ignore[misc]
