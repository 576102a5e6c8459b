"""WebSockets through a stack: the handshake is a request, and messages pass by the policies."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

import mantlet
from mantlet import Close, ErrorEnvelope, Message, Policy, RateLimiter, Reply, Request, Response
from tests.conformance.asgi_checker import AsgiChecker

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send


async def echo(websocket: WebSocket) -> None:
    await websocket.accept(headers=[(b"x-app", b"echo")])
    async for text in websocket.iter_text():
        if text == "crash":
            raise ValueError("internal detail")
        await websocket.send_text(text)


def client(
    *policies: Policy, endpoint: Callable[[WebSocket], Any] = echo, peer: str = "testclient"
) -> TestClient:
    app = Starlette(routes=[WebSocketRoute("/ws", endpoint)])
    stack = mantlet.asgi.Stack(AsgiChecker(app), policies)
    return TestClient(AsgiChecker(stack), client=(peer, 50000))


async def play(
    app: ASGIApp, events: list[dict[str, Any]], *, denial: bool = False
) -> tuple[list[dict[str, Any]], BaseException | None]:
    """Play a connection against an app; return what it sent and what it raised."""
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return events.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "websocket",
        "path": "/ws",
        "headers": [],
        "extensions": {"websocket.http.response": {}} if denial else {},
    }
    try:
        await app(scope, receive, send)
    except AppFailure as error:
        return sent, error
    return sent, None


class AppFailure(Exception):
    """What an app in these tests raises."""


class Judge(Policy):
    """Judges messages by what they say."""

    def __init__(self) -> None:
        self.heard: list[Message] = []

    def on_message(self, request: Request, message: Message) -> Message | Close | None:
        self.heard.append(message)
        if message.data == "drop":
            return None
        if message.data == "close":
            return Close(4429, "too much")
        if message.data == "shout" and message.direction == "out":
            return Message("SHOUT", "out")
        return message


def test_messages_pass_in_both_directions_with_their_direction() -> None:
    """A policy sees each message on its way in and on its way out."""
    judge = Judge()
    with client(judge).websocket_connect("/ws") as connection:
        connection.send_text("hello")
        assert connection.receive_text() == "hello"
    assert judge.heard == [Message("hello", "in"), Message("hello", "out")]


def test_a_message_can_be_replaced_or_dropped() -> None:
    """Another message goes in the place of the judged one; None goes nowhere."""
    with client(Judge()).websocket_connect("/ws") as connection:
        connection.send_text("drop")
        connection.send_text("shout")
        assert connection.receive_text() == "SHOUT"


def test_a_close_ends_the_connection_with_its_code() -> None:
    """The client gets the policy's code and reason, the app a disconnect."""
    with client(Judge()).websocket_connect("/ws") as connection:
        connection.send_text("close")
        with pytest.raises(WebSocketDisconnect) as raised:
            connection.receive_text()
    assert (raised.value.code, raised.value.reason) == (4429, "too much")


