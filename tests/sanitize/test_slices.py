"""No body blocks the event loop while it is searched, masked, escaped, cleaned or decompressed."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest

import mantlet
from mantlet import OutputSanitizer, Policy
from mantlet.core.body_filters import SLICE
from mantlet.sanitize import JsonField, Leaks
from tests.drive import AsgiAdapter, WsgiAdapter, drive_asgi
from tests.turns import Turns, app_of, take_turns

JSON, TEXT, EVENTS, HTML = "application/json", "text/plain", "text/event-stream", "text/html"
BINARY = "application/octet-stream"
SECRET = "Xk29fjQmZ0-secret-value"  # made up
RECORDS = [
    {"id": number, "password": f"hunter{number * number}", "note": "a < b & c", "tags": ["x", "y"]}
    for number in range(15_000)
]
ROWS = json.dumps(RECORDS).encode()
LINES = b"".join(b"data: %b\n\n" % json.dumps(record).encode() for record in RECORDS)
PROSE = b"".join(b"Fox %d jumps over the lazy dog.\n" % number for number in range(30_000))
PAGE = b"<p>Hello <b onclick=x>world</b> &amp; all</p>\n" * 10_000
GZIP = ((b"content-encoding", b"gzip"),)
CASES: dict[str, tuple[Policy, str, bytes]] = {
    "search": (OutputSanitizer(secrets=[SECRET]), TEXT, PROSE),
    "escape": (OutputSanitizer(), JSON, ROWS),
    "names": (OutputSanitizer(mask=["password"]), JSON, ROWS),
    "pointers": (OutputSanitizer(mask=["/5/note"]), JSON, ROWS),
    "drop": (OutputSanitizer(mask=[JsonField("tags", "drop")]), JSON, ROWS),
    "events": (OutputSanitizer(mask=["password"]), EVENTS, LINES),
    "guess": (OutputSanitizer(mask=["password"], scan_binary=True), BINARY, ROWS),
    "html": (OutputSanitizer(mask=["password"]), HTML, ROWS),
    "report": (OutputSanitizer(mask=["password"], mode="report"), JSON, ROWS),
}


def wrap(policy: Policy, body: bytes, media: str, *headers: tuple[bytes, bytes]) -> Any:
    return mantlet.asgi.wrap(app_of([body], media, *headers), policy, baseline=False)


def wsgi_body(policy: Policy, body: bytes, *headers: tuple[str, str]) -> bytes:
    adapter = WsgiAdapter()
    answer = adapter.drive(adapter.wrap(lambda _: (200, list(headers), body), policy))
    assert answer.error is None
    return answer.body


@pytest.mark.unmeasured
@pytest.mark.few_cases(4)
@pytest.mark.parametrize("name", CASES)
def test_the_loop_goes_on_with_each_slice(name: str) -> None:
    policy, media, body = CASES[name]
    turns = take_turns(wrap(policy, body, media))
    assert turns.count >= len(body) // SLICE
    assert turns.body == wsgi_body(policy, body, ("content-type", media))
    assert turns.headers[b"content-length"] == b"%d" % len(turns.body)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ["names", "pointers", "drop", "events"])
def test_fields_are_masked_in_smaller_slices(name: str) -> None:
    policy, media, body = CASES[name]
    assert take_turns(wrap(policy, body, media)).count >= len(body) // (16 * 1024)


@pytest.mark.unmeasured
@pytest.mark.few_cases(3)
@pytest.mark.parametrize("name", [name for name in CASES if name not in ("guess", "html")])
def test_a_compressed_body_is_as_large_as_it_is_decompressed(name: str) -> None:
    policy, media, body = CASES[name]
    turns = take_turns(wrap(policy, gzip.compress(body), media, *GZIP))
    assert turns.count >= len(body) // SLICE
    decoded = gzip.decompress(turns.body)
    assert decoded == wsgi_body(policy, body, ("content-type", media))


def test_a_long_compressed_chunk_of_a_stream_is_taken_in_slices() -> None:
    """Its pieces are compressed as they are found, and flushed once."""
    deflate = zlib.compressobj(wbits=31)
    first = deflate.compress(ROWS) + deflate.flush(zlib.Z_SYNC_FLUSH)
    app = app_of([first, deflate.flush()], JSON, *GZIP)
    policy = OutputSanitizer(mask=["password"])
    turns = take_turns(mantlet.asgi.wrap(app, policy, baseline=False))
    assert turns.count >= len(ROWS) // SLICE
    assert len(turns.chunks) == 2
    assert gzip.decompress(turns.body) == wsgi_body(policy, ROWS, ("content-type", JSON))


@pytest.mark.parametrize("coding", [(), GZIP], ids=["plain", "gzip"])
def test_a_page_is_cleaned_off_the_loop(coding: tuple[tuple[bytes, bytes], ...]) -> None:
    policy = OutputSanitizer(html={"* /*": "ugc"})
    page = gzip.compress(PAGE) if coding else PAGE
    turns = take_turns(wrap(policy, page, HTML, *coding))
    assert turns.count >= len(PAGE) // SLICE
    cleaned = gzip.decompress(turns.body) if coding else turns.body
    assert cleaned == PAGE.replace(b" onclick=x", b"")


def test_short_responses_add_no_turn() -> None:
    policy = OutputSanitizer(mask=["password"], html={"* /*": "ugc"}, secrets=[SECRET])
    for media in (JSON, TEXT, HTML):
        for body in (ROWS[:1000], PAGE[:1000], PROSE[:SLICE]):
            assert take_turns(wrap(policy, body, media)).count == 0


def test_a_clean_body_stays_one_chunk_and_the_same_object() -> None:
    body = ROWS.replace(b"&", b"+").replace(b"<", b"+")
    turns = take_turns(wrap(OutputSanitizer(), body, JSON, (b"etag", b'"1"')))
    assert turns.chunks[0] is body
    assert turns.headers[b"etag"] == b'"1"'


@pytest.mark.parametrize("at", [*range(SLICE - len(SECRET) - 1, SLICE + 2, 3), 2 * SLICE - 9])
def test_a_secret_on_the_edge_of_a_slice_is_masked(at: int) -> None:
    secret = SECRET.encode()
    body = b" " * at + secret + b" " * SLICE * 3
    policy = OutputSanitizer(secrets=[SECRET])
    masked = body.replace(secret, b"*" * len(secret))
    assert take_turns(wrap(policy, body, TEXT)).body == masked
    assert wsgi_body(policy, body, ("content-type", TEXT)) == masked


def test_a_leak_in_the_last_slice_blocks_all_of_the_response() -> None:
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks("block"))
    body = PROSE + SECRET.encode()
    assert take_turns(wrap(policy, body, TEXT)).status == 500
    adapter = AsgiAdapter()
    app = adapter.wrap(lambda _: (200, [("content-type", TEXT)], body), policy)
    assert drive_asgi(app).status == 500


# -- WebSocket messages ----------------------------------------------------------------------------


def talk(policy: Policy, *said: str | bytes) -> Turns:
    """Send messages over a WebSocket, each in a task of its own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        async with asyncio.TaskGroup() as group:
            for data in said:
                kind = "text" if isinstance(data, str) else "bytes"
                group.create_task(send({"type": "websocket.send", kind: data}))

    app = mantlet.asgi.wrap(app, policy, baseline=False)
    return take_turns(app, type="websocket", method=...)


