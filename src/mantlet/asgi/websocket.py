"""One WebSocket connection under ASGI: the handshake is a request, then come messages."""

from collections.abc import Iterable, Mapping, Sequence
from time import time
from typing import Any, cast

from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send
from mantlet._internal.event_loop import run_for, sleep
from mantlet.asgi.exchange import AsgiExchange
from mantlet.asgi.request import AsgiBody, AsgiRequest
from mantlet.core.body import SpooledBody
from mantlet.core.error_log import log_error
from mantlet.core.exchange import ResponseClosed
from mantlet.core.policy import Close, Message, MessageResult
from mantlet.core.response import Response
from mantlet.core.response_pipeline import CLOSED
from mantlet.core.stack import InwardResult, PolicyHooks
from mantlet.http.headers import BytesHeaders, replace_headers

__all__ = ["WebSocketExchange", "WebSocketRequest"]

_DENIAL = "websocket.http.response"
#: RFC 6455, 7.4.1: the server met an unexpected condition.
_INTERNAL_ERROR = 1011
#: RFC 6455, 5.5: the payload of a control frame, without the two bytes of the code.
_LONGEST_REASON = 123


class WebSocketRequest(AsgiRequest):
    """A WebSocket handshake as policies see it."""

    __slots__ = ("_exchange", "_receive", "_send")

    #: What answers the handshake, and the app's ``receive`` and ``send``.
    _exchange: "WebSocketExchange | None"
    _receive: Receive
    _send: Send

    protocol = "websocket"
    _is_sent = False  # `_is_over()` tells

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._deadline = None

    def _begin(self, hooks: PolicyHooks[Any], send: Send, result: InwardResult | None) -> None:
        """Begin the exchange; see `AsgiHttpRequest._begin()`."""
        if self._own_headers is not None:
            self.state._response_headers = self._own_headers
        exchange = self._exchange = WebSocketExchange(hooks, self, send, result)
        self._receive = exchange.receive
        self._send = exchange.send

    async def _reply(self, result: InwardResult) -> BaseException | None:
        """Send a policy's reply in the app's place; see `AsgiHttpRequest._reply()`."""
        return await self._conclude(None)

    def _is_over(self) -> bool:
        """Return whether the connection is over, and nothing is left to do."""
        exchange = self._exchange
        if exchange is None:
            return True
        return exchange.phase is CLOSED and not (exchange.failure or exchange.holds_messages)

    async def _conclude(self, error: BaseException | None) -> BaseException | None:
        """Answer the ``error`` that the app has raised, or its silence."""
        return None if self._exchange is None else await self._exchange.conclude(error)

    def _end(self) -> None:
        """Take note that the exchange has ended."""
        self._exchange = None  # which refers to this request, as these two do
        del self._receive, self._send

    def incoming(self, limit: int, headers: Mapping[str, str] | None = None) -> AsgiBody:
        """Return an empty body: a handshake has none (RFC 6455, 4.1)."""
        body = AsgiBody()
        body.receive = self.receive
        body.complete = True
        return body

    async def pause(self, seconds: float) -> None:
        """Wait for some seconds; a client that disconnects meanwhile is not noticed."""
        await sleep(seconds)

    def replace_body(self, body: bytes | SpooledBody, *, content_type: str | None = None) -> None:
        """Raise a RuntimeError, since a handshake has no body."""
        raise RuntimeError("the handshake of a WebSocket has no body to replace")


