"""What the page on the reference back end says of its files, its options and its attack suite.

Its commands run in ``tests/servers/test_reference.py``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from time import time
from typing import TYPE_CHECKING

from examples.reference.adapters.web.flask_app import create_app
from examples.reference.composition import Backend
from examples.reference.config import Settings
from examples.reference.development import Provider, environment

from tests.docs.pages import DOCS, blocks

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "reference-back-end.md"
TEXT = (DOCS / PAGE).read_text()
ROOT = DOCS.parent
HERE = ROOT / "examples" / "reference"


def test_all_files_that_it_names_are_there() -> None:
    names = set(re.findall(r"`([\w/]+\.(?:py|ini|yaml))`", TEXT))
    assert len(names) > 10
    for name in names:
        assert list(HERE.rglob(name)) or (ROOT / name).is_file(), name


def test_it_is_short() -> None:
    assert "at most 1,500 lines with its tests" in TEXT
    assert sum(len(path.read_text().splitlines()) for path in HERE.rglob("*.py")) <= 1_500


def test_events_end_with_the_token(tmp_path: Path) -> None:
    """Under Flask too, where the stream is a response."""
    provider = Provider(tmp_path)
    url = f"sqlite:///{tmp_path}/orders.db"
    backend = Backend(Settings(environment(provider, url, 8000)))
    backend.create_tables()
    app = create_app(backend.controllers, backend.policies)
    token = provider.token("ann", exp=int(time()) + 5)
    headers = {"Host": "127.0.0.1:8000", "Authorization": f"Bearer {token}"}
    with app.test_client().get("/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.data  # all of it: the stream ends
    backend.engine.dispose()


def test_make_has_its_options() -> None:
    """Those of the first block."""
    options = set(re.findall(r"ARGS=(--\w+)", blocks(PAGE, "sh")[0]))
    command = [sys.executable, "-m", "examples.reference", "--help"]
    text = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert options == {"--flask", "--postgres"}
    assert all(option in text for option in options)
    assert "-m examples.reference $(ARGS)" in (ROOT / "Makefile").read_text()


def test_each_row_of_owasp_is_tried() -> None:
    """Rows 7 and 10 by the imports, the others by requests."""
    rows = [int(number) for number in re.findall(r"^\| (\d+) [a-z]", TEXT, re.MULTILINE)]
    tests = (HERE / "tests/test_owasp.py").read_text()
    tried = re.findall(r"^class TestApi(\d+)", tests, re.MULTILINE)
    assert rows == list(range(1, 11))
    assert {int(number) for number in tried} == set(rows) - {7, 10}
