"""docs/schema-guard/bodies.md: its example runs."""

from __future__ import annotations

from tests.docs.pages import block_with, run

PAGE = "schema-guard/bodies.md"


def test_the_guard_with_a_directory() -> None:
    """It is made, which needs the directory."""
    names = run(PAGE, block_with(PAGE, "directory="))
    assert names["limits"].memory == 256 * 1024
