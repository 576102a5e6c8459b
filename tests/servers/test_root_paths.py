"""Root paths and header names as real servers give them to the app."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.server import serve

pytestmark = pytest.mark.slow

DIRECTORY = Path(__file__).parent
#: How each server is given a root path.
ROOT = {"UVICORN_ROOT_PATH": "/api", "GRANIAN_URL_PATH_PREFIX": "/api"}


@pytest.mark.few_cases(3)
@pytest.mark.parametrize(
    ("server", "app", "targets"),
    [
        ("uvicorn-h11", "fastapi", ["/login", "/api/login"]),
        ("uvicorn-httptools", "fastapi", ["/api/login", "/login"]),
        ("hypercorn", "fastapi", ["/login", "/api/login"]),
        ("granian-asgi", "fastapi", ["/login", "/api/login"]),
        ("uvicorn-h11", "litestar", ["/login", "//login/"]),
        ("uvicorn-httptools", "quart", ["/login", "/login"]),
        ("granian-asgi", "litestar", ["/api/login", "/x/api/login"]),
        ("granian-asgi", "quart", ["/api/login", "/apilogin"]),
    ],
)
def test_no_spelling_of_a_root_path_is_a_way_around_a_rule(
    server: str, app: str, targets: list[str]
) -> None:
    """Each target reaches the login, and the second one is refused."""
    environ = {} if app == "fastapi" else ROOT
    with serve(server, f"rooted:{app}", directory=DIRECTORY, env=environ) as started:
        statuses = []
        for target in targets:
            request = f"POST {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            answer = started.exchange("127.0.0.1", f"{request}Content-Length: 0\r\n\r\n".encode())
            statuses.append(int(answer.split()[1]))
    assert statuses == [200, 429]


@pytest.mark.parametrize(("server", "warned"), [("granian-wsgi", True), ("gunicorn-sync", False)])
def test_a_server_that_mixes_up_header_names_is_warned_about(server: str, *, warned: bool) -> None:
    """Where a policy trusts a header: with the first request."""
    with serve(server, "rooted:proxied", directory=DIRECTORY) as started:
        assert ("X_Forwarded_For" in started.log) is warned
