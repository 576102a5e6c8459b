"""Where references may lead, and what is said of one that leads nowhere."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard import SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded, faults
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, api, json_body, parameter, problems

if TYPE_CHECKING:
    from pathlib import Path

SHORT = {"type": "string", "maxLength": 3}
AT = "/paths/~1a/post/requestBody/content/application~1json/schema/$ref"


def refused(app: Guarded, value: Any) -> list[tuple[str, str]]:
    """Return the pointers and codes of a body's faults, none where it is taken."""
    answer = app.post("/a", value)
    assert answer.status in (200, 422), answer.text()
    return [] if answer.status == 200 else [(at, code) for _, at, code in faults(answer)]


def body_of(reference: str, version: str = "3.1.1", **more: Any) -> dict[str, Any]:
    """Return a document whose body's schema is a reference."""
    return api(version, requestBody=json_body({"$ref": reference}), more=more)


@both_adapters
@pytest.mark.parametrize("version", ["3.0.4", "3.1.1", "3.2.0"])
def test_a_reference_leads_into_the_document(adapter: Adapter, version: str) -> None:
    """Through a chain, to any place, escapes of pointers and of URIs undone."""
    schemas = {
        "One": {"$ref": "#/components/schemas/Two"},
        "Two": {"$ref": "#/components/schemas/Three/properties/a~1b%20~0c"},
        "Three": {"type": "object", "properties": {"a/b ~c": SHORT}},
    }
    app = Guarded(
        adapter,
        openapi=body_of("#/components/schemas/One", version, components={"schemas": schemas}),
    )
    assert refused(app, "abc") == []
    assert refused(app, "abcd") == [("", "maxLength")]


@both_adapters
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_reference_leads_into_files_of_ref_root(
    adapter: Adapter, tmp_path: Path, suffix: str
) -> None:
    """From one to the next, each relative to the file that it stands in, and back."""
    (tmp_path / "parts").mkdir()
    main = body_of("parts/first." + suffix + "#/defs/Start", components={"schemas": {"S": SHORT}})
    first = {"defs": {"Start": {"$ref": f"./second.{suffix}"}}}
    second = {
        "type": "object",
        "properties": {
            "own": {"$ref": "#/x-here"},
            "back": {"$ref": f"../main.{suffix}#/components/schemas/S"},
            "again": {"$ref": f"first.{suffix}#/defs/Start"},
        },
        "x-here": {"type": "integer"},
    }
    for name, value in (("main", main), ("parts/first", first), ("parts/second", second)):
        (tmp_path / f"{name}.{suffix}").write_text(json.dumps(value))
    app = Guarded(adapter, openapi=tmp_path / f"main.{suffix}")
    assert refused(app, {"own": 1, "back": "abc", "again": {"own": 2}}) == []
    assert refused(app, {"own": "x", "back": "abcd", "again": {"again": {"own": None}}}) == [
        ("/own", "type"),
        ("/back", "maxLength"),
        ("/again/again/own", "type"),
    ]


@both_adapters
def test_what_is_not_a_schema_may_lie_in_files(adapter: Adapter, tmp_path: Path) -> None:
    """Path items, parameters, bodies, responses, headers; references from those as well."""
    (tmp_path / "items.json").write_text(
        json.dumps(
            {
                "a": {
                    "parameters": [{"$ref": "parameters.json#/page"}],
                    "post": {
                        "requestBody": {"$ref": "bodies.json"},
                        "responses": {"200": {"$ref": "#/fine"}},
                    },
                },
                "fine": {
                    "description": "",
                    "headers": {"X-A": {"$ref": "#/header"}},
                    "content": {"application/json": {}},
                },
                "header": {"schema": {"type": "integer"}},
            }
        )
    )
    (tmp_path / "parameters.json").write_text(
        json.dumps({"page": parameter("query", "page", {"$ref": "#/size"}), "size": SHORT})
    )
    (tmp_path / "bodies.json").write_text(json.dumps(json_body(SHORT)))
    root = document({"/a": {"$ref": "items.json#/a"}})
    app = Guarded(adapter, openapi=root, ref_root=tmp_path, responses="enforce")
    answer = app.post("/a?page=abcd", "abcd")
    assert faults(answer) == [
        ("query", "/page", "maxLength"),
        ("body", "", "maxLength"),
    ]
    assert app.post("/a?page=abc", "abc").status == 200


