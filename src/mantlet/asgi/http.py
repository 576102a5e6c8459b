"""One HTTP exchange under ASGI (asgi.readthedocs.io, "HTTP & WebSocket", 2.5)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mantlet.asgi.request import AsgiRequest
from mantlet.exceptions import ClientDisconnected, NoAnswer
from mantlet.exchange import CLOSED, COLLECTING, STREAMING, WAITING, Exchange
from mantlet.headers import BytesHeaders
from mantlet.policy import Reply, Response
from mantlet.types import AsgiMessage, Receive, Send

__all__ = ["AsgiExchange", "HttpExchange"]

_FILE_CHUNK = 64 * 1024
_FILES = ("http.response.pathsend", "http.response.zerocopysend")


class AsgiExchange(Exchange):
    """What HTTP and WebSocket exchanges have in common."""

    __slots__ = ("_head", "_pull")

    request: AsgiRequest
    _emit: Send
    _out: list[AsgiMessage]

    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the policies further out see."""
        headers = BytesHeaders()
        for name, value in reply.headers:
            headers.append(name, value)
        return Response.of(reply, headers)

    async def run(self) -> None:
        """Answer the request, by the app or in its place; raise what nobody answered."""
        self._head: AsgiMessage | None = None
        try:
            refusal = self._refusal
            if refusal is None:
                self._pull: Receive = self.request.hand_over()
                try:
                    await self.stack.app(self.request.carrier, self.receiver(), self.send)
                except BaseException as error:  # noqa: BLE001  # raised below if not answered
                    await self.fail(error)
                else:
                    waiting = self.end()
                    if waiting is not None:
                        await waiting
            else:
                waiting = self.refuse(refusal)
                if waiting is not None:
                    await waiting
            if self._out:
                await self.flush()
            failure = self.failure
            if failure is not None:
                await self.abort(failure)
                if not isinstance(failure, (NoAnswer, ClientDisconnected)):
                    raise failure
        finally:
            waiting = self.stack.finish(self.request, self._refusal)
            if waiting is not None:
                await waiting

    def receiver(self) -> Receive:
        """Return what the app receives from."""
        raise NotImplementedError

    async def send(self, message: AsgiMessage) -> None:
        """Take what the app sends."""
        raise NotImplementedError

    async def abort(self, failure: BaseException) -> None:
        """End what has begun, since it has failed."""

    async def flush(self) -> None:
        """Send what has been left to be sent."""
        out, self._out = self._out, []
        for message in out:
            await self._emit(message)


class HttpExchange(AsgiExchange):
    """One HTTP request through a stack."""

    __slots__ = ()

    def receiver(self) -> Receive:
        """Return what the app receives from."""
        return self.receive if self.hears_errors else self._pull

    async def receive(self) -> AsgiMessage:
        """Hand the app what the server has received."""
        if self.complete and self.phase == WAITING:
            # The app has sent an error answer whole, and may be waiting for the client to go.
            waiting = self.open()
            if waiting is not None:
                await waiting
            await self.flush()
        return await self._pull()

    async def send(self, message: AsgiMessage) -> None:
        """Take what the app sends."""
        kind = message["type"]
        if kind == "http.response.body":
            if self.phase == STREAMING and not self.filters():
                await self._emit(message)
                return
            waiting = self.feed(message.get("body", b""), message.get("more_body", False))
            if waiting is not None:
                await waiting
            if self._out:
                out, self._out = self._out, []
                for event in out:
                    await self._emit(event)
        elif kind == "http.response.start" and self.phase == WAITING and self._head is None:
            self._head = message
            response = Response(message["status"], BytesHeaders(message.get("headers", ())))
            if self.request.carrier["method"] == "HEAD":
                response.has_no_body()
            self.response = response
        else:
            await self._send_other(message, kind)

    async def _send_other(self, message: AsgiMessage, kind: str) -> None:
        """Send a file, a trailer, or what a later specification brings, in its order."""
        if self._head is None:
            if self.phase != CLOSED:
                await self._emit(message)  # informational: it comes before the head
            return
        if self.phase == WAITING:
            waiting = self.open()
            if waiting is not None:
                await waiting
            await self.flush()
        if kind in _FILES and (self.phase == COLLECTING or self.filters()):
            for chunk in _file_chunks(message):
                await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self.send({**message, "type": "http.response.body"})
        elif self.response is None or not self.response.reply:
            await self._emit(message)

    def filters(self) -> bool:
        """Return whether a policy filters the body."""
        return self.response is not None and bool(self.response.filters)

    def put_head(self, response: Response) -> None:
        """Leave the head of the answer to be sent."""
        head = self._head
        if response.reply or head is None:
            head = {
                "type": "http.response.start",
                "status": response.status,
                "headers": response.headers.raw,
            }
        elif response.headers.edited or response.status != head["status"]:
            head = {**head, "status": response.status, "headers": response.headers.raw}
        self._out.append(head)

    def put_chunk(self, chunk: bytes, more: bool) -> None:
        """Leave a chunk of the answer's body to be sent."""
        self._out.append({"type": "http.response.body", "body": chunk, "more_body": more})


def _file_chunks(message: AsgiMessage) -> Iterator[bytes]:
    """Read the file of a pathsend or zerocopysend message, for the policies that filter bodies."""
    if message["type"] == "http.response.pathsend":
        with Path(message["path"]).open("rb") as file:
            while chunk := file.read(_FILE_CHUNK):
                yield chunk
        return
    descriptor: Any = message["file"]
    descriptor = descriptor if isinstance(descriptor, int) else descriptor.fileno()
    offset, left = message.get("offset"), message.get("count")
    while left is None or left > 0:
        size = _FILE_CHUNK if left is None else min(_FILE_CHUNK, left)
        if offset is None:
            chunk = os.read(descriptor, size)
        else:
            chunk = os.pread(descriptor, size, offset)
            offset += len(chunk)
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        yield chunk
