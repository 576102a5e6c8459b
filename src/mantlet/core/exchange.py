"""One exchange through a stack, the same under both protocols, with no I/O of its own.

The face tells the exchange what the app does; the exchange takes it past the policies, and leaves
what is to be sent with `put_head()` and `put_chunk()`. Nearly always that is done when the call
returns. Where a hook has to wait, the call returns a coroutine in its place: the ASGI face awaits
it, the WSGI face steps it to its end with `run()`.
"""

from abc import abstractmethod
from typing import Any, Final

from mantlet._internal.disconnects import is_disconnect
from mantlet._internal.exception_chain import walk_chain
from mantlet.core.error_log import log_error
from mantlet.core.request import Request
from mantlet.core.response import VALIDATORS, Filter, Response
from mantlet.core.response_pipeline import (
    CLOSED,
    COLLECTING,
    HOLDING,
    STREAMING,
    WAITING,
    OutwardPass,
    Steps,
)
from mantlet.core.stack import BaseStack, Refusal
from mantlet.exceptions import MantletError, NoResponse, ResponseTooLarge

__all__ = ["Exchange", "ResponseClosed"]

#: Chunks of an app whose answer has ended that are dropped before it is stopped.
DROPPED_CHUNKS: Final = 1024
#: Chunks that are held one by one; those that follow are held as one.
HELD_CHUNKS: Final = 1024


class ResponseClosed(OSError):
    """Raised into an app that goes on sending after a policy has ended its answer.

    An OSError, since that is what an ASGI app expects from ``send`` when nobody reads any more.
    """


