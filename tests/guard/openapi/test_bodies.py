"""Request bodies against a document, under both protocols: JSON, sequences of it, and others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.drive import Adapter, both_adapters
from tests.guard.asking import JSON, Guarded, faults
from tests.guard.openapi.documents import api, each_version, json_body

if TYPE_CHECKING:
    from tests.drive import Answer

INTEGER = {"type": "integer"}
POINT = {"type": "object", "properties": {"x": INTEGER, "y": INTEGER}}


def codes(answer: Answer) -> list[tuple[str, str, str]]:
    """Return the faults, none where the request was taken."""
    return [] if answer.status == 200 else faults(answer)


@each_version
@both_adapters
def test_json_of_each_media_type_is_checked(adapter: Adapter, version: str) -> None:
    """Of its own, of ``+json``, and of ranges; the most specific one counts."""
    content = {
        "application/json": {"schema": {"const": 1} if version != "3.0.4" else {"enum": [1]}},
        "application/vnd.keep+json": {"schema": {"enum": [2]}},
        "application/*": {"schema": {"enum": [3]}},
        "*/*": {"schema": {"enum": [4]}},
    }
    app = Guarded(adapter, openapi=api(version, requestBody={"content": content}))

    def taken(media: str) -> list[int]:
        headers = [("Content-Type", media)]
        return [
            value
            for value in (1, 2, 3, 4)
            if app.ask("POST", "/a", body=str(value), headers=headers).status == 200
        ]

    assert taken("application/json") == [1]
    assert taken("Application/JSON; charset=utf-8") == [1]
    assert taken("application/vnd.keep+json") == [2]
    assert taken("application/problem+json") == [3]
    assert taken("application/octet-stream") == [1, 2, 3, 4]
    assert taken("text/plain") == [1, 2, 3, 4]
    assert taken("model/gltf+json") == [4]
    assert app.ask("POST", "/a", body=b"1").status == 415


@each_version
@both_adapters
def test_bodies_that_are_not_json_are_bounded_in_size_alone(adapter: Adapter, version: str) -> None:
    """And the report says so."""
    content: Any = {"image/*": {}, "text/csv": {"schema": {"type": "string"}}}
    app = Guarded(adapter, openapi=api(version, requestBody={"content": content}))
    for media, body in (("image/png", b"\xff"), ("image/svg+xml", b"<"), ("text/csv", b"a,b")):
        assert app.ask("POST", "/a", body=body, headers=[("Content-Type", media)]).status == 200
    assert [seen.body for seen in app.seen] == [b"\xff", b"<", b"a,b"]
    answer = app.ask("POST", "/a", body=b"{}", headers=JSON)
    assert answer.status == 415
    assert answer.get("accept") == "text/csv, image/*"
    at = "/paths/~1a/post/requestBody/content/text~1csv"
    assert (at, "only the size of text/csv bodies is checked") in app.guard.coverage.notes


@each_version
@both_adapters
def test_a_body_is_required_where_the_document_says_so(adapter: Adapter, version: str) -> None:
    """By default it is not (OpenAPI, "Request Body Object")."""
    optional = json_body({}) | {"required": False}
    app = Guarded(adapter, openapi=api(version, requestBody=optional))
    assert app.ask("POST", "/a").status == 200
    assert app.seen[0].body is None
    assert (
        Guarded(adapter, openapi=api(version, requestBody=json_body({}))).ask("POST", "/a").status
        == 422
    )


@each_version
@both_adapters
def test_read_only_members_do_not_come_in(adapter: Adapter, version: str) -> None:
    """Write-only ones do, and do not go out; what is required is so in its direction alone."""
    user = {
        "type": "object",
        "required": ["id", "password", "name"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "password": {"type": "string", "writeOnly": True},
            "name": {"type": "string"},
        },
    }
    responses = {"200": {"description": "", "content": {"application/json": {"schema": user}}}}
    root = api(version, requestBody=json_body(user), responses=responses)

    def told(sent: Any, answered: Any) -> Any:
        said: Any = (200, JSON, json.dumps(answered).encode())
        app = Guarded(adapter, openapi=root, responses="enforce", answer=said)
        answer = app.post("/a", sent)
        return answer.status if answer.status != 422 else faults(answer)

    good, back = {"password": "p", "name": "n"}, {"id": 1, "name": "n"}
    assert told(good, back) == 200
    assert told({**good, "id": 1}, back) == [("body", "/id", "read_only")]
    assert told(good, {**back, "password": "p"}) == 500
    assert told({"name": "n"}, back) == [("body", "/password", "required")]
    assert told(good, {"name": "n"}) == 500


@both_adapters
def test_null_is_taken_where_the_version_says_so(adapter: Adapter) -> None:
    """``nullable`` in 3.0, a type of its own later on."""
    for version, schema, taken in [
        ("3.0.4", {"type": "string", "nullable": True}, True),
        ("3.0.4", {"type": "string"}, False),
        ("3.1.1", {"type": "string", "nullable": True}, False),
        ("3.1.1", {"type": ["string", "null"]}, True),
        ("3.2.0", {"type": ["string", "null"]}, True),
    ]:
        app = Guarded(adapter, openapi=api(version, requestBody=json_body(schema)))
        assert (app.post("/a", None).status == 200) is taken, (version, schema)


@each_version
@both_adapters
def test_a_discriminator_picks_the_schema(adapter: Adapter, version: str) -> None:
    """Faults are those of the one that is picked; a value that picks none is a fault."""

    def pet(name: str, **properties: Any) -> dict[str, Any]:
        kind = {"type": "string"}
        return {"type": "object", "required": ["kind", name], "properties": {
            "kind": kind, **properties}}  # fmt: skip

    schema = {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {
            "propertyName": "kind", "mapping": {"hound": "#/components/schemas/Dog", "cat": "Cat"},
        },
    }  # fmt: skip
    schemas = {"Cat": pet("lives", lives=INTEGER), "Dog": pet("bark", bark={"type": "boolean"})}
    root = api(version, requestBody=json_body(schema), more={"components": {"schemas": schemas}})
    app = Guarded(adapter, openapi=root)
    assert codes(app.post("/a", {"kind": "cat", "lives": 9})) == []
    assert codes(app.post("/a", {"kind": "hound", "bark": True})) == []
    assert codes(app.post("/a", {"kind": "hound", "bark": 5})) == [("body", "/bark", "type")]
    assert [at for _, at, _ in codes(app.post("/a", {"kind": "fish"}))] == ["/kind"]


# -- sequences of JSON texts ----------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("media", "begin"),
    [("application/x-ndjson", ""), ("application/jsonl", ""), ("application/json-seq", "\x1e")],
)
def test_items_of_sequences_are_checked(adapter: Adapter, media: str, begin: str) -> None:
    """OpenAPI 3.2.0, "Sequential Media Types"; RFC 7464 for JSON text sequences."""
    content = {media: {"itemSchema": {"$ref": "#/components/schemas/P"}}}
    root = api("3.2.0", requestBody={"content": content}, more={"components": {"schemas": {
        "P": POINT}}})  # fmt: skip
    app = Guarded(adapter, openapi=root)
    headers = [("Content-Type", media)]
    good, bad = f'{begin}{{"x":1}}\n{begin}{{"y":2}}\n', f'{begin}{{"x":1}}\n{begin}{{"y":"2"}}\n'
    assert codes(app.ask("POST", "/a", body=good, headers=headers)) == []
    assert app.seen[0].body == [{"x": 1}, {"y": 2}]
    assert codes(app.ask("POST", "/a", body=bad, headers=headers)) == [("body", "/1/y", "type")]


@both_adapters
def test_a_sequence_without_an_item_schema_is_read_with_a_warning(adapter: Adapter) -> None:
    """Each of its texts must be JSON."""
    root = api("3.1.1", requestBody=json_body({"type": "array"}, "application/x-ndjson"))
    app = Guarded(adapter, openapi=root)
    headers = [("Content-Type", "application/x-ndjson")]
    assert app.ask("POST", "/a", body="1\n{}\n", headers=headers).status == 200
    assert app.ask("POST", "/a", body="1\n{\n", headers=headers).status == 400
    assert any("use itemSchema" in words for _, words in app.guard.coverage.notes)


@pytest.mark.parametrize(
    "second", ["application/json; charset=utf-8", "Application/JSON", "application/json;v=1"]
)
@both_adapters
def test_the_same_content_may_be_declared_twice(adapter: Adapter, second: str) -> None:
    """With and without a charset, with a note."""
    schema = {"type": "object", "required": ["a"]}
    content = {media: {"schema": schema} for media in ("application/json", second)}
    app = Guarded(adapter, openapi=api(requestBody={"content": content}))
    for sent in ("application/json", "application/json; charset=utf-8"):
        answers = [
            app.ask("POST", "/a", body=body, headers=[("Content-Type", sent)]).status
            for body in ('{"a": 1}', "{}")
        ]
        assert answers == [200, 422]
    assert any("declared twice, with the same" in words for _, words in app.guard.coverage.notes)


@both_adapters
def test_bodies_of_a_type_that_is_declared_twice_fit_both(adapter: Adapter) -> None:
    """Nothing tells the app which of them a body is."""
    content = {
        "application/json": {"schema": {"required": ["a"]}},
        "application/json; charset=utf-8": {"schema": {"required": ["b"]}},
    }
    app = Guarded(adapter, openapi=api(requestBody={"content": content}))
    bodies: list[Any] = [{"a": 1, "b": 1}, {"a": 1}, {"b": 1}]
    assert [app.post("/a", body).status for body in bodies] == [200, 422, 422]
    assert any("bodies must fit both" in words for _, words in app.guard.coverage.notes)


@pytest.mark.parametrize("plain", [True, False], ids=["beside it", "alone"])
@both_adapters
def test_a_declared_media_type_may_have_its_parameters(adapter: Adapter, plain: bool) -> None:
    """As OData's have; others, and other values, are refused."""
    media = "application/json; odata=minimalmetadata"
    content: dict[str, Any] = {media: {"schema": {"required": ["a"]}}}
    if plain:
        content = {"application/json": {"schema": {"required": ["a"]}}, **content}
    app = Guarded(adapter, openapi=api(requestBody={"content": content}))

    def status(sent: str, body: str = '{"a": 1}') -> int | None:
        return app.ask("POST", "/a", body=body, headers=[("Content-Type", sent)]).status

    assert status(media) == status("application/json") == 200
    assert status(f"{media}; charset=utf-8") == 200
    assert status(media, "{}") == 422
    assert status("application/json; odata=verbose") == 415
    assert status("application/json; x=minimalmetadata") == 415
    assert status(f"{media}; charset=utf-16") == 415
