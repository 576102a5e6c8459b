"""The exchanges under ASGI, in whatever way they go (asgi.readthedocs.io, "HTTP & WebSocket", 2.5).

The usual response to an HTTP request never gets here: see `mantlet.asgi.http`.
"""

import os
from abc import abstractmethod
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.asgi_types import AsgiMessage, Send
from mantlet._internal.disconnects import is_disconnect
from mantlet.asgi.request import AsgiRequest
from mantlet.core.exchange import Exchange
from mantlet.core.response import Reply, Response
from mantlet.core.response_pipeline import (
    AWAITING_BODY,
    BUFFERING,
    CLOSED,
    HELD,
    SEND_END,
    SEND_HEAD,
    STREAMING,
    Steps,
)
from mantlet.exceptions import ClientDisconnected, MantletError, NoResponse
from mantlet.http.headers import LOWER_BYTES, BytesHeaders, replace_headers

if TYPE_CHECKING:
    from mantlet.asgi.http import AsgiHttpRequest

__all__ = ["AsgiExchange", "AsgiHttpExchange", "response_of"]

_FILE_CHUNK = 64 * 1024
_TRAILERS = "http.response.trailers"
_FILES = ("http.response.pathsend", "http.response.zerocopysend")
#: Media types of streams, whose head goes out before the first chunk, with any status.
_STREAMS: Final = frozenset(
    {
        b"text/event-stream",
        b"application/x-ndjson",
        b"application/ndjson",
        b"application/jsonl",
        b"application/json-seq",
    }
)
#: Media types of documents, whose head waits for the first chunk.
_DOCUMENTS: Final = frozenset(
    {
        b"text/html",
        b"text/csv",
        b"text/xml",
        b"application/json",
        b"application/xml",
    }
)


