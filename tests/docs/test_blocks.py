"""Each page with code has a test that runs it, and the first page shows what is sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks, run
from tests.docs.walkthrough import masked

TESTS = Path(__file__).parents[1]
#: Pages whose tests are elsewhere, or of which commands alone are checked.
ELSEWHERE = {
    "benchmarks/README.md": "test_benchmarks.py",
    "releases.md": "test_project.py",
    "write-a-policy.md": "testing/test_client.py",
}
PAGES = sorted(
    page.relative_to(DOCS).as_posix()
    for page in DOCS.rglob("*.md")
    if re.search(r"^ *```\w", page.read_text(), re.MULTILINE)
)
SOURCES = {path: path.read_text() for path in sorted((TESTS / "docs").rglob("*.py"))}
_TAKES_CODE = re.compile(r"\b(?:blocks|block_with|code_blocks|follow|apps)\(")


def is_read(page: str, source: str) -> bool:
    """Return whether a test names a page, or its folder and its name, and takes its code."""
    path = Path(page)
    folder = f'DOCS / "{path.parent}"' in source
    named = f'"{page}"' in source or (f'"{path.name}"' in source and path.parent == Path())
    named |= f'"{path.parent}" / "{path.name}"' in source
    named = named or (folder and ("glob(" in source or f'"{path.stem}"' in source))
    return named and bool(_TAKES_CODE.search(source))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.every_case
def test_a_page_with_code_has_a_test(page: str) -> None:
    """Which names the page, and takes its blocks."""
    if page in ELSEWHERE:
        assert Path(page).name in (TESTS / ELSEWHERE[page]).read_text()
    else:
        assert any(is_read(page, source) for source in SOURCES.values())


def test_the_first_page_shows_the_response_that_is_sent() -> None:
    """To a request of the app that it shows."""
    (code,), (shown,) = blocks("index.md"), blocks("index.md", "http")
    with run("index.md", code)["app"].test_client().get("/") as response:
        head = "\n".join(f"{name}: {value}" for name, value in response.headers)
        sent = f"HTTP/1.1 {response.status}\n{head}\n\n{response.text}"
    assert sorted(masked(sent).splitlines()) == sorted(masked(shown).splitlines())
