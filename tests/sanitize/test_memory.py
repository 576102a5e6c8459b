"""Streams take constant memory, whatever is in them."""

from __future__ import annotations

import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import OutputSanitizer, Problem
from mantlet.sanitize import Leaks
from tests.drive import make_environ

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

SECRET = "Xk29fjQmZ0-secret"
CHUNK = 64 * 1024
#: The size of a stream, and the most memory that it may take, in bytes.
SIZE, LIMIT = 6_000_000, 3_500_000

OPTIONS: dict[str, dict[str, Any]] = {
    "secrets": {},
    "across": {"leaks": Leaks(across=8)},
    "mask": {"mask": ["password", "/a/b", "*_token"]},
}
#: The type of a body, its beginning, and what is repeated in it.
BODIES: dict[str, tuple[str, bytes, bytes]] = {
    "text": ("text/plain", b"", b"some words of a text\n"),
    "json": ("application/json", b"[", b'{"a": "<b>", "password": "x"},'),
    "one string": ("application/json", b'{"password": "', b"words and <b> more "),
    "deep": ("application/json", b"", b'{"a":['),
    "backslashes": ("application/json", b'["', b"\\"),
    "one event": ("text/event-stream", b'data: {"password": "', b"words and <b> more "),
    "key": ("text/plain", b"-----BEGIN PRIVATE KEY-----\n", b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"),
    "traceback": (
        "text/plain",
        b"Traceback (most recent call last):\n",
        b'  File "/srv/app.py", line 1, in f\n    x\n',
    ),
    "spaces": ("*/*", b"", b" "),
    "escapes": ("text/plain", b"", b"&#88;"),
    "a part of a secret": ("text/plain", b"", SECRET[:-1].encode()),
    "UTF-16": ("text/plain", b"\xff\xfe", "some wörds".encode("utf-16-le")),
    "page": ("text/html", b"", b"<p>some words</p>\n"),
}


def stream(begin: bytes, unit: bytes, *, gzipped: bool) -> Iterator[bytes]:
    """Iterate over the chunks of a body; compressed, with some data that does not compress."""
    chunk = unit * (CHUNK // len(unit) + 1)
    chunks = [begin, *[chunk] * (SIZE // CHUNK)]
    if not gzipped:
        yield from chunks
        return
    deflate = zlib.compressobj(wbits=31)
    for number, one in enumerate(chunks):
        noise = "".join(f"{number * 7919 + n:x} " for n in range(150)).encode()
        yield deflate.compress(one + noise)
    yield deflate.flush()


@pytest.mark.few_cases(4)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_stream_takes_constant_memory(
    body: tuple[str, bytes, bytes], options: dict[str, Any]
) -> None:
    """Half of its size would be too much."""
    check_memory(*body, options, gzipped=False)


@pytest.mark.few_cases(4)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_compressed_stream_takes_constant_memory(body: tuple[str, bytes, bytes]) -> None:
    """With the pieces that its chunks become."""
    check_memory(*body, {}, gzipped=True)


def check_memory(
    media: str, begin: bytes, unit: bytes, options: dict[str, Any], *, gzipped: bool
) -> None:
    """Send a stream, and measure the most memory that it takes at once."""
    fields = [("content-type", media)] + ([("content-encoding", "gzip")] if gzipped else [])

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", fields)
        return stream(begin, unit, gzipped=gzipped)

    stack = mantlet.wsgi.Stack(app, [OutputSanitizer(secrets=[SECRET], **options)])
    sent = 0
    tracemalloc.start()
    try:
        for chunk in stack(make_environ(), lambda *_: None):  # type: ignore[arg-type]
            sent += len(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    except Problem:  # it has too many candidates, or a leak that is blocked
        peak = tracemalloc.get_traced_memory()[1]
    else:
        assert sent > 0
    finally:
        tracemalloc.stop()
    assert peak < LIMIT
