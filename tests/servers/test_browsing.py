"""Forms as Chromium sends them, through real servers: endpoints get what they get unguarded."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.servers.conftest import some
from tests.servers.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SERVERS = ["uvicorn-h11", "uvicorn-httptools", "granian-asgi"]
BOUNDARY = "----WebKitFormBoundaryVbE0OtPjXUpu7Grf"
#: The form of `browsing.PAGE` with a textarea of two lines, an empty number, one of two checkboxes,
#: two files, and two file inputs that are left empty, as Chromium 156 has sent it.
PARTS = [
    ("name", None, None, 'Ann "A" \u00e9'),
    ("about", None, None, "first\r\nsecond\tthird"),
    ("age", None, None, ""),
    ("terms", None, None, "on"),
    ("tags", None, None, "a"),
    ("tags", None, None, "b"),
    ("photo", "", "application/octet-stream", ""),
    ("papers", "a b.txt", "text/plain", "content of a b.txt"),
    ("papers", "\u00fc.txt", "text/plain", "content of \u00fc.txt"),
    ("drafts", "", "application/octet-stream", ""),
]


def multipart(parts: list[tuple[str, str | None, str | None, str]]) -> bytes:
    """Return a form as Chromium writes it."""
    lines = []
    for name, filename, media, value in parts:
        head = f'Content-Disposition: form-data; name="{name}"'
        if filename is not None:
            head += f'; filename="{filename}"\r\nContent-Type: {media}'
        lines.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n{value}\r\n")
    return f"{''.join(lines)}--{BOUNDARY}--\r\n".encode()


@pytest.fixture(scope="module", params=some(SERVERS, __name__, 2))
def servers(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Server]]:
    """The app by itself, and behind its guard."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    options: dict[str, Any] = {"directory": Path(__file__).parent, "env": {"PYTHONPATH": path}}
    with (
        serve(request.param, "browsing:bare", **options) as bare,
        serve(request.param, "browsing:guarded", **options) as guarded,
    ):
        yield bare, guarded


def post(server: Server, path: str, media: str, body: bytes) -> tuple[int, Any]:
    """Send a form; return the status and the JSON of the answer."""
    answer = httpx.post(
        server.url + path, content=body, headers={"Content-Type": media}, timeout=30
    )
    return answer.status_code, json.loads(answer.text)


def test_a_multipart_form_of_a_browser_arrives(servers: tuple[Server, Server]) -> None:
    """With a textarea, an unchecked checkbox, uploads that are left empty, and several files."""
    bare, guarded = (
        post(one, "/profile", f"multipart/form-data; boundary={BOUNDARY}", multipart(PARTS))
        for one in servers
    )
    assert bare == guarded
    assert bare[1]["fields"] == [
        'Ann "A" \u00e9', "first\r\nsecond\tthird", None, False, True, ["a", "b"],
    ]  # fmt: skip
    assert [name for name, _, _ in bare[1]["papers"]] == ["a b.txt", "\u00fc.txt"]
    assert (bare[1]["photo"], bare[1]["drafts"]) == ("None", [])


@pytest.mark.parametrize(
    "body", [b"text=first%0D%0Asecond&pinned=on", b"text=a+b%2Bc"], ids=["checked", "unchecked"]
)
def test_an_urlencoded_form_of_a_browser_arrives(
    servers: tuple[Server, Server], body: bytes
) -> None:
    """A checkbox is on, or not there."""
    media = "application/x-www-form-urlencoded"
    bare, guarded = (post(one, "/note", media, body) for one in servers)
    assert bare == guarded
    assert bare[1]["pinned"] is (b"pinned" in body)


def test_an_invalid_form_is_refused_before_the_app(servers: tuple[Server, Server]) -> None:
    """By the guard's own answer."""
    parts = [part for part in PARTS if part[0] != "papers"]
    media = f"multipart/form-data; boundary={BOUNDARY}"
    bare, guarded = (post(one, "/profile", media, multipart(parts)) for one in servers)
    assert bare[0] == guarded[0] == 422
    assert [error["pointer"] for error in guarded[1]["errors"]] == ["/papers"]