class Exchange(OutwardPass):
    """One request's answer on its way out.

    The app's head waits here for the first bytes of its body, since until then the app may still
    raise: WSGI lets it take the head back, and an ASGI server sends nothing before them either.
    Then the policies see the head, innermost first. If one of them asks for the body, its coroutine
    is kept while the body is collected, and resumed at the body's end.

    Args:
        stack: the policies, and the app.
        request: the request.
        emit: what the server gave to send the answer with.
        refusal: how the inward pass ended where it did not reach the app, else None.

    Attributes:
        failure: what nobody answered, to be raised to the server.
        hears_errors: whether a policy hears errors.
        plain_below: an answer with a status below this interests no policy, as is so for most,
            unless a framework has told of an error by its signal.
    """

    _dropped = 0
    # Whether the body was whole when it went through the filters.
    _flushed = False

    # Any: the face's own form of what the server gave to send with, and of what is to be sent.
    def __init__(
        self, stack: BaseStack[Any], request: Request, emit: Any, refusal: Refusal | None
    ) -> None:
        if request._owns_response_headers:
            request.state._response_headers = request._response_headers
        outward = stack.outward[-1 if refusal is None else refusal.index]
        self._hooks, self.hears_errors, self.plain_below = outward
        self.stack = stack
        self.request = request
        self._emit = emit
        self._refusal = refusal
        self._out: list[Any] = []
        self.phase = WAITING
        self.response = None
        self.failure: BaseException | None = None
        self.complete = False
        self._held = None
        self._size = 0

    # -- what a face gives ------------------------------------------------------------------------

    @abstractmethod
    def put(self, head: Response | None, chunks: list[bytes], more: bool) -> None:
        """Leave the head of the answer, chunks of its body, or both, to be sent."""
        raise NotImplementedError

    # -- what the app does ------------------------------------------------------------------------

    def feed(self, chunk: bytes, more: bool) -> Steps | None:
        """Take a chunk of the app's body.

        Raises:
            ResponseClosed: a policy has ended the response, and the app sends without end. An app
                that finishes in reasonable time is left to it, since it may have to clean up.
        """
        if type(chunk) is not bytes:
            chunk = _as_bytes(chunk)
        phase = self.phase
        if phase == WAITING:
            if self._held is None and not more:  # most answers are one chunk
                self._held = [chunk]
                self._size = len(chunk)
                self.complete = True
                return self.open()
            self._hold(chunk, more)
            return self.open() if chunk or not more else None
        if phase == STREAMING:
            self._forward(chunk, more)
        elif phase != CLOSED:
            return self._collect(chunk, more)
        elif more:
            self._dropped += 1
            if self._dropped > DROPPED_CHUNKS:
                raise ResponseClosed("the answer has ended")
        return None

    def _collect(self, chunk: bytes, more: bool) -> Steps | None:
        """Take a chunk of a body that a policy waits for the end of."""
        response = self.response
        if response is not None and self._fitted:
            try:
                chunk = self._filter(response, chunk, more)
            except BaseException as error:  # noqa: BLE001  # as if the app had raised it
                return self._resume(error)
        self._hold(chunk, more)
        if self.phase == HOLDING:
            return self._resume(None) if more and self._size > self._limit else None
        if self._size > self._limit:
            self._join()
            return self._resume(ResponseTooLarge(self._limit))
        return None if more else self._resume(self._join())

    def _hold(self, chunk: bytes, more: bool) -> None:
        held = self._held
        if held is None:
            self._held = [chunk]
        else:
            _append(held, chunk)
        self._size += len(chunk)
        self.complete = not more

    def refuse(self, refusal: Refusal) -> Steps | None:
        """Answer in the app's place, or let the policies further out do so."""
        if refusal.reply is not None:
            self._adopt(refusal.reply)
        return self.open(refusal.error)

    def end(self) -> Steps | None:
        """Hear that the app has ended."""
        self._ended = True
        if self.phase == WAITING:
            return self.open()
        if self.phase == HOLDING:
            return self._resume(None)
        if self.phase == COLLECTING:
            return self._resume(NoResponse("the app ended before its response was complete"))
        return None

    async def release(self) -> None:
        """Let an answer that is held go, and hold it no more."""
        self._patient = False
        await self._resume(None)

    async def fail(self, error: BaseException) -> None:
        """Hear that the app has raised; `failure` then says whether that is to be raised on."""
        self._ended = True
        if self.phase == WAITING:
            self.response = None  # a head without a body is no answer yet
            waiting = self.open(error)
            if waiting is not None:
                await waiting
        elif self.phase in (HOLDING, COLLECTING):
            await self._resume(error)
        elif any(isinstance(one, ResponseClosed) for one in walk_chain(error)):
            return
        elif isinstance(error, Exception) and not is_disconnect(error):
            log_error(self.request, error, "after the answer had begun")
            self._say_last_words(error)
        # An app whose answer a policy has replaced may end as it likes.
        replaced = self.response is not None and self.response.reply
        if not replaced or not isinstance(error, Exception):
            self.failure = self.failure or error

    def _say_last_words(self, error: Exception) -> None:
        """Send what a policy has to say at the end of an answer that breaks off."""
        response = self.response
        if response is None or response.on_late_error is None or self.phase != STREAMING:
            return
        words = response.on_late_error(error)
        if words:
            self.put(None, [_through(response.filters, words, True)], True)

    # -- what is sent -----------------------------------------------------------------------------

    def _settle(self) -> None:
        """Send the head that came out of the pass, and what has come of the body."""
        response = self.response
        error = self._error
        if response is None or (error is not None and not isinstance(error, Exception)):
            self.phase = CLOSED
            self.failure = error
            return
        held, self._held = self._held or [], None
        if len(held) == HELD_CHUNKS:
            held[-1] = bytes(held[-1])
        self.phase = CLOSED if self.complete else STREAMING
        self.put(response, held, not self.complete)

    def _fit(self, response: Response) -> None:
        """Send what is held through new filters, and make the head true to what comes out."""
        new = response.filters[self._fitted :]
        if not new:
            return
        self._fitted = len(response.filters)
        held = self._held or [b""]
        if self.complete and len(held[-1]) == self._size:  # as it mostly is
            body = _through(new, held[-1], False)
            self._flushed = True
            if body is not held[-1] and body != held[-1]:
                self._fit_whole(response, body)
            return
        # To HEAD the app may send a body all the same, in any number of chunks.
        whole = None if response.no_body else response.full_body
        if whole is not None and len(whole) == self._size:
            self._flushed = True
            body = _through(new, whole, False)
            if body != whole:
                self._fit_whole(response, body)
            return
        self._flushed = False
        last = len(held) - 1 if self.complete else None
        held = [_through(new, chunk, index != last) for index, chunk in enumerate(held)]
        self._held, self._size = held, sum(map(len, held))
        response.first_chunk, response.is_single_chunk = next(filter(None, held), b""), False
        if not response.keeps_length:
            response.headers.remove(*VALIDATORS, "Content-Length")

    def _fit_whole(self, response: Response, body: bytes) -> None:
        """Make the head true to a body that is known to be whole."""
        headers = response.headers
        headers.remove(*VALIDATORS)
        size = str(len(body))
        if headers.get("Content-Length", size) != size:
            headers.set("Content-Length", size)
        self._held, self._size = [body], len(body)
        response.full_body = body

    def _filter(self, response: Response, chunk: bytes, more: bool) -> bytes:
        """Send a chunk through the filters that what came before it has gone through."""
        if not self._flushed:
            return _through(response.filters[: self._fitted], chunk, more)
        if chunk:
            raise MantletError("the app sent more than its Content-Length")
        return chunk

    def _forward(self, chunk: bytes, more: bool) -> None:
        """Send a chunk of the app's on, the head having gone."""
        response = self.response
        if response and response.filters:
            try:
                chunk = self._filter(response, chunk, more)
            except BaseException as error:
                self.phase = CLOSED
                self.failure = error
                raise
        self.put(None, [chunk], more)
        if not more:
            self.complete = True
            self.phase = CLOSED


# Any: ASGI servers take what is like bytes as well.
def _as_bytes(chunk: Any) -> bytes:
    return bytes(chunk) if isinstance(chunk, (bytearray, memoryview)) else chunk


def _append(held: list[Any], chunk: bytes) -> None:
    """Hold a chunk as it is, but not so that many tiny ones take more memory than their bytes."""
    if len(held) < HELD_CHUNKS:
        held.append(chunk)
        return
    if not isinstance(held[-1], bytearray):
        held[-1] = bytearray(held[-1])
    held[-1] += chunk


def _through(filters: tuple[Filter, ...], chunk: bytes, more: bool) -> bytes:
    for fn in filters:
        chunk = fn(chunk, more)
    return chunk
