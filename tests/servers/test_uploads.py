"""Uploads as large as the documentation's example allows, over real servers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.servers.server import serve

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SERVERS = [
    ("gunicorn-sync", "flask"),
    ("gunicorn-gthread", "flask"),
    ("granian-wsgi", "flask"),
    ("uvicorn-h11", "fastapi"),
    ("uvicorn-httptools", "fastapi"),
    ("hypercorn", "fastapi"),
    ("granian-asgi", "fastapi"),
]


@pytest.mark.few_cases(2)
@pytest.mark.parametrize(("server", "app"), SERVERS, ids="-".join)
def test_the_documented_upload_arrives(server: str, app: str) -> None:
    """A photo of 4 MB passes as ``max_size="5 MB"`` promises, one of 6 MB is refused."""
    head = b"\x89PNG\r\n\x1a\n"
    small = head + Random(1).randbytes(4_000_000)
    large = head + bytes(6_000_000)
    environ = {"PYTHONPATH": f"{HERE.parents[1] / 'src'}:{HERE.parents[1]}"}
    with serve(server, f"uploading:{app}", directory=HERE, env=environ) as started:
        answers = [
            httpx.post(
                f"{started.url}/upload",
                data={"title": "one\r\ntwo", "size": ""},
                files={"photo": ("a.png", photo, "image/png")},
                timeout=30,
            )
            for photo in (small, large)
        ]
    assert answers[0].status_code == 200, answers[0].text
    digest = hashlib.sha256(small).hexdigest()
    assert answers[0].json() == {"title": "one\r\ntwo", "app": digest, "guard": digest}
    assert answers[1].status_code == 413
