"""The tutorials, followed from an empty folder to their last command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import DOCS
from tests.docs.walkthrough import follow

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PAGES = sorted(path.name for path in (DOCS / "tutorials").glob("*.md"))


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("page", PAGES)
def test_each_command_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    """As a reader's does, who does what the page says."""
    follow((DOCS / "tutorials" / page).read_text(), tmp_path)
