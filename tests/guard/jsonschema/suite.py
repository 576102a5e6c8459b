"""The official test suite of JSON Schema, as the source of `jsonschema` on the index has it."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.packages import source_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "4.26.0"
_LATEST = "https://json-schema.org/draft/2020-12/schema"
SCHEMAS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": _LATEST,
}


class Case(NamedTuple):
    """One value of the suite, and whether its schema allows it."""

    file: str
    group: str
    name: str
    schema: Any
    value: Any
    valid: bool


def download(directory: Path) -> Path:
    """Return the suite's directory, got from the index; skip where it can't be reached."""
    return source_of("jsonschema", VERSION, directory) / "json"


def cases(suite: Path, draft: str, pattern: str) -> Iterator[Case]:
    """Iterate over the values of the files of a draft whose names match."""
    root = suite / "tests" / draft
    for path in sorted(root.glob(pattern)):
        for group in json.loads(path.read_text()):
            schema = group["schema"]
            if isinstance(schema, dict):
                schema = {"$schema": SCHEMAS[draft], **schema}
            for test in group["tests"]:
                yield Case(
                    path.relative_to(root).with_suffix("").as_posix(),
                    group["description"],
                    test["description"],
                    schema,
                    test["data"],
                    test["valid"],
                )


@cache
def _remotes(suite: Path) -> dict[str, str]:
    """Return the texts of the documents that schemas of the suite refer to, by their URIs."""
    root = suite / "remotes"
    return {
        f"http://localhost:1234/{path.relative_to(root).as_posix()}": path.read_text()
        for path in root.rglob("*.json")
        if "draft-next" not in path.parts
    }


def remotes(suite: Path, schema: Any) -> dict[str, Any]:
    """Return the documents that a schema may refer to: those whose file's name it has."""
    found: dict[str, Any] = {}
    waiting = [json.dumps(schema)] if "localhost:1234" in json.dumps(schema) else []
    while waiting:
        text = waiting.pop()
        for uri, document in _remotes(suite).items():
            if uri.rpartition("/")[2] in text and uri not in found:
                found[uri] = json.loads(document)
                waiting.append(document)
    return found