@both_adapters
def test_schemas_may_be_endless(adapter: Adapter) -> None:
    """A tree holds trees."""
    tree = {
        "type": "object",
        "properties": {
            "size": {"type": "integer"},
            "left": {"$ref": "#/components/schemas/Tree"},
            "right": {"$ref": "#/components/schemas/Tree"},
        },
    }
    app = Guarded(
        adapter,
        openapi=body_of("#/components/schemas/Tree", components={"schemas": {"Tree": tree}}),
    )
    assert refused(app, {"left": {"right": {"left": {"size": 1}}}}) == []
    assert refused(app, {"left": {"right": {"left": {"size": "1"}}}}) == [
        ("/left/right/left/size", "type")
    ]


IDENTIFIED = {
    "A": {
        "$id": "https://keep.test/schemas/a",
        "type": "object",
        "properties": {"b": {"$ref": "b"}, "own": {"$ref": "#own"}, "in": {"$ref": "#/$defs/In"}},
        "$defs": {"Own": {"$anchor": "own", **SHORT}, "In": {"type": "integer"}},
    },
    "B": {"$id": "https://keep.test/schemas/b", "type": "boolean"},
    "C": {"$anchor": "named", "type": "array", "items": {"$ref": "https://keep.test/schemas/a"}},
}


@both_adapters
@pytest.mark.parametrize("version", ["3.1.1", "3.2.0"])
def test_a_reference_leads_to_an_id_or_an_anchor(adapter: Adapter, version: str) -> None:
    """JSON Schema 2020-12, 8.2: resolved against the ``$id`` that it stands in."""
    app = Guarded(adapter, openapi=body_of("#named", version, components={"schemas": IDENTIFIED}))
    assert refused(app, [{"b": True, "own": "abc", "in": 1}]) == []
    assert refused(app, [{"b": 1, "own": "abcd", "in": "1"}]) == [
        ("/0/b", "type"),
        ("/0/own", "maxLength"),
        ("/0/in", "type"),
    ]


@both_adapters
def test_a_reference_leads_to_the_self_of_a_document(adapter: Adapter, tmp_path: Path) -> None:
    """OpenAPI 3.2.0, "Establishing the Base URI"; nothing is fetched from there."""
    more = {"$self": "https://keep.test/api", "components": {"schemas": {"S": SHORT}}}
    own = Guarded(
        adapter,
        openapi=body_of("https://keep.test/api#/components/schemas/S", "3.2.0", **more),
    )
    assert refused(own, "abcd") == [("", "maxLength")]
    (tmp_path / "other.json").write_text(
        json.dumps({**document(version="3.2.0"), "$self": "https://keep.test/other", "x-s": SHORT})
    )
    root = body_of("https://keep.test/other#/x-s", "3.2.0")
    root["paths"]["/b"] = {
        "post": {"requestBody": json_body({"$ref": "other.json#/x-s"}), "responses": OK}
    }
    other = Guarded(adapter, openapi=root, ref_root=tmp_path)
    assert refused(other, "abcd") == [("", "maxLength")]