class AsgiExchange(Exchange):
    """The common part of HTTP and WebSocket exchanges."""

    request: AsgiRequest
    _emit: Send
    _out: list[AsgiMessage]
    #: The app's message with the status and headers, where it has sent one.
    _head: AsgiMessage | None = None
    #: Whether a policy's early reply has gone through the hooks already.
    has_replied = False
    #: Whether a policy may have held back messages of a WebSocket.
    holds_messages = False

    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the outer policies see."""
        return response_of(reply)

    async def conclude(self, error: BaseException | None) -> BaseException | None:
        """Send an early reply, or answer the ``error`` that the app has raised, or its silence.

        Returns:
            An exception to raise to the server, or None.
        """
        if self._inward is not None and not self.has_replied:
            waiting = self.reply_early(self._inward)
        elif error is not None:
            waiting = self.app_raised(error)
        else:
            waiting = self.app_ended()
        if waiting is not None:
            await waiting
        await self.flush()
        failure = self.failure
        if failure is not None:
            await self.abort(failure)
            if isinstance(failure, (NoResponse, ClientDisconnected)):
                return None
            if self._is_client_gone(failure):
                return None  # the server would log what the framework raises where it is not caught
        return failure

    @abstractmethod
    def send(self, message: AsgiMessage) -> Awaitable[None]:
        """Take a message that the app sends."""
        raise NotImplementedError

    async def abort(self, failure: BaseException) -> None:
        """End a response or connection that has begun and failed."""

    async def flush(self) -> None:
        """Send the queued messages."""
        out, self._out = self._out, []
        for message in out:
            await self._emit(message)


class AsgiHttpExchange(AsgiExchange):
    """One HTTP request through a stack, from where it stops being usual."""

    request: "AsgiHttpRequest"
    #: Whether the app sends a file for the server to read.
    _is_file = False
    may_raise_late = True

    def begin(self, head: AsgiMessage | None, *, is_sent: bool) -> None:
        """Take what the request has received so far.

        Args:
            head: the app's message with the status and headers, if it has come.
            is_sent: whether the whole response has been sent.
        """
        self._head = head
        if is_sent:
            self.complete = True
            self.advance(SEND_END)

    async def app_raised(self, error: BaseException) -> None:
        """Take note that the app has raised; `failure` is then the error to raise, if any."""
        begun = self.phase >= STREAMING
        if not self.request._is_disconnected or begun or not isinstance(error, Exception):
            await super().app_raised(error)
            return
        # Most likely the framework's way to say that the client has disconnected. Nobody waits for
        # policies to answer or log it; the server gets an exception that may mean something else.
        gone = ClientDisconnected("the client disconnected before the app responded")
        gone.__cause__ = error
        await super().app_raised(gone)
        if not isinstance(error, OSError) and not is_disconnect(error):
            self.failure = error

    def _must_hold(self, response: Response) -> bool:
        """Return whether the app may still raise the error that it has answered."""
        # An app that waits for the client to disconnect may not end before it has its response.
        return not self.request._is_receiving and super()._must_hold(response)

    def no_response(self) -> MantletError:
        """Return the error for an app that ended without a response."""
        if self.request._is_disconnected:
            return ClientDisconnected("the client disconnected before the app responded")
        return super().no_response()

    def send(self, message: AsgiMessage) -> Awaitable[None]:
        """Take a message that the app sends."""
        kind = message["type"]
        if kind == "http.response.body":
            if self.phase is STREAMING and not self._has_filters():
                if not message.get("more_body", False):
                    self.complete = True
                    self.advance(SEND_END)
                return self._emit(message)
            return self._send_body(message)
        if kind == "http.response.start" and self._head is None:
            return self._send_start(message)
        return self._send_other(message, kind)

    async def _send_start(self, message: AsgiMessage) -> None:
        """Take the status and headers; send those of a stream."""
        self._head = message = _with_readable_headers(message)
        if (
            _goes_first(message)
            and self.policy_hooks.sends_heads_first
            and not self.request.state._body_follows
        ):
            await self._send_head_first(message)

    def _send_body(self, message: AsgiMessage) -> Awaitable[None]:
        """Take a chunk of the body, which may be the first, or one that a policy filters."""
        head, more = self._head, message.get("more_body", False)
        if head is None:
            raise RuntimeError("the app sent http.response.body before http.response.start")
        body = message.get("body", b"")
        if (
            self.phase is AWAITING_BODY
            and head["status"] < self.min_status  # no policy looks at it: the app's own messages
            and self._buffered is None
            and (body or not more)
            and self.request.state._raised is None
        ):
            self.complete = not more
            self.advance(SEND_HEAD if more else SEND_END)
            self._out = [self._with_headers(head), message]
            return self.flush()
        return self.finish_steps(self.receive_chunk(body, more))

    async def finish_steps(self, steps: Steps | None) -> None:
        """Run the rest of a step while the app waits, and send the queued messages."""
        if steps is not None:
            await self._wait(steps)
        out, self._out = self._out, []  # as `flush()` does, without another coroutine
        for message in out:
            await self._emit(message)
        self.refuse_discarded()

    async def _wait(self, steps: Steps) -> None:
        """Run steps while the app waits in `send()` or `receive()`, and raise its cancellation."""
        await steps
        failure = self.failure
        if failure is not None and not isinstance(failure, Exception):
            self.failure = None
            raise failure

    async def _send_head_first(self, head: AsgiMessage) -> None:
        """Send the head of a stream before its first chunk."""
        if head["status"] < self.min_status and self.request.state._raised is None:
            self.advance(SEND_HEAD)
            await self._emit(self._with_headers(head))
            return
        await self.finish_steps(self.run_hooks())

    def _with_headers(self, head: AsgiMessage) -> AsgiMessage:
        """Return the status and headers with the headers that policies have added."""
        request = self.request
        if request._own_headers:
            raw = replace_headers(head["headers"], request._own_headers)
            return {**head, "headers": raw}
        return head

    def app_response(self, whole: bytes | None = None) -> Response | None:
        """Return the app's status and headers as a response; None where it has sent none."""
        head = self._head
        if head is None:
            return None
        response = Response(head["status"], head["headers"], BytesHeaders, whole)
        if self._is_file:
            response.is_file = True
        if "trailers" in head:
            response.has_trailers = head["trailers"]
        if self.request.raw["method"] == "HEAD":
            response._set_no_body()
        return response

    async def _send_other(self, unfiltered: AsgiMessage, kind: str) -> None:
        """Send a file, trailers, or a message of a later specification, in its order."""
        self.refuse_discarded()
        message = self._with_texts(unfiltered) if self.policy_hooks.on_text else unfiltered
        if message is None or (kind == _TRAILERS and self._lacks_trailers()):
            return
        if kind == "http.response.start" and (self.response is None or not self.response.reply):
            raise RuntimeError("the app sent a second http.response.start")
        if self._head is None:
            if self.phase is not CLOSED:
                await self._emit(message)  # informational, so before the response
            return
        if self.phase is AWAITING_BODY:
            self._is_file = kind in _FILES
            waiting = self.run_hooks()
            if waiting is not None:
                await self._wait(waiting)
            self.refuse_discarded()
        await self.send_held()
        if kind in _FILES and (self.phase is BUFFERING or self._has_filters()):
            for chunk in _file_chunks(message):
                await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self.send({**message, "type": "http.response.body"})
        elif self.response is None or not self.response.reply:
            await self._emit(self._with_trailers(message) if kind == _TRAILERS else message)

    def _with_texts(self, message: AsgiMessage) -> AsgiMessage | None:
        """Return a message whose texts the policies have seen; None to leave it out."""
        kind = message["type"]
        if kind == "http.response.early_hint":
            links = [self._text(link, "early hint") for link in message.get("links", ())]
            kept = [link for link in links if link is not None]
            return {**message, "links": kept} if kept else None
        if kind == "http.response.push":
            path = self.policy_hooks.filter_text(self.request, message["path"], "push path")
            pairs = message.get("headers", ())
            headers = [(name, self._text(value, "push header")) for name, value in pairs]
            kept_pairs = [pair for pair in headers if pair[1] is not None]
            return None if path is None else {**message, "path": path, "headers": kept_pairs}
        return message

    def _text(self, value: bytes, place: str) -> bytes | None:
        text = bytes(value).decode("latin-1")
        filtered = self.policy_hooks.filter_text(self.request, text, place)
        return None if filtered is None else filtered.encode("latin-1", "replace")

    def _lacks_trailers(self) -> bool:
        """Return whether policies were told that there are no trailers, as none were announced."""
        return bool(self._hooks and self._head is not None and not self._head.get("trailers"))

    def _with_trailers(self, message: AsgiMessage) -> AsgiMessage:
        pairs = original = message.get("headers", ())
        for fn in self.response.trailer_filters if self.response else ():
            pairs = fn(pairs)
        return message if pairs is original else {**message, "headers": pairs}

    async def send_held(self) -> None:
        """Send an error response that is held, since there is nothing left to wait for."""
        await self.finish_steps(self.release() if self.phase is HELD else None)

    def _has_filters(self) -> bool:
        return self.response is not None and bool(self.response.filters)

    def _start_message(
        self, response: Response, head: AsgiMessage, *, with_body: bool
    ) -> AsgiMessage:
        """Return the app's status and headers as they came out of the hooks.

        Args:
            response: the response that came out of the hooks.
            head: the app's own message.
            with_body: whether a chunk of the body is sent at once.
        """
        raw = response._raw if response._headers is None else response._headers.raw
        if raw is not head["headers"] or response.status != head["status"]:
            self.request.state._body_follows = with_body
            head = {**head, "status": response.status, "headers": raw}
        return self._with_headers(head)

    def queue(self, head: Response | None, chunks: list[bytes], more: bool) -> None:
        """Queue the response's status and headers, chunks of its body, or both, to be sent."""
        out = self._out
        if head is not None:
            if head.reply or self._head is None:
                start = {"type": "http.response.start", "status": head.status, "headers": head.raw}
                out.append(self._with_headers(start))
            else:
                out.append(self._start_message(head, self._head, with_body=bool(chunks)))
        if len(chunks) == 1:  # the usual case
            out.append({"type": "http.response.body", "body": chunks[0], "more_body": more})
            return
        for chunk in chunks:
            out.append({"type": "http.response.body", "body": chunk, "more_body": True})
        if not more and chunks:
            out[-1]["more_body"] = False


