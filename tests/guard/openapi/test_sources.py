"""What a guard may be given as a document, and what it says of one that can't be read."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest

from mantlet.guard import SchemaGuard
from mantlet.guard.openapi.loading import load_document, openapi_version, parse_content
from mantlet.guard.openapi.yaml12 import read_yaml
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import api

YAML = """\
openapi: 3.1.1
info: {title: Keep, version: "1"}
paths:
  /gates/{id}:
    get:
      operationId: on
      parameters:
        - {name: id, in: path, required: yes_, schema: {type: integer}}
      responses:
        200: {description: no}
"""


@pytest.mark.parametrize("name", ["a.json", "a.JSON", "document"])
def test_a_file_of_json_is_read(tmp_path: Path, name: str) -> None:
    """By its suffix, or by its first brace where it has none; a BOM is left out."""
    path = tmp_path / name
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(api()).encode())
    for given in (path, str(path)):
        loaded = load_document(given)
        assert loaded.root == api()
        assert loaded.version == "3.1"
        assert loaded.name == name
    assert SchemaGuard(openapi=path).coverage.operations[0][0] == "POST /a"


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a.YAML", "document"])
def test_a_file_of_yaml_is_read(tmp_path: Path, name: str) -> None:
    """By its suffix, or where it does not begin with a brace."""
    path = tmp_path / name
    path.write_text(YAML)
    root = load_document(path).root
    operation = root["paths"]["/gates/{id}"]["get"]
    assert operation["operationId"] == "on"
    assert operation["responses"] == {"200": {"description": "no"}}


def test_a_file_of_yaml_may_have_a_bom(tmp_path: Path) -> None:
    """Some editors write one."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + YAML.encode())
    assert load_document(path).version == "3.1"


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 500 + "}" * 500])
def test_deep_yaml_is_refused(text: str) -> None:
    """Before any stack runs out."""
    with pytest.raises(ValueError, match="nest"):
        read_yaml(text)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1, "a": 2}', "is not valid JSON: .*uplicate"),
        (b'{"a": 1, "\\u0061": 2}', "is not valid JSON: .*uplicate"),
        (b'{"a": NaN}', "is not valid JSON"),
        (b'{"a": 1} x', "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON: recursion"),
        (b'{"a": "\xff"}', "is not UTF-8 at byte 7"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8 at byte 0"),
        (b"", "is not valid JSON"),
    ],
)
def test_json_that_is_invalid_is_refused(content: bytes, words: str) -> None:
    """Duplicate keys included, however they are written."""
    with pytest.raises(ValueError, match=words):
        parse_content("a.json", content)


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ([], "must be an object"),
        ("3.1.1", "must be an object"),
        (None, "must be an object"),
        ({}, "does not declare its version"),
        ({"swagger": "1.2"}, "uses Swagger 1.2: only 2.0 is supported, and OpenAPI 3"),
        ({"openapi": "2.0"}, "uses OpenAPI '2.0': only 3.0, 3.1 and 3.2 are supported"),
        ({"openapi": "3.3.0"}, "uses OpenAPI '3.3.0'"),
        ({"openapi": "4.0.0"}, "uses OpenAPI '4.0.0'"),
        ({"openapi": "3.1"}, "uses OpenAPI '3.1'"),
        ({"openapi": 3.1}, 'uses OpenAPI 3.1: write openapi: "3.1.1"'),
        ({"openapi": ["3.1.1"]}, "uses OpenAPI"),
    ],
)
def test_a_document_of_no_known_version_is_refused(tmp_path: Path, root: Any, words: str) -> None:
    """With what it is, and what is known."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(root))
    with pytest.raises(ValueError, match=f"openapi: .*a.json' {words}"):
        SchemaGuard(openapi=path)
    if isinstance(root, dict):
        with pytest.raises(ValueError, match=f"openapi: the document {words}"):
            SchemaGuard(openapi=root)


@pytest.mark.parametrize(
    ("version", "minor"), [("3.0.0", "3.0"), ("3.1.1", "3.1"), ("3.2.0-rc1", "3.2")]
)
def test_the_minor_version_counts(version: str, minor: str) -> None:
    """Patches change no rule (OpenAPI 3.2.0, "Versions")."""
    assert openapi_version({"openapi": version}) == minor


@pytest.mark.parametrize("source", [5, b"a.yaml", ["a"], object()])
def test_what_is_neither_a_path_nor_a_dict_is_refused(source: Any) -> None:
    """It is a mistake in the code, not in a document."""
    with pytest.raises(TypeError, match="openapi must be a path or a dict; not"):
        SchemaGuard(openapi=source)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A missing one, a folder, a pipe (without waiting for its other end), and a huge one."""
    with pytest.raises(ValueError, match=r"none\.yaml' cannot be read: No such file"):
        load_document(tmp_path / "none.yaml")
    with pytest.raises(ValueError, match="is not a regular file"):
        load_document(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ValueError, match=r"pipe\.yaml' is not a regular file"):
        load_document(tmp_path / "pipe.yaml")
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(128_000_001)
    with pytest.raises(ValueError, match="is larger than 128000000 bytes"):
        load_document(huge)


