"""Real servers log no secret: in the app's records, in tracebacks, in access logs."""

from pathlib import Path

import httpx
import pytest

from tests.servers.server import serve

pytestmark = pytest.mark.slow

#: That of `logging_secrets`, which would add its filter to the handlers of the tests.
TOKEN = "kR7-vT2_qX9.mB4w"
ACCESS_LOGS = {"GUNICORN_CMD_ARGS": "--access-logfile -", "GRANIAN_LOG_ACCESS_ENABLED": "true"}


@pytest.mark.few_cases(3)
@pytest.mark.parametrize(
    ("name", "app"),
    [
        ("gunicorn-sync", "wsgi"),
        ("granian-wsgi", "wsgi"),
        ("granian-asgi", "asgi"),
        ("uvicorn-h11", "asgi"),
        ("hypercorn", "asgi"),  # adds its handlers after the import of the app
    ],
)
def test_no_log_of_a_server_shows_a_secret(name: str, app: str) -> None:
    """One call in the module of the app is enough, whenever the server configures its logs."""
    with serve(
        name, f"logging_secrets:{app}", directory=Path(__file__).parent, env=ACCESS_LOGS
    ) as server:
        httpx.get(f"{server.url}/error?token={TOKEN}", headers={"Referer": TOKEN}, timeout=120)
        log = server.wait_for_log("LookupError: no ***")
    assert "is ***" in log
    assert TOKEN not in log
    assert "--- Logging error ---" not in log
