"""The way out: an answer, or an error, past the policies, innermost first.

The pass can be suspended: while a hook waits for I/O, while one waits for the whole body, and while
an error answer is held for the error that may follow it.
"""

from abc import abstractmethod
from collections.abc import Coroutine, Generator, Iterator
from itertools import chain
from types import coroutine
from typing import Any, Final

from mantlet.core.policy import Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import WANTS_BODY, Response
from mantlet.core.stack import OutwardPair, Waiting, settled
from mantlet.exceptions import MantletError, NoResponse, ResponseTooLarge

__all__ = [
    "CLOSED",
    "COLLECTING",
    "HOLDING",
    "PATIENCE",
    "STREAMING",
    "WAITING",
    "OutwardPass",
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


class OutwardPass:
    """An answer on its way past the policies.

    Attributes:
        phase: how far the answer has come.
        request: the request that it answers.
        response: the app's answer while it waits, then the answer that is sent.
        complete: whether all of the app's body has come.
    """

    phase: int
    request: Request
    response: Response | None
    complete: bool
    # What the app has sent of the body so far, and how many bytes of it.
    _held: list[bytes] | None
    _size: int
    # How many of the response's filters that has gone through.
    _fitted = 0
    _hooks: tuple[OutwardPair, ...]
    # Whether the app has ended, and whether an error answer may be held until it does.
    _ended = False
    _patient = True
    # Whether the app raised the error behind an answer of its own, which was held.
    _late = False

    @abstractmethod
    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the policies further out see."""
        raise NotImplementedError

    @abstractmethod
    def app_response(self) -> Response | None:
        """Return the app's head as the policies see it, or None where the app has sent none."""
        raise NotImplementedError

    def no_answer(self) -> MantletError:
        """Return the error that it is when the app ends without an answer."""
        return NoResponse("the app sent no response")

    @abstractmethod
    def _fit(self, response: Response) -> None:
        """Send what is held through new filters, and make the head true to what comes out."""
        raise NotImplementedError

    @abstractmethod
    def _settle(self) -> None:
        """Send what came out of the pass."""
        raise NotImplementedError

    def open(self, error: BaseException | None = None) -> Steps | None:
        """Let the policies see the app's head, or the error that came in its place."""
        if error is None and self.response is None:
            response = self.response = self.app_response()
            if response is None:
                error = self.no_answer()
            elif self._held and not response.no_body:
                response._begin(self._held, self._size, self.complete)
        self._error: BaseException | None = error
        self._pending: Iterator[OutwardPair] = iter(self._hooks)
        waiting = self._carry()
        if waiting is None:
            self._settle()
            return None
        self._pass: Coroutine[Any, Any, None] = self._finish_pass(waiting)
        return self._resume(None)

    def _carry(self) -> Waiting | object | None:
        """Take the answer, or an error, past the policies that have not seen it yet.

        An error that the app has answered itself comes with that answer: it goes to the policies
        that hear errors, until one of them has a better answer, and the answer to the others.

        Returns:
            What a hook has to wait for, `HOLD`, or None when all have seen it.
        """
        request = self.request
        for pair in self._pending:
            on_response, on_error, lowest = pair
            reply = None
            error = None if on_error is None else self._to_hear()
            if error is HOLD:
                self._pending = chain((pair,), self._pending)
                return HOLD
            response = self.response
            try:
                if on_error is not None and error is not None:
                    reply = on_error(request, error)
                elif on_response is not None and response is not None and response.status >= lowest:
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

    # Any: an exception, or `HOLD`.
    def _to_hear(self) -> Any:
        """Return the error that a policy is told of, None, or `HOLD` if that isn't known yet."""
        response = self.response
        error = self._error
        if response is None:
            return error
        if error is None and not response.reply:
            # A framework that told of an error by its signal has raised it already.
            error = self._error = self.request.state._raised
        if error is None:
            return HOLD if response.status >= 400 and self._must_hold(response) else None
        # Where a policy further in has made the answer one that is not held, what the app raises
        # behind it comes too late.
        return None if self._late and response.status < 400 else error

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
                    self._late = True
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
            self.request.state._raised = None
        self._error = None
        self._adopt(reply)

    def _adopt(self, reply: Reply) -> None:
        """Make a reply the response that the policies further out see."""
        response = self.make_response(reply)
        response.reply = True
        self.request.state._replied = True
        response.full_body = b""
        if reply.status not in (204, 304):
            response.full_body = reply.body
            response.headers.set("Content-Length", str(len(reply.body)))
        response.complete = True
        if self.request.method == "HEAD":
            response._set_no_body()
        whole = response.full_body or b""
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

    def _join(self) -> bytes:
        """Make what is held one chunk, since a policy asks for the whole; return it."""
        body = b"".join(self._held or ())
        self._held = [body]
        if self.response is not None and not self.response.no_body:
            self.response._begin(self._held, self._size, self.complete)
        return body

    async def _resume(self, result: bytes | BaseException | None) -> None:
        """Run the pass on from where it is suspended, until it is again, or ends."""
        wanted = await _until_wanted(self._pass, result)
        while wanted is not None:
            what, limit = wanted
            self.phase, self._limit = (HOLDING if what is WANTS_END else COLLECTING), limit
            body = self._join() if self.phase == COLLECTING else b""
            if len(body) > limit:
                result = ResponseTooLarge(limit)
            elif self.phase == COLLECTING and self.complete:
                result = body
            elif self._ended:
                result = self._error or NoResponse("the app ended before its response was complete")
            else:
                return
            wanted = await _until_wanted(self._pass, result)
        self._settle()
