"""Paths that begin with those of a document's servers, on both adapters."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard import SchemaGuard
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, each_version

INTEGER = {"type": "integer"}


def served(version: str, *servers: Any, item: Any = (), operation: Any = ()) -> dict[str, Any]:
    root = document({"/a": {"get": {"responses": OK}}, "/b": {"get": {"responses": OK}}}, version)
    if servers:
        root["servers"] = list(servers)
    if item:
        root["paths"]["/a"]["servers"] = list(item)
    if operation:
        root["paths"]["/a"]["get"]["servers"] = list(operation)
    return root


VARIABLES = {"v": {"default": "v1", "enum": ["v1", "v2"]}, "region": {"default": "eu"}}


@each_version
@both_adapters
@pytest.mark.parametrize(
    ("servers", "bases"),
    [
        ((), [""]),
        (({"url": "/"},), [""]),
        (({"url": "https://keep.test"},), [""]),
        (({"url": "https://keep.test/v1/"},), ["/v1"]),
        (({"url": "/v1"}, {"url": "https://keep.test:8080/v2"}), ["/v1", "/v2"]),
        (({"url": "v1"},), ["/v1"]),
        (({"url": "./v1/../"},), [""]),
        (({"url": "//keep.test/v1"},), ["/v1"]),
        (({"url": "https://{region}.keep.test/{v}", "variables": VARIABLES},), ["/v1", "/v2"]),
        (({"url": "/{v}/{region}", "variables": VARIABLES},), ["/v1/eu", "/v2/eu"]),
        (({"url": "{whole}", "variables": {"whole": {"default": "https://k.test/v1"}}},), ["/v1"]),
        (({"url": "/{v}/{v}", "variables": VARIABLES},), ["/v1/v1", "/v2/v2"]),
    ],
)
def test_paths_begin_with_those_of_the_servers(
    adapter: Adapter, version: str, servers: Any, bases: list[str]
) -> None:
    """With each value that a variable may have, and with its default where any goes."""
    app = Guarded(adapter, openapi=served(version, *servers))
    for base in ("", "/v1", "/v2", "/v1/eu", "/v2/eu", "/v1/v1", "/v2/v2", "/v1/v2"):
        assert (app.ask("GET", f"{base}/a").status == 200) is (base in bases), base
    opened = Guarded(adapter, openapi=served(version, *servers), use_servers=False)
    assert opened.ask("GET", "/a").status == 200
    assert opened.ask("GET", "/v1/a").status == 404


@both_adapters
def test_servers_nearer_to_the_operation_count(adapter: Adapter) -> None:
    """Those of the operation before the path item's, and these before the document's."""
    root = served("3.1.1", {"url": "/v1"}, item=[{"url": "/v2"}], operation=[{"url": "/v3"}])
    app = Guarded(adapter, openapi=root)
    taken = [base for base in ("/v1", "/v2", "/v3") if app.ask("GET", f"{base}/a").status == 200]
    assert taken == ["/v3"]
    assert app.ask("GET", "/v1/b").status == 200
    item = Guarded(adapter, openapi=served("3.1.1", {"url": "/v1"}, item=[{"url": "/v2"}]))
    assert item.ask("GET", "/v2/a").status == 200


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"url": "https://[/"}, "is not a valid URL"),
        ({"url": "/%FF"}, "is not a valid URL"),
        ({"url": "/{a}", "variables": {"a": {"default": "../x"}}}, "must not have '..'"),
        ({"url": "/{a}", "variables": {"a": {"default": "{id}"}}}, "must have no braces"),
        ({"url": "/a{b"}, "must have no braces"),
        ({"url": "/{a}", "variables": {"a": {"default": "?x"}}}, "must have no query"),
        ({"url": "/{a}/{b}/{c}", "variables": {name: {
            "default": "0", "enum": [str(index) for index in range(7)]} for name in "abc"}},
         "more than 256 paths"),
    ],
)  # fmt: skip
def test_servers_that_make_no_path_are_ignored(server: Any, words: str) -> None:
    """With a note of where they stand; the others count."""
    guard = SchemaGuard(openapi=served("3.1.1", server, {"url": "/v1"}))
    ((pointer, said),) = guard.coverage.notes
    assert pointer == "/servers/0/url"
    assert words in said
    assert [name for name, _ in guard.coverage.operations] == ["GET /v1/a", "GET /v1/b"]


@both_adapters
def test_servers_hold_the_part_that_the_app_is_mounted_under(adapter: Adapter) -> None:
    """It is a part of the path that a server offers; without ``servers`` it is none."""
    mounted: Any = (
        {"SCRIPT_NAME": "/v1", "PATH_INFO": "/a"}
        if adapter.name == "wsgi"
        else {"root_path": "/v1", "path": "/v1/a", "raw_path": b"/v1/a"}
    )
    root = served("3.1.1", {"url": "/v1"})
    assert Guarded(adapter, openapi=root).ask("GET", "/a", **mounted).status == 200
    assert (
        Guarded(adapter, openapi=root, use_servers=False).ask("GET", "/a", **mounted).status == 200
    )
    other = served("3.1.1", {"url": "/v2"})
    assert Guarded(adapter, openapi=other).ask("GET", "/a", **mounted).status == 404
    assert Guarded(adapter, openapi=served("3.1.1")).ask("GET", "/a", **mounted).status == 200
