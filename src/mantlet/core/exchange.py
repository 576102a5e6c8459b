"""One exchange through a stack, the same under both protocols, without I/O.

An adapter reports the app's calls to the exchange; the exchange runs the response hooks and hands
the adapter the messages to send, by `queue()`. Nearly always that is done when a call returns.
Where a hook has to wait, the call returns a coroutine instead: the ASGI adapter awaits it, and the
WSGI adapter runs it to its end with `run_sync()`.
"""

from abc import abstractmethod
from collections.abc import Awaitable
from typing import Any, Final

from mantlet._internal.coroutines import start_eagerly
from mantlet._internal.disconnects import is_disconnect
from mantlet._internal.exception_chain import walk_chain
from mantlet.core.body_filters import SLICE, apply_filters, join_pieces
from mantlet.core.error_log import log_disconnect, log_error
from mantlet.core.problem import Problem
from mantlet.core.ranges import send_whole
from mantlet.core.request import Request
from mantlet.core.rerun import Discarded
from mantlet.core.response import DIGESTS, VALIDATORS, Filter, Filtered, Reply, Response
from mantlet.core.response_pipeline import (
    AWAITING_BODY,
    BUFFERING,
    FAIL,
    HELD,
    SEND_END,
    SEND_HEAD,
    STREAMING,
    ResponsePipeline,
    Steps,
)
from mantlet.core.stack import InwardResult, PolicyHooks
from mantlet.exceptions import ClientDisconnected, MantletError, NoResponse, ResponseTooLarge

__all__ = ["Exchange", "ResponseClosed"]

#: Chunks of an app whose response was closed that are dropped before it is stopped.
MAX_DROPPED_CHUNKS: Final = 1024
#: Chunks that are buffered one by one; later ones are joined.
MAX_BUFFERED_CHUNKS: Final = 1024
#: For a server whose client has disconnected: some log an app that gives them no response.
_UNREAD: Final = Reply(400)


class ResponseClosed(OSError):
    """Raised into an app that keeps sending after a policy has closed its response.

    An OSError, since ASGI apps expect one from ``send`` when the client has disconnected.
    """