@pytest.mark.parametrize("as_text", [True, False])
def test_the_loop_goes_on_while_a_message_is_searched(as_text: bool) -> None:
    body = PROSE + SECRET.encode() + PROSE
    data = body.decode() if as_text else body
    turns = talk(OutputSanitizer(secrets=[SECRET]), data)
    assert turns.count >= len(body) // SLICE
    sent = turns.messages[1]["text"].encode() if as_text else turns.messages[1]["bytes"]
    assert sent == body.replace(SECRET.encode(), b"*" * len(SECRET))


def test_a_clean_message_stays_the_same_object() -> None:
    assert talk(OutputSanitizer(), PROSE).messages[1]["bytes"] is PROSE


def test_messages_of_several_tasks_stay_in_order() -> None:
    said = [PROSE, b"a", PROSE, PROSE, b"b", SECRET.encode()]
    turns = talk(OutputSanitizer(secrets=[SECRET]), *said)
    sent = [message["bytes"] for message in turns.messages[1:]]
    assert sent == [*said[:-1], b"*" * len(SECRET)]


def test_a_long_message_with_a_leak_is_blocked() -> None:
    turns = talk(OutputSanitizer(secrets=[SECRET], leaks=Leaks("block")), PROSE + SECRET.encode())
    assert [message["type"] for message in turns.messages] == [
        "websocket.accept",
        "websocket.close",
    ]
    assert turns.messages[-1]["code"] == 1008
