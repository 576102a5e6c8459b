"""An unchanged app gets the version where it reads it, and its redirects lead back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Reply, Version, Versions
from mantlet.testing import PolicyClient
from mantlet.versions import header, media_type, path, query
from tests.drive import ADAPTERS, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from mantlet.testing import AppRequest, Protocol

both_protocols = pytest.mark.parametrize("protocol", ["asgi", "wsgi"])
VERSIONS = {"1": Version(), "2": Version()}
IN_PATH, IN_HEADER = path("/v{version}"), header("API-Version")


def told(request: AppRequest) -> str:
    """Answer with the version, the path and the header that the app gets."""
    sent = request.headers.getall("API-Version")
    return f"{request.state.version} {request.path} {','.join(sent)}"


def client(protocol: Protocol, app: Any = told, **options: Any) -> PolicyClient:
    """Return a client of an app behind the policy."""
    return PolicyClient(Versions(VERSIONS, **options), app=app, protocol=protocol)


@both_protocols
@pytest.mark.parametrize(
    ("target", "headers", "expected"),
    [
        ("/items", {"API-Version": "2"}, "2 /v2/items 2"),
        ("/items", {}, "1 /v1/items "),
        ("/", {"API-Version": "2"}, "2 /v2/ 2"),
        ("/v2/items", {}, "2 /v2/items "),
        ("/v2", {}, "2 /v2 "),
        ("/items?a=%20b", {"API-Version": "2"}, "2 /v2/items 2"),
        ("/videos/1", {}, "1 /v1/videos/1 "),
        ("/v\xe4 b", {"API-Version": "2"}, "2 /v2/v\xe4 b 2"),
    ],
)
def test_to_the_path(protocol: Protocol, target: str, headers: Any, expected: str) -> None:
    """It is put there, unless it is there already."""
    asking = client(protocol, read=[IN_PATH, IN_HEADER], default="1", forward=IN_PATH)
    assert asking.get(target, headers=headers).text == expected
    assert asking.requests[0].query == target.partition("?")[2]


@both_protocols
@pytest.mark.parametrize(
    ("target", "headers", "expected"),
    [
        ("/v2/items", {}, "2 /items 2"),
        ("/v2/items", {"API-Version": "2"}, "2 /items 2"),
        ("/v2", {}, "2 / 2"),
        ("/v2/", {}, "2 / 2"),
        ("/items", {"API-Version": "2"}, "2 /items 2"),
        ("/items", {}, "1 /items 1"),
        ("/v2/v1/items", {}, "2 /v1/items 2"),
    ],
)
def test_to_a_header(protocol: Protocol, target: str, headers: Any, expected: str) -> None:
    """It is taken out of the path."""
    asking = client(protocol, read=[IN_PATH, IN_HEADER], default="1", forward=IN_HEADER)
    assert asking.get(target, headers=headers).text == expected


@both_protocols
def test_places_that_are_not_read(protocol: Protocol) -> None:
    """Are the app's alone: a client has no say in them."""
    asking = client(protocol, read=[IN_PATH], default="1", forward=IN_HEADER)
    forged = [("API-Version", "2"), ("API-Version", "3")]
    assert asking.get("/v1/items", headers=forged).text == "1 /items 1"
    assert asking.get("/items", headers=forged).text == "1 /items 1"
    asking = client(protocol, read=[IN_HEADER], default="1", forward=IN_PATH)
    assert asking.get("/v2/items").text == "1 /v1/v2/items "
    asking = client(protocol, read=[query("v"), media_type("v")], forward=IN_HEADER)
    assert asking.get("/items?v=2").text == "2 /items 2"


@both_protocols
def test_to_a_header_in_another_case(protocol: Protocol) -> None:
    """Is the same header."""
    asking = client(protocol, read=[header("api-version")], default="1", forward=IN_HEADER)
    assert asking.get("/", headers=[("API-Version", "2")]).text == "2 / 2"
    assert asking.get("/", headers=[("API-Version", "9")]).status == 400


@both_protocols
def test_to_another_path(protocol: Protocol) -> None:
    """The client's beginning is replaced by the app's."""
    inner = path("/api/{version}")
    asking = client(protocol, read=[IN_PATH, IN_HEADER], forward=inner)
    assert asking.get("/v2/items").text == "2 /api/2/items "
    assert asking.get("/items", headers=[("API-Version", "2")]).text == "2 /api/2/items 2"
    for escaping in ("/../items", "/x/../../items", "/.."):
        assert asking.get(escaping, headers=[("API-Version", "2")]).status == 400


@both_protocols
def test_neutral_routes(protocol: Protocol) -> None:
    """Reach the app as they are."""

    def where(request: AppRequest) -> str:
        return request.path

    options: Any = {"read": [IN_HEADER], "default": "1", "neutral": iter(["* /health"])}
    asking = client(protocol, where, forward=IN_PATH, **options)
    assert asking.get("/health").text == "/health"
    assert asking.get("/other").text == "/v1/other"


# -- redirects -------------------------------------------------------------------------------------


