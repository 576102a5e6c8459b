"""Secrets and rules in everything that an app sends beside headers, bodies and messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import OutputSanitizer, Policy, Request
from mantlet.sanitize import Leaks
from tests.drive import Adapter, Said, both_adapters, make_environ, make_scope
from tests.sanitize.test_policy import Told

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

SECRET = "Xk29fjQmZ0-secret"
MASKED = "*" * len(SECRET)
KEY = "ghp_" + "a1B2c3D4e5" * 4
POLICIES = {
    "redact": OutputSanitizer(secrets=[SECRET]),
    "block": OutputSanitizer(secrets=[SECRET], leaks=Leaks("block")),
    "report": OutputSanitizer(secrets=[SECRET], mode="report"),
}


def status_line(policy: Policy, status: str) -> str:
    """Return the status line that the server gets."""
    got: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Type", "text/plain")])
        return [b"hello"]

    def start_response(line: str, headers: Any, exc_info: Any = None) -> Any:
        got.append(line)

    list(mantlet.wsgi.wrap(app, policy, baseline=False)(make_environ(), start_response))
    return got[0]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("redact", f"500 no {MASKED} here"), ("block", "500 Internal Server Error"),
     ("report", f"500 no {SECRET} here")],
)  # fmt: skip
def test_a_reason_phrase_is_searched(mode: str, expected: str) -> None:
    """WSGI apps choose it."""
    assert status_line(POLICIES[mode], f"500 no {SECRET} here") == expected


@pytest.mark.parametrize("status", ["200 OK", "404 NOT FOUND", "418 I'm a teapot", "299 Mine"])
def test_an_innocent_reason_phrase_stays(status: str) -> None:
    """Also one that is not registered."""
    assert status_line(POLICIES["redact"], status) == status


@pytest.mark.parametrize("reason", ["OK\r\nSet-Cookie: a=1", "OK\x00", "\u0416"])
def test_a_reason_phrase_that_would_break_the_protocol_is_replaced(reason: str) -> None:
    """By the registered one."""
    told = Told()
    assert status_line(OutputSanitizer(on_finding=told), f"200 {reason}") == "200 OK"
    assert told.rules == ["header-injection"]


@both_adapters
def test_header_names_are_searched(adapter: Adapter) -> None:
    """One with a leak is left out."""
    name = f"x-{SECRET.lower()}"

    def app(_carrier: MutableMapping[str, Any]) -> Said:
        return 200, [("content-type", "text/plain"), (name, "1"), ("x-b", KEY)], b"hello"

    answer = adapter.drive(adapter.wrap(app, OutputSanitizer(secrets=[SECRET.lower()])))
    assert answer.get("x-b") == "*" * len(KEY)
    assert SECRET.lower() not in answer.text()
    reports = OutputSanitizer(secrets=[SECRET.lower()], leaks=Leaks("report"))
    assert name in adapter.drive(adapter.wrap(app, reports)).names


# -- ASGI -----------------------------------------------------------------------------------------


def play(policy: Policy, scope: Scope, *messages: AsgiMessage) -> list[AsgiMessage]:
    """Return what the server gets of an app's messages."""
    sent: list[AsgiMessage] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async def receive() -> AsgiMessage:
        return {"type": "websocket.connect"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    asyncio.run(mantlet.asgi.wrap(app, policy, baseline=False)(scope, receive, send))
    return sent


START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b""}
HINT = {
    "type": "http.response.early_hint",
    "links": [b"</a.css>; rel=preload", f"</b?key={SECRET}>; rel=preload".encode()],
}
PUSH = {"type": "http.response.push", "path": f"/a?key={SECRET}", "headers": [(b"x", KEY.encode())]}


def test_early_hints_are_searched() -> None:
    """Each of their links, under the app's own object where nothing is found."""
    sent = play(POLICIES["redact"], make_scope(), HINT, START, END)
    assert sent[0]["links"] == [
        b"</a.css>; rel=preload",
        f"</b?key={MASKED}>; rel=preload".encode(),
    ]
    assert play(POLICIES["block"], make_scope(), HINT, START, END)[0]["links"] == HINT["links"][:1]
    assert play(POLICIES["report"], make_scope(), HINT, START, END)[0] == HINT
    bad = {**HINT, "links": [b"</a>\r\nset-cookie: a=1"]}
    sent = play(POLICIES["redact"], make_scope(), bad, START, END)
    assert [message["type"] for message in sent] == [START["type"], END["type"]]


def test_pushes_are_searched() -> None:
    """Path and headers."""
    for messages in ((PUSH, START, END), (START, PUSH, END)):
        sent = play(POLICIES["redact"], make_scope(), *messages)
        push = next(one for one in sent if one["type"] == PUSH["type"])
        assert push["path"] == f"/a?key={MASKED}"
        assert push["headers"] == [(b"x", b"*" * len(KEY))]
        sent = play(POLICIES["block"], make_scope(), *messages)
        assert all(one["type"] != PUSH["type"] for one in sent)
        assert PUSH in play(POLICIES["report"], make_scope(), *messages)


