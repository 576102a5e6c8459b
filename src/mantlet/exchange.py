"""One exchange through a stack, the same under both protocols, with no I/O of its own.

The face tells the exchange what the app does; the exchange takes it past the policies, and leaves
what is to be sent with `put_head()` and `put_chunk()`. Nearly always that is done when the call
returns. Where a hook has to wait, the call returns a coroutine in its place: the ASGI face awaits
it, the WSGI face steps it to its end with `run()`.
"""

from abc import abstractmethod
from collections.abc import Coroutine, Generator, Iterator
from itertools import chain
from types import coroutine
from typing import Any, Final

from mantlet.exceptions import ClientDisconnected, MantletError, NoAnswer, ResponseTooLarge
from mantlet.logs import log_error
from mantlet.policy import VALIDATORS, WANTS_BODY, Filter, Reply, Response
from mantlet.problem import Problem
from mantlet.request import FIELDS, REPORTED, Request
from mantlet.stack import BaseStack, OutwardPair, Refusal, Waiting, settled

__all__ = [
    "CLOSED",
    "COLLECTING",
    "HOLDING",
    "STREAMING",
    "WAITING",
    "AnswerEnded",
    "Exchange",
    "Steps",
]

Steps = Coroutine[Any, Any, None]

# The phases of an answer, in their order.
#: No byte has gone, and the policies have not seen the head.
WAITING: Final = 0
#: A policy that hears errors is next to see an error answer, so it waits for the app to end.
HOLDING: Final = 1
#: A policy has seen the head, and wants the whole body.
COLLECTING: Final = 2
#: The head has gone, and the app's body follows.
STREAMING: Final = 3
#: Nothing of what the app still sends goes any further.
CLOSED: Final = 4

#: What a pass yields to be suspended until the app ends or raises, with a limit in bytes.
WANTS_END: Final = "end"
#: What `Exchange._carry()` returns for that.
HOLD: Final = object()

#: An answer of 400 and above waits for the app to end, or to raise, up to this many bytes.
PATIENCE: Final = 64 * 1024
#: Chunks of an app whose answer has ended that are dropped before it is stopped.
DROPPED_CHUNKS: Final = 1024
#: Chunks that are held one by one; those that follow are held as one.
HELD_CHUNKS: Final = 1024


class AnswerEnded(OSError):
    """Raised into an app that goes on sending after a policy has ended its answer.

    An OSError, since that is what an ASGI app expects from ``send`` when nobody reads any more.
    """


@coroutine
def _want(what: str, limit: int) -> Generator[Any, Any, None]:
    yield what, limit


@coroutine
def _until_wanted(
    steps: Coroutine[Any, Any, None], result: bytes | BaseException | None
) -> Generator[Any, Any, tuple[str, int] | None]:
    """Run ``steps`` until they end, or want to be suspended, for what is returned then.

    Whatever else they wait for is for the event loop, and handed through to it.
    """
    try:
        wanted = steps.throw(result) if isinstance(result, BaseException) else steps.send(result)
        while not (isinstance(wanted, tuple) and wanted[0] in (WANTS_BODY, WANTS_END)):
            try:
                happened = yield wanted
            except BaseException as error:  # noqa: BLE001  # it is the steps' to handle
                wanted = steps.throw(error)
            else:
                wanted = steps.send(happened)
    except StopIteration:
        return None
    asked: tuple[str, int] = wanted
    return asked


