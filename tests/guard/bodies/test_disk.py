"""A full disk, and the bound of all temporary files: refused with 503, and nothing is left over."""

from __future__ import annotations

import asyncio
import logging
import os
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ErrorEnvelope, Policy, Problem, Request
from mantlet.core import temporary_files
from mantlet.core.temporary_files import TemporarySpace
from mantlet.guard import BodyLimits, Contract, File, SchemaGuard
from tests.disks import resize, small_disk
from tests.drive import Adapter, both_adapters
from tests.guard.bodies.test_temporary_files import RAW, REQUESTS, open_files
from tests.uploads import App, Body, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTRACTS: dict[str, Any] = {
    "POST /": Contract(raw=[RAW], files={"file": File(max_size="1 MB", types=None)})
}
CONTENT_OF_TEXT = b"x" * 300_000


@pytest.fixture(autouse=True)
def _nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_files, "_usage", temporary_files._Usage())
    monkeypatch.setattr(temporary_files, "_RECOVERY_SECONDS", 0.0)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a directory with space for half of a body."""
    with small_disk(tmp_path / "disk", 128 * 1024) as directory:
        yield directory


def guard(directory: Path, **options: Any) -> SchemaGuard:
    """Return a guard that needs files for every body of `REQUESTS`."""
    limits = BodyLimits(
        body="2 MB", memory="64 KiB", directory=directory, **options.pop("limits", {})
    )
    return SchemaGuard(CONTRACTS, limits=limits, **options)


def used() -> int:
    """Return the bytes that count as used."""
    usage = temporary_files._usage
    return usage.size - sum(usage.dropped)


@both_adapters
@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("forward", ["original", "canonical"])
def test_a_full_disk_is_a_503_until_there_is_space(
    adapter: Adapter, kind: str, forward: Any, disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the envelope's form, with nothing of the server's in it, and one record for all."""
    body, headers = REQUESTS[kind]
    app = App()
    stack = app.behind(adapter, ErrorEnvelope(), guard(disk, forward=forward))
    for _ in range(15):
        answer = upload(adapter, stack, body, headers=headers)
        assert (answer.status, answer.get("retry-after"), answer.error) == (503, "5", None)
        assert answer.json()["title"] == "Service Unavailable"
        assert "request_id" in answer.json()
        assert "No space left" not in answer.text()
        assert str(disk) not in answer.text()
        assert (open_files(disk), list(disk.iterdir()), used()) == ([], [], 0)
    assert app.calls == 0
    (record,) = caplog.records
    assert record.getMessage() == (
        f"Temporary files in {disk} can't be written: [Errno 28] No space left on device; "
        "requests that need them are refused with 503"
    )
    resize(disk, 8 * 1024 * 1024)
    assert upload(adapter, stack, body, headers=headers).status == 200
    records: list[Any] = caplog.records
    assert [(one.levelno, one.event) for one in records] == [
        (logging.ERROR, "no_space"),
        (logging.WARNING, "recovered"),
    ]
    assert "in which 15 requests were refused" in caplog.text
    assert (open_files(disk), used()) == ([], 0)


@both_adapters
@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("is_bounded", [True, False], ids=["bound", "disk"])
def test_a_guard_that_only_reports_lets_the_request_pass_as_it_came(
    adapter: Adapter, kind: str, disk: Path, *, is_bounded: bool
) -> None:
    """Every byte of it, and it is no violation."""
    if is_bounded:
        resize(disk, 8 * 1024 * 1024)
    body, headers = REQUESTS[kind]
    held = TemporarySpace()
    held.reserve(1_900_000 if is_bounded else 0)
    app = App()
    reporting = guard(disk, mode="report", limits={"disk": "2 MB"})
    stack = app.behind(adapter, reporting)
    answer = upload(adapter, stack, body, headers=headers)
    assert (answer.status, app.body, app.ended) == (200, body, True)
    assert reporting.findings() == []
    assert open_files(disk) == []
    held.close()
    assert used() == 0


