"""What schemathesis generates as good gets through, and what it generates as bad does not."""

from __future__ import annotations

import fcntl
import json
import subprocess
import venv
from pathlib import Path

import pytest

from tests.servers.server import serve

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
#: schemathesis wants an older jsonschema-rs than the guard is tested with.
HOME = ROOT / ".venvs" / "schemathesis"
REQUIREMENTS = ("schemathesis>=4.32", "requests>=2.32")


@pytest.fixture(scope="module")
def python() -> Path:
    """Return the interpreter of an environment that has schemathesis, made at its first use."""
    HOME.mkdir(parents=True, exist_ok=True)
    made = HOME / "made-of.txt"
    interpreter = HOME / "bin" / "python"
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists() or made.read_text() != " ".join(REQUIREMENTS):
            venv.create(HOME, with_pip=True)
            install = [str(interpreter), "-m", "pip", "install", "--quiet", *REQUIREMENTS]
            done = subprocess.run(install, capture_output=True, check=False, timeout=300)
            if done.returncode:
                pytest.skip("pip can't install schemathesis here: no requests are generated")
            made.write_text(" ".join(REQUIREMENTS))
    return interpreter


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("server", "app"), [("uvicorn-httptools", "asgi"), ("gunicorn-gthread", "wsgi")]
)
def test_the_good_get_through_and_the_bad_do_not(python: Path, server: str, app: str) -> None:
    """Under a real server of each adapter; some hundred requests of both kinds."""
    with serve(server, f"tests.guard.generated.stub:{app}", directory=ROOT) as running:
        done = subprocess.run(
            [str(python), "-W", "ignore", str(HERE / "generate.py"), running.url, "40"],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    counts = told["counts"]
    assert counts["positive 200"] > 200
    assert sum(count for name, count in counts.items() if name.startswith("negative 4")) > 200
    assert not [name for name in counts if " 5" in name]
