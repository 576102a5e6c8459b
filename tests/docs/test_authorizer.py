"""The examples of the page of `Authorizer` run, and its table is the one that is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.docs.pages import block_with, blocks, run

if TYPE_CHECKING:
    import pytest

PAGE = "authorizer.md"


def test_the_examples_run() -> None:
    run(PAGE, *blocks(PAGE))


def test_the_table_is_the_one_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = run(PAGE, blocks(PAGE)[0])
    run(PAGE, block_with(PAGE, "authorizer.table()"), **names)
    assert capsys.readouterr().out == block_with(PAGE, "unmatched", "text")
