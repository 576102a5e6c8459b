"""DocumentOptions documents from wherever they are."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard import SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from mantlet.guard.openapi.document import OpenApiDocument
from mantlet.guard.openapi.loading import load_document
from tests.guard.openapi.building import DONE, document

if TYPE_CHECKING:
    from pathlib import Path

JSON = json.dumps(document({"/x": {"get": DONE}}))
YAML = """
openapi: 3.1.1
info: {title: An API, version: 2026-11-26}
paths:
  /x:
    get:
      responses:
        200: {description: on}
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", JSON),
        ("a.json", "\ufeff" + JSON),
        ("a.JSON", JSON),
        ("a.yaml", YAML),
        ("a.yml", "\ufeff" + YAML),
        ("a.yaml", JSON),
        ("a", JSON),
        ("a", YAML),
        ("a.txt", "  " + JSON),
    ],
)
def test_a_file_is_json_or_yaml(tmp_path: Path, name: str, text: str) -> None:
    """Its name says which, or its first character."""
    path = tmp_path / name
    path.write_text(text)
    for source in (path, str(path)):
        (operation,) = OpenApiDocument(source).operations
        assert (operation.method, operation.template) == ("GET", "/x")
        assert list(operation.responses) == ["200"]


def test_dates_of_yaml_stay_texts(tmp_path: Path) -> None:
    """A version that looks like a date is a text, which the specification asks for."""
    path = tmp_path / "a.yaml"
    path.write_text(YAML)
    assert load_document(path).root["info"]["version"] == "2026-11-26"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"openapi": "3.1.1", "openapi": "3.0.0"}', "is not valid JSON: .*uplicate"),
        (b'{"openapi": NaN}', "is not valid JSON"),
        (b'{"openapi": ', "is not valid JSON"),
        (b'{"a": "\xff"}', "is not UTF-8 at byte 7"),
        (JSON.encode("utf-16"), "is not UTF-8"),
        (b"[" * 300, "is not valid JSON"),
        (b"[]", "must be an object"),
        (b"{}", 'does not declare its version, such as openapi: "3.1.1"'),
        (b'{"swagger": "1.2"}', "uses Swagger 1.2: only 2.0 is supported, and OpenAPI 3"),
        (b'{"openapi": "2.0.0"}', "uses OpenAPI '2.0.0': only 3.0, 3.1 and 3.2 are supported"),
        (b'{"openapi": "3.3.0"}', "uses OpenAPI '3.3.0'"),
        (b'{"openapi": "3.1"}', "uses OpenAPI '3.1'"),
        (b'{"openapi": 3.1}', "uses OpenAPI 3.1"),
    ],
)
def test_what_is_no_document_is_said_with_its_path(
    tmp_path: Path, content: bytes, words: str
) -> None:
    """Each is a `ValueError` that begins with the option and names the file."""
    path = tmp_path / "api.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^SchemaGuard: openapi: .*api.json' {words}"):
        load_document(path)


def test_yaml_that_is_invalid_is_said(tmp_path: Path) -> None:
    """With the line."""
    path = tmp_path / "api.yaml"
    path.write_text("openapi: 3.1.1\nopenapi: 3.0.0")
    with pytest.raises(ValueError, match="line 2, column 1 has the duplicate key 'openapi'"):
        load_document(path)


def test_a_file_must_be_one(tmp_path: Path) -> None:
    """A directory, a pipe and nothing at all are no files, and nothing waits for a pipe."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is not a regular file"):
        load_document(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"cannot be read: Is a directory|is not a regular file"):
        load_document(tmp_path)
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        load_document(tmp_path / "missing")


def test_a_file_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of more than 64 MB is none."""
    monkeypatch.setattr("mantlet.guard.openapi.loading.MAX_FILE_SIZE", 10)
    path = tmp_path / "a.json"
    path.write_text(JSON)
    with pytest.raises(ValueError, match="is larger than 10 bytes"):
        load_document(path)


@pytest.mark.parametrize("source", [None, 3, b"a.json", ["a.json"]])
def test_a_source_is_a_path_or_a_dict(source: Any) -> None:
    """Anything else is a `TypeError`."""
    with pytest.raises(TypeError, match="openapi must be a path or a dict"):
        load_document(source)


def test_a_dict_is_copied() -> None:
    """What is changed afterwards changes nothing."""
    source = document({"/x": {"get": DONE}})
    loaded = OpenApiDocument(source)
    source["paths"].clear()
    assert loaded.root["paths"]


def test_a_dict_is_of_a_known_version_too() -> None:
    """It is told of without a path."""
    with pytest.raises(ValueError, match=re.escape("openapi: the document uses Swagger 1.2")):
        load_document({"swagger": "1.2"})
    with pytest.raises(ValueError, match="openapi: the document contains a set"):
        load_document({"openapi": {1}})


