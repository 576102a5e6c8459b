"""The examples of the page on paths and operations."""

from __future__ import annotations

from tests.docs.pages import blocks, run


def test_the_examples_make_guards() -> None:
    """Each block by itself."""
    found = blocks("schema-guard-paths.md")
    assert len(found) == 2
    for block in found:
        run("schema-guard-paths.md", block)
