"""The examples of the page on paths and operations."""

from __future__ import annotations

from tests.docs.pages import blocks, run

PAGE = "schema-guard/paths.md"


def test_the_examples_make_guards() -> None:
    """Each block by itself."""
    found = blocks(PAGE)
    assert len(found) == 2
    for block in found:
        run(PAGE, block)