def test_ref_root_must_be_one_that_holds_the_document(tmp_path: Path) -> None:
    """A document elsewhere, or no directory, is an error."""
    path = tmp_path / "a.json"
    path.write_text(JSON)
    (tmp_path / "sub").mkdir()
    with pytest.raises(ValueError, match="ref_root must contain the document"):
        load_document(path, ref_root=tmp_path / "sub")
    with pytest.raises(ValueError, match="ref_root must be a directory"):
        load_document(path, ref_root=path)


REAL = """
openapi: 3.0.3
info:
	title: An API
"""
MERGED = """
openapi: 3.0.3
info: {title: An API, version: 1.0, date: 2026-01-01}
x-done: &done
  responses: {200: {description: yes}}
paths:
  /x:
    get: {<<: *done, operationId: on}
    post:
      <<: *done
      parameters: [{name: q, in: query, schema: {type: integer}}]
"""


def test_yaml_of_version_1_1_is_read_with_notes(tmp_path: Path) -> None:
    """Merges, a number as the version, dates and words that once were booleans."""
    path = tmp_path / "a.yaml"
    path.write_text(MERGED)
    guard = SchemaGuard(openapi=path)
    assert [name for name, _ in guard.coverage.operations] == ["GET /x", "POST /x"]
    notes = {message: at for at, message in guard.coverage.notes}
    assert notes["must be a string: write '1.0'"] == "/info/version"
    assert (
        notes["line 8, column 11 has a merge (<<), which YAML 1.2 lacks: its members are added"]
        == ""
    )


DUPLICATE = """
openapi: 3.0.3
info: {title: An API, version: '1', version: '2'}
paths:
  /bad:
    post:
      requestBody:
        content: {application/json: {schema: {type: string, type: integer}}}
      responses: {200: {description: ''}}
  /good:
    get:
      description: one
      description: two
      responses: {200: {description: ''}, 200: {description: x}}
"""


def test_a_duplicate_key_is_a_fault_of_the_operations_that_meet_it(tmp_path: Path) -> None:
    """Parsers differ about which value counts."""
    path = tmp_path / "a.yaml"
    path.write_text(DUPLICATE)
    guard = SchemaGuard(openapi=path, on_invalid="close")
    ((name, ((at, message),)),) = guard.coverage.closed
    assert name == "POST /bad"
    assert at == "/paths/~1bad/post/requestBody/content/application~1json/schema/type"
    assert message == "line 8, column 61 has the duplicate key 'type'"
    with pytest.raises(DocumentError, match="has 1 problem"):
        SchemaGuard(openapi=path)
    with pytest.raises(DocumentError, match="has 2 problems"):
        SchemaGuard(openapi=path, responses="report")


def test_duplicate_keys_of_json_are_faults_too(tmp_path: Path) -> None:
    """Whatever indents it, and also where the names are escaped."""
    path = tmp_path / "a.json"
    good = json.dumps({"get": DONE})
    bad = (
        '{"post": {"requestBody": {"content": {"text\\/plain": {}, "text/plain": {"schema": {}}}}}}'
    )
    path.write_text(
        '{"openapi": "3.1.1", "info": {"title": "", "version": ""},\n\t"paths": '
        f'{{"/bad": {bad}, "/good": {good}}}}}'
    )
    guard = SchemaGuard(openapi=path, on_invalid="close")
    assert [name for name, _ in guard.coverage.closed] == ["POST /bad"]
    assert [name for name, _ in guard.coverage.operations] == ["GET /good"]


def test_tabs_indent_json_and_not_yaml(tmp_path: Path) -> None:
    """JSON is YAML, except for its tabs; the error of others has the line."""
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(document({"/x": {"get": DONE}}), indent="\t"))
    assert len(OpenApiDocument(path).operations) == 1
    path.write_text(REAL)
    with pytest.raises(DocumentError, match="line 4"):
        load_document(path)


@pytest.mark.parametrize(
    ("version", "words"),
    [("3.0", '"3.0.3"'), ("'3.0'", '"3.0.3"'), ("3.1", '"3.1.1"'), ("3", '"3.0.3"')],
)
def test_a_version_without_its_last_number_says_the_whole_one(
    tmp_path: Path, version: str, words: str
) -> None:
    """With quotes and without."""
    path = tmp_path / "a.yaml"
    path.write_text(f"openapi: {version}\npaths: {{}}")
    with pytest.raises(DocumentError, match=f"write openapi: {words}"):
        load_document(path)


@pytest.mark.parametrize("content", [b"", b"[", b"{", b"\xff", b"a: &x [*x]", b"- a", b'{"a": 1}'])
@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_whatever_can_not_be_read_is_a_document_error(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """It has the problem of the whole document."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DocumentError) as caught:
        SchemaGuard(openapi=path, on_invalid="close")
    ((at, message),) = caught.value.problems
    assert at == ""
    assert message in str(caught.value)
