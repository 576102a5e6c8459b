"""What a real browser makes of a Content-Security-Policy: pages that have to work do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.sanitize.browser.pages import browser
from tests.servers.server import serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser() is None, reason="no browser here: install chromium"),
]

ROOT = Path(__file__).parents[3]


def visit(tmp_path: Path, app: str, path: str) -> tuple[str, list[str]]:
    """Have a browser load a page of an app; return the page, and what its policy blocked."""
    found = browser()
    assert found is not None
    places = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with serve(
        "uvicorn-h11",
        f"documented:{app}",
        directory=Path(__file__).parent,
        env={"PYTHONPATH": places},
    ) as server:
        command = [found, "--headless=new", "--no-sandbox", "--disable-gpu"]
        command += ["--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        command += ["--virtual-time-budget=3000", f"--user-data-dir={tmp_path / 'profile'}"]
        command += ["--dump-dom", server.url + path]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    log = done.stderr.decode("utf-8", "replace")
    blocked = [line for line in log.splitlines() if "Content Security Policy directive" in line]
    return done.stdout.decode("utf-8", "replace"), blocked


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_documentation_is_not_blocked(tmp_path: Path, path: str) -> None:
    """Neither the library from another site, nor its inline script, styles and images."""
    shown, blocked = visit(tmp_path, "api", path)
    assert "FastAPI" in shown
    assert blocked == []


def test_a_strict_policy_blocks_documentation(tmp_path: Path) -> None:
    """Or else the test above would say nothing."""
    _, blocked = visit(tmp_path, "strict", "/docs")
    assert any("inline script" in line for line in blocked)
    assert any("swagger-ui-bundle.js" in line for line in blocked)


def test_another_page_of_an_api_runs_no_script(tmp_path: Path) -> None:
    """It is no documentation."""
    shown, blocked = visit(tmp_path, "api", "/page")
    assert len(blocked) == 3
    assert not shown.partition("</script>")[0].partition("<body>")[2].startswith("r")


def test_scripts_with_the_nonce_run(tmp_path: Path) -> None:
    """And no others."""
    shown, blocked = visit(tmp_path, "web", "/page")
    assert len(blocked) == 2
    assert [word in shown.replace(f"'{word}'", "") for word in ("rours", "rbare", "rmade-up")] == [
        True,
        False,
        False,
    ]