BAD: list[tuple[str, str]] = [
    ("", "is empty"),
    ("#/components/schemas/None", "leads to /components/schemas/None, which does not exist"),
    ("#/components/schemas/S/type/0", "leads to /components/schemas/S/type/0"),
    ("#/x-list/01", "leads to"),
    ("#/x-list/2", "leads to"),
    ("#/x-list/-", "leads to"),
    ("#/a~2b", "has a ~ that is neither ~0 nor ~1"),
    ("#/%FF", "has a fragment that is not UTF-8"),
    ("#nowhere", "leads to the anchor 'nowhere', which does not exist"),
    ("http://keep.test/a.json", "leads to the network: nothing is fetched"),
    ("https://keep.test/a.json#/x", "leads to the network: nothing is fetched"),
    ("file:///etc/passwd", "leads to the network: nothing is fetched"),
    ("//keep.test/a.json", "leads to the network: nothing is fetched"),
    ("HTTP:a.json", "leads to the network: nothing is fetched"),
    ("http://[", "is not a valid URI reference"),
    ("/etc/passwd", "is an absolute path"),
    ("../outside.json", "leads out of ref_root"),
    ("..", "leads out of ref_root"),
    ("in/../../outside.json", "leads out of ref_root"),
    ("%2e%2e/outside.json", "leads out of ref_root"),
    ("..%2Foutside.json", "has an encoded slash"),
    ("%2Fetc%2Fpasswd", "has an encoded slash"),
    ("..\\outside.json", "a backslash"),
    ("a%00.json", "a control character"),
    ("a%FF.json", "is not UTF-8"),
    ("a.json?x=1", "has a query, which files do not support"),
    ("?", "leads to a file that does not exist|is not a regular file|has a query"),
    ("none.json", "leads to a file that does not exist"),
    ("x" * 300, "leads to a file that does not exist"),
    ("link.json", "leads out of ref_root through a symbolic link"),
    ("folder/outside.json", "leads out of ref_root through a symbolic link"),
    ("loop.json", "leads to a file that does not exist"),
    ("in", "is not a regular file"),
    ("pipe.json", "is not a regular file"),
    ("huge.json", "is larger than 128000000 bytes"),
    ("broken.json", "is not valid JSON"),
    (
        "broken.yaml",
        "is not valid YAML for an OpenAPI document: line 2, column 1 has the duplicate key 'a'",
    ),
    ("latin.json", "is not UTF-8 at byte"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with files that lead out of it or are none."""
    outer = tmp_path_factory.mktemp("outer")
    directory = outer / "inner"
    (directory / "in").mkdir(parents=True)
    (outer / "outside.json").write_text(json.dumps(SHORT))
    (directory / "link.json").symlink_to("../outside.json")
    (directory / "folder").symlink_to("..")
    (directory / "loop.json").symlink_to("loop.json")
    os.mkfifo(directory / "pipe.json")
    with (directory / "huge.json").open("wb") as file:
        file.truncate(128_000_001)
    (directory / "broken.json").write_text('{"a": 1, "a": 2}')
    (directory / "broken.yaml").write_text("a: 1\na: 2")
    (directory / "latin.json").write_bytes(b'"\xe9"')
    return directory


@pytest.mark.parametrize(("reference", "words"), BAD, ids=[repr(bad[:40]) for bad, _ in BAD])
def test_a_reference_that_must_not_be_followed_is_a_problem(
    directory: Path, reference: str, words: str
) -> None:
    """It is told of where it stands."""
    root = body_of(reference, components={"schemas": {"S": SHORT}})
    root["x-list"] = [1, 2]
    with pytest.raises(DocumentError, match=words) as caught:
        SchemaGuard(openapi=root, ref_root=directory)
    ((pointer, told),) = caught.value.problems
    assert pointer == AT
    assert told.startswith("the reference ")


def test_all_references_that_must_not_be_followed_are_reported_at_once(directory: Path) -> None:
    """In one error, each where it stands, with those in files and of other objects."""
    schemas = {f"S{index}": {"$ref": reference} for index, (reference, _) in enumerate(BAD)}
    (directory / "deep.json").write_text(json.dumps({"items": {"$ref": "../up.json"}}))
    root = document(
        {
            "/a": {"$ref": "none.json"},
            "/b": {"parameters": [{"$ref": "#/nothing"}]},
            "/c": {"get": {"responses": {"200": {"$ref": "#/nothing"}}}},
        },
        components={"schemas": {**schemas, "Deep": {"$ref": "deep.json"}}},
    )
    found = dict(problems(root, directory))
    assert found.keys() == {
        *(f"/components/schemas/{name}/$ref" for name in schemas),
        "/paths/~1a/$ref",
        "/paths/~1b/parameters/0/$ref",
        "/paths/~1c/get/responses/200/$ref",
        "deep.json#/items/$ref",
    }


def test_files_need_ref_root() -> None:
    """A dict has none of its own."""
    assert problems(body_of("a.json")) == [
        (AT, "the reference 'a.json' leads to a file: set ref_root to allow files")
    ]


@pytest.mark.parametrize("version", ["3.0.4", "3.1.1", "3.2.0"])
@pytest.mark.parametrize(
    "components",
    [
        {"schemas": {"A": {"$ref": "#/components/schemas/A"}}},
        {"schemas": {"A": {"$ref": "#/components/schemas/B"},
                     "B": {"$ref": "#/components/schemas/A"}}},
        {"schemas": {"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}}},
        {"schemas": {"A": {"$ref": "#/components/schemas/B"},
                     "B": {"description": "x", "$ref": "#/components/schemas/A"}}},
    ],
)  # fmt: skip
def test_what_leads_to_itself_alone_is_a_problem(version: str, components: Any) -> None:
    """It would say nothing, or never end."""
    root = document(version=version, components=components)
    root["paths"] = body_of("#/components/schemas/A", version)["paths"]
    with pytest.raises(DocumentError, match=r"cycle|itself"):
        SchemaGuard(openapi=root)


def test_path_items_in_a_cycle_are_a_problem() -> None:
    """Nothing waits for their end."""
    found = problems(document({"/a": {"$ref": "#/paths/~1b"}, "/b": {"$ref": "#/paths/~1a"}}))
    assert [words for _, words in found] == [
        "the reference '#/paths/~1a' leads in a cycle",
        "the reference '#/paths/~1b' leads in a cycle",
    ]


def test_what_a_path_item_and_its_reference_both_say_is_a_problem() -> None:
    """It has no defined meaning (OpenAPI, "Path Item Object")."""
    item = {"get": {"responses": OK}}
    root = document({"/a": {"$ref": "#/components/pathItems/A", **item}},
                    components={"pathItems": {"A": item}})  # fmt: skip
    assert problems(root) == [
        ("/paths/~1a/$ref", "has 'get' beside it, which its target has as well")
    ]
    root["paths"]["/a"] = {"$ref": "#/components/pathItems/A", "post": {"responses": OK}}
    assert problems(root) == []


NAMES: list[tuple[Any, str, str]] = [
    ({"A": {"$id": "https://k.test/a#x"}}, "/components/schemas/A/$id", "or have a fragment"),
    ({"A": {"$id": ""}}, "/components/schemas/A/$id", "must not be empty or have a fragment"),
    ({"A": {"$id": "https://k.test/a"}, "B": {"$id": "https://k.test/a"}},
     "/components/schemas/B/$id", "is already used at /components/schemas/A"),
    ({"A": {"$anchor": "x"}, "B": {"$anchor": "x"}},
     "/components/schemas/B/$anchor", "is already used at /components/schemas/A"),
]  # fmt: skip


@pytest.mark.parametrize(("schemas", "pointer", "words"), NAMES)
def test_names_that_are_not_clear_are_problems(schemas: Any, pointer: str, words: str) -> None:
    """Or a reference could lead to two places."""
    root = document(components={"schemas": schemas})
    assert [at for at, said in problems(root) if re.search(words, said)] == [pointer]
    assert SchemaGuard(openapi=root).coverage.notes  # no operation refers to them
    name = pointer.split("/")[3]
    root["paths"] = body_of(f"#/components/schemas/{name}", "3.1.1")["paths"]
    with pytest.raises(DocumentError, match=words) as caught:
        SchemaGuard(openapi=root)
    assert [at for at, _ in caught.value.problems] == [pointer]


@both_adapters
def test_what_stands_beside_a_reference_counts_from_3_1_on(adapter: Adapter) -> None:
    """In 3.0 it is ignored, and noted."""
    for version, most in (("3.0.4", 3), ("3.1.1", 2), ("3.2.0", 2)):
        schema = {"$ref": "#/components/schemas/S", "maxLength": 2}
        root = api(
            version, requestBody=json_body(schema), more={"components": {"schemas": {"S": SHORT}}}
        )
        app = Guarded(adapter, openapi=root)
        assert refused(app, "x" * most) == []
        assert refused(app, "x" * (most + 1)) == [("", "maxLength")]
        noted = ["beside $ref" in words for _, words in app.guard.coverage.notes]
        assert any(noted) is (version == "3.0.4")


def test_a_symbolic_link_within_ref_root_is_followed(tmp_path: Path) -> None:
    """A file by two paths is one file."""
    (tmp_path / "real.json").write_text(json.dumps({"$id": "https://k.test/a", **SHORT}))
    (tmp_path / "link.json").symlink_to("real.json")
    root = document(
        components={"schemas": {"A": {"$ref": "real.json"}, "B": {"$ref": "link.json"}}}
    )
    assert problems(root, tmp_path) == []
