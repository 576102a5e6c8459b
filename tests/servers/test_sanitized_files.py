"""Files, ranges and streams through real servers: what they send by themselves is clean too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.servers.conftest import ASGI_SERVERS, WSGI_SERVERS, some
from tests.servers.leaky_files import LOG, PAGE, SECRET, TOKENS
from tests.servers.server import HOST, Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

MATRIX = [(name, "wsgi") for name in WSGI_SERVERS] + [(name, "asgi") for name in ASGI_SERVERS]
MASKED = "*" * len(SECRET)
CLEAN = LOG.replace(SECRET.encode(), MASKED.encode())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the apps send."""
    directory = tmp_path_factory.mktemp("files")
    for prefix in ("", "wrapped-"):
        (directory / f"{prefix}x.html").write_bytes(PAGE)
        (directory / f"{prefix}x.log").write_bytes(LOG)
        (directory / f"{prefix}x.mp4").write_bytes(LOG)
    return directory


@pytest.fixture(scope="module", params=some(MATRIX, __name__), ids="-".join)
def leaky(request: pytest.FixtureRequest, files: Path) -> Iterator[Server]:
    """The apps under each server."""
    name, app = request.param
    environment = {"MANTLET_TEST_FILES": str(files)}
    directory = Path(__file__).parent
    with serve(name, f"leaky_files:{app}", directory=directory, env=environment) as started:
        yield started


@pytest.mark.parametrize("prefix", ["", "wrapped-"])
def test_files_are_cleaned_and_searched(leaky: Server, prefix: str) -> None:
    """Whether the server would send them by itself or not; a video is left to it."""
    base = f"{leaky.url}/uploads/{prefix}x"
    page, log, video = (httpx.get(f"{base}.{kind}") for kind in ("html", "log", "mp4"))
    assert page.content == b"<p>hi</p>"
    assert log.content == CLEAN
    assert video.content == LOG
    assert {page.status_code, log.status_code, video.status_code} == {200}


@pytest.mark.unmeasured
def test_ranges_get_no_more_out(leaky: Server) -> None:
    """Text files are sent whole whatever part is asked for, a video as ever."""
    base = f"{leaky.url}/uploads/x"
    at = LOG.index(SECRET.encode())
    for range_ in ("bytes=3-", "bytes=0-20", "bytes=-9", "bytes=0-", f"bytes=0-{at + 4}"):
        page = httpx.get(f"{base}.html", headers={"Range": range_})
        assert (page.status_code, page.content) == (200, b"<p>hi</p>")
        log = httpx.get(f"{base}.log", headers={"Range": range_})
        assert (log.status_code, log.content) == (200, CLEAN)
        assert log.headers["accept-ranges"] == "none"
    video = httpx.get(f"{base}.mp4", headers={"Range": f"bytes={at}-{at + 16}"})
    assert (video.status_code, video.text) == (206, SECRET)


@pytest.mark.unmeasured
def test_tags_and_lengths_of_files(leaky: Server) -> None:
    """HEAD has what GET has, and a tag comes back for a 304 where the framework does that."""
    for kind in ("html", "log", "mp4"):
        url = f"{leaky.url}/uploads/x.{kind}"
        whole, head = httpx.get(url), httpx.head(url)
        for name in ("etag", "content-type", "accept-ranges"):
            assert head.headers[name] == whole.headers[name]
        assert head.headers.get("content-length") in (None, whole.headers.get("content-length"))
        assert whole.headers["etag"] == '"v1"'
        if leaky.app.endswith("wsgi"):
            again = httpx.get(url, headers={"If-None-Match": '"v1"'})
            assert (again.status_code, again.headers["etag"]) == (304, '"v1"')


def test_a_reason_phrase_has_no_secret(leaky: Server, source: str) -> None:
    """Under WSGI, where an app can choose one."""
    if leaky.app.endswith("wsgi"):
        request = f"GET /reason HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        line = leaky.exchange(source, request.encode()).partition(b"\r\n")[0]
        assert line.startswith(b"HTTP/1.1 500")
        assert SECRET.encode() not in line


def test_a_secret_over_events_and_messages(leaky: Server) -> None:
    """Token by token, as chat apps send it; the close comes last."""
    if leaky.app.endswith("wsgi"):
        return
    events = httpx.get(f"{leaky.url}/chat").text.split("\n\n")
    documents = [json.loads(one[6:]) for one in events if one.startswith("data: {")]
    assert "".join(one["delta"]["content"] for one in documents) == MASKED
    assert len(documents) == len(TOKENS)
    assert events[-2] == "data: [DONE]"
    got: list[str | bytes] = []
    with connect(f"ws://{HOST}:{leaky.port}/talk") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                got.append(socket.recv(timeout=120))
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, f"bad {MASKED}")
    assert got == [*("*" * len(token) for token in TOKENS), "Xk29"]