class Exchange:
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
        response: the app's answer while it waits, then the answer that is sent.
        failure: what nobody answered, to be raised to the server.
        complete: whether all of the app's body has come.
    """

    __slots__ = (
        "_dropped",
        "_emit",
        "_ended",
        "_error",
        "_fitted",
        "_flushed",
        "_held",
        "_hooks",
        "_limit",
        "_out",
        "_pass",
        "_patient",
        "_pending",
        "_refusal",
        "_size",
        "complete",
        "failure",
        "hears_errors",
        "phase",
        "request",
        "response",
        "sees_answers",
        "stack",
    )

    # Any: the face's own form of what the server gave to send with, and of what is to be sent.
    def __init__(
        self, stack: BaseStack[Any], request: Request, emit: Any, refusal: Refusal | None
    ) -> None:
        if request.owns_fields:
            request.carrier[FIELDS] = request.answer_fields
        passed = -1 if refusal is None else refusal.index
        self.stack = stack
        self.request = request
        self._emit = emit
        self._refusal = refusal
        self._out: list[Any] = []
        self._hooks: tuple[OutwardPair, ...] = stack.outward[passed]
        self.hears_errors = stack.hears_errors[passed]
        self.sees_answers = stack.sees_answers[passed]
        self.phase = WAITING
        self.response: Response | None = None
        self.failure: BaseException | None = None
        self.complete = False
        self._dropped = 0
        self._ended = False
        self._patient = True
        self._held: list[bytes] | None = None
        self._size = 0
        self._fitted = 0

    # -- what a face gives ------------------------------------------------------------------------

    @abstractmethod
    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the policies further out see."""
        raise NotImplementedError

    @abstractmethod
    def app_response(self) -> Response | None:
        """Return the app's head as the policies see it, or None where the app has sent none."""
        raise NotImplementedError

    def is_plain(self, status: int) -> bool:
        """Return whether no policy wants to see the app's answer, as is so for most of them."""
        return not self.sees_answers and (
            not self.hears_errors or (status < 400 and REPORTED not in self.request.carrier)
        )

    def no_answer(self) -> MantletError:
        """Return the error that it is when the app ends without an answer."""
        return NoAnswer("the app sent no response")

    @abstractmethod
    def put(self, head: Response | None, chunks: list[bytes], more: bool) -> None:
        """Leave the head of the answer, chunks of its body, or both, to be sent."""
        raise NotImplementedError

    # -- what the app does ------------------------------------------------------------------------

    def feed(self, chunk: bytes, more: bool) -> Steps | None:
        """Take a chunk of the app's body.

        Raises:
            AnswerEnded: a policy has ended the answer, and the app goes on and on. One that comes
                to its own end in reasonable time is left to it, for it may have to clean up.
        """
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
                raise AnswerEnded("the answer has ended")
        return None

    def _collect(self, chunk: bytes, more: bool) -> Steps | None:
        """Take a chunk of a body that a policy waits for the end of."""
        response = self.response
        if response is not None and response.filters:
            try:
                chunk = self._filter(response, chunk, more)
            except BaseException as error:  # noqa: BLE001  # as if the app had raised it
                return self._resume(error)
        self._hold(chunk, more)
        if self.phase == COLLECTING and not more and self._size <= self._limit:
            return self._resume(b"".join(self._held or ()))
        if self._size > self._limit and (more or self.phase == COLLECTING):
            too_large = ResponseTooLarge(self._limit) if self.phase == COLLECTING else None
            return self._resume(too_large)
        return None

    def _hold(self, chunk: bytes, more: bool) -> None:
        held = self._held
        if held is None:
            self._held = [chunk]
        else:
            _append(held, chunk)
        self._size += len(chunk)
        self.complete = not more

    def open(self, error: BaseException | None = None) -> Steps | None:
        """Let the policies see the app's head, or the error that came in its place."""
        if error is None and self.response is None:
            self.response = self.app_response()
            if self.response is None:
                error = self.no_answer()
        self._error: BaseException | None = error
        self._pending: Iterator[OutwardPair] = iter(self._hooks)
        waiting = self._carry()
        if waiting is None:
            self._settle()
            return None
        self._pass: Coroutine[Any, Any, None] = self._finish_pass(waiting)
        return self._resume(None)

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
            return self._resume(NoAnswer("the app ended before its response was complete"))
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
        elif _follows(error, AnswerEnded):
            return
        elif isinstance(error, Exception) and not isinstance(error, ClientDisconnected):
            log_error(self.request, error, "after the answer had begun")
        # An app whose answer a policy has replaced may end as it likes.
        replaced = self.response is not None and self.response.reply
        if not replaced or not isinstance(error, Exception):
            self.failure = self.failure or error

    # -- the outward pass -------------------------------------------------------------------------

    def _carry(self) -> Waiting | object | None:
        """Take the answer, or an error, past the policies that have not seen it yet.

        An error that the app has answered itself comes with that answer: it goes to the policies
        that hear errors, until one of them has a better answer, and the answer to the others.

        Returns:
            What a hook has to wait for, `HOLD`, or None when all have seen it.
        """
        request = self.request
        for pair in self._pending:
            on_response, on_error = pair
            reply = None
            response = self.response
            error = self._error
            if on_error is not None and error is None and response is not None:
                # A framework that told of an error by its signal has raised it already.
                error = self._error = request.carrier.get(REPORTED) if not response.reply else None
                if error is None and response.status >= 400 and self._must_hold(response):
                    self._pending = chain((pair,), self._pending)
                    return HOLD
            try:
                if error is not None and on_error is not None:
                    reply = on_error(request, error)
                elif on_response is not None and response is not None:
                    reply = on_response(request, response)
                    if response.filters:
                        self._fit(response)
            except BaseException as raised:  # noqa: BLE001  # handed to the policies further out
                self._raised(raised)
            if reply is not None:
                if not isinstance(reply, Reply):
                    return reply
                self._replied(reply)
        return None

    def _must_hold(self, response: Response) -> bool:
        """Return whether the app may still raise the error that it has answered."""
        if response.reply or self._ended or not self._patient:
            return False
        return self.complete or self._size <= PATIENCE

    async def _finish_pass(self, waiting: Any) -> None:
        """Go on with a pass in which a hook, or the pass itself, has to wait."""
        while waiting is not None:
            if waiting is HOLD:
                try:
                    await _want(WANTS_END, PATIENCE)
                except BaseException as error:  # noqa: BLE001  # what the app raised
                    self._error = error
            else:
                await self._wait_for(waiting)
            waiting = self._carry()

    async def _wait_for(self, waiting: Waiting) -> None:
        try:
            reply = settled(await waiting)
            if self.response is not None and self.response.filters:
                self._fit(self.response)
        except BaseException as raised:  # noqa: BLE001  # handed to the policies further out
            self._raised(raised)
        else:
            if reply is not None:
                self._replied(reply)

    def _replied(self, reply: Reply) -> None:
        if self._error is not None:
            if not isinstance(self._error, Exception):
                return  # cancellation and the like can't be answered
            self.request.carrier.pop(REPORTED, None)
        self._error = None
        self._adopt(reply)

    def _adopt(self, reply: Reply) -> None:
        """Make a reply the response that the policies further out see."""
        response = self.make_response(reply)
        response.reply = True
        response.whole = b""
        if reply.status not in (204, 304):
            response.whole = reply.body
            response.headers.set("Content-Length", str(len(reply.body)))
        if self.request.method == "HEAD":
            response.has_no_body()
        whole = response.whole or b""
        self.response = response
        self.complete = True
        self._held, self._size, self._fitted = [whole], len(whole), 0

    def _raised(self, raised: BaseException) -> None:
        if isinstance(raised, Problem) and raised is not self._error:
            self._replied(raised.reply(self.request))
            return
        if raised is not self._error:
            raised.__context__ = raised.__context__ or self._error
        self._error = raised
        self.response = None

    async def _resume(self, result: bytes | BaseException | None) -> None:
        """Run the pass on from where it is suspended, until it is again, or ends."""
        wanted = await _until_wanted(self._pass, result)
        while wanted is not None:
            what, limit = wanted
            self.phase, self._limit = (HOLDING if what is WANTS_END else COLLECTING), limit
            if self.phase == COLLECTING and self._size > limit:
                result = ResponseTooLarge(limit)
            elif self.phase == COLLECTING and self.complete:
                result = b"".join(self._held or ())
            elif self._ended:
                result = self._error or NoAnswer("the app ended before its response was complete")
            else:
                return
            wanted = await _until_wanted(self._pass, result)
        self._settle()

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
        headers = response.headers
        held = self._held or []
        whole = self.complete or headers.get("Content-Length") == str(self._size)
        last = len(held) - 1 if whole else -1
        filtered = [_through(new, chunk, index != last) for index, chunk in enumerate(held)]
        self._flushed = whole
        if not whole or b"".join(filtered) != b"".join(held):
            headers.remove(*VALIDATORS)
            size = sum(map(len, filtered))
            if not whole:
                headers.remove("Content-Length")
            elif "Content-Length" in headers:
                headers.set("Content-Length", str(size))
            self._held, self._size = filtered, size
            if response.whole is not None:
                response.whole = b"".join(filtered)

    def _filter(self, response: Response, chunk: bytes, more: bool) -> bytes:
        if not self._flushed:
            return _through(response.filters, chunk, more)
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


def _follows(error: BaseException, kind: type[BaseException]) -> bool:
    """Return whether ``error`` is one of ``kind``, or came of one."""
    seen: set[int] = set()
    line: list[BaseException | None] = [error]
    while line:
        one = line.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, kind):
            return True
        seen.add(id(one))
        line += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            line += one.exceptions
    return False