class Exchange(ResponsePipeline):
    """One request's response on its way out.

    The app's status and headers wait for the first bytes of its body, since until then the app may
    still raise, unless they are those of a stream under ASGI. Then the response hooks run, the
    innermost policy's first. If one of them asks for the whole body, its coroutine is suspended
    while the body is buffered, and resumed at its end.

    Args:
        hooks: the policies' hooks, and the app.
        request: the request.
        emit: the server's callable to send the response with.
        result: how the request hooks ended where they did not reach the app, else None.

    Attributes:
        failure: an exception that no policy answered, to be raised to the server.
        min_status: responses with a lower status are of interest to no policy, unless a framework
            has signalled an exception.
    """

    failure: BaseException | None
    _dropped = 0
    # Whether the body went through the filters as a whole.
    _filtered_whole = False
    # Whether a response that was held is on its way.
    _released = False
    # Whether a filter of the streamed body, or a pause after it, is being awaited.
    _is_filtering = False
    # Number of bytes of the streamed body that were filtered since other tasks last ran.
    _since_pause = 0

    # Any: the server's callable and the queued messages in the adapter's own form.
    def __init__(
        self, hooks: PolicyHooks[Any], request: Request, emit: Any, result: InwardResult | None
    ) -> None:
        self._hooks, self.has_error_hooks, self.min_status = hooks.on_response[
            -1 if result is None else result.index
        ]
        self.request = request
        self.response = self._buffered = self.failure = None
        self.complete = False
        self._size = 0
        self.policy_hooks = hooks
        self._emit = emit
        self._inward = result
        self._out: list[Any] = []

    # -- provided by an adapter --------------------------------------------------------------------

    @abstractmethod
    def queue(self, head: Response | None, chunks: list[bytes], more: bool) -> None:
        """Queue the response's status and headers, chunks of its body, or both, to be sent."""
        raise NotImplementedError

    # -- called by an adapter ----------------------------------------------------------------------

    def receive_chunk(self, chunk: bytes, more: bool) -> Steps | None:
        """Take a chunk of the app's body.

        Raises:
            ResponseClosed: a policy has closed the response, and the app sends without end. An app
                that finishes in reasonable time is left to it, since it may have to clean up.
            RuntimeError: the app's own response is over.
        """
        if type(chunk) is not bytes:
            chunk = _as_bytes(chunk)
        if self._is_filtering:
            return self._receive_in_turn(chunk, more)
        phase = self.phase
        if phase is AWAITING_BODY:
            if self._buffered is None and not more:  # most responses are one chunk
                self._buffered = [chunk]
                self._size = len(chunk)
                self.complete = True
                return self.run_hooks()
            self._buffer(chunk, more)
            return self.run_hooks() if chunk or not more else None
        waiting: Steps | None = None
        if phase is STREAMING:
            waiting = self._forward(chunk, more)
        elif phase is BUFFERING:
            waiting = self._receive_while_suspended(chunk, more)
        elif phase is not HELD:
            self._drop(more)
        elif chunk or more or self.complete:
            waiting = self._receive_after_held(chunk, more)
        else:
            self._buffer(chunk, more)  # the end of a body that was known to be whole
        return waiting

    @property
    def is_discarded(self) -> bool:
        """Whether a policy has discarded the response, and the request is to be run again."""
        return isinstance(self.failure, Discarded)

    def refuse_discarded(self) -> None:
        """Stop the app of a discarded response.

        Raises:
            ResponseClosed: the response has been discarded.
        """
        if self.is_discarded:
            raise ResponseClosed("the response has been discarded: the request is run again")

    def _drop(self, more: bool) -> None:
        """Take a chunk of a response that is closed."""
        response = self.response
        if self.complete and self.failure is None and (response is None or not response.reply):
            raise RuntimeError("the app sent more of a body after its end")
        if more:
            self._dropped += 1
            if self._dropped > MAX_DROPPED_CHUNKS:
                raise ResponseClosed("the response has been closed")

    def _receive_while_suspended(self, chunk: bytes, more: bool) -> Steps | None:
        """Take a chunk of a body whose end a hook waits for."""
        if self.response is not None and self._filtered_by:
            return self._filter_while_suspended(self.response, chunk, more)
        return self._buffer_while_suspended(chunk, more)

    async def _filter_while_suspended(self, response: Response, chunk: bytes, more: bool) -> None:
        try:
            chunk = join_pieces(await self._filtered(self._filter(response, chunk, more)))
        except BaseException as error:  # noqa: BLE001  # as if the app had raised it
            waiting: Steps | None = self._resume(error)
        else:
            waiting = self._buffer_while_suspended(chunk, more)
        if waiting is not None:
            await waiting

    def _buffer_while_suspended(self, chunk: bytes, more: bool) -> Steps | None:
        self._buffer(chunk, more)
        if self._size > self._limit:
            self._join_buffered()
            return self._resume(ResponseTooLarge(self._limit))
        return None if more else self._resume(self._join_buffered())

    def _buffer(self, chunk: bytes, more: bool) -> None:
        buffered = self._buffered
        if buffered is None:
            self._buffered = [chunk]
        else:
            _append(buffered, chunk)
        self._size += len(chunk)
        self.complete = not more

    def reply_early(self, result: InwardResult) -> Steps | None:
        """Answer in the app's place, or let the outer policies answer the error."""
        if result.reply is not None:
            self._replace_with(result.reply)
            self.request.state._replied_early = True
        return self.run_hooks(result.error)

    def app_ended(self) -> Steps | None:
        """Take note that the app has returned."""
        self._app_ended = True
        if self.phase is AWAITING_BODY:
            return self.run_hooks()
        if self.phase is HELD:
            return self.release()
        if self.phase is BUFFERING:
            return self._resume(NoResponse("the app ended before its response was complete"))
        return None

    def release(self) -> Steps | None:
        """Send an error response that is held, as nothing is left to wait for."""
        if self._released:  # by another task, whose hooks may be waiting
            return None
        self._released = True
        # Raised after this response, and answered by a middleware that had sent it.
        self.request.state._raised = None
        return self.run_hooks()

    async def _receive_after_held(self, chunk: bytes, more: bool) -> None:
        for step in (self.release, lambda: self.receive_chunk(chunk, more)):
            waiting = step()
            if waiting is not None:
                await waiting

    async def app_raised(self, error: BaseException) -> None:
        """Take note that the app has raised; `failure` is then the error to raise, if any."""
        self._app_ended = True
        phase = self.phase
        if phase is AWAITING_BODY or (phase is HELD and not self._released):
            if phase is HELD:
                self._raised_late = True
            else:
                self.response = None  # a head without a body is not a response yet
            waiting = self.run_hooks(error)
            if waiting is not None:
                await waiting
        elif phase is BUFFERING:
            await self._resume(error)
        elif any(isinstance(one, ResponseClosed) for one in walk_chain(error)):
            return
        elif self.is_discarded and isinstance(error, Exception):
            log_error(self.request, error, "after its response was discarded")
            return
        elif self.is_discarded:  # a cancellation
            self.failure = None
        elif isinstance(error, Exception) and not is_disconnect(error):
            log_error(self.request, error, "after the response had begun")
            await self._send_late_error(error)
        # An app whose response a policy has replaced may end as it likes.
        answered = self._answered or (self.response is not None and self.response.reply)
        if not answered or self.request.state._in_development or not isinstance(error, Exception):
            self.failure = self.failure or error

    async def _send_late_error(self, error: Exception) -> None:
        """Send what the filters hold of a response that breaks off, and a policy's last chunk."""
        response = self.response
        if response is None or self.phase is not STREAMING or self._filtered_whole:
            return
        if self._is_filtering:  # in another task, which the app has not waited for
            return
        response.broke_off = True
        chunk = b"" if response.on_late_error is None else response.on_late_error(error)
        if not chunk and not response.filters:
            return
        try:
            filtered = await self._filtered(apply_filters(response.filters, chunk, False))
        except Problem:  # a filter does not let it out
            return
        chunk = join_pieces(filtered)
        if chunk:
            self.queue(None, [chunk], True)

    # -- sending -----------------------------------------------------------------------------------

    def _send_head(self) -> None:
        """Send the response that came out of the hooks, and the body as far as it has come."""
        response, error = self.response, self._error
        if response is None or error is not None:
            if response is None and self._is_client_gone(error):
                log_disconnect()
                self._hook_replied(_UNREAD)
                response = self.response
            if response is None or not isinstance(error, Exception):
                self.advance(FAIL)
                self.failure = error
                return
        buffered, self._buffered = self._buffered or [], None
        if len(buffered) == MAX_BUFFERED_CHUNKS:
            buffered[-1] = bytes(buffered[-1])
        self.advance(SEND_END if self.complete else SEND_HEAD)
        self.queue(response, buffered, not self.complete)

    def _is_client_gone(self, error: BaseException | None) -> bool:
        """Return whether nobody waits for a response, so that the server gets an empty one."""
        if self.request._own_headers is None:  # for an outer stack to say
            return False
        return isinstance(error, ClientDisconnected) or (
            self.has_error_hooks and error is not None and is_disconnect(error)
        )

    def _apply_filters(self, response: Response) -> Awaitable[None] | None:
        """Send the buffered body through new filters, and correct the headers.

        Raises:
            Problem: the response is partial, which filters can't be applied to.
        """
        new = response.filters[self._filtered_by :]
        if not new:
            return None
        if response.status == 206 and not response.keeps_length:
            send_whole(response)
        self._filtered_by = len(response.filters)
        response.is_file = False  # it is read for the filters
        buffered = self._buffered or [b""]
        if self.complete and len(buffered[-1]) == self._size:  # most responses are one chunk
            whole: bytes | None = buffered[-1]
        else:
            # An app may answer HEAD with a body all the same, in any number of chunks.
            whole = None if response.no_body else response.full_body
            if whole is not None and len(whole) != self._size:
                whole = None
        if whole is None:
            return self._apply_to_chunks(response, new, buffered)
        self._filtered_whole = True
        body = apply_filters(new, whole, False)
        if not isinstance(body, bytes):
            return self._apply_later(response, whole, body)
        if body is not whole and body != whole:
            self._replace_whole_body(response, body)
        return None

    async def _apply_later(
        self, response: Response, whole: bytes, waiting: Awaitable[Filtered]
    ) -> None:
        """Await the filters, and replace the body if they have changed it."""
        body = await self._filtered(waiting)
        if body is not whole and body != whole:
            self._replace_whole_body(response, body)

    def _apply_to_chunks(
        self, response: Response, new: tuple[Filter, ...], buffered: list[bytes]
    ) -> Awaitable[None] | None:
        """Send the beginning of a body through new filters, and correct the headers."""
        self._filtered_whole = False
        if not response.keeps_length:
            headers = DIGESTS if response.keeps_etag else VALIDATORS
            response.headers.remove(*headers, "Content-Length")
        if self._buffered is None and not self.complete:
            return None
        return start_eagerly(self._filter_chunks(response, new, buffered))

    async def _filter_chunks(
        self, response: Response, new: tuple[Filter, ...], buffered: list[bytes]
    ) -> None:
        last = len(buffered) - 1 if self.complete else None
        filtered: list[bytes] = []
        for index, chunk in enumerate(buffered):
            one = await self._filtered(apply_filters(new, chunk, index != last))
            filtered += one if isinstance(one, list) else (one,)
        self._buffered, self._size = filtered, sum(map(len, filtered))
        response.first_chunk = next(filter(None, filtered), b"")
        response.is_single_chunk = False

    def _replace_whole_body(self, response: Response, body: Filtered) -> None:
        """Replace a body that is known to be whole, and correct the headers."""
        if isinstance(body, list):
            self._buffered, self._size = body, sum(map(len, body))
            response._set_pieces(body)
        else:
            self._buffered, self._size = [body], len(body)
            response.full_body = body
        headers = response.headers
        headers.remove(*(DIGESTS if response.keeps_etag else VALIDATORS))
        size = str(self._size)
        if headers.get("Content-Length", size) != size:
            headers.set("Content-Length", size)

    def _filter(self, response: Response, chunk: bytes, more: bool) -> bytes | Awaitable[Filtered]:
        """Send a chunk through the filters that the chunks before it have gone through."""
        self._since_pause += len(chunk)
        if not self._filtered_whole:
            return apply_filters(response.filters[: self._filtered_by], chunk, more)
        if chunk:
            raise MantletError("the app sent more than its Content-Length")
        return chunk

    async def _filtered(self, filtered: bytes | Awaitable[Filtered]) -> Filtered:
        """Await a filtered chunk; let other tasks run after every ``SLICE`` bytes."""
        self._is_filtering = True
        try:
            chunk = filtered if isinstance(filtered, bytes) else await filtered
            if self._since_pause > SLICE:
                self._since_pause = 0
                await self.request.checkpoint()
        finally:
            self._is_filtering = False
        return chunk

    def _forward(self, chunk: bytes, more: bool) -> Steps | None:
        """Send a chunk of the app's after the head has been sent."""
        response = self.response
        if response and response.filters:
            try:
                filtered = self._filter(response, chunk, more)
            except BaseException as error:
                self._filter_raised(error)
                raise
            if type(filtered) is not bytes or self._since_pause > SLICE:
                return self._forward_later(filtered, more)
            chunk = filtered
        self._queue([chunk], more)
        return None

    async def _forward_later(self, filtered: bytes | Awaitable[Filtered], more: bool) -> None:
        """Await the filters of a chunk, and send it."""
        try:
            chunk = await self._filtered(filtered)
        except BaseException as error:
            self._filter_raised(error)
            raise
        if self.phase is STREAMING:
            self._queue(chunk if isinstance(chunk, list) else [chunk], more)

    async def _receive_in_turn(self, chunk: bytes, more: bool) -> None:
        """Take a chunk that another task of the app sends while one is being filtered."""
        while self._is_filtering:
            await self.request.checkpoint()
        waiting = self.receive_chunk(chunk, more)
        if waiting is not None:
            await waiting

    def _filter_raised(self, error: BaseException) -> None:
        """End a response whose body can't be filtered to its end."""
        self.advance(FAIL)
        if isinstance(error, Exception):  # a cancellation is the app's own matter
            self.failure = error

    def _queue(self, chunks: list[bytes], more: bool) -> None:
        self.queue(None, chunks, more)
        if not more:
            self.complete = True
            self.advance(SEND_END)


# Any: ASGI servers accept any bytes-like object.
def _as_bytes(chunk: Any) -> bytes:
    return bytes(chunk) if isinstance(chunk, (bytearray, memoryview)) else chunk


def _append(buffered: list[Any], chunk: bytes) -> None:
    """Buffer a chunk; many tiny chunks are joined, so that they take no more than their bytes."""
    if len(buffered) < MAX_BUFFERED_CHUNKS:
        buffered.append(chunk)
        return
    if not isinstance(buffered[-1], bytearray):
        buffered[-1] = bytearray(buffered[-1])
    buffered[-1] += chunk
