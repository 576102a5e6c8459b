"""No form of a secret gets out, however it is cut, sent and encoded; the text around it stays."""

from __future__ import annotations

import gzip
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import OutputSanitizer
from mantlet.redact.variants import encoded_variants
from mantlet.sanitize import Leaks
from tests.drive import make_scope
from tests.sanitize.streams import gunzip, play_asgi, play_wsgi, step, two_cuts

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

SECRET = "p@ss/w\"o<r&d 'x+ý=Z9"
PLAIN_SECRET = "Xk29fjQmZ0-plain"
FORMS = [*encoded_variants(SECRET.encode()), *encoded_variants(PLAIN_SECRET.encode())]
SANITIZER = OutputSanitizer(secrets=[SECRET, PLAIN_SECRET], leaks=Leaks(), escape_json=False)

PLACES = {
    "text": ("text/plain", b"before %s behind"),
    "json": ("application/json", b'{"a": 1, "b": "%s", "c": [2]}'),
    "events": ("text/event-stream", b"event: x\ndata: %s\n\n"),
    "lines": ("application/x-ndjson", b'{"a": "%s"}\n{"a": 2}\n'),
}

adapters = pytest.mark.parametrize("play", [play_asgi, play_wsgi], ids=["asgi", "wsgi"])
places = pytest.mark.parametrize("place", PLACES)


def around(place: str, form: bytes) -> tuple[str, bytes, bytes]:
    """Return a media type, a body with a form in it, and the body that is to be sent."""
    media, template = PLACES[place]
    return media, template.replace(b"%s", form), template.replace(b"%s", b"*" * len(form))


@pytest.mark.few_cases(16)
@adapters
@places
@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_no_form_gets_out_over_any_cut(play: Callable[..., Any], place: str, form: bytes) -> None:
    """In two chunks, cut anywhere, and in single bytes."""
    media, body, expected = around(place, form)
    for chunks in two_cuts(body):
        _, sent = play(SANITIZER, [("content-type", media)], chunks)
        assert b"".join(sent) == expected
    for whole in (True, False):
        fields, sent = play(
            SANITIZER,
            [("content-type", media), ("content-length", str(len(body)))],
            [body],
            whole=whole,
        )
        assert b"".join(sent) == expected
        assert ("content-length", str(len(body))) in fields


@pytest.mark.unmeasured
@pytest.mark.few_cases(16)
@adapters
@places
@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_no_form_gets_out_of_an_encoded_body(
    play: Callable[..., Any], place: str, form: bytes
) -> None:
    """The same in gzip: encoded anew, and cut anywhere."""
    media, body, expected = around(place, form)
    fields = [("content-type", media), ("content-encoding", "gzip")]
    encoded = gzip.compress(body, mtime=0)
    for chunks in two_cuts(encoded):
        _, sent = play(SANITIZER, fields, chunks)
        assert gunzip(b"".join(sent)) == expected
    _, sent = play(SANITIZER, fields, [encoded], whole=True)
    assert gunzip(b"".join(sent)) == expected


@pytest.mark.unmeasured
@adapters
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
def test_no_form_gets_out_of_a_long_body(play: Callable[..., Any], coded: bool) -> None:
    """All forms in a body of some 200 KB, cut at random."""
    chance = random.Random(5)
    text = b"lorem ipsum dolor sit amet, " * 40
    body = b"".join(part for form in FORMS for part in (text, form))
    expected = b"".join(part for form in FORMS for part in (text, b"*" * len(form)))
    sent_body = gzip.compress(body, mtime=0) if coded else body
    fields = [("content-type", "text/plain")] + [("content-encoding", "gzip")] * coded
    for _ in range(20):
        cuts = sorted(chance.choices(range(len(sent_body)), k=chance.randrange(1, 60)))
        edges = [0, *cuts, len(sent_body)]
        chunks = [sent_body[a:b] for a, b in pairwise(edges) if a < b]
        _, sent = play(SANITIZER, fields, chunks)
        got = b"".join(sent)
        assert (gunzip(got) if coded else got) == expected


def as_text(form: bytes) -> str | None:
    """Return a form as text has it; that in latin-1 is none of UTF-8."""
    try:
        return form.decode()
    except UnicodeDecodeError:
        return None


MESSAGES: list[tuple[str, Any, bytes]] = [
    *(("bytes", form, form) for form in FORMS),
    *(("text", as_text(form), form) for form in FORMS if as_text(form) is not None),
]


@pytest.mark.parametrize(("kind", "data", "form"), MESSAGES, ids=range(len(MESSAGES)))
def test_no_form_gets_out_of_a_websocket_message(kind: str, data: Any, form: bytes) -> None:
    """A message is looked at as a whole, and is the unit that is sent."""
    sent: list[AsgiMessage] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", kind: "a" + data + "b" if kind == "text" else data})

    async def receive() -> AsgiMessage:
        return {"type": "websocket.connect"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    scope = make_scope(scope={"type": "websocket", "method": ...})
    step(mantlet.asgi.wrap(app, SANITIZER, baseline=False)(scope, receive, send))
    expected = "a" + "*" * len(form) + "b" if kind == "text" else b"*" * len(form)
    assert sent[1][kind] == expected


@adapters
@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
@pytest.mark.parametrize("name", ["location", "set-cookie", "x-debug"])
def test_no_form_gets_out_of_a_header_field(
    play: Callable[..., Any], form: bytes, name: str
) -> None:
    """Nor of a cookie; the fields around it stay."""
    value = form.decode("latin-1")
    fields = [("x-a", "1"), (name, f"k={value}; Path=/"), ("x-b", "2")]
    got, _ = play(SANITIZER, fields, [b"hello"])
    assert got[0] == ("x-a", "1")
    assert got[2] == ("x-b", "2")
    assert got[1][0] == name
    assert got[1][1].startswith("k=" + "*" * len(form) + "; Path=/")


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_no_form_gets_out_of_trailers(form: bytes) -> None:
    """The fields behind the body (ASGI, "Response Trailers")."""
    sent: list[AsgiMessage] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
        await send(start)
        await send({"type": "http.response.body", "body": b"hello"})
        trailers = [(b"x-sum", b"1"), (b"x-debug", b"<" + form + b">")]
        await send({"type": "http.response.trailers", "headers": trailers})

    async def receive() -> AsgiMessage:
        return {"type": "http.request"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    step(mantlet.asgi.wrap(app, SANITIZER, baseline=False)(make_scope(), receive, send))
    assert sent[-1]["headers"] == [(b"x-sum", b"1"), (b"x-debug", b"<" + b"*" * len(form) + b">")]