def test_reading_a_folder_leaves_nothing_open(tmp_path: Path) -> None:
    """Or else a service that reloads runs out of descriptors."""
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(ValueError, match="is not a regular file"):
            load_document(tmp_path)
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_ref_root_must_be_one_and_hold_the_document(tmp_path: Path) -> None:
    """The option is named."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(api()))
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="ref_root must be a directory, not"):
        SchemaGuard(openapi=path, ref_root=tmp_path / "none")
    with pytest.raises(ValueError, match="ref_root must contain the document"):
        SchemaGuard(openapi=path, ref_root=tmp_path / "other")
    assert SchemaGuard(openapi=path, ref_root=tmp_path).coverage.operations


class Word(str, Enum):  # noqa: UP042  # its text is not its value, which is the point
    OBJECT = "object"


class Number(IntEnum):
    OK = 200


class Text(str):
    __slots__ = ()


def test_a_dict_is_copied_and_made_plain() -> None:
    """Ordered dicts, tuples, enums and other strings' classes become JSON's; statuses texts."""
    given: Any = OrderedDict(
        document({"/a": {"get": {"tags": (Text("a"), Word.OBJECT), "responses": {
            Number.OK: {"description": Word.OBJECT}, 404: {"description": ""}}}}})
    )  # fmt: skip
    root = load_document(given).root
    operation = root["paths"]["/a"]["get"]
    assert operation["tags"] == ["a", "object"]
    assert [type(tag) for tag in operation["tags"]] == [str, str]
    assert operation["responses"] == {"200": {"description": "object"}, "404": {"description": ""}}
    assert type(operation["responses"]["200"]["description"]) is str
    given["paths"]["/a"]["get"]["tags"] = None
    assert operation["tags"] == ["a", "object"]


def test_what_is_given_is_not_changed() -> None:
    """A guard writes references anew in its own copy."""
    given = document(
        components={
            "schemas": {
                "A": {"$id": "https://a.test/a", "$anchor": "x", "type": "object"},
                "B": {"$ref": "https://a.test/a"},
            }
        }
    )
    before = json.dumps(given)
    SchemaGuard(openapi=given)
    assert json.dumps(given) == before


ENDLESS: dict[str, Any] = document()
ENDLESS["x-self"] = ENDLESS


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (ENDLESS, "is nested deeper than 200 levels, or contains itself"),
        (document(info={"title": {1, 2}}), "contains a set, which JSON lacks"),
        (document(info={"title": b"x"}), "contains a bytes"),
        (document(info={"title": float("nan")}), "contains a float"),
        (document({None: {}}), "has the key None"),
        (document({True: {}}), "has the key True"),
        (document({"1": {}, 1: {}}), "has the duplicate key 1"),
    ],
)
def test_a_dict_that_is_no_json_is_refused(given: Any, words: str) -> None:
    """With what is in it."""
    with pytest.raises(ValueError, match=f"openapi: the document {words}"):
        SchemaGuard(openapi=given)
