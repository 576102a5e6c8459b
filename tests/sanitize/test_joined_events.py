"""Leaks over several events of a stream, and over several WebSocket messages."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mantlet
from mantlet import Close, ErrorEnvelope, Message, OutputSanitizer, Policy, Request
from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks
from mantlet.sanitize.joined_events import JoinedEvents, Joiner
from tests.drive import make_scope
from tests.sanitize.streams import play_asgi, play_wsgi
from tests.sanitize.test_policy import Told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

SECRET = "Xk29fjQmZ0-secret"
MASKED = "*" * len(SECRET)
ACROSS = OutputSanitizer(secrets=[SECRET], leaks=Leaks(across=50))
SCANNER = Leaks().scanner(())
EVENTS = [("content-type", "text/event-stream")]
adapters = pytest.mark.parametrize("play", [play_asgi, play_wsgi], ids=["asgi", "wsgi"])


def chat(token: str, key: str = "content") -> bytes:
    """Return an event as chat streams send it."""
    delta = {"id": "chatcmpl9", "choices": [{"index": 0, "delta": {key: token}}], "usage": None}
    return f"data: {json.dumps(delta)}\n\n".encode()


def plain(token: str) -> bytes:
    return f"data: {token}\n\n".encode()


def text_of(stream: bytes, key: str = "content") -> str:
    """Return the joined text of events, each of which has to be valid JSON."""
    documents = [
        json.loads(event[6:])
        for event in stream.decode().split("\n\n")
        if event.startswith("data: {")
    ]
    return "".join(one["choices"][0]["delta"].get(key, "") for one in documents)


def tokens(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@adapters
@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 100])
def test_a_secret_is_found_over_events(play: Callable[..., Any], size: int) -> None:
    """Token by token, and masked in each event; the text around it stays."""
    text = f'The key "{SECRET}" is\nold. Use <b>another</b> é one.'
    chunks = [chat(token) for token in tokens(text, size)]
    _, sent = play(ACROSS, EVENTS, [*chunks, b"data: [DONE]\n\n"])
    assert text_of(b"".join(sent)) == text.replace(SECRET, MASKED)
    assert b"".join(sent).endswith(b"data: [DONE]\n\n")
    assert b"<" not in b"".join(sent)


@adapters
@pytest.mark.parametrize("size", [1, 4, 7])
def test_a_secret_is_found_over_events_of_plain_text(play: Callable[..., Any], size: int) -> None:
    """Also with ids and comments between them."""
    text = f"the key {SECRET} is old"
    chunks = [b"id: 1\n" + plain(token) for token in tokens(text, size)]
    chunks.insert(5, b": ping\n\n")
    _, sent = play(ACROSS, EVENTS, chunks)
    lines = b"".join(sent).decode().split("\n")
    assert "".join(line[6:] for line in lines if line.startswith("data: ")) == text.replace(
        SECRET, MASKED
    )
    assert b": ping\n\n" in b"".join(sent)


@adapters
def test_a_secret_is_found_over_lines_of_json(play: Callable[..., Any]) -> None:
    """NDJSON, as Ollama sends it."""
    chunks = [json.dumps({"response": one}).encode() + b"\n" for one in tokens(SECRET, 3)]
    for media in ("application/x-ndjson", "application/jsonl"):
        _, sent = play(ACROSS, [("content-type", media)], chunks)
        said = [json.loads(line)["response"] for line in b"".join(sent).splitlines()]
        assert "".join(said) == MASKED


@adapters
def test_a_compressed_stream_is_joined_too(play: Callable[..., Any]) -> None:
    """After it was decompressed."""
    body = gzip.compress(b"".join(chat(token) for token in tokens(SECRET, 2)), mtime=0)
    fields = [*EVENTS, ("content-encoding", "gzip")]
    _, sent = play(ACROSS, fields, [body[:30], body[30:]])
    assert text_of(gzip.decompress(b"".join(sent))) == MASKED


@adapters
def test_a_key_is_found_over_events(play: Callable[..., Any]) -> None:
    """Without being a registered secret; a traceback that is talked about goes on."""
    key = "ghp_" + "a1B2c3D4e5F6" * 3
    _, sent = play(ACROSS, EVENTS, [chat(token) for token in tokens(f"use {key} now", 4)])
    assert text_of(b"".join(sent)) == f"use {'*' * len(key)} now"
    code = (
        'Traceback (most recent call last):\n  File "/srv/app.py", line 3, in f\n    g()\nKeyError'
    )
    _, sent = play(ACROSS, EVENTS, [chat(token) for token in tokens(code, 4)])
    assert text_of(b"".join(sent)) == code


@adapters
def test_texts_of_other_paths_are_not_joined(play: Callable[..., Any]) -> None:
    """Each path has its own text."""
    half = len(SECRET) // 2
    chunks = [chat(SECRET[:half], "a"), chat(SECRET[half:], "b"), chat(SECRET[half:], "a")]
    _, sent = play(ACROSS, EVENTS, chunks)
    out = b"".join(sent)
    assert text_of(out, "a") == MASKED
    assert text_of(out, "b") == SECRET[half:]


@adapters
def test_by_default_events_are_searched_by_themselves(play: Callable[..., Any]) -> None:
    """Nothing is held back for the next one."""
    chunks = [chat(token) for token in tokens(SECRET, 5)]
    _, sent = play(OutputSanitizer(secrets=[SECRET]), EVENTS, chunks)
    assert [one for one in sent if one] == chunks


def held_by(policy: Policy, chunks: Sequence[bytes]) -> list[int]:
    """Return how many events are held back after each one, under ASGI."""
    sent: list[bytes] = []
    held: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for index, chunk in enumerate(chunks):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            held.append(index + 1 - b"".join(sent).count(b"\n\n"))
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> AsgiMessage:
        return {"type": "http.request"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message.get("body", b""))

    asyncio.run(mantlet.asgi.wrap(app, policy, baseline=False)(make_scope(), receive, send))
    assert b"".join(sent).count(b"\n\n") == len(chunks)
    return held


@pytest.mark.parametrize("across", [1, 2, 5])
def test_no_more_events_are_held_than_the_option_says(across: int) -> None:
    """The longest delay; a secret over more events than that is not found."""
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks(across=across))
    held = held_by(policy, [chat(token) for token in SECRET])
    assert max(held) == across
    held = held_by(policy, [chat(token) for token in ("hello ", "you, ", "there 1 ", "9 ")])
    assert held == [0, 0, 0, 0]
    # Nor does a beginning that goes on otherwise hold anything any longer.
    assert held_by(policy, [chat("a Xk29"), chat("fj and so on "), chat("1 ")]) == [1, 0, 0]


@adapters
def test_a_secret_over_as_many_events_as_are_held_is_found(play: Callable[..., Any]) -> None:
    """And the next one."""
    for across in (1, 2, 4):
        policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks(across=across))
        size = -(-len(SECRET) // (across + 1))
        _, sent = play(policy, EVENTS, [chat(token) for token in tokens(SECRET, size)])
        assert text_of(b"".join(sent)) == MASKED


@adapters
def test_events_too_large_to_be_held_are_sent_at_once(play: Callable[..., Any]) -> None:
    """In their order, whatever is held."""
    large = chat("x" * 100_000)
    chunks = [chat("Xk29"), large[:70_000], large[70_000:], chat("fjQmZ0-secret")]
    _, sent = play(ACROSS, EVENTS, chunks)
    assert b"".join(sent) == b"".join(chunks)


@adapters
def test_what_is_found_over_events_is_reported_or_blocked(play: Callable[..., Any]) -> None:
    """As anywhere else."""
    told = Told()
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks("report", across=9), on_finding=told)
    chunks = [chat(token) for token in tokens(SECRET, 4)]
    _, sent = play(policy, EVENTS, chunks)
    assert b"".join(sent) == b"".join(chunks)
    assert told.rules == ["secret"]
    assert told[0].place == "joined events, byte 0"
    with pytest.raises(mantlet.Problem):
        play(OutputSanitizer(secrets=[SECRET], leaks=Leaks("block", across=9)), EVENTS, chunks)


LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
WORDS = st.text(alphabet='ab"\\é\u2028<Xk29 \n', max_size=6)


@given(st.lists(WORDS, max_size=8), LINE_ENDS, st.integers(1, 40), st.booleans())
def test_innocent_events_stay_as_they_are(
    words: list[str], end: str, size: int, is_json: bool
) -> None:
    """Byte for byte, in any chunks, with any line ends."""
    events = [
        f"data: {json.dumps({'a': [word, 'b'], 'c': 1}) if is_json else word!r}" for word in words
    ]
    body = "".join(f"{event}{end}id: 1{end}{end}" for event in events).encode()
    policy = OutputSanitizer(
        secrets=[SECRET], leaks=Leaks(across=3), escape_json=False, headers=None
    )
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    _, sent = play_asgi(policy, EVENTS, chunks)
    assert b"".join(sent) == body


@given(st.lists(st.integers(1, 6), min_size=20, max_size=20), st.integers(0, 3))
def test_any_split_of_a_secret_is_found(sizes: list[int], pings: int) -> None:
    """Whatever stands between its parts."""
    rest, parts = f"key {SECRET}, then", []
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    chunks = [one for part in [*parts, rest] for one in (chat(part), *[b": ping\n\n"] * pings)]
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks(across=100))
    _, sent = play_asgi(policy, EVENTS, [b"".join(chunks)])
    assert text_of(b"".join(sent)) == f"key {MASKED}, then"


@given(st.lists(st.integers(1, 6), min_size=20, max_size=20), st.sampled_from(["\n", "\r\n", "\r"]))
def test_events_of_any_kind_are_joined_in_one_chunk_or_many(sizes: list[int], end: str) -> None:
    """Plain ones, beside JSON on one line and on several, which have texts of their own."""
    rest, parts = f"key {SECRET}, then", []
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    events = []
    for part in [*parts, rest]:
        events.append(f"data: {part}{end}{end}")
        events.append(f'data: {{"a":{end}data: {json.dumps(part)}}}{end}{end}')
        events.append(f'id: 1{end}data: {{"b": "x", "c": {json.dumps(part)}}}{end}{end}')
    body = "".join(events).encode()
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks(across=300))
    for chunks in ([body], [body[at : at + 50] for at in range(0, len(body), 50)]):
        _, sent = play_asgi(policy, EVENTS, chunks)
        out = b"".join(sent).decode()
        assert len(out) == len(body)
        shown = [event.split(end) for event in out.split(end * 2)[:-1]]
        texts = ["".join(event[0][6:] for event in shown[::3])]
        texts.append("".join(json.loads(event[1][6:-1]) for event in shown[1::3]))
        texts.append("".join(json.loads(event[1][6:])["c"] for event in shown[2::3]))
        assert texts == [f"key {MASKED}, then"] * 3


@pytest.mark.parametrize("unit", [b"data: a\n\n", b"data: .\n\n", b"data: a\r\r", b"\r", b":\n"])
@pytest.mark.parametrize("size", [500, 64 * 1024])
def test_events_are_joined_many_at_a_time(unit: bytes, size: int) -> None:
    """However small they are: a chunk takes so many steps, and each event eight, not a hundred."""
    body = unit * (60_000 // len(unit))
    joiner = Joiner(8, SCANNER, lambda _: StreamScan(SCANNER, lambda *_: None))
    joined = JoinedEvents(joiner, events=True)
    calls = 0

    def count(_frame: Any, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    joined(b"data: .\n\n", True)
    sys.setprofile(count)
    try:
        for at in range(0, len(body), size):
            joined(body[at : at + size], True)
    finally:
        sys.setprofile(None)
    assert calls <= 1_500 * -(-len(body) // size) + 8 * (len(body) // len(unit))


def test_what_is_held_is_not_lost_when_the_app_raises() -> None:
    """It comes before the event that tells of the error, if there is one."""
    sent: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": chat("Xk29"), "more_body": True})
        raise ValueError("broken")

    async def receive() -> AsgiMessage:
        return {"type": "http.request"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message.get("body", b""))

    for tells, rest in ((True, b"event: error\n"), (False, b"")):
        sent.clear()
        envelope = ErrorEnvelope(stream_errors=tells)
        stack = mantlet.asgi.wrap(app, ACROSS, envelope, baseline=False)
        with pytest.raises(ValueError, match="broken"):
            asyncio.run(stack(make_scope(), receive, send))
        out = b"".join(sent)
        assert out.startswith(chat("Xk29") + rest)
        assert (out == chat("Xk29")) is not tells


# -- WebSockets -----------------------------------------------------------------------------------


def talk(
    *policies: Policy, messages: Sequence[str | bytes], ends: str = "close"
) -> list[AsgiMessage]:
    """Have an app send messages, and end in some way; return what the server gets."""
    sent: list[AsgiMessage] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for data in messages:
            key = "text" if isinstance(data, str) else "bytes"
            await send({"type": "websocket.send", key: data})
        if ends == "close":
            await send({"type": "websocket.close", "code": 1000})
        elif ends == "raise":
            raise ValueError("broken")
        elif ends == "client":
            assert (await receive())["type"] == "websocket.disconnect"

    events: list[AsgiMessage] = [
        {"type": "websocket.connect"},
        {"type": "websocket.disconnect", "code": 1001},
    ]

    async def receive() -> AsgiMessage:
        return events.pop(0)

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    scope = make_scope(scope={"type": "websocket", "method": ..., "scheme": "ws"})
    stack = mantlet.asgi.wrap(app, *policies, baseline=False)
    if ends == "raise":
        with pytest.raises(ValueError, match="broken"):
            asyncio.run(stack(scope, receive, send))
    else:
        asyncio.run(stack(scope, receive, send))
    return sent[1:]


def said(sent: Sequence[AsgiMessage]) -> list[str | bytes]:
    return [
        one["text"] if one.get("text") is not None else one["bytes"]
        for one in sent
        if one["type"] == "websocket.send"
    ]


@pytest.mark.parametrize("ends", ["close", "return", "raise"])
@pytest.mark.parametrize("size", [1, 4, 11])
def test_a_secret_is_found_over_messages(ends: str, size: int) -> None:
    """Text, bytes and JSON; nothing is lost at the end of the connection, whoever ends it."""
    text = f"a key {SECRET} and more"
    masked = text.replace(SECRET, MASKED)
    got = said(talk(ACROSS, messages=tokens(text, size), ends=ends))
    assert got == tokens(masked, size)
    binary = [one.encode() for one in tokens(text, size)]
    got = said(talk(ACROSS, messages=binary, ends=ends))
    assert got == [one.encode() for one in tokens(masked, size)]
    documents = [json.dumps({"t": "x", "token": one}) for one in tokens(text, size)]
    got = said(talk(ACROSS, messages=documents, ends=ends))
    assert [json.loads(one)["token"] for one in got] == tokens(masked, size)


@pytest.mark.parametrize("ends", ["close", "return", "raise"])
def test_held_messages_are_sent_before_the_end(ends: str) -> None:
    """The beginning of a secret that does not come; the close comes last."""
    sent = talk(ACROSS, messages=["hello ", "Xk29fj"], ends=ends)
    assert said(sent) == ["hello ", "Xk29fj"]
    if ends != "return":
        assert sent[-1]["type"] == "websocket.close"


def test_nothing_is_sent_to_a_client_that_has_gone() -> None:
    """What is held then is for nobody."""
    sent = talk(ACROSS, messages=["hello 1", "Xk29fj"], ends="client")
    assert said(sent) == ["hello 1"]
    assert len(sent) == 1


def test_messages_are_held_only_while_they_may_begin_a_secret() -> None:
    """And at most as many as the option says: what is held no longer is sent."""
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks(across=2))
    assert said(talk(policy, messages=list(SECRET)))[:8] == list(SECRET[:8])
    two = [SECRET[:5], SECRET[5:11], SECRET[11:]]
    assert said(talk(policy, messages=two)) == ["*" * len(part) for part in two]


def test_a_blocked_connection_sends_nothing_that_was_held() -> None:
    """It is closed."""
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks("block", across=9))
    sent = talk(policy, messages=["hello 1", *tokens(SECRET, 4)], ends="return")
    assert said(sent) == ["hello 1"]
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 1008)


def test_a_policy_that_only_reports_holds_nothing() -> None:
    """Messages pass as they are."""
    policy = OutputSanitizer(secrets=[SECRET], leaks=Leaks(across=9), mode="report")
    assert said(talk(policy, messages=tokens(SECRET, 4))) == tokens(SECRET, 4)


class Pairs(Policy):
    """Sends messages in pairs."""

    def __init__(self) -> None:
        self.held: list[Message] = []

    def on_message(self, request: Request, message: Message) -> Any:
        self.held.append(message)
        return self.on_close(request) if len(self.held) == 2 else ()

    def on_close(self, request: Request) -> tuple[Message, ...]:
        held, self.held = tuple(self.held), []
        return held


class Shouts(Policy):
    """Changes messages, and closes at one of them."""

    def on_message(self, request: Request, message: Message) -> Any:
        if message.data == "stop":
            return Close(4001)
        return Message(str(message.data).upper(), "out")


@pytest.mark.parametrize("ends", ["close", "return", "raise"])
def test_held_messages_pass_the_outer_policies(ends: str) -> None:
    """Each of them, in their order, also at the end."""
    for policies in ((Shouts(), Pairs()), (Pairs(), Shouts()), (Pairs(), Shouts(), Pairs())):
        sent = talk(*policies, messages=["a", "b", "c"], ends=ends)
        assert said(sent) == ["A", "B", "C"]


@pytest.mark.parametrize("ends", ["close", "return"])
def test_a_close_among_held_messages_ends_the_connection(ends: str) -> None:
    """After those before it, and without those after it."""
    sent = talk(Shouts(), Pairs(), messages=["a", "stop"], ends="return")
    assert said(sent) == ["A"]
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 4001)
    sent = talk(Shouts(), Pairs(), messages=["a", "b", "stop"], ends=ends)
    assert said(sent) == ["A", "B"]
    assert [one["code"] for one in sent if one["type"] == "websocket.close"] == [4001]


@pytest.mark.parametrize("across", [-1, True, 1.5, "3", 1001])
def test_a_bad_number_of_events_is_refused(across: Any) -> None:
    """At construction."""
    with pytest.raises((ValueError, TypeError), match="across must be"):
        Leaks(across=across)
