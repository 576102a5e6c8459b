"""Run the tests of each framework's folder as if pytest had been started there."""

import sys
from collections.abc import Iterator

import pytest

collect_ignore = ["django"]  # its settings are those of a process


@pytest.fixture(autouse=True)
def own_folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import the modules of the test's own folder, each test anew."""
    monkeypatch.syspath_prepend(request.path.parent)
    yield
    for name in ("app", "minimal"):
        sys.modules.pop(name, None)
