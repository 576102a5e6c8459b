"""Large files through a wrapped app, sent in the server's own fast way where it has one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 20_000_003
APPS = [
    ("gunicorn-sync", "flask_files"),
    ("gunicorn-gthread", "flask_files"),
    ("granian-wsgi", "flask_files"),
    ("gunicorn-sync", "django_files"),
    ("gunicorn-gthread", "django_files"),
    ("granian-wsgi", "django_files"),
    ("uvicorn-h11", "starlette_files"),
    ("uvicorn-httptools", "starlette_files"),
    ("hypercorn", "starlette_files"),
    ("granian-asgi", "starlette_files"),
]


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file larger than every buffer on the way, of a size that is no round number."""
    path = tmp_path_factory.mktemp("files") / "large.bin"
    path.write_bytes(Random(9110).randbytes(SIZE))
    return path


@pytest.fixture(scope="module", params=APPS, ids="-".join)
def file_server(request: pytest.FixtureRequest, large_file: Path) -> Iterator[Server]:
    """Each file app under each of its servers."""
    name, app = request.param
    environment = {"MANTLET_TEST_FILE": str(large_file)}
    with serve(name, f"apps:{app}", directory=Path(__file__).parent, env=environment) as started:
        yield started


@pytest.mark.unmeasured
@pytest.mark.few_cases(4)
def test_large_file_arrives_byte_identical(file_server: Server, large_file: Path) -> None:
    """Every byte of the file arrives, its length is told, and the policies' fields are there."""
    answer = httpx.get(file_server.url)

    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(SIZE)
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert len(answer.headers.get_list("ratelimit")) == 1
    expected = hashlib.sha256(large_file.read_bytes())
    assert hashlib.sha256(answer.content).digest() == expected.digest()
    if file_server.name.startswith("gunicorn"):  # which sends its own kind with sendfile(2)
        assert file_server.log.count("the server gets gunicorn.http.wsgi.FileWrapper") >= 2


@pytest.mark.few_cases(4)
def test_client_that_leaves_midway_harms_nobody(file_server: Server) -> None:
    """After a client that has enough of a file, the next one is answered as ever."""
    with httpx.stream("GET", file_server.url) as answer:
        next(answer.iter_raw())

    assert len(httpx.get(file_server.url).content) == SIZE
    assert "Unhandled" not in file_server.log
