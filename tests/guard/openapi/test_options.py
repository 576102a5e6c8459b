"""How a document is read: patterns, bounds, formats, and options that are none."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard import RouteOptions, SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded, faults
from tests.guard.openapi.documents import api, each_version, json_body, parameter

LOOKING = {"type": "string", "pattern": r"^(?=.*[0-9])[a-z0-9]+$"}
TEXT = {"type": "string"}


@each_version
def test_a_pattern_with_lookaround_is_a_problem(version: str) -> None:
    """No linear-time engine has it; all are told of, with what to do."""
    root = api(
        version,
        requestBody=json_body(LOOKING),
        parameters=[parameter("query", "x", {"pattern": r"(a)\1"})],
    )
    with pytest.raises(DocumentError) as caught:
        SchemaGuard(openapi=root)
    found = dict(caught.value.problems)
    assert found.keys() == {
        "/paths/~1a/post/parameters/0/schema/pattern",
        "/paths/~1a/post/requestBody/content/application~1json/schema/pattern",
    }
    assert all('regex_lookaround="bounded"' in words for words in found.values()), found


@each_version
@both_adapters
def test_a_pattern_with_lookaround_may_be_searched_with_bounds(
    adapter: Adapter, version: str
) -> None:
    """A value that takes too long is refused."""
    root = api(version, requestBody=json_body(LOOKING))
    app = Guarded(adapter, openapi=root, regex_lookaround="bounded")
    assert app.post("/a", "abc1").status == 200
    assert [code for _, _, code in faults(app.post("/a", "abc"))] == ["pattern"]
    slow = api(version, requestBody=json_body({"type": "string", "pattern": "^(?=a)(a+)+$"}))
    app = Guarded(adapter, openapi=slow, regex_lookaround="bounded")
    assert app.post("/a", "a" * 40 + "!").status == 422


UNBOUNDED: list[tuple[Any, str]] = [
    (api(requestBody=json_body(TEXT)),
     "/paths/~1a/post/requestBody/content/application~1json/schema"),
    (api(requestBody=json_body({"type": "array", "maxItems": 5, "items": TEXT})),
     "/paths/~1a/post/requestBody/content/application~1json/schema/items"),
    (api(parameters=[parameter("query", "x", TEXT)]), "/paths/~1a/post/parameters/0/schema"),
    (api(parameters=[parameter("header", "X-A", TEXT)]), "/paths/~1a/post/parameters/0/schema"),
    (api(parameters=[parameter("query", "x", content={"application/json": {"schema": TEXT}})]),
     "/paths/~1a/post/parameters/0/content/application~1json/schema"),
    (api("3.2.0", parameters=[
        parameter("querystring", "x", content={"application/json": {"schema": TEXT}})]),
     "/paths/~1a/post/parameters/0/content/application~1json/schema"),
    (api(requestBody=json_body({"type": "object", "additionalProperties": False,
                                "properties": {"a": TEXT}}, "multipart/form-data")),
     "/paths/~1a/post/requestBody/content/multipart~1form-data/schema/properties/a"),
    (api("3.2.0", requestBody={"content": {"application/jsonl": {"itemSchema": TEXT}}}),
     "/paths/~1a/post/requestBody/content/application~1jsonl/itemSchema"),
]  # fmt: skip


@pytest.mark.parametrize(("root", "pointer"), UNBOUNDED, ids=[at for _, at in UNBOUNDED])
def test_schemas_may_have_to_have_bounds(root: Any, pointer: str) -> None:
    """Wherever a request has values, by option."""
    assert SchemaGuard(openapi=root).coverage.operations
    with pytest.raises(DocumentError) as caught:
        SchemaGuard(openapi=root, require_bounds=True)
    assert caught.value.problems == ((pointer, "must have a bound"),)


def test_responses_need_no_bounds() -> None:
    """They are the app's own."""
    responses = {"200": {"description": "", "headers": {"X-A": {"schema": TEXT}},
                         "content": {"application/json": {"schema": TEXT}}}}  # fmt: skip
    root = api(responses=responses)
    guard = SchemaGuard(openapi=root, require_bounds=True, responses="enforce")
    assert guard.coverage.operations


def test_files_need_no_bounds() -> None:
    """Those of the guard's limits hold for them."""
    schema = {"type": "object", "additionalProperties": False,
              "properties": {"file": {}, "files": {"type": "array", "items": {}}}}  # fmt: skip
    root = api(requestBody=json_body(schema, "multipart/form-data"))
    assert SchemaGuard(openapi=root, require_bounds=True).coverage.operations