@both_protocols
@pytest.mark.parametrize(
    ("sent", "location", "expected"),
    [
        # Asked by the header, of an app whose paths are not the client's:
        ("/items", "/api/2/items/", "/items/"),
        ("/items", "/api/2", "/"),
        ("/items", "/api/2?page=2", "/?page=2"),
        (
            "/items",
            "http://testserver/api/2/items/?a=/api/2#x",
            "http://testserver/items/?a=/api/2#x",
        ),
        ("/items", "HTTPS://TestServer/api/2/x", "HTTPS://TestServer/x"),
        # In the path:
        ("/v2/items", "/api/2/items/", "/v2/items/"),
        ("/v2/items", "/api/2", "/v2"),
        ("/v2/items", "http://testserver/api/2/x", "http://testserver/v2/x"),
        # Other places:
        ("/items", "/api/20/items", "/api/20/items"),
        ("/items", "/api/1/items", "/api/1/items"),
        ("/items", "/login", "/login"),
        ("/items", "items/", "items/"),
        ("/items", "../x", "../x"),
        ("/items", "?page=2", "?page=2"),
        ("/items", "//evil.example/api/2/x", "//evil.example/api/2/x"),
        ("/items", "http://evil.example/api/2/x", "http://evil.example/api/2/x"),
        ("/items", "http://testserver:80/api/2/x", "http://testserver:80/api/2/x"),
        ("/items", "http://testserver", "http://testserver"),
        ("/items", "mailto:a@b.example", "mailto:a@b.example"),
        # What would be another host without the beginning of the app's path:
        ("/items", "/api/2//evil.example", "/api/2//evil.example"),
        ("/items", "/api/2/\\evil.example", "/api/2/\\evil.example"),
        ("/items", "/api/2/\t/evil.example", "/api/2/\t/evil.example"),
        ("/v2/items", "/api/2//x", "/v2//x"),
        ("/items", "http://testserver/api/2//x", "http://testserver//x"),
    ],
)
def test_redirects_to_the_apps_paths(
    protocol: Protocol, sent: str, location: str, expected: str
) -> None:
    """Name the client's paths, which it has asked for."""
    headers = [] if sent.startswith("/v2") else [("API-Version", "2")]
    for status in (201, 302, 307, 308):

        def redirect(_request: AppRequest, status: int = status) -> Reply:
            return Reply(status, [("Location", location)])

        options: Any = {"read": [IN_PATH, IN_HEADER], "forward": path("/api/{version}")}
        answer = client(protocol, redirect, **options).get(sent, headers=headers)
        assert (answer.status, answer.headers["Location"]) == (status, expected)


@both_protocols
@pytest.mark.parametrize(
    ("sent", "location", "expected"),
    [
        ("/v2/items", "/items/", "/v2/items/"),
        ("/v2/items", "/", "/v2/"),
        ("/v2/items", "http://testserver/items/", "http://testserver/v2/items/"),
        ("/v2/items", "/v2/items/", "/v2/items/"),
        ("/v2/items", "/v1/items", "/v2/v1/items"),
        ("/v2/items", "https://other.example/x", "https://other.example/x"),
        ("/v2/items", "//other.example/x", "//other.example/x"),
        ("/v2/items", "items/", "items/"),
        ("/items", "/items/", "/items/"),
    ],
)
def test_redirects_of_an_app_without_a_version_in_its_paths(
    protocol: Protocol, sent: str, location: str, expected: str
) -> None:
    """Keep the version that the client's path has."""

    def redirect(_request: AppRequest) -> Reply:
        return Reply(307, [("Location", location), ("Content-Location", location)])

    options: Any = {"read": [IN_PATH], "forward": IN_HEADER, "default": "1"}
    answer = client(protocol, redirect, **options).get(sent)
    assert answer.headers["Location"] == answer.headers["Content-Location"] == expected


@both_protocols
def test_redirects_to_paths_that_clients_may_use(protocol: Protocol) -> None:
    """Are right as they are: the app's paths are among those that are read."""

    def redirect(_request: AppRequest) -> Reply:
        return Reply(307, [("Location", "/v2/items/")])

    options: Any = {"read": [IN_PATH, IN_HEADER], "forward": IN_PATH}
    answer = client(protocol, redirect, **options).get("/items", headers=[("API-Version", "2")])
    assert answer.headers["Location"] == "/v2/items/"


def test_an_app_that_is_mounted() -> None:
    """Has its mount before the version, in requests and in redirects."""
    policy = Versions(VERSIONS, read=[IN_HEADER], forward=IN_PATH)

    def redirect(carrier: Any) -> Any:
        asked = carrier.get("path") or carrier["SCRIPT_NAME"] + carrier["PATH_INFO"]
        return 307, [("location", f"http://a.example{asked}/"), ("content-type", "text/plain")], b""

    for adapter in ADAPTERS:
        app = adapter.wrap(redirect, policy)
        fields = [("API-Version", "2"), ("Host", "a.example")]
        if adapter.name == "asgi":
            scope = {"root_path": "/mount"}
            answer = drive_asgi(app, path="/mount/items", headers=fields, scope=scope)
        else:
            environ = {"SCRIPT_NAME": "/mount"}
            answer = drive_wsgi(app, path="/items", headers=fields, environ=environ)
        assert answer.get("location") == "http://a.example/mount/items/"
