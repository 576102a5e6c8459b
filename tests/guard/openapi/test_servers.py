"""Under which paths a document's servers lie."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.openapi.document import OpenApiDocument
from tests.guard.openapi.building import DONE, described, document, of_operation, problems


def enum(*values: str) -> dict[str, Any]:
    return {"default": values[0], "enum": list(values)}


@pytest.mark.parametrize(
    ("servers", "paths"),
    [
        (None, ("",)),
        ([], ("",)),
        ([{"url": "/"}], ("",)),
        ([{"url": "https://example.com"}], ("",)),
        ([{"url": "https://example.com/"}], ("",)),
        ([{"url": "https://example.com:8080/v1/"}], ("/v1",)),
        ([{"url": "//example.com/v1"}], ("/v1",)),
        ([{"url": "v1"}, {"url": "./v1"}, {"url": "/v2//x"}], ("/v1", "/v2/x")),
        ([{"url": "/a%20b"}], ("/a b",)),
        (
            [{"url": "https://{host}.example.com/v1", "variables": {"host": {"default": "a/b"}}}],
            ("/v1",),
        ),
        (
            [{"url": "https://{port}", "variables": {"port": {"default": "example.com:80"}}}],
            ("",),
        ),
        (
            [
                {
                    "url": "https://e.com/{v}/{s}",
                    "variables": {"v": enum("1", "2"), "s": enum("a", "b")},
                }
            ],
            ("/1/a", "/1/b", "/2/a", "/2/b"),
        ),
        ([{"url": "/{v}", "variables": {"v": {"default": "1"}}}], ("/1",)),
        ([{"url": "{v}", "variables": {"v": {"default": "https://example.com/v1"}}}], ("/v1",)),
        ([{"url": "{v}/x/{v}", "variables": {"v": enum("/a", "")}}], ("/a/x/a", "/x")),
    ],
)
def test_the_path_of_each_server_counts(servers: Any, paths: tuple[str, ...]) -> None:
    """With each value of a variable's enum, or its default; hosts make no difference."""
    source = of_operation({}) if servers is None else of_operation({}, servers=servers)
    assert described(source).base_paths == paths


def test_servers_are_overridden_further_in() -> None:
    """By the path item, and by the operation."""
    servers = {name: [{"url": f"/{name}"}] for name in ("root", "item", "own")}
    source = document(
        {
            "/a": {"get": DONE},
            "/b": {
                "servers": servers["item"],
                "get": DONE,
                "put": {**DONE, "servers": servers["own"]},
                "post": {**DONE, "servers": []},
            },
        },
        servers=servers["root"],
    )
    assert {
        f"{one.method} {one.template}": one.base_paths for one in OpenApiDocument(source).operations
    } == {"GET /a": ("/root",), "GET /b": ("/item",), "PUT /b": ("/own",), "POST /b": ("",)}


def test_variables_make_a_bounded_number_of_paths() -> None:
    """More than 256 are a problem."""
    values = enum(*map(str, range(17)))
    source = of_operation(
        {}, servers=[{"url": "/{a}/{b}", "variables": {"a": values, "b": values}}]
    )
    assert problems(source) == {
        "/servers/0/url": "has variables that produce more than 256 paths, "
        "so this server is ignored"
    }
