"""One WebSocket connection under ASGI: the handshake is a request, then messages pass by."""

from collections.abc import Mapping

from mantlet._internal.asgi_types import AsgiMessage, Receive
from mantlet.asgi.http import AsgiExchange
from mantlet.asgi.request import AsgiBody, AsgiRequest
from mantlet.core.error_log import log_error
from mantlet.core.exchange import ResponseClosed
from mantlet.core.policy import Close, Message
from mantlet.core.response import Response
from mantlet.core.response_pipeline import CLOSED
from mantlet.http.headers import BytesHeaders, with_fields

__all__ = ["WebSocketExchange", "WebSocketRequest"]

_DENIAL = "websocket.http.response"
#: RFC 6455, 7.4.1: the server met an unexpected condition.
_INTERNAL_ERROR = 1011
#: RFC 6455, 5.5: bytes of a control frame's payload, without the two of the code.
_LONGEST_REASON = 123


class WebSocketRequest(AsgiRequest):
    """A WebSocket handshake as policies see it."""

    __slots__ = ()

    protocol = "websocket"

    def incoming(self, limit: int, fields: Mapping[str, str] | None = None) -> AsgiBody:
        """Return nothing: a handshake has no body (RFC 6455, 4.1)."""
        nothing = AsgiBody(self.receive)
        nothing.complete = True
        return nothing

    def replace_body(self, body: bytes, *, content_type: str | None = None) -> None:
        """Raise a RuntimeError, since there is nothing to replace."""
        raise RuntimeError("the handshake of a WebSocket has no body to replace")


class WebSocketExchange(AsgiExchange):
    """One WebSocket connection through a stack."""

    _open = _denied = _connected = False
    #: Whether the app, a policy or the client has ended the connection.
    _closed = False
    #: Whether it was a policy, so that the app must be told.
    _cut = False

    def hand_over(self) -> Receive:
        """Hand the request over to the app; return what it receives from."""
        self._head = None
        self._pull = self.request.receive
        return self.receive

    # -- the handshake ----------------------------------------------------------------------------

    def app_response(self) -> Response | None:
        """Return None, since the app's answer is taken as it comes."""
        return None

    def put(self, head: Response | None, chunks: list[bytes], more: bool) -> None:
        """Leave the answer to the handshake, or chunks of a denial's body, to be sent."""
        if head is not None:
            self._out.append(self._handshake(head))
        if self._denied:
            last = len(chunks) - 1
            for index, chunk in enumerate(chunks):
                self._out.append(
                    {"type": f"{_DENIAL}.body", "body": chunk, "more_body": more or index < last}
                )

    def _handshake(self, response: Response) -> AsgiMessage:
        """Return the answer to the handshake: the app's, or a refusal."""
        answer = None if response.reply else self._head
        raw = response.raw
        if self.request._owns_response_headers and self.request._response_headers:
            raw = with_fields(raw, self.request._response_headers)
        if answer is None:
            answer = {"type": "websocket.close", "code": Close().code, "reason": ""}
            if _DENIAL in self.request.raw.get("extensions", ()):
                answer = {"type": f"{_DENIAL}.start", "headers": raw}
        elif raw and answer["type"] != "websocket.close":
            answer = {**answer, "headers": raw}
        self._open = answer["type"] == "websocket.accept"
        self._denied = answer["type"] == f"{_DENIAL}.start"
        return {**answer, "status": response.status} if self._denied else answer

    async def _answer(self, message: AsgiMessage) -> None:
        """Take the app's answer to the handshake: accept, close or a denial."""
        kind = message["type"]
        if kind == f"{_DENIAL}.body":
            waiting = self.feed(message.get("body", b""), message.get("more_body", False))
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
            waiting = self.open()
        if waiting is not None:
            await waiting
        await self.flush()

    async def flush(self) -> None:
        """Send what has been left to be sent."""
        if not self._connected and self.response is not None and self.response.reply:
            # A policy refuses before the app has seen the server's first event, which comes first.
            self._connected = True
            await self.request.receive()
        await super().flush()

    # -- messages ---------------------------------------------------------------------------------

    async def receive(self) -> AsgiMessage:
        """Hand the app the client's next message, or the end of the connection."""
        while not self._cut:
            event = await self._pull()
            self._connected = True
            if event["type"] == "websocket.disconnect":
                self._closed = True
            if event["type"] != "websocket.receive" or not self.stack.on_message:
                return event
            heard = Message(_data(event), "in")
            judged = await self._judge(heard)
            if judged is heard:
                return event
            if isinstance(judged, Close):
                await self._close(judged)
                return {
                    "type": "websocket.disconnect",
                    "code": judged.code,
                    "reason": judged.reason,
                }
            if judged is not None:
                return _event("websocket.receive", judged.data)
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(self, message: AsgiMessage) -> None:
        """Take what the app sends."""
        kind = message["type"]
        if self._cut or (not self._open and self.phase == CLOSED):
            if kind == "websocket.send":
                raise ResponseClosed("the connection has been closed")
        elif not self._open:
            await self._answer(message)
        elif kind == "websocket.send" and self.stack.on_message:
            said = Message(_data(message), "out")
            judged = await self._judge(said)
            if judged is said:
                await self._emit(message)
            elif isinstance(judged, Close):
                await self._close(judged)
            elif judged is not None:
                await self._emit(_event("websocket.send", judged.data))
        elif kind == "websocket.close" and (raised := self.request.state._raised) is not None:
            log_error(self.request, raised, "after the answer had begun")
            await self._close(self._failed())
        else:
            self._closed = kind == "websocket.close"
            await self._emit(message)

    async def _judge(self, message: Message) -> Message | Close | None:
        """Take a message past the policies: inward from outside, outward from inside."""
        hooks = self.stack.on_message
        for hook in hooks if message.direction == "in" else reversed(hooks):
            try:
                judged = hook(self.request, message)
                if judged is not None and not isinstance(judged, (Message, Close)):
                    judged = await judged
            except BaseException as error:
                self.failure = self.failure or error
                raise
            if not isinstance(judged, Message):
                return judged
            message = judged
        return message

    async def _close(self, close: Close) -> None:
        self._closed = self._cut = True
        await self._emit({"type": "websocket.close", "code": close.code, "reason": close.reason})

    async def abort(self, failure: BaseException) -> None:
        """Close a connection whose app has failed."""
        if self._open and not self._closed and isinstance(failure, Exception):
            await self._close(self._failed())

    def _failed(self) -> Close:
        """Return the end of a connection whose app has failed: its reason is the request's id."""
        request_id: str = self.request.state._request_id or ""
        return Close(_INTERNAL_ERROR, request_id if len(request_id) <= _LONGEST_REASON else "")


def _data(event: AsgiMessage) -> str | bytes:
    text: str | None = event.get("text")
    data: bytes | None = event.get("bytes")
    return text if text is not None else data or b""


def _event(kind: str, data: str | bytes) -> AsgiMessage:
    return {"type": kind, "text" if isinstance(data, str) else "bytes": data}