def response_of(reply: Reply) -> Response:
    """Return a policy's reply as a response."""
    raw = [(LOWER_BYTES[name], value.encode("latin-1")) for name, value in reply.headers]
    body = reply.body
    if reply.status in (204, 304):
        body = b""
    else:
        raw.append((b"content-length", b"%d" % len(body)))
    return Response(reply.status, raw, BytesHeaders, body)


def _with_readable_headers(head: AsgiMessage) -> AsgiMessage:
    """Return the status and headers with headers that can be iterated over more than once."""
    headers = head.get("headers", ())
    if "headers" in head and isinstance(headers, (list, tuple)):
        return head
    return {**head, "headers": list(headers)}


def _goes_first(head: AsgiMessage) -> bool:
    """Return whether a head is not to wait for the first chunk of the body.

    A reader may do something with the head of a stream, such as open an EventSource. A document is
    of no use before its first bytes, so it waits for them: then an app that fails before them gets
    another response.
    """
    status = head["status"]
    try:
        fields = dict(head["headers"])
        if b"content-length" in fields or status in (204, 304):  # the usual case
            return False
        fields = {name.lower(): bytes(value) for name, value in head["headers"]}
    except (TypeError, ValueError, AttributeError):  # malformed, which a policy may fix
        return False
    if b"content-length" in fields:
        return False
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind in _STREAMS:
        return True
    return status < 400 and kind not in _DOCUMENTS and not kind.endswith((b"+json", b"+xml"))


def _file_chunks(message: AsgiMessage) -> Iterator[bytes]:
    """Read the file of a pathsend or zerocopysend message, for policies that filter the body."""
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
            chunk = _read_at(descriptor, size, offset)
            offset += len(chunk)
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        yield chunk


def _read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read a part of an open file; its position stays as it is, except on Windows."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)
