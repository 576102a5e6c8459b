"""Paths that begin with those of a document's servers, on both adapters."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard import SchemaGuard
from tests.drive import ADAPTERS, Adapter, both_adapters
from tests.guard.asking import Guarded, faults
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
    required = Guarded(adapter, openapi=served(version, *servers), servers="required")
    optional = Guarded(adapter, openapi=served(version, *servers))
    ignored = Guarded(adapter, openapi=served(version, *servers), servers="ignore")
    for base in ("", "/v1", "/v2", "/v1/eu", "/v2/eu", "/v1/v1", "/v2/v2", "/v1/v2"):
        path = f"{base}/a"
        assert (required.ask("GET", path).status == 200) is (base in bases), base
        assert (optional.ask("GET", path).status == 200) is (base in ["", *bases]), base
        assert (ignored.ask("GET", path).status == 200) is (base == ""), base
    assert {seen.operation for seen in (*required.seen, *optional.seen)} == {"GET /a"}


@both_adapters
def test_servers_nearer_to_the_operation_count(adapter: Adapter) -> None:
    """Those of the operation before the path item's, and these before the document's."""
    root = served("3.1.1", {"url": "/v1"}, item=[{"url": "/v2"}], operation=[{"url": "/v3"}])
    app = Guarded(adapter, openapi=root, servers="required")
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
def test_servers_that_make_no_path_are_ignored_with_a_note(server: Any, words: str) -> None:
    """The others count; that they do says the coverage report."""
    guard = SchemaGuard(openapi=served("3.1.1", server, {"url": "/v1"}), servers="required")
    [note] = [note for where, note in guard.coverage.notes if where == "/servers/0/url"]
    assert words in note
    app = Guarded(ADAPTERS[0], guard)
    assert app.ask("GET", "/v1/a").status == 200
    assert app.ask("GET", "/a").status == 404


@both_adapters
def test_servers_hold_the_part_that_the_app_is_mounted_under(adapter: Adapter) -> None:
    """It is a part of the path that a server offers; without ``servers`` it is none."""
    mounted: Any = (
        {"SCRIPT_NAME": "/v1", "PATH_INFO": "/a"}
        if adapter.name == "wsgi"
        else {"root_path": "/v1", "path": "/v1/a", "raw_path": b"/v1/a"}
    )
    root = served("3.1.1", {"url": "/v1"})
    other = served("3.1.1", {"url": "/v2"})
    for mode in ("required", "optional", "ignore"):
        assert (
            Guarded(adapter, openapi=root, servers=mode).ask("GET", "/a", **mounted).status == 200
        )
        assert Guarded(adapter, openapi=other, servers=mode).ask("GET", "/a", **mounted).status == (
            404 if mode == "required" else 200
        )
        none = Guarded(adapter, openapi=served("3.1.1"), servers=mode)
        assert none.ask("GET", "/a", **mounted).status == 200


def ambiguous() -> dict[str, Any]:
    paths = {
        path: {
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in ("x", "y")
                if f"{{{name}}}" in path
            ],
            "get": {"responses": OK},
        }
        for path in ("/{x}/{y}", "/v1/b", "/b", "/c/d/e")
    }
    root = document(paths)
    root["servers"] = [{"url": "https://x.test/v1"}]
    return root


@both_adapters
@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/b", None),  # itself, or /b
        ("/v1/c/d", "GET /{x}/{y}"),
        ("/v1/v1/b", "GET /v1/b"),
        ("/a/b", "GET /{x}/{y}"),
        ("/b", "GET /b"),
        ("/v1/z", "GET /{x}/{y}"),
        ("/v1/c/d/e", "GET /c/d/e"),
    ],
)
def test_readings_with_and_without_a_base_path_must_agree(
    adapter: Adapter, path: str, operation: str | None
) -> None:
    """Else nobody knows which operation runs."""
    app = Guarded(adapter, openapi=ambiguous())
    answer = app.ask("GET", path)
    if operation is None:
        assert faults(answer) == [("path", "", "ambiguous_base_path")]
    else:
        assert answer.status == 200
        assert app.seen[-1].operation == operation
    for mode in ("required", "ignore"):
        other = Guarded(adapter, openapi=ambiguous(), servers=mode)
        assert other.ask("GET", "/v1/b").status == 200
        assert other.seen[-1].operation == ("GET /b" if mode == "required" else "GET /v1/b")


@pytest.mark.parametrize("mode", [True, "Required", None])
def test_the_option_has_three_values(mode: Any) -> None:
    """The message names them."""
    with pytest.raises(ValueError, match='servers must be "optional", "required" or "ignore"'):
        SchemaGuard(openapi=served("3.1.1"), servers=mode)


@both_adapters
@pytest.mark.parametrize("matching", [None, 0, 98])
def test_a_document_that_matches_nothing_says_so_once(
    adapter: Adapter, matching: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """After a hundred requests, with its base paths and nothing of the client's."""
    app = Guarded(adapter, openapi=served("3.1.1", {"url": "https://x.test/prod"}))
    for number in range(300):
        app.ask("GET", "/a" if number == matching else f"/secret{number}")
    records = [one for one in caplog.records if "none of the first 100" in one.getMessage()]
    assert len(records) == (matching is None)
    for record in records:
        assert "the base paths /prod" in record.getMessage()
        assert "secret" not in record.getMessage()
