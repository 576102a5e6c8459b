"""Clean text stays byte for byte: in real documents, pages, scripts and data no rule fires.

What is surely there: this project's docs, and what packages of the tests bring along.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from mantlet.redact.literal_search import LiteralSearch
from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks
from mantlet.sanitize.rules import RULES
from tests.sanitize.rules.test_rules import Told

ROOT = Path(__file__).resolve().parents[2]
SCANNER = Leaks().scanner(())

KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/plain",
    ".svg": "image/svg+xml",
}
#: Pages of these docs that show what the policies take out of answers.
SHOWN = {"error-envelope.md", "error-leaks.md", "output-sanitizer.md", "leaks.md"}


def package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def corpus() -> list[Path]:
    """Return the files: some hundreds, of some megabytes in all."""
    docs = [
        path for path in (ROOT / "docs").rglob("*.*") if path.suffix in (".md", ".svg", ".json")
    ]
    admin = package("django") / "contrib/admin"
    files = [
        *docs,
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(admin / "static").rglob("*.js"),
        *(admin / "static").rglob("*.css"),
        *(admin / "templates").rglob("*.html"),
        *(package("matplotlib").parent.glob("*.dist-info/METADATA") if has("matplotlib") else ()),
        *package("django").parent.glob("*.dist-info/METADATA"),
        *package("jsonschema").rglob("*.json"),
        *package("hypothesis").rglob("*.txt"),
    ]
    return sorted(path for path in set(files) if path.name not in SHOWN)


def has(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def media(path: Path) -> str:
    return KINDS.get(path.suffix, "text/plain")


def test_nothing_is_found_in_clean_text() -> None:
    """And what comes out is what went in, whole and in chunks."""
    found = []
    size = 0
    for path in corpus():
        body = path.read_bytes()
        size += len(body)
        told = Told()
        out = StreamScan(SCANNER, told, media(path))(body, False)
        scan = StreamScan(SCANNER, Told(), media(path))
        pieces = [scan(body[at : at + 4096], True) for at in range(0, len(body), 4096)]
        if out != body or b"".join(pieces) + scan(b"", False) != body:
            found.append((path.name, told))
    assert found == []
    assert size > 3_000_000


@pytest.mark.exhaustive
def test_no_literal_of_the_errors_is_common() -> None:
    """A text with one takes a closer look, which is slower; so none is a module's name."""
    names = ("aiohttp", "django", "fastapi", "flask", "jinja2", "redis", "sqlalchemy")
    paths = [*corpus(), *(path for name in names for path in package(name).rglob("*.py"))]
    texts = [path.read_bytes()[:65_536] for path in paths]
    literals = {literal for rule in RULES["errors"] for literal in rule.literals}
    assert len(texts) > 1_500
    for one in literals - {b"Error: ", b"column "}:
        assert sum(one in text for text in texts) <= len(texts) / 100, one
    search = LiteralSearch(literals)
    assert sum(bool(search.hits(text)) for text in texts) < len(texts) / 6


@pytest.mark.parametrize("size", [1_000, 100_000, 2_000_000])
def test_nothing_is_found_in_large_json(size: int) -> None:
    """Rows with identifiers, times, hashes and words."""
    rows = [
        {
            "id": number,
            "uuid": f"{number:08x}-1234-4abc-8def-{number * 7919:012x}",
            "sha": f"{number * 2654435761 % 2**64:016x}" * 4,
            "at": f"2026-11-{number % 28 + 1:02d}T12:{number % 60:02d}:00Z",
            "price": number * 1.01,
            "text": "the quick brown fox & <friends>",
            "tags": ["a", "b"] * (number % 3),
        }
        for number in range(size // 250)
    ]
    body = json.dumps(rows).encode()
    told = Told()
    scanner = Leaks(detect=["errors", "keys", "jwt", "cards", "iban", "national"]).scanner(())
    assert StreamScan(scanner, told, "application/json")(body, False) == body
    assert told == []