def test_a_close_on_the_way_out_ends_the_connection_for_both() -> None:
    """What the app may not send closes the connection, and later sends tell the app so."""

    async def chatty(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("close")
        await websocket.send_text("more")

    with (
        client(Judge(), endpoint=chatty).websocket_connect("/ws") as connection,
        pytest.raises(WebSocketDisconnect) as raised,
    ):
        connection.receive_text()
    assert raised.value.code == 4429


def test_an_app_that_listens_on_after_a_policy_has_closed_hears_of_the_end() -> None:
    """As it would from the server: with the code of a connection that is gone (RFC 6455, 7.1.5)."""
    heard: list[Any] = []

    async def listening(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send({"type": "websocket.send", "text": "close"})
        heard.append(await websocket.receive())

    with client(Judge(), endpoint=listening).websocket_connect("/ws"):
        pass
    assert heard == [{"type": "websocket.disconnect", "code": 1006}]


def test_what_an_app_does_after_the_client_has_gone_is_the_servers_to_judge() -> None:
    """It may answer the handshake late, and listen on: all of it passes, as without a stack."""

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        heard = [await receive() for _ in range(3)]
        assert [event["type"] for event in heard[1:]] == ["websocket.disconnect"] * 2
        await send({"type": "websocket.http.response.start", "status": 400, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    gone = {"type": "websocket.disconnect", "code": 1005}
    for policies in ([], [Judge()], [ErrorEnvelope()]):
        events: list[dict[str, Any]] = [{"type": "websocket.connect"}, gone, gone]
        stack = mantlet.asgi.Stack(late, policies)
        sent, _ = asyncio.run(play(stack, events, denial=True))
        assert [message["type"].rpartition(".")[2] for message in sent] == ["start", "body"]
        assert sent[1]["body"] == b"no"


def test_messages_that_no_policy_changes_are_the_very_ones_that_came() -> None:
    """With every key that they have, in both directions."""
    came = {"type": "websocket.receive", "bytes": None, "text": "hello", "more": 1}
    said = {"type": "websocket.send", "text": "hi", "bytes": None}
    heard: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.append(await receive())
        await send(said)

    events: list[dict[str, Any]] = [{"type": "websocket.connect"}, came]
    sent, _ = asyncio.run(play(mantlet.asgi.Stack(app, [Judge()]), events))
    assert heard[0] is came
    assert sent[1] == said


def test_messages_meet_policies_from_outside_in_and_from_inside_out() -> None:
    """The outermost policy is the first to see what comes, and the last to see what goes."""
    order: list[str] = []

    class Named(Policy):
        def __init__(self, name: str) -> None:
            self.name = name

        async def on_message(self, request: Request, message: Message) -> Message:
            order.append(f"{self.name} {message.direction}")
            return message

    with client(Named("outer"), Named("inner")).websocket_connect("/ws") as connection:
        connection.send_text("x")
        connection.receive_text()
    assert order == ["outer in", "inner in", "inner out", "outer out"]


@pytest.mark.parametrize("data", ["text", b"bytes", "", b""], ids=repr)
def test_text_and_bytes_stay_what_they_are(data: str | bytes) -> None:
    """A message keeps its kind, also when it is empty."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        event = await receive()
        await send({**event, "type": "websocket.send"})
        await send({"type": "websocket.close", "code": 1000})

    kind = "text" if isinstance(data, str) else "bytes"
    stack = mantlet.asgi.Stack(app, [Judge()])
    events: list[dict[str, Any]] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", kind: data},
    ]
    sent, error = asyncio.run(play(stack, events))
    assert error is None
    assert sent[1] == {"type": "websocket.send", kind: data}


class Refuse(Policy):
    def on_request(self, request: Request) -> Reply | None:
        return Reply(403, {"X-Why": "because"}, "no")


def test_a_refused_handshake_is_an_http_answer_where_the_server_can() -> None:
    """The websocket.http.response extension carries the reply."""
    with (
        pytest.raises(WebSocketDenialResponse) as raised,
        client(Refuse()).websocket_connect("/ws"),
    ):
        pass
    assert (raised.value.status_code, raised.value.text) == (403, "no")
    assert raised.value.headers["x-why"] == "because"


def test_a_refused_handshake_is_a_close_elsewhere() -> None:
    """Without the extension the connection is closed before it is accepted."""
    stack = mantlet.asgi.Stack(echo_app, [Refuse()])
    sent, error = asyncio.run(play(stack, [{"type": "websocket.connect"}]))
    assert error is None
    assert [message["type"] for message in sent] == ["websocket.close"]


async def echo_app(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


class Edit(Policy):
    """Notes and edits the head of the answer."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def on_response(self, request: Request, response: Response) -> None:
        self.statuses.append(response.status)
        response.headers.set("x-edited", "yes")


def test_the_head_of_an_accepted_handshake_can_be_edited() -> None:
    """Policies see a 101, and their fields go out with the accept, behind the app's."""
    edit = Edit()
    with client(edit).websocket_connect("/ws") as connection:
        assert edit.statuses == [101]
        assert connection.extra_headers == [(b"x-app", b"echo"), (b"x-edited", b"yes")]


def test_hooks_may_wait_during_the_handshake_which_has_no_body() -> None:
    """On the way in and on the way out."""
    seen: list[bytes] = []

    class Waits(Edit):
        async def on_request(self, request: Request) -> None:
            await asyncio.sleep(0)
            seen.append(await request.body(10))

        async def on_response(  # type: ignore[override]  # a def there, and both may be
            self, request: Request, response: Response
        ) -> None:
            await asyncio.sleep(0)
            super().on_response(request, response)

    waits = Waits()
    with client(waits).websocket_connect("/ws") as connection:
        connection.send_text("x")
        assert connection.receive_text() == "x"
    assert (seen, waits.statuses) == ([b""], [101])


def test_a_handshake_that_the_app_closes_is_seen_as_a_403() -> None:
    """An app that closes before it accepts has refused the handshake."""

    async def refuse(websocket: WebSocket) -> None:
        await websocket.close()

    edit = Edit()
    with (
        pytest.raises(WebSocketDisconnect),
        client(edit, endpoint=refuse).websocket_connect("/ws"),
    ):
        pass
    assert edit.statuses == [403]


def test_the_apps_own_denial_passes_with_the_policies_fields() -> None:
    """A denial answer of the app's is an answer like any other."""

    async def deny(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"who?"})

    stack = mantlet.asgi.Stack(deny, [Edit()])
    sent, error = asyncio.run(play(stack, [{"type": "websocket.connect"}], denial=True))
    assert error is None
    assert sent[0]["status"] == 401
    assert sent[0]["headers"] == [(b"x-edited", b"yes")]
    assert b"".join(message.get("body", b"") for message in sent[1:]) == b"who?"


def test_a_policy_can_refuse_what_the_app_accepted() -> None:
    """A reply on the response hook takes the place of the accept."""

    class Late(Policy):
        def on_response(self, request: Request, response: Response) -> Reply:
            return Reply(503, body="later")

    with (
        pytest.raises(WebSocketDenialResponse) as raised,
        client(Late()).websocket_connect("/ws"),
    ):
        pass
    assert (raised.value.status_code, raised.value.text) == (503, "later")


def test_an_uncaught_error_closes_with_1011_and_reaches_the_server() -> None:
    """The client learns that it was the server's fault, and nothing else."""

    async def crash(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        raise AppFailure("internal detail")

    stack = mantlet.asgi.Stack(crash, [ErrorEnvelope()])
    sent, error = asyncio.run(play(stack, [{"type": "websocket.connect"}]))
    (close,) = sent[1:]
    assert (close["type"], close["code"]) == ("websocket.close", 1011)
    assert re.fullmatch("[0-9a-f]{32}", close["reason"])  # the request's id
    assert isinstance(error, AppFailure)


def test_an_error_before_the_accept_is_answered() -> None:
    """Until the handshake is answered an error can still become a problem."""

    async def crash(websocket: WebSocket) -> None:
        raise ValueError("internal detail")

    with (
        pytest.raises(WebSocketDenialResponse) as raised,
        client(ErrorEnvelope(), endpoint=crash, peer="192.0.2.1").websocket_connect("/ws"),
    ):
        pass
    assert raised.value.status_code == 500
    assert raised.value.headers["content-type"] == "application/problem+json"
    assert "internal detail" not in raised.value.text


def test_starlettes_test_client_sees_an_error_before_the_accept() -> None:
    """As it does without the envelope."""

    async def crash(websocket: WebSocket) -> None:
        raise ValueError("internal detail")

    with (
        pytest.raises(ValueError, match="internal detail"),
        client(ErrorEnvelope(), endpoint=crash).websocket_connect("/ws"),
    ):
        pass


def test_a_failing_message_hook_closes_with_1011() -> None:
    """A policy that fails lets nothing through that it has not judged."""

    class Broken(Policy):
        def on_message(self, request: Request, message: Message) -> Message:
            raise AppFailure("broken")

    heard: list[str] = []

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        with suppress(AppFailure):
            heard.append((await receive())["text"])

    events = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "x"}]
    sent, error = asyncio.run(play(mantlet.asgi.Stack(listen, [Broken()]), events))
    assert heard == []
    assert sent[1:] == [{"type": "websocket.close", "code": 1011, "reason": ""}]
    assert isinstance(error, AppFailure)


def test_the_rate_limiter_counts_handshakes() -> None:
    """A handshake over the quota is refused with a 429."""
    limited = client(RateLimiter("1/minute"))
    with limited.websocket_connect("/ws") as connection:
        fields: Any = connection.extra_headers
        assert (b"ratelimit", b'"default";r=0;t=60') in fields
    with (
        pytest.raises(WebSocketDenialResponse) as raised,
        limited.websocket_connect("/ws"),
    ):
        pass
    assert raised.value.status_code == 429


def test_every_policy_hears_the_end_of_a_connection_once() -> None:
    """on_finish comes after the connection has ended."""
    ends: list[str] = []

    class Ends(Policy):
        def on_finish(self, request: Request) -> None:
            ends.append(request.protocol)

    with client(Ends()).websocket_connect("/ws") as connection:
        connection.send_text("x")
        connection.receive_text()
        assert ends == []
    assert ends == ["websocket"]


@pytest.mark.parametrize("code", [999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_a_code_that_no_endpoint_may_send_is_refused(code: int) -> None:
    """RFC 6455, 7.4, keeps some codes from going over the wire."""
    with pytest.raises(ValueError, match=str(code)):
        Close(code)


def test_a_reason_longer_than_a_control_frame_is_refused() -> None:
    """RFC 6455, 5.5: 125 bytes, two of which are the code."""
    with pytest.raises(ValueError, match="123"):
        Close(1008, "é" * 62)
