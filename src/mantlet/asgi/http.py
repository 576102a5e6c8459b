"""One HTTP exchange under ASGI (asgi.readthedocs.io, "HTTP & WebSocket", 2.5)."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mantlet._internal.asgi_types import AsgiMessage, Receive, Send
from mantlet.asgi.request import AsgiRequest
from mantlet.core.exchange import Exchange
from mantlet.core.policy import Reply
from mantlet.core.response import Response
from mantlet.core.response_pipeline import CLOSED, COLLECTING, HOLDING, STREAMING, WAITING, Steps
from mantlet.exceptions import ClientDisconnected, MantletError, NoResponse
from mantlet.http.headers import BytesHeaders, bytes_field, with_fields

__all__ = ["AsgiExchange", "HttpExchange", "sending_fields"]

_FILE_CHUNK = 64 * 1024
_TRAILERS = "http.response.trailers"
_FILES = ("http.response.pathsend", "http.response.zerocopysend")


class AsgiExchange(Exchange):
    """What HTTP and WebSocket exchanges have in common."""

    request: AsgiRequest
    _head: AsgiMessage | None
    _pull: Receive
    _emit: Send
    _out: list[AsgiMessage]

    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the policies further out see."""
        raw = [bytes_field(name, value) for name, value in reply.headers]
        return Response(reply.status, raw, BytesHeaders)

    async def conclude(self, error: BaseException | None) -> None:
        """Answer what is not answered yet: a refusal, or the ``error`` that the app has raised.

        Raises:
            BaseException: what nobody answered.
        """
        waiting: Steps | None
        if self._refusal is not None:
            waiting = self.refuse(self._refusal)
        elif error is not None:
            waiting = self.fail(error)
        else:
            waiting = self.end()
        if waiting is not None:
            await waiting
        await self.flush()
        failure = self.failure
        if failure is not None:
            await self.abort(failure)
            if not isinstance(failure, (NoResponse, ClientDisconnected)):
                raise failure

    def hand_over(self) -> Receive:
        """Hand the request over to the app; return what it receives from."""
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

    _gone = False  # the client, that is

    def hand_over(self) -> Receive:
        """Hand the request over to the app; return what it receives from."""
        self._head = None
        self._file = False
        request = self.request
        request._handed_over = True
        self._pull = request.receive
        return self.receive if self.hears_errors else request.receive

    async def receive(self) -> AsgiMessage:
        """Hand the app what the server has received."""
        if self.phase == HOLDING and self.complete:
            # The app has sent an error answer whole, and may be waiting for the client to go.
            await self._send_held()
        message = await self._pull()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    async def fail(self, error: BaseException) -> None:
        """Hear that the app has raised; `failure` then says whether that is to be raised on."""
        if not self._gone or self.phase >= STREAMING or not isinstance(error, Exception):
            await super().fail(error)
            return
        # Most likely the framework's way to say that the client went away. The server gets it as it
        # is; the policies need not answer, nor log, what nobody waits for.
        gone = ClientDisconnected("the client went away before the app answered")
        gone.__cause__ = error
        await super().fail(gone)
        if self.failure is gone:
            self.failure = error

    def no_answer(self) -> MantletError:
        """Return the error that it is when the app ends without an answer."""
        if self._gone:
            return ClientDisconnected("the client went away before the app answered")
        return super().no_answer()

    async def send(self, message: AsgiMessage) -> None:
        """Take what the app sends."""
        kind = message["type"]
        if kind == "http.response.body":
            more = message.get("more_body", False)
            head = self._head
            if self.phase == STREAMING and (self.response is None or not self.response.filters):
                head = None
            elif (
                self.phase != WAITING
                or head is None
                or self._held is not None
                or (more and not message.get("body"))
                or head["status"] >= self.plain_below
                or self.request.state._raised is not None
            ):
                waiting = self.feed(message.get("body", b""), more)
                if waiting is not None:
                    await waiting
                out, self._out = self._out, []
                for one in out:
                    await self._emit(one)
                return
            self.phase = STREAMING if more else CLOSED
            self.complete = not more
            if head is not None:
                await self._emit(self._with_fields(head))
            await self._emit(message)
        elif kind == "http.response.start" and self.phase == WAITING and self._head is None:
            fields = message.get("headers", ())
            if not isinstance(fields, (list, tuple)):
                message = {**message, "headers": list(fields)}  # it may be read only once
            self._head = message
        else:
            await self._send_other(message, kind)

    def _with_fields(self, head: AsgiMessage) -> AsgiMessage:
        request = self.request
        if request._owns_response_headers and request._response_headers:
            raw = with_fields(head.get("headers", ()), request._response_headers)
            head = dict(head)
            head["headers"] = raw
        return head

    def app_response(self) -> Response | None:
        """Return the app's head as the policies see it, or None where the app has sent none."""
        head = self._head
        if head is None:
            return None
        response = Response(head["status"], head.get("headers", ()), BytesHeaders)
        if self._file:
            response.is_file = True
        if "trailers" in head:
            response.has_trailers = head["trailers"]
        if self.request.raw["method"] == "HEAD":
            response._set_no_body()
        return response

    async def _send_other(self, message: AsgiMessage, kind: str) -> None:
        """Send a file, a trailer, or what a later specification brings, in its order."""
        if self._head is None:
            if self.phase != CLOSED:
                await self._emit(message)  # informational: it comes before the head
            return
        if self.phase == WAITING:
            self._file = kind in _FILES
            waiting = self.open()
            if waiting is not None:
                await waiting
        await self._send_held()
        if kind in _FILES and (self.phase == COLLECTING or self.filters()):
            for chunk in _file_chunks(message):
                await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self.send({**message, "type": "http.response.body"})
        elif self.response is None or not self.response.reply:
            await self._emit(self._with_trailers(message) if kind == _TRAILERS else message)

    def _with_trailers(self, message: AsgiMessage) -> AsgiMessage:
        fields = original = message.get("headers", ())
        for fn in self.response.trailer_filters if self.response else ():
            fields = fn(fields)
        return message if fields is original else {**message, "headers": fields}

    async def _send_held(self) -> None:
        """Send an error answer that is held, since there is nothing to wait for any more."""
        if self.phase == HOLDING:
            await self.release()
        await self.flush()

    def filters(self) -> bool:
        """Return whether a policy filters the body."""
        return self.response is not None and bool(self.response.filters)

    def put(self, head: Response | None, chunks: list[bytes], more: bool) -> None:
        """Leave the head of the answer, chunks of its body, or both, to be sent."""
        out = self._out
        if head is not None:
            raw = head.raw
            start = None if head.reply else self._head
            if start is None:
                start = {"type": "http.response.start", "status": head.status, "headers": raw}
            elif raw is not start.get("headers") or head.status != start["status"]:
                start = {**start, "status": head.status, "headers": raw}
            request = self.request
            if request._owns_response_headers and request._response_headers:
                start = self._with_fields(start)
            out.append(start)
        for chunk in chunks:
            out.append({"type": "http.response.body", "body": chunk, "more_body": True})
        if not more and chunks:
            out[-1]["more_body"] = False


def sending_fields(send: Send, fields: Mapping[bytes, tuple[bytes, bytes]]) -> Send:
    """Return a ``send`` that sets fields in the head of an answer, and changes nothing else."""

    async def sending(message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": with_fields(message.get("headers", ()), fields)}
        await send(message)

    return sending


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