@both_adapters
@pytest.mark.parametrize("kind", REQUESTS)
def test_the_files_of_all_requests_are_bounded(
    adapter: Adapter, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A second request that comes while the first one has its files finds no space for its own."""
    body, headers = REQUESTS[kind]
    statuses: list[int | None] = []

    class Meanwhile(App):
        """Sends the same request once more while it has the first one."""

        def another(self) -> None:
            if self.calls == 0:
                self.calls += 1
                thread = Thread(
                    target=lambda: statuses.append(
                        upload(adapter, stack, body, headers=headers).status
                    )
                )
                thread.start()
                thread.join()

        async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
            self.another()
            await super().asgi(scope, receive, send)

        def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
            self.another()
            return super().wsgi(environ, start_response)

    limits = BodyLimits(body="1 MB", memory="64 KiB", directory=tmp_path, disk="1 MB")
    held = TemporarySpace()  # of another app of the process, so that there is space for one request
    held.reserve(600_000 if kind == "raw" else 300_000)
    app = Meanwhile()
    stack = app.behind(adapter, SchemaGuard(CONTRACTS, limits=limits))
    assert upload(adapter, stack, body, headers=headers).status == 200
    assert statuses == [503]
    held.close()
    assert (open_files(tmp_path), used()) == ([], 0)
    assert [one.levelno for one in caplog.records] == [logging.ERROR]
    assert upload(adapter, stack, body, headers=headers).status == 200


class Refuses(Policy):
    """Refuses a request once its body has been read."""

    def on_request(self, _request: Request) -> None:
        raise Problem(403)


def raising_asgi(_scope: Any, _receive: Any, _send: Any) -> Any:
    raise LookupError


ENDS: dict[str, Callable[[Adapter, SchemaGuard, bytes, Any], Any]] = {
    "passed": lambda adapter, one, body, headers: upload(
        adapter, App().behind(adapter, one), body, headers=headers
    ),
    "unread": lambda adapter, one, body, headers: upload(
        adapter, App(limit=0).behind(adapter, one), body, headers=headers
    ),
    "refused later": lambda adapter, one, body, headers: upload(
        adapter, App().behind(adapter, one, Refuses()), body, headers=headers
    ),
    "too large": lambda adapter, one, body, headers: upload(
        adapter, App().behind(adapter, one), body * 10, headers=headers
    ),
    "gone": lambda adapter, one, body, headers: upload(
        adapter,
        App().behind(adapter, one),
        Body([body[:200_000]], gone=True),
        headers=headers,
        length=len(body),
    ),
    "raised": lambda adapter, one, body, headers: upload(
        adapter,
        adapter.module.wrap(raising_asgi, one, baseline=False),
        body,
        headers=headers,
    ),
}


@both_adapters
@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("forward", ["original", "canonical"])
def test_space_is_given_back_however_an_exchange_ends(
    adapter: Adapter, kind: str, end: str, forward: Any, tmp_path: Path
) -> None:
    """All of it, at once."""
    body, headers = REQUESTS[kind]
    ENDS[end](adapter, guard(tmp_path, forward=forward), body, headers)
    assert (temporary_files._usage.size, open_files(tmp_path)) == (0, [])


@pytest.mark.parametrize("kind", REQUESTS)
def test_space_is_given_back_when_a_request_is_canceled(kind: str, tmp_path: Path) -> None:
    """As servers do when the client has gone."""
    body, headers = REQUESTS[kind]
    stack = mantlet.asgi.wrap(App().asgi, guard(tmp_path), baseline=False)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }

    async def run() -> None:
        waiting = asyncio.Event()
        chunks = [body[:250_000]]

        async def receive() -> Any:
            if chunks:
                return {"type": "http.request", "body": chunks.pop(), "more_body": True}
            waiting.set()
            await asyncio.Event().wait()
            return None

        async def send(_message: Any) -> None:
            raise AssertionError

        task = asyncio.create_task(stack(scope, receive, send))
        await waiting.wait()
        assert used() > 0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (temporary_files._usage.size, open_files(tmp_path)) == (0, [])

    asyncio.run(run())


@both_adapters
def test_a_file_of_a_form_that_is_discarded_gives_its_space_back(
    adapter: Adapter, tmp_path: Path
) -> None:
    """Text turns out not to be text at its end; the rest of the form is read for further errors."""
    text = CONTENT_OF_TEXT + b"\0"
    part = b'--b\r\nContent-Disposition: form-data; name="text"; filename="a.txt"\r\n\r\n%b\r\n'
    contract = Contract(files={"text": File(max_size="1 MB", types=["text/plain"], many=True)})
    limits = BodyLimits(body="2 MB", memory="64 KiB", directory=tmp_path, disk="2 MB")
    stack = App().behind(adapter, SchemaGuard({"POST /": contract}, limits=limits))
    form = part % text * 4 + b"--b--\r\n"  # the body takes 1.2 MB, a file 0.3
    answer = upload(adapter, stack, form, headers=REQUESTS["form"][1])
    assert (answer.status, [one["code"] for one in answer.json()["errors"]]) == (
        422,
        ["file_type"] * 4,
    )
    assert (temporary_files._usage.size, open_files(tmp_path)) == (0, [])


@both_adapters
def test_a_body_that_no_reader_is_declared_for_needs_no_disk(adapter: Adapter, disk: Path) -> None:
    """Its first chunk is in memory, since the server has handed it out."""
    resize(disk, 4096)
    app = App()
    stack = app.behind(adapter, guard(disk, allow=["media_type"]))
    answer = upload(
        adapter, stack, Body([os.urandom(300_000)]), headers=[("content-type", "image/png")]
    )
    assert (answer.status, len(app.body)) == (200, 300_000)


def test_the_bound_is_checked_and_has_a_default_that_lets_any_request_pass() -> None:
    """A body that could never pass is a mistake."""
    assert BodyLimits().disk == 2_000_000_000
    assert BodyLimits(body="5 GB").disk == 15_000_000_000
    assert BodyLimits(disk="10 MB").disk == 10_000_000
    assert BodyLimits.of(BodyLimits(), body=5_000_000_000).disk == 15_000_000_000
    assert BodyLimits.of(BodyLimits(disk="3 GB"), body=5_000_000).disk == 3_000_000_000
    with pytest.raises(ValueError, match=r"disk must be at least 2000000 bytes, .* not '1 MB'"):
        BodyLimits(body="2 MB", disk="1 MB")
    with pytest.raises(ValueError, match="disk must be a number of bytes"):
        BodyLimits(disk="much")