@each_version
@both_adapters
def test_formats_are_asserted_by_option(adapter: Adapter, version: str) -> None:
    """Those that are known, and others with functions; those of numbers in any case."""
    schema = {
        "type": "object",
        "properties": {
            "mail": {"type": "string", "format": "email"},
            "castle": {"type": "string", "format": "castle"},
            "small": {"type": "integer", "format": "int32"},
        },
    }
    root = api(version, requestBody=json_body(schema))

    def refused(formats: Any) -> list[str]:
        app = Guarded(adapter, openapi=root, formats=formats)
        answer = app.post("/a", {"mail": "none", "castle": "none", "small": 2**40})
        return sorted(pointer for _, pointer, _ in faults(answer))

    assert refused(False) == ["/small"]
    assert refused(True) == ["/mail", "/small"]
    assert refused({"castle": lambda text: text == "keep"}) in (
        ["/castle", "/mail", "/small"], ["/castle", "/small"],
    )  # fmt: skip
    app = Guarded(adapter, openapi=root, formats={"castle": lambda text: text == "keep"})
    assert app.post("/a", {"mail": "a@b.test", "castle": "keep", "small": 5}).status == 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"formats": "email"}, "formats must be"),
        ({"formats": {"castle": 5}}, "formats must"),
        ({"regex_lookaround": "allow"}, 'regex_lookaround must be "refuse" or "bounded"'),
        ({"routes": {"GET /none": RouteOptions()}}, "match no operation"),
        ({"security": {"key": print}}, "no operation requires"),
        ({"contracts": {}}, "contracts must declare at least one"),
        ({"ref_root": "/nonexistent"}, "ref_root must be a directory"),
    ],
)
def test_options_that_are_invalid_are_refused(options: Any, words: str) -> None:
    """At construction, with words that name the option."""
    with pytest.raises((TypeError, ValueError), match=words):
        SchemaGuard(openapi=api(), **options)


@both_adapters
def test_a_route_is_named_as_the_document_has_it(adapter: Adapter) -> None:
    """Without the part that the servers have."""
    root = api(target="GET /a", more={"servers": [{"url": "/v1"}]})
    app = Guarded(adapter, openapi=root, routes={"GET /a": RouteOptions(allow=["query"])})
    assert app.ask("GET", "/v1/a?any=1").status == 200


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_a_schema_that_can_be_read_in_too_many_ways_ends(keyword: str) -> None:
    """Forty levels of two ways each are not all looked at; what is not is taken for unbounded."""
    schemas: dict[str, Any] = {
        f"A{level}": {keyword: [{"$ref": f"#/components/schemas/A{level + 1}"}] * 2}
        for level in range(40)
    }
    schemas["A40"] = TEXT
    root = api(
        requestBody=json_body({"$ref": "#/components/schemas/A0"}),
        more={"components": {"schemas": schemas}},
    )
    with pytest.raises(DocumentError) as caught:
        SchemaGuard(openapi=root, require_bounds=True)
    assert ("/components/schemas/A40", "must have a bound") in caught.value.problems
    root["components"]["schemas"]["A40"] = {**TEXT, "maxLength": 5}
    if keyword == "allOf":
        assert SchemaGuard(openapi=root, require_bounds=True).coverage.operations


@both_adapters
def test_paths_are_normalized_below_those_of_the_servers(adapter: Adapter) -> None:
    """Whatever ``paths`` says holds of the whole."""
    root = api(target="GET /a", more={"servers": [{"url": "/v1"}]})
    app = Guarded(adapter, openapi=root, paths="normalize")
    assert app.ask("GET", "/v1//./a").status == 200
    assert app.ask("GET", "/v1/b/../a").status == 200
    assert Guarded(adapter, openapi=root).ask("GET", "/v1//a").status == 400


@both_adapters
def test_canonical_bodies_of_ranges_are_json_or_the_same(adapter: Adapter) -> None:
    """What is not looked into can't be written anew."""
    root = api(requestBody={"content": {"*/*": {"schema": {"type": "object"}}}})
    app = Guarded(adapter, openapi=root, forward="canonical")
    for media, sent, seen in (
        ("application/json", b' {"a": "\\u0062"}', b'{"a":"b"}'),
        ("text/plain", b' {"a": "\\u0062"}', b' {"a": "\\u0062"}'),
    ):
        assert app.ask("POST", "/a", body=sent, headers=[("Content-Type", media)]).status == 200
        assert app.bodies[-1] == seen
