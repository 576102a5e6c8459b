"""Where the files of large bodies are, and what is left of them."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mantlet.guard import BodyLimits, Contract, File, SchemaGuard
from tests.drive import Adapter, both_adapters
from tests.uploads import upload

RAW = "application/octet-stream"
CONTRACTS: dict[str, Any] = {
    "POST /": Contract(raw=[RAW], files={"file": File(max_size="1 MB", types=None)})
}
CONTENT = os.urandom(300_000)
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%b\r\n--b--\r\n'
    % CONTENT
)
REQUESTS = {
    "raw": (CONTENT, [("content-type", RAW)]),
    "coded": (gzip.compress(CONTENT), [("content-type", RAW), ("content-encoding", "gzip")]),
    "form": (FORM, [("content-type", "multipart/form-data; boundary=b")]),
}


def open_files(directory: Path) -> list[str]:
    """Return what this process has open in a directory."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        try:
            target = number.readlink()
        except FileNotFoundError:  # that of the listing itself
            continue
        if target.is_relative_to(directory):
            found.append(str(target))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@both_adapters
@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("forward", ["original", "canonical"])
def test_files_are_in_the_directory_and_have_no_name(
    adapter: Adapter, kind: str, forward: Any, tmp_path: Path
) -> None:
    """While the app has the request, so that nothing is left when the process is killed."""
    seen: list[tuple[list[str], list[Path]]] = []

    def look() -> None:
        seen.append((open_files(tmp_path), list(tmp_path.iterdir())))

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        look()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        look()
        start_response("200 OK", [])
        return []

    limits = BodyLimits(body="2 MB", memory="64 KiB", directory=tmp_path)
    guard = SchemaGuard(CONTRACTS, limits=limits, forward=forward)
    native: Any = asgi if adapter.name == "asgi" else wsgi
    body, headers = REQUESTS[kind]
    stack = adapter.module.wrap(native, guard, baseline=False)
    answer = upload(adapter, stack, body, headers=headers)
    assert answer.status == 200, answer.text()
    ((opened, named),) = seen
    assert opened
    assert named == []
    assert open_files(tmp_path) == []


KILLED = """
import os, signal, sys
from mantlet.core.body import BodyBuffer
from mantlet.guard.bodies.forms.uploads import FileSpool

buffer, spool = BodyBuffer(), FileSpool(0, sys.argv[1])
buffer.directory = sys.argv[1]
buffer.add(b"body" * 100_000, 0)
spool.write(spool.open(), b"file" * 100_000)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_nothing_is_left_when_the_process_is_killed(tmp_path: Path) -> None:
    """Neither of a body, nor of a file of a form."""
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["absent", "file"])
def test_a_directory_that_cannot_be_used_is_an_error(missing: str, tmp_path: Path) -> None:
    """As soon as the limits are made."""
    (tmp_path / "file").write_bytes(b"")
    directory = tmp_path / missing
    with pytest.raises(ValueError, match=r"BodyLimits\(directory=\)") as caught:
        BodyLimits(directory=directory)
    assert str(directory) in str(caught.value)


def test_a_directory_stays_the_same_when_the_process_changes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As servers do that become daemons."""
    (tmp_path / "spool").mkdir()
    monkeypatch.chdir(tmp_path)
    assert BodyLimits(directory="spool").directory == str(tmp_path / "spool")


@pytest.mark.parametrize(
    ("contract", "limits", "needed"),
    [
        (Contract(raw=[RAW]), BodyLimits(), False),
        (Contract(raw=[RAW]), BodyLimits(body="2 MB"), True),
        (Contract(raw=[RAW]), BodyLimits(decoded="2 MB"), True),
        (Contract(raw=[RAW]), BodyLimits(body="2 MB", memory="2 MB"), False),
        (Contract(body=dict), BodyLimits(body="2 MB"), False),
        (Contract(files={"file": File()}), BodyLimits(), True),
        (Contract(), BodyLimits(body="2 MB"), False),
    ],
)
def test_a_guard_that_needs_files_and_can_make_none_does_not_start(
    contract: Contract, limits: BodyLimits, monkeypatch: pytest.MonkeyPatch, *, needed: bool
) -> None:
    """In a container without any writable directory."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    if not needed:
        SchemaGuard({"POST /": contract}, limits=limits)
        return
    with pytest.raises(ValueError, match="TMPDIR"):
        SchemaGuard({"POST /": contract}, limits=limits)
