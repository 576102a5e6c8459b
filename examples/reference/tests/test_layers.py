"""The architecture, held by tests."""

from pathlib import Path

import examples.reference
from importlinter.cli import lint_imports

from mantlet.testing import no_inline_sql

HERE = Path(__file__).parents[1]


def test_imports_run_inwards() -> None:
    """And nothing imports an HTTP client: OWASP API7 and API10 have nothing to start from."""
    assert lint_imports(str(HERE / "importlinter.ini"), no_cache=True) == 0


def test_sql_is_in_adapters_alone() -> None:
    no_inline_sql(examples.reference, allowed=("adapters",))