class WebSocketExchange(AsgiExchange):
    """One WebSocket connection through a stack."""

    #: Whether the connection was accepted, or denied with an HTTP response.
    _open = _denied = False
    #: Whether the server's first event has been received.
    _connected = False
    #: Whether the app, a policy or the client has closed the connection.
    _closed = False
    #: Whether a policy has, so that the app must be told.
    _closed_by_policy = False

    # -- the handshake ----------------------------------------------------------------------------

    def app_response(self, whole: bytes | None = None) -> Response | None:
        """Return None, since the response is set from the app's message as it comes."""
        return None

    def queue(self, head: Response | None, chunks: list[bytes], more: bool) -> None:
        """Queue the response to the handshake, or chunks of a denial's body, to be sent."""
        if head is not None:
            self._out.append(self._handshake(head))
        if self._denied:
            last = len(chunks) - 1
            for index, chunk in enumerate(chunks):
                self._out.append(
                    {"type": f"{_DENIAL}.body", "body": chunk, "more_body": more or index < last}
                )

    def _handshake(self, response: Response) -> AsgiMessage:
        """Return the message that answers the handshake: the app's, or a refusal."""
        message = None if response.reply else self._head
        raw = response.raw
        if self.request._own_headers:
            raw = replace_headers(raw, self.request._own_headers)
        if message is None:
            message = {"type": "websocket.close", "code": Close().code, "reason": ""}
            if _DENIAL in self.request.raw.get("extensions", ()):
                message = {"type": f"{_DENIAL}.start", "headers": raw}
        else:
            message = self._with_text(message)
            if raw and message["type"] != "websocket.close":
                message = {**message, "headers": raw}
        self._open = message["type"] == "websocket.accept"
        self._denied = message["type"] == f"{_DENIAL}.start"
        return {**message, "status": response.status} if self._denied else message

    async def _take_handshake_response(self, message: AsgiMessage) -> None:
        """Take the app's response to the handshake: accept, close or a denial."""
        kind = message["type"]
        if kind == f"{_DENIAL}.body":
            waiting = self.receive_chunk(message.get("body", b""), message.get("more_body", False))
        else:
            self._head = message
            fields = message.get("headers", ())
            if kind == f"{_DENIAL}.start":
                self.response = Response(message["status"], fields, BytesHeaders)
                return
            status = 101 if kind == "websocket.accept" else 403
            self.response = Response(status, fields, BytesHeaders)
            self.response._set_no_body()
            self.complete = True
            waiting = self.run_hooks()
        if waiting is not None:
            await waiting
        await self.flush()

    async def flush(self) -> None:
        """Send the queued messages."""
        if not self._connected and self.response is not None and self.response.reply:
            # A policy refuses before the app has received the server's first event.
            self._connected = True
            await self.request.receive()
        await super().flush()

    # -- messages ---------------------------------------------------------------------------------

    async def receive(self) -> AsgiMessage:
        """Return the client's next message, or the end of the connection, to the app."""
        request = self.request
        while not self._closed_by_policy:
            deadline = request._deadline
            if deadline is None:
                event = await request.receive()
            else:
                in_time = await self._receive_until(deadline[0])
                if in_time is None:
                    return await self._end(deadline[1])
                event = in_time
            self._connected = True
            if event["type"] == "websocket.disconnect":
                self._closed = True
            if event["type"] != "websocket.receive" or not self.policy_hooks.on_message:
                return event
            incoming = Message(_data(event), "in")
            result = await self._run_hooks_inwards(incoming)
            if result is incoming:
                return event
            if isinstance(result, Close):
                return await self._end(result)
            if result is not None:
                return _event("websocket.receive", result.data)
        return {"type": "websocket.disconnect", "code": 1006}

    async def _receive_until(self, deadline: float) -> AsgiMessage | None:
        """Return the server's next event, None if the connection is to be closed instead.

        The ``receive`` that is canceled at the deadline is called again only where there is no
        connection to close, so no message is lost.
        """
        receive = self.request.receive
        event = None
        if not self._closed:
            event = await run_for(deadline - time(), receive)
        if self._closed or not self._open:
            return event or await receive()
        is_late = event is not None and event["type"] == "websocket.receive" and self._overdue()
        return None if is_late else event

    def _overdue(self) -> Close | None:
        """Return how to close the connection if its deadline has passed; else None."""
        deadline = self.request._deadline
        return deadline[1] if deadline is not None and time() >= deadline[0] else None

    async def _end(self, close: Close) -> AsgiMessage:
        """Close the connection, and return what the app gets in place of a message."""
        await self._close(close)
        return {"type": "websocket.disconnect", "code": close.code, "reason": close.reason}

    async def send(self, message: AsgiMessage) -> None:
        """Take a message that the app sends."""
        kind = message["type"]
        if self._closed_by_policy or (not self._open and self.phase is CLOSED):
            if kind == "websocket.send":
                raise ResponseClosed("the connection has been closed")
        elif not self._open:
            if kind == "websocket.accept" and (close := self._overdue()):
                message = _closing(close)
            await self._take_handshake_response(message)
        elif kind == "websocket.send" and (close := self._overdue()):
            await self._close(close)
        elif kind == "websocket.send" and self.policy_hooks.on_message:
            await self._send_message(message)
        elif kind == "websocket.close" and (raised := self.request.state._raised) is not None:
            log_error(self.request, raised, "after the response had begun")
            await self._close(self._failed())
        else:
            if kind == "websocket.close":
                await self._send_held_messages()
                if self._closed:
                    return
                self._closed = True
            await self._emit(self._with_text(message))

    async def _send_message(self, event: AsgiMessage) -> None:
        """Send a message of the app, as the policies have it."""
        outgoing = Message(_data(event), "out")
        hooks = reversed(self.policy_hooks.on_message)
        messages, close = await self._run_hooks_outwards((outgoing,), hooks)
        for message in messages:
            kept = message is outgoing
            await self._emit(event if kept else _event("websocket.send", message.data))
        if close is not None:
            await self._close(close)

    def _with_text(self, message: AsgiMessage) -> AsgiMessage:
        """Return a message whose reason or subprotocol the policies have seen."""
        hooks = self.policy_hooks
        if hooks.on_text:
            reason, protocol = message.get("reason"), message.get("subprotocol")
            # FastAPI closes with a list of errors, which no server can send.
            if message["type"] == "websocket.close" and reason and isinstance(reason, str):
                text = hooks.filter_text(self.request, reason, "close reason")
                return {**message, "reason": text or ""}
            # One that the client has offered is the client's own text (RFC 6455, 4.2.2).
            if protocol and protocol not in self.request.raw.get("subprotocols", ()):
                text = hooks.filter_text(self.request, protocol, "subprotocol")
                return {**message, "subprotocol": text}
        return message

    async def _run_hooks_inwards(self, message: Message) -> Message | Close | None:
        """Run the message hooks on a message of the client, the outermost policy first."""
        for hook in self.policy_hooks.on_message:
            result = await self._run_hook(hook, message)
            if not isinstance(result, Message):
                if isinstance(result, tuple):
                    raise TypeError("on_message must return one message at most on the way in")
                return result
            message = result
        return message

    async def _run_hooks_outwards(
        self, messages: Sequence[Message], hooks: Iterable[Any]
    ) -> tuple[Sequence[Message], Close | None]:
        """Run message hooks on messages of the app, the innermost policy first.

        Returns:
            The messages to send, and how to close the connection after them, if at all.
        """
        close = None
        for hook in hooks:
            passed: list[Message] = []
            for message in messages:
                result = await self._run_hook(hook, message)
                if isinstance(result, Message):
                    passed.append(result)
                elif isinstance(result, Close):
                    close = result
                    break
                elif result is not None:
                    self.holds_messages = True
                    passed += result
            messages = passed
        return messages, close

    async def _run_hook(self, hook: Any, message: Message) -> MessageResult:
        try:
            result = hook(self.request, message)
            if result is not None and not isinstance(result, (Message, Close, tuple)):
                result = await result
        except Exception as error:  # no cancellation, since apps may stop to wait for a message
            self.failure = self.failure or error
            raise
        return cast("MessageResult", result)

    async def _send_held_messages(self) -> None:
        """Send the messages that policies have held back, before the connection ends."""
        if not self.holds_messages or not self._open or self._closed:
            return
        self.holds_messages = False
        for on_close, outer_hooks in self.policy_hooks.on_close:
            held = on_close(self.request)
            messages, close = await self._run_hooks_outwards(held, outer_hooks)
            for one in messages:
                await self._emit(_event("websocket.send", one.data))
            if close is not None:
                await self._close(close)
                return

    async def conclude(self, error: BaseException | None) -> BaseException | None:
        """Send what is held, and answer the ``error`` that the app has raised, or its silence."""
        await self._send_held_messages()
        return await super().conclude(error)

    async def _close(self, close: Close) -> None:
        await self._send_held_messages()
        if not self._closed:
            self._closed = self._closed_by_policy = True
            await self._emit(_closing(close))

    async def abort(self, failure: BaseException) -> None:
        """Close a connection whose app has failed."""
        if self._open and not self._closed and isinstance(failure, Exception):
            await self._close(self._failed())

    def _failed(self) -> Close:
        """Return the close of a connection whose app has failed, with the request id as reason."""
        request_id: str = self.request.state._request_id or ""
        return Close(_INTERNAL_ERROR, request_id if len(request_id) <= _LONGEST_REASON else "")


def _closing(close: Close) -> AsgiMessage:
    return {"type": "websocket.close", "code": close.code, "reason": close.reason}


def _data(event: AsgiMessage) -> str | bytes:
    text: str | None = event.get("text")
    data: bytes | None = event.get("bytes")
    return text if text is not None else data or b""


def _event(kind: str, data: str | bytes) -> AsgiMessage:
    return {"type": kind, "text" if isinstance(data, str) else "bytes": data}
