"""No second spelling of a version gets a request to another version than policies see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mantlet
from mantlet import Version, Versions
from mantlet.versions import header, media_type, path, query
from tests.drive import ADAPTERS, Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said

VERSIONS = {"1": Version(), "2": Version(), "beta": Version()}
READ: Any = [
    path("/v{version}"),
    header("API-Version"),
    media_type("version"),
    query("api-version"),
]
POLICY = Versions(VERSIONS, read=READ, default="2")


def told(carrier: MutableMapping[str, Any]) -> Said:
    """Answer with the path and the version headers that the app gets."""
    version = getattr(mantlet.state(carrier), "version", None)
    if "headers" in carrier:
        given = [f"{name.decode()}: {value.decode()}" for name, value in carrier["headers"]]
        sent = [one for one in given if "version" in one]
        where = carrier["path"]
    else:
        sent = [f"{k}: {v}" for k, v in carrier.items() if k.startswith("HTTP_") and "VERS" in k]
        where = carrier["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    text = "\n".join([str(version), where, *sent])
    return 200, [("content-type", "text/plain")], text.encode("utf-8", "replace")


def ask(adapter: Adapter, target: str, policy: Versions, **options: Any) -> tuple[Any, list[str]]:
    """Send a request; return the status, and the lines of `told()`."""
    where, _, sent = target.partition("?")
    raw = where.encode()
    extra: dict[str, Any] = (
        {"scope": {"query_string": sent.encode(), "raw_path": raw, **options.pop("scope", {})}}
        if adapter.name == "asgi"
        else {"environ": {"QUERY_STRING": sent, **options.pop("environ", {})}}
    )
    answer = adapter.drive(adapter.wrap(told, policy), "GET", where, **extra, **options)
    return answer.status, answer.body.decode("utf-8", "replace").split("\n")


def check(answer: tuple[Any, list[str]], expected: str | int) -> None:
    """Check the version that a request is for, or the status that it is refused with."""
    status, lines = answer
    if isinstance(expected, str):
        assert (status, lines[0]) == (200, expected)
    else:
        assert status == expected


@both_adapters
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        # The version, and no other:
        ("/v1", "1"),
        ("/v1/", "1"),
        ("/v1/v2", "1"),
        ("/v1/items//x", "1"),
        ("/vbeta/x", "beta"),
        # No version:
        ("/", "2"),
        ("/v", "2"),
        ("/v/1", "2"),
        ("/videos", "2"),
        ("/vgamma", "2"),
        ("/vbetamax", "2"),
        ("/items/v1", "2"),
        ("/items//v1", "2"),
        ("/.well-known/x", "2"),
        # An unknown one, or one in another spelling:
        ("/v9", 404),
        ("/v01", 404),
        ("/v1.0", 404),
        ("/v1 ", 404),
        ("/v 1", "2"),
        ("/v1\n", 404),
        ("/v1\n/items", 404),
        ("/v1\t/items", 404),
        ("/v1;x=2/items", 404),
        ("/v1\\items", 404),
        ("/v1\x00/items", 404),
        ("/v1,v2/items", 404),
        ("/v\uff11/items", 404),  # a digit too
        ("/v\u00b9/items", 404),
        ("/V1/items", 404),
        ("/V9/items", 404),
        ("/VBeta/x", 404),
        ("/vBETA/x", 404),
        ("/v%31/items", 404),  # escaped twice
        ("/v1" + "1" * 60_000, 404),
        # Paths of which apps have several readings:
        ("//v1/items", 400),
        ("/./v1/items", 400),
        ("/x/../v1/items", 400),
        ("/v1/../v2/items", 400),
        ("/v1/../items", 400),
        ("/v1/./../v2", 400),
        ("///v2", 400),
        ("//v9/items", 400),
        ("/x/../v2/items", 400),
        ("/v2/./items", "2"),
        ("/v2//items", "2"),
    ],
)
def test_paths(adapter: Adapter, target: str, expected: str | int) -> None:
    """Are compared as the app gets them, decoded once."""
    status, lines = ask(adapter, target, POLICY)
    if isinstance(expected, int):
        assert status == expected
        assert target not in "".join(lines)
    else:
        assert (status, lines[0]) == (200, expected)


@pytest.mark.parametrize("raw", [b"/%76%31/items", b"/v%31/items", b"/%2fv1/items"])
def test_escaped_paths(raw: bytes) -> None:
    """Are read as the app gets them, not as they were sent."""
    decoded = raw.replace(b"%76", b"v").replace(b"%31", b"1").replace(b"%2f", b"/").decode()
    expected = 400 if b"%2f" in raw else 200
    for adapter in ADAPTERS:
        sent: dict[str, Any] = {"scope": {"raw_path": raw}}
        if adapter.name == "wsgi":
            sent = {"environ": {"RAW_URI": raw.decode()}}
        status, lines = ask(adapter, decoded, POLICY, **sent)
        assert status == expected
        assert status == 400 or lines[0] == "1"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://app.example/v1/items", 400),
        ("v1/items", "1"),
        ("http://app.example/items", "2"),
        ("*", "2"),
    ],
)
def test_targets_that_are_no_paths(target: str, expected: str | int) -> None:
    """Some frameworks route them by their path (RFC 9112, 3.2), and others as they are."""
    check(ask(ADAPTERS[0], target, POLICY), expected)


@pytest.mark.parametrize("root", ["/api", "/api/", "/v1", "/v2"])
def test_root_paths(root: str) -> None:
    """The version is below the path of the mount; where apps differ, it is refused."""
    status, lines = ask(ADAPTERS[0], f"{root.rstrip('/')}/v1/x", POLICY, scope={"root_path": root})
    assert (status, lines[0]) == (200, "1") if root == "/api" else status in (200, 400)
    assert status == 400 or lines[0] == "1"
    if not root.endswith("/"):
        environ = {"SCRIPT_NAME": root}
        status, lines = ask(ADAPTERS[1], "/v1/x", POLICY, environ=environ)
        assert (status, lines[0]) == (200, "1")


@both_adapters
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("API-Version", "1")], "1"),
        ([("api-VERSION", "1")], "1"),
        ([("API-Version", " 1\t")], "1"),
        ([("API-Version", "1"), ("API-Version", "2")], 400),
        ([("API-Version", "1"), ("API-Version", "1")], 400),
        ([("API-Version", "1, 2")], 400),
        ([("API-Version", "1,")], 400),
        ([("API-Version", "")], 400),
        ([("API-Version", "01")], 400),
        ([("API-Version", "v1")], 400),
        ([("API-Version", '"1"')], 400),
        ([("API-Version", "BETA")], 400),
        ([("API-Version", "1;q=1")], 400),
        ([("API-Version", "1" * 100_000)], 400),
        ([("API-Version", "1")] * 300, 400),
        ([("API-Version", "\xb9")], 400),
    ],
    ids=range(16),
)
def test_headers(adapter: Adapter, fields: list[tuple[str, str]], expected: str | int) -> None:
    """Have one value, which is exactly a version."""
    check(ask(adapter, "/items", POLICY, headers=fields), expected)


def test_headers_with_underscores() -> None:
    """Are the same header to an app of WSGI in an adapter, so they are removed."""
    for fields in ([("API_Version", "1")], [("api_version", "1"), ("API-Version", "2")]):
        status, lines = ask(ADAPTERS[0], "/items", POLICY, headers=fields)
        assert (status, lines[0]) == (200, "2")
        assert not any("api_version" in line for line in lines)


@both_adapters
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("api-version=1", "1"),
        ("x&api-version=1&y=2", "1"),
        ("api%2dversion=1", "1"),
        ("%61pi-version=%31", "1"),
        ("api-version=1&api-version=2", 400),
        ("api-version=1&api-version=1", 400),
        ("api-version=1&api%2dversion=2", 400),
        ("api%2Dversion=2&api-version=1", 400),
        ("api-version", 400),
        ("api-version=", 400),
        ("api-version=1%00", 400),
        ("api-version=+1", 400),
        ("api-version=1;api-version=2", 400),
        ("api-version=%FF", 400),
        ("api-version=1=2", 400),
        ("API-VERSION=1", "2"),  # another name
        ("api-version[]=1", "2"),
        ("x=api-version=1", "2"),
        ("&&&", "2"),
        ("a=%" * 20_000, "2"),
        ("&".join(["api-version=1"] * 4000), 400),
    ],
    ids=range(21),
)
def test_queries(adapter: Adapter, sent: str, expected: str | int) -> None:
    """Name it once, in any escapes."""
    check(ask(adapter, f"/items?{sent}", POLICY), expected)


@both_adapters
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("Accept", "a/b;version=1"), ("Accept", "a/b;version=2")], 400),
        ([("Accept", "a/b;version=1"), ("Accept", "a/b;version=2;q=0.5")], "1"),
        ([("Accept", "a/b;Version=1")], "1"),
        ([("Accept", "a/b;version=1\x7f")], 406),
        ([("Accept", "a/b;version=1" * 50_000)], 406),
        ([("Accept", "a/b;version=1," * 5000)], 406),
        ([("Accept", 'a/b;"version=1')], 406),
        ([("Content-Type", "a/b;version=1, a/b;version=2")], 415),
        ([("Content-Type", "a/b;version=1;version=1")], 415),
        ([("Content-Type", "a/b;version=1;")], 415),
        ([("Content-Type", "version=1")], 415),
        ([("Content-Type", "multipart/form-data; boundary=version")], "2"),
    ],
    ids=range(12),
)
def test_media_types(adapter: Adapter, fields: list[tuple[str, str]], expected: str | int) -> None:
    """Are refused where parsers read them differently."""
    check(ask(adapter, "/items", POLICY, headers=fields), expected)


# -- what the app gets -----------------------------------------------------------------------------

TO_PATH = Versions(VERSIONS, read=READ, default="2", forward=path("/app/{version}"))
TO_SAME = Versions(VERSIONS, read=READ, default="2", forward=path("/v{version}"))
TO_HEADER = Versions(VERSIONS, read=[READ[0]], default="2", forward=header("API-Version"))
paths = st.lists(
    st.sampled_from(
        [
            *("/", "//", "v1", "v2", "V1", "vbeta", "v9", "v", "1", ".", "..", "/..", "/.", "x"),
            *("%2f", "\n", " ", ";", "app", "/app/1", "/v1", "/v2", "\\", "http:", "\u00e9", "%"),
            "*",
        ]
    ),
    max_size=6,
).map("".join)


@given(paths, st.sampled_from([None, "1", "2", "9"]))
@example("/v1/../v2", None)
@example("/..", "1")
@example("/x/..", "1")
@example("/../app/1/x", "2")
@example("http://a/../v1", None)
def test_the_app_gets_the_version_that_policies_see(target: str, named: str | None) -> None:
    """However the path is spelled, and in all readings of the path that the app gets."""
    fields = [] if named is None else [("API-Version", named)]
    for policy in (TO_PATH, TO_SAME, TO_HEADER):
        for adapter in ADAPTERS if target.startswith("/") else ADAPTERS[:1]:
            status, lines = ask(adapter, target, policy, headers=fields)
            if status != 200:
                assert status in (400, 404)
                continue
            version, got = lines[0], "\n".join(lines[1:]).partition("\nHTTP_")[0]
            if policy is TO_HEADER:
                assert any(line.lower().endswith(f": {version}") for line in lines)
                continue
            start = f"/app/{version}" if policy is TO_PATH else f"/v{version}"
            got = got.partition("\napi-version")[0]
            for reading in readings(got):
                whole = reading if reading.startswith("/") else f"/{reading}"
                assert whole == start or whole.startswith(f"{start}/")


def readings(got: str) -> list[str]:
    """Return a path as it is, and as one without dot segments and empty ones."""
    kept: list[str] = []
    for segment in got.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return [got, "/" + "/".join(kept)]
