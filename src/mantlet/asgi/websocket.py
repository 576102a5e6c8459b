"""One WebSocket connection under ASGI: the handshake is a request, then messages pass by."""

from mantlet.asgi.http import AsgiExchange
from mantlet.headers import BytesHeaders
from mantlet.policy import Close, Message, Response
from mantlet.stack import AnswerEnded
from mantlet.types import AsgiMessage, Receive

__all__ = ["WebSocketExchange"]

_DENIAL = "websocket.http.response"
#: RFC 6455, 7.4.1: the server met an unexpected condition.
_INTERNAL_ERROR = 1011


class WebSocketExchange(AsgiExchange):
    """One WebSocket connection through a stack."""

    __slots__ = ("_answer", "_closed", "_open", "_pull")

    async def _call(self) -> None:
        self._pull: Receive = self.request.hand_over()
        self._answer: AsgiMessage = {}
        self._open = self._closed = False
        try:
            await self._stack.app(self.request.scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001  # run() raises what is not answered
            await self.fail(error)
        else:
            await self.end()
        if self._open and not self._closed and isinstance(self.failure, Exception):
            await self._close(Close(_INTERNAL_ERROR))

    # -- the handshake ----------------------------------------------------------------------------

    async def send_head(self, response: Response) -> None:
        """Send the answer to the handshake."""
        if response.reply:
            if self._refusal is not None:
                await self.request.hand_over()()  # websocket.connect, which must come first
            if _DENIAL in self.request.scope.get("extensions", {}):
                await self._send(
                    {
                        "type": f"{_DENIAL}.start",
                        "status": response.status,
                        "headers": response.headers.raw,
                    }
                )
            else:
                await self._send({"type": "websocket.close", "code": Close().code, "reason": ""})
            return
        answer = self._answer
        if answer["type"] == f"{_DENIAL}.start":
            answer = {**answer, "status": response.status}
        if response.headers.edited and answer["type"] != "websocket.close":
            answer = {**answer, "headers": response.headers.raw}
        self._open = answer["type"] == "websocket.accept"
        await self._send(answer)

    async def send_chunk(self, chunk: bytes, more: bool) -> None:
        """Send a chunk of the body of a denial."""
        if _DENIAL in self.request.scope.get("extensions", {}):
            await self._send({"type": f"{_DENIAL}.body", "body": chunk, "more_body": more})

    async def _answer_with(self, message: AsgiMessage) -> None:
        """Take the app's answer to the handshake: accept, close or a denial."""
        kind = message["type"]
        if kind == f"{_DENIAL}.body":
            await self.feed(message.get("body", b""), message.get("more_body", False))
            return
        self._answer = message
        headers = BytesHeaders(message.get("headers", ()))
        if kind == f"{_DENIAL}.start":
            self.response = Response(message["status"], headers)
            return
        self.response = Response(101 if kind == "websocket.accept" else 403, headers, whole=b"")
        self.complete = True
        await self.open()

    # -- messages ---------------------------------------------------------------------------------

    async def receive(self) -> AsgiMessage:
        """Hand the app the client's next message, or the end of the connection."""
        while not self._closed:
            event = await self._pull()
            if event["type"] == "websocket.disconnect":
                self._closed = True
            if event["type"] != "websocket.receive" or not self._stack.on_message:
                return event
            judged = await self._judge(Message(_data(event), "in"))
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
        if not self._open:
            if self.phase == self.CLOSED:
                if kind == "websocket.send":
                    raise AnswerEnded("the handshake has been refused by a policy")
                return
            await self._answer_with(message)
        elif self._closed:
            if kind == "websocket.send":
                raise AnswerEnded("the connection has been closed")
        elif kind == "websocket.send" and self._stack.on_message:
            judged = await self._judge(Message(_data(message), "out"))
            if isinstance(judged, Close):
                await self._close(judged)
            elif judged is not None:
                await self._send(_event("websocket.send", judged.data))
        else:
            self._closed = kind == "websocket.close"
            await self._send(message)

    async def _judge(self, message: Message) -> Message | Close | None:
        """Take a message past the policies: inward from outside, outward from inside."""
        hooks = self._stack.on_message
        for hook in hooks if message.direction == "in" else reversed(hooks):
            try:
                judged = hook(self.request, message)
                if judged is not None and not isinstance(judged, (Message, Close)):
                    judged = await judged
                if not isinstance(judged, Message):
                    return judged
            except BaseException as error:
                self.failure = self.failure or error
                raise
            message = judged
        return message

    async def _close(self, close: Close) -> None:
        self._closed = True
        await self._send({"type": "websocket.close", "code": close.code, "reason": close.reason})


def _data(event: AsgiMessage) -> str | bytes:
    text: str | None = event.get("text")
    data: bytes | None = event.get("bytes")
    return text if text is not None else data or b""


def _event(kind: str, data: str | bytes) -> AsgiMessage:
    return {"type": kind, "text" if isinstance(data, str) else "bytes": data}
