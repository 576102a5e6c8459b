"""Streams through a policy on both adapters, without a server or an event loop: many thousands."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import mantlet
from tests.drive import make_environ, make_scope

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Sequence

    from mantlet import Policy
    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send
    from mantlet.core.response import ChunkFilter, Filter

Fields = list[tuple[str, str]]


def step(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing, and may let an event loop go on."""
    try:
        while coroutine.send(None) is None:
            pass
    except StopIteration:
        return
    raise AssertionError("it waits for something")


def at_once(fn: Filter) -> ChunkFilter:
    """Return a filter as one that never waits."""

    def filter_chunk(chunk: bytes, more: bool) -> bytes:
        filtered = fn(chunk, more)
        assert isinstance(filtered, bytes)
        return filtered

    return filter_chunk


def play_asgi(
    policy: Policy, fields: Fields, chunks: Sequence[bytes], *, whole: bool = False
) -> tuple[Fields, list[bytes]]:
    """Send an answer under ASGI; with ``whole``, its last chunk says that it is the last."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    sent: list[AsgiMessage] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        for index, chunk in enumerate(chunks):
            more = not whole or index < len(chunks) - 1
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
        if not whole:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive() -> AsgiMessage:
        return {"type": "http.request"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    step(mantlet.asgi.wrap(app, policy, baseline=False)(make_scope(), receive, send))
    got = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
    assert sent[-1]["more_body"] is False
    return got, [message["body"] for message in sent[1:]]


def play_wsgi(
    policy: Policy, fields: Fields, chunks: Sequence[bytes], *, whole: bool = False
) -> tuple[Fields, list[bytes]]:
    """Send an answer under WSGI; with ``whole``, as a list."""
    got: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", list(fields))
        return list(chunks) if whole else iter(chunks)

    def start_response(status: str, headers: Fields, exc_info: Any = None) -> Any:
        got[:] = headers

    result = mantlet.wsgi.wrap(app, policy, baseline=False)(make_environ(), start_response)
    sent = list(result)
    if hasattr(result, "close"):
        result.close()
    return got, sent


def two_cuts(data: bytes) -> Iterator[list[bytes]]:
    """Iterate over every way to cut data in two, and into single bytes."""
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
    yield [data[at : at + 1] for at in range(len(data))]


def gunzip(data: bytes) -> bytes:
    """Decode it, all of it."""
    return gzip.decompress(data)
