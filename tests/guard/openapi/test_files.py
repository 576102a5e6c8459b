"""References to files: only those in ref_root are allowed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mantlet.guard.openapi.diagnostics import DocumentLocation
from mantlet.guard.openapi.document import OpenApiDocument
from mantlet.guard.openapi.loading import relative_path
from tests.guard.openapi.building import (
    SCHEMA,
    TEXT,
    document,
    of_operation,
    problems,
    with_schema,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_files_are_referred_to_relative_to_where_it_is_said(tmp_path: Path) -> None:
    """Schemas, parameters and path items, over several files and back."""
    write(
        tmp_path / "api.json",
        document(
            {"/x": {"$ref": "paths/x.yaml"}},
            components={"schemas": {"Name": {"type": "string", "maxLength": 9}}},
        ),
    )
    write(
        tmp_path / "paths/x.yaml",
        """
parameters:
  - $ref: ../common/parameters.json#/limit
post:
  requestBody:
    content: {application/json: {schema: {$ref: ../schemas/pet.json}}}
  responses: {200: {description: done}}
""",
    )
    limit = {"name": "limit", "in": "query", "schema": {"$ref": "../schemas/int.json"}}
    write(tmp_path / "common/parameters.json", {"limit": limit})
    write(tmp_path / "schemas/int.json", {"type": "integer"})
    pet = {
        "properties": {
            "name": {"$ref": "../api.json#/components/schemas/Name"},
            "size": {"$ref": "int.json"},
            "mother": {"$ref": "#"},
            "age": {"$ref": "./int.json#"},
        }
    }
    write(tmp_path / "schemas/pet.json", pet)
    made = OpenApiDocument(tmp_path / "api.json")
    (operation,) = made.operations
    assert operation.pointer == "paths/x.yaml#/post"
    assert operation.parameters[0].pointer == "common/parameters.json#/limit"
    others = made.references.others
    assert set(others) == {
        f"directory:/{name}"
        for name in (
            "api.json",
            "common/parameters.json",
            "paths/x.yaml",
            "schemas/int.json",
            "schemas/pet.json",
        )
    }
    assert others["directory:/schemas/pet.json"] == {
        "properties": {
            "name": {"$ref": "directory:/api.json#/components/schemas/Name"},
            "size": {"$ref": "directory:/schemas/int.json#"},
            "mother": {"$ref": "#"},
            "age": {"$ref": "directory:/schemas/int.json#"},
        }
    }
    found = made.references.resolve("directory:/schemas/int.json#/type", "paths/x.yaml")
    assert found == ("integer", DocumentLocation("schemas/int.json", "/type"))


def test_what_is_wrong_in_another_file_is_reported_with_its_name(tmp_path: Path) -> None:
    """The file's path stands before the pointer."""
    write(tmp_path / "p.json", {"a": {"name": "a", "in": "body", "schema": TEXT}})
    path = write(tmp_path / "api.json", of_operation({"parameters": [{"$ref": "p.json#/a"}]}))
    assert set(problems(path)) == {"p.json#/a/in"}


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("../outside.json", "leads out of ref_root"),
        ("sub/../../outside.json", "leads out of ref_root"),
        ("%2e%2e/outside.json", "leads out of ref_root"),
        ("%2E%2E/outside.json", "leads out of ref_root"),
        ("..", "leads out of ref_root"),
        ("..%2foutside.json", "has an encoded slash"),
        ("..\\outside.json", "a backslash"),
        ("..%5coutside.json", "a backslash"),
        ("in.json%00", "a control character"),
        ("%ff.json", "is not UTF-8"),
        ("/etc/passwd", "is an absolute path"),
        ("%2fetc/passwd", "has an encoded slash"),
        ("in.json?a=b", "has a query"),
        ("link.json", "leads out of ref_root through a symbolic link"),
        ("linked/outside.json", "leads out of ref_root through a symbolic link"),
        ("loop.json", "leads to a file that does not exist"),
        ("missing.json", "leads to a file that does not exist"),
        ("pipe", "is not a regular file"),
        (".", "is not a regular file|can't be read"),
        ("text.json", "is not valid JSON"),
        ("in.json#/missing", "leads to in.json#/missing, which does not exist"),
    ],
)
def test_no_reference_leads_out_of_ref_root(tmp_path: Path, reference: str, words: str) -> None:
    """Not by dots, links, or anything that is encoded; nor to what is no file."""
    outside = write(tmp_path / "outside.json", {"secret": True})
    inside = tmp_path / "inside"
    path = write(inside / "api.json", with_schema({"$ref": reference}))
    write(inside / "in.json", {})
    write(inside / "text.json", "root:x:0:0")
    (inside / "link.json").symlink_to(outside)
    (inside / "linked").symlink_to(tmp_path)
    (inside / "loop.json").symlink_to(inside / "loop.json")
    os.mkfifo(inside / "pipe")
    found = problems(path)
    assert set(found) == {f"{SCHEMA}/$ref"}
    assert any(part in found[f"{SCHEMA}/$ref"] for part in words.split("|"))


def test_links_within_ref_root_are_followed(tmp_path: Path) -> None:
    """A file is the same by each of its names."""
    write(tmp_path / "real.json", TEXT)
    (tmp_path / "alias.json").symlink_to(tmp_path / "real.json")
    path = write(
        tmp_path / "api.json",
        with_schema({"anyOf": [{"$ref": "alias.json"}, {"$ref": "real.json"}]}),
    )
    assert set(OpenApiDocument(path).references.documents) == {"", "real.json"}


def test_a_dict_may_refer_to_the_files_of_ref_root(tmp_path: Path) -> None:
    """And a document to a directory above its own."""
    write(tmp_path / "common/a.json", TEXT)
    assert not problems(with_schema({"$ref": "common/a.json"}), ref_root=tmp_path)
    path = write(tmp_path / "api/api.json", with_schema({"$ref": "../common/a.json"}))
    assert problems(path)
    assert not problems(path, ref_root=tmp_path)


def test_a_file_that_calls_itself_something_is_found_by_that(tmp_path: Path) -> None:
    """The ``$id`` of its root is the base of the references in it, and then its path is."""
    write(
        tmp_path / "pet.json",
        {
            "$id": "https://example.com/pet.json",
            "properties": {"size": {"$ref": "size.json"}, "self": {"$ref": "pet.json"}},
        },
    )
    write(tmp_path / "size.json", {"type": "integer"})
    path = write(tmp_path / "api.json", with_schema({"$ref": "pet.json"}))
    made = OpenApiDocument(path)
    assert made.references.documents["pet.json"] == {
        "properties": {"size": {"$ref": "directory:/size.json#"}, "self": {"$ref": "#"}}
    }


def test_a_base_is_no_path() -> None:
    """What ``urljoin`` would make of too many dots is not asked."""
    assert relative_path("./b/../c.json", "a/x.json") == "a/c.json"
    with pytest.raises(ValueError, match="leads out"):
        relative_path("../../c.json", "a/x.json")
