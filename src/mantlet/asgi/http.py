"""One HTTP exchange under ASGI (asgi.readthedocs.io, "HTTP & WebSocket", 2.5)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mantlet.asgi.request import AsgiRequest
from mantlet.exceptions import ClientDisconnected, NoAnswer
from mantlet.headers import BytesHeaders
from mantlet.policy import Reply, Response
from mantlet.stack import BaseStack, Exchange, Refusal
from mantlet.types import AsgiApp, AsgiMessage, Send

__all__ = ["AsgiExchange", "HttpExchange"]

_FILE_CHUNK = 64 * 1024
_FILES = ("http.response.pathsend", "http.response.zerocopysend")


class AsgiExchange(Exchange):
    """What HTTP and WebSocket exchanges have in common.

    Args:
        stack: the app with its policies.
        request: the request.
        send: the server's.
        refusal: how the inward pass ended where it did not reach the app, else None.
    """

    __slots__ = ("_ran", "_refusal", "_send", "_stack")

    request: AsgiRequest

    def __init__(
        self, stack: BaseStack[AsgiApp], request: AsgiRequest, send: Send, refusal: Refusal | None
    ) -> None:
        count = len(stack.policies)
        super().__init__(stack, request, count if refusal is None else refusal.index)
        self._ran = count if refusal is None else refusal.index + 1
        self._stack = stack
        self._send = send
        self._refusal = refusal

    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the policies further out see."""
        headers = BytesHeaders()
        for name, value in reply.headers:
            headers.append(name, value)
        return Response(reply.status, headers, whole=reply.body, reply=True)

    async def run(self) -> None:
        """Answer the request, by the app or in its place; raise what nobody answered."""
        try:
            if self._refusal is not None:
                await self.refuse(self._refusal)
            else:
                await self._call()
            failure = self.failure
            if failure is not None and not isinstance(failure, (NoAnswer, ClientDisconnected)):
                raise failure
        except BaseException as error:
            await self._stack.finish(self._ran, self.request, error)
            raise
        await self._stack.finish(self._ran, self.request, failure)

    async def _call(self) -> None:
        raise NotImplementedError


class HttpExchange(AsgiExchange):
    """One HTTP request through a stack."""

    __slots__ = ("_head", "_pull")

    async def _call(self) -> None:
        self._head: AsgiMessage | None = None
        self._pull = self.request.hand_over()
        # An answer of 400 and above may be waiting while the app waits for the client to go.
        receive = self.receive if self.hears_errors else self._pull
        try:
            await self._stack.app(self.request.scope, receive, self.send)
        except BaseException as error:  # noqa: BLE001  # run() raises what is not answered
            await self.fail(error)
        else:
            await self.end()

    async def receive(self) -> AsgiMessage:
        """Hand the app what the server has received."""
        if self.complete and self.phase == self.WAITING:
            await self.open()
        return await self._pull()

    async def send(self, message: AsgiMessage) -> None:
        """Take what the app sends."""
        kind = message["type"]
        if kind == "http.response.body":
            response = self.response
            if self.phase == self.STREAMING and response is not None and not response.filters:
                await self._send(message)
            else:
                await self.feed(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.start":
            if self.phase == self.WAITING:
                if self._head is not None:
                    raise RuntimeError("the app sent http.response.start twice")
                self._head = message
                self.response = Response(
                    message["status"],
                    BytesHeaders(message.get("headers", ())),
                    bodiless=self.request.scope["method"] == "HEAD",
                )
            elif self.phase == self.STREAMING:
                await self._send(message)
        else:
            await self._send_other(message, kind)

    async def _send_other(self, message: AsgiMessage, kind: str) -> None:
        """Send a file, a trailer, or what a later specification brings, in its order."""
        if self._head is None:
            await self._send(message)  # informational: it comes before the head
            return
        if self.phase == self.WAITING:
            await self.open()
        if kind in _FILES and (self.phase == self.COLLECTING or self._filters()):
            for chunk in _file_chunks(message):
                await self.feed(chunk, True)
            await self.feed(b"", message.get("more_body", False))
        elif self.phase == self.STREAMING or not (self.response and self.response.reply):
            await self._send(message)

    def _filters(self) -> bool:
        return self.phase == self.STREAMING and bool(self.response and self.response.filtering)

    async def send_head(self, response: Response) -> None:
        """Send the head of the answer."""
        head = self._head if not response.reply else None
        if head is None:
            head = {
                "type": "http.response.start",
                "status": response.status,
                "headers": response.headers.raw,
            }
        elif response.headers.edited or response.status != head["status"]:
            head = {**head, "status": response.status, "headers": response.headers.raw}
        await self._send(head)

    async def send_chunk(self, chunk: bytes, more: bool) -> None:
        """Send a chunk of the answer's body."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})


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