def test_trailers_are_searched_by_name_and_value() -> None:
    """As headers are."""
    start = {**START, "trailers": True}
    trailers = {
        "type": "http.response.trailers",
        "headers": [(f"x-{SECRET}".encode(), b"1"), (b"x-b", SECRET.encode()), (b"x-c", b"1")],
    }
    sent = play(POLICIES["redact"], make_scope(), start, END, trailers)
    assert sent[-1]["headers"] == [(b"x-b", MASKED.encode()), (b"x-c", b"1")]


def websocket(**entries: Any) -> Scope:
    return make_scope(scope={"type": "websocket", "method": ..., "scheme": "ws", **entries})


ACCEPT: dict[str, Any] = {"type": "websocket.accept"}


@pytest.mark.parametrize("accepts", [True, False], ids=["open", "handshake"])
@pytest.mark.parametrize(
    ("mode", "expected"),
    [("redact", f"bad key {MASKED} é"), ("block", ""), ("report", f"bad key {SECRET} é")],
)
def test_the_reason_of_a_close_is_searched(accepts: bool, mode: str, expected: str) -> None:
    """Before the connection is open, and after; its length in bytes stays."""
    close = {"type": "websocket.close", "code": 4000, "reason": f"bad key {SECRET} é"}
    messages = [ACCEPT, close] if accepts else [close]
    sent = play(POLICIES[mode], websocket(), *messages)
    assert (sent[-1]["code"], sent[-1]["reason"]) == (4000, expected)
    innocent = {**close, "reason": "bye\nnow"}
    assert play(POLICIES[mode], websocket(), ACCEPT, innocent)[-1] == innocent


@pytest.mark.parametrize("accepts", [True, False])
def test_a_reason_that_is_no_text_goes_on(accepts: bool) -> None:
    """FastAPI closes with a list of errors, if the parameters of a handshake are invalid."""
    close = {"type": "websocket.close", "code": 1008, "reason": [{"type": "missing"}]}
    messages = [ACCEPT, close] if accepts else [close]
    assert play(POLICIES["redact"], websocket(), *messages)[-1] == close


def test_the_handshake_is_searched() -> None:
    """The headers and the subprotocol, unless the client has offered it."""
    accept = {**ACCEPT, "subprotocol": SECRET, "headers": [(b"x-a", SECRET.encode())]}
    sent = play(POLICIES["redact"], websocket(subprotocols=["chat"]), accept)
    assert sent[0]["subprotocol"] == MASKED
    assert (b"x-a", MASKED.encode()) in sent[0]["headers"]
    assert (
        play(POLICIES["block"], websocket(), {**ACCEPT, "subprotocol": SECRET})[0]["subprotocol"]
        is None
    )
    sent = play(POLICIES["redact"], websocket(subprotocols=[SECRET]), accept)
    assert sent[0]["subprotocol"] == SECRET


def test_a_denial_is_searched() -> None:
    """Its headers and its body, like those of any response."""
    start = {
        "type": "websocket.http.response.start",
        "status": 403,
        "headers": [(b"content-type", b"text/plain"), (b"x-a", SECRET.encode())],
    }
    bodies: list[AsgiMessage] = [
        {"type": "websocket.http.response.body", "body": SECRET[:5].encode(), "more_body": True},
        {"type": "websocket.http.response.body", "body": SECRET[5:].encode()},
    ]
    scope = websocket(extensions={"websocket.http.response": {}})
    sent = play(POLICIES["redact"], scope, start, *bodies)
    assert (b"x-a", MASKED.encode()) in sent[0]["headers"]
    assert b"".join(one.get("body", b"") for one in sent) == MASKED.encode()


# -- the hook -------------------------------------------------------------------------------------


def test_a_policy_sees_the_texts_with_their_places_from_inside_out() -> None:
    """Each sees what the inner ones have made of it."""

    class Adds(Policy):
        def __init__(self, word: str) -> None:
            self.word = word
            self.places: list[str] = []

        def on_text(self, request: Request, text: str, place: str) -> str:
            self.places.append(place)
            return f"{text} {self.word}"

    outer, inner = Adds("outer"), Adds("inner")

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 Fine", [])
        return [b"hello"]

    got: list[str] = []
    stack = mantlet.wsgi.wrap(app, outer, inner, baseline=False)

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        got.append(status)

    list(stack(make_environ(), start_response))
    assert got == ["200 Fine inner outer"]
    assert outer.places == inner.places == ["reason phrase"]
    play(outer, make_scope(), HINT, PUSH, START, END)
    assert outer.places[1:] == ["early hint", "early hint", "push path", "push header"]
