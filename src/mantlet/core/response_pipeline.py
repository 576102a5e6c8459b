"""Run response and error hooks over a response, the innermost policy first.

The pipeline can be suspended: while a hook waits for I/O, and while one waits for the whole body.
Before it begins, a whole error response may be held for the exception that may follow it. So a
response has phases, with one table of the transitions between them: `PhaseMachine.advance()` is the
only place that assigns a phase, and an event that the table does not have for the current phase is
a bug, and raises.
"""

import sys
from abc import abstractmethod
from collections.abc import Awaitable, Coroutine, Generator, Iterator, Mapping
from enum import IntEnum
from types import coroutine
from typing import Any, Final, cast

from mantlet.core.problem import Problem, forget_raise
from mantlet.core.request import Request
from mantlet.core.rerun import Discarded, Rerun
from mantlet.core.response import WANTS_BODY, Reply, Response
from mantlet.core.stack import ErrorHook, PendingReply, PolicyHooks, ResponseHook, check_reply
from mantlet.exceptions import MantletError, NoResponse, ResponseTooLarge

__all__ = [
    "AWAITING_BODY",
    "BUFFERING",
    "BUFFER_BODY",
    "CLOSED",
    "FAIL",
    "HELD",
    "HOLD",
    "SEND_END",
    "SEND_HEAD",
    "STREAMING",
    "TRANSITIONS",
    "Event",
    "Phase",
    "PhaseMachine",
    "ResponsePipeline",
    "Steps",
]


# Integers, since these are compared and looked up several times for each response.
class Phase(IntEnum):
    """How far a response has come."""

    #: The response hooks have not run: the head waits for the first bytes of the body.
    AWAITING_BODY = 0
    #: A whole error response waits for the exception that may follow it.
    HELD = 1
    #: The hooks are suspended in one that waits for the whole body.
    BUFFERING = 2
    #: The head has been sent, and the app's body follows.
    STREAMING = 3
    #: The response is over; anything that the app still sends is dropped.
    CLOSED = 4


class Event(IntEnum):
    """The events that move a response from one phase to another."""

    #: The app has answered an error, and may raise it next.
    HOLD = 0
    #: A hook waits for the whole body.
    BUFFER_BODY = 1
    #: The head is sent, and more of the body will follow.
    SEND_HEAD = 2
    #: The last of the response is sent.
    SEND_END = 3
    #: Nothing more can be sent.
    FAIL = 4


# Members as constants, since looking one up on its class is a Python call before 3.12.
AWAITING_BODY: Final = Phase.AWAITING_BODY
HELD: Final = Phase.HELD
BUFFERING: Final = Phase.BUFFERING
STREAMING: Final = Phase.STREAMING
CLOSED: Final = Phase.CLOSED
HOLD: Final = Event.HOLD
BUFFER_BODY: Final = Event.BUFFER_BODY
SEND_HEAD: Final = Event.SEND_HEAD
SEND_END: Final = Event.SEND_END
FAIL: Final = Event.FAIL

_UNSENT: Final[Mapping[Event, Phase]] = {
    BUFFER_BODY: BUFFERING,
    SEND_HEAD: STREAMING,
    SEND_END: CLOSED,
    FAIL: CLOSED,
}

TRANSITIONS: Final[Mapping[Phase, Mapping[Event, Phase]]] = {
    AWAITING_BODY: {HOLD: HELD, **_UNSENT},
    HELD: _UNSENT,
    BUFFERING: _UNSENT,
    STREAMING: {SEND_END: CLOSED, FAIL: CLOSED},
    CLOSED: {FAIL: CLOSED},
}


class PhaseMachine:
    """A response's phase.

    Attributes:
        phase: how far the response has come.
    """

    phase: Phase = AWAITING_BODY

    def advance(self, event: Event) -> None:
        """Move to the phase that an event leads to.

        Raises:
            RuntimeError: the event is not possible in the current phase.
        """
        try:
            self.phase = TRANSITIONS[self.phase][event]
        except KeyError:
            raise RuntimeError(
                f"a response in phase {self.phase.name} has no event {event.name}"
            ) from None


Steps = Coroutine[Any, Any, None]


@coroutine
def _run_until_suspended(
    steps: Coroutine[Any, Any, None], result: bytes | BaseException | None
) -> Generator[Any, Any, int | None]:
    """Run ``steps`` until they end (None) or wait for the whole body (a limit in bytes).

    Anything else that they yield is for the event loop, and is passed through to it.
    """
    try:
        wanted = steps.throw(result) if isinstance(result, BaseException) else steps.send(result)
        while not (isinstance(wanted, tuple) and wanted[0] is WANTS_BODY):
            try:
                sent = yield wanted
            except BaseException as error:  # noqa: BLE001  # the steps handle it
                wanted = steps.throw(error)
            else:
                wanted = steps.send(sent)
    except StopIteration:
        return None
    limit: int = wanted[1]
    return limit


async def _reply_after(
    filtering: Awaitable[None], reply: Reply | Response | PendingReply | None
) -> Reply | Response | None:
    """Await the filters that a hook registered; return the hook's reply."""
    await filtering
    return reply if reply is None or isinstance(reply, (Reply, Response)) else await reply


class ResponsePipeline(PhaseMachine):
    """A response on its way through the response and error hooks.

    Attributes:
        request: the request that it answers.
        response: the app's response until a policy replaces it; then the response that is sent.
        complete: whether all of the app's body has come.
        has_error_hooks: whether a policy has an `on_error` hook.
    """

    # Set by the one subclass, since a second constructor would cost every exchange a call.
    request: Request
    response: Response | None
    complete: bool
    policy_hooks: PolicyHooks[Any]
    has_error_hooks: bool
    #: The hooks to run, the innermost policy's first.
    _hooks: tuple[ResponseHook, ...]
    #: The chunks of the body that have not been sent, and their bytes in all.
    _buffered: list[bytes] | None
    _size: int
    #: The hooks that have not run yet, and the error to answer.
    _pending: Iterator[ResponseHook]
    _error: BaseException | None
    #: Whether an app may raise an exception that it has answered, as some do under ASGI.
    may_raise_late = False

    # Defaults of attributes that most exchanges never set stand in the class.
    #: How many of the response's filters the buffered body has gone through.
    _filtered_by = 0
    #: Whether the app has ended.
    _app_ended = False
    #: Whether the app raised the error after an error response of its own, which was held.
    _raised_late = False
    #: Whether a policy has let the app's own response answer the error.
    _answered = False

    @abstractmethod
    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the outer policies see."""
        raise NotImplementedError

    @abstractmethod
    def app_response(self, whole: bytes | None = None) -> Response | None:
        """Return the app's status and headers as a response; None where it has sent none.

        Args:
            whole: the body, if all of it has arrived in one chunk.
        """
        raise NotImplementedError

    def no_response(self) -> MantletError:
        """Return the error for an app that ended without a response."""
        return NoResponse("the app sent no response")

    @abstractmethod
    def _apply_filters(self, response: Response) -> Awaitable[None] | None:
        """Send the buffered body through new filters, and correct the headers.

        Returns:
            An awaitable, if a filter has to wait; else None.
        """
        raise NotImplementedError

    @abstractmethod
    def _send_head(self) -> None:
        """Send the response that came out of the hooks."""
        raise NotImplementedError

    def run_hooks(self, error: BaseException | None = None) -> Steps | None:
        """Run the hooks over the app's response, or over an error raised in its place or after it.

        A response that is held is not run over yet: they run when this is called again.
        """
        if error is None and self.response is None:
            buffered = self._buffered
            whole = None
            if buffered is not None and len(buffered) == 1 and self.complete:
                whole = buffered[0]
            response = self.response = self.app_response(whole)
            if response is None:
                error = self.no_response()
            else:
                if buffered and whole is None and not response.no_body:
                    response._begin(buffered, self._size, self.complete)
                if response.status >= 400 and self._must_hold(response):
                    self.advance(HOLD)
                    return None
        self._error = error
        self._pending = iter(self._hooks)
        return self._conclude_hooks(self._run_pending())

    def resume(
        self,
        response: Response,
        body: bytes,
        outer: int,
        result: Reply | PendingReply | BaseException | None,
    ) -> Steps | None:
        """Go on after one of the hooks, which has been called already.

        Args:
            response: the app's response, or the reply of a policy.
            body: its whole body.
            outer: how many policies further out have hooks.
            result: what the hook has returned or raised.
        """
        self.response = response
        self._buffered = [body]
        self._size = len(body)
        self.complete = True
        self._error = None
        rest = self._hooks[len(self._hooks) - outer :]
        if isinstance(result, BaseException):
            self._pending = iter(rest)
            self._hook_raised(result)
        else:
            self._pending = iter(((lambda *_: result, None, 0), *rest))
        return self._conclude_hooks(self._run_pending())

    # Any: whatever a policy has returned.
    def skip_error_hook(self, index: int, result: Any) -> None:
        """Have the first error hook, which has been called already, not called again.

        Args:
            index: of its policy.
            result: what the hook has returned or raised.
        """

        def again(_request: Request, _error: BaseException) -> Any:
            if isinstance(result, BaseException):
                raise result
            return result

        self._hooks = ((None, again, 0), *self.policy_hooks.on_response[index].hooks)

    def _conclude_hooks(self, waiting: PendingReply | None) -> Steps | None:
        """Send the response that came out of the hooks, or wait for the one that has to wait."""
        if waiting is None:
            self._send_head()
            return None
        self._suspended: Coroutine[Any, Any, None] = self._run_rest(waiting)
        return self._resume(None)

    def _must_hold(self, response: Response) -> bool:
        """Return whether the app may still raise the error that it has answered.

        Frameworks do so after a response that is whole (Starlette's ServerErrorMiddleware). They
        are handling the exception then, unless a middleware sends for them in another task.
        """
        return (
            self.may_raise_late
            and self.has_error_hooks
            and not self._app_ended
            and (self.complete or (not response.no_body and response.full_body is not None))
            and (response.status >= 500 or sys.exception() is not None)
            and self.request.state._raised is None
        )

    def _run_pending(self) -> PendingReply | None:  # noqa: C901  # a call for each hook costs more
        """Run the hooks that have not run yet.

        An error that the app has answered itself comes with that response: the error goes to the
        `on_error` hooks until one of them answers it, the response to the other policies.

        Returns:
            A hook's awaitable, or None when all hooks have run.
        """
        request, response = self.request, self.response
        for on_response, on_error, min_status in self._pending:
            error = None if on_error is None else self._error_to_report()
            try:
                if on_error is not None and error is not None:
                    reply = self._report(error, on_error)
                elif on_response is None or response is None or response.status < min_status:
                    continue
                else:
                    reply = on_response(request, response)
                    if response.filters:
                        filtering = self._apply_filters(response)
                        if filtering is not None:
                            reply = _reply_after(filtering, reply)
                if reply is None:
                    continue
            except BaseException as raised:  # noqa: BLE001  # handed to the outer policies
                self._hook_raised(raised)
            else:
                if isinstance(reply, Reply):
                    self._hook_replied(reply)
                elif error is not None and reply is response:
                    self._response_kept()
                else:
                    return cast("PendingReply", reply)
            response = self.response
        return None

    def _report(self, error: BaseException, on_error: ErrorHook) -> Any:
        """Call a hook with an error, and with the app's own response to it if there is one."""
        response = self.request._app_response = self.response
        reply = on_error(self.request, error)
        if response is not None and response.filters:
            filtering = self._apply_filters(response)
            if filtering is not None:
                return _reply_after(filtering, reply)
        if reply is None or isinstance(reply, (Reply, Response)):
            self.request._app_response = None  # else the hook has to wait
        return reply

    def _error_to_report(self) -> BaseException | None:
        """Return the error for the next `on_error` hook."""
        response = self.response
        error = self._error
        if response is None:
            return error
        if error is None and not response.reply:
            # A framework that signalled an exception has raised it already.
            error = self._error = self.request.state._raised
            return error
        # Where an inner policy has made the response one that is not held, the app's exception
        # comes too late.
        return None if self._raised_late and response.status < 400 else error

    async def _run_rest(self, waiting: PendingReply | None) -> None:
        """Run the remaining hooks where one of them has to wait."""
        while waiting is not None:
            await self._wait_for(waiting)
            waiting = self._run_pending()

    async def _wait_for(self, waiting: PendingReply) -> None:
        response = self.response
        # The response that the hook may return, if it is an error hook.
        kept = self.request.app_response
        try:
            reply = await waiting
            if reply is not kept:
                reply = check_reply(reply)
            if response is not None and response.filters:
                filtering = self._apply_filters(response)
                if filtering is not None:
                    await filtering
        except BaseException as raised:  # noqa: BLE001  # handed to the outer policies
            self._hook_raised(raised)
        else:
            self.request._app_response = None
            if isinstance(reply, Reply):
                self._hook_replied(reply)
            elif reply is not None:
                self._response_kept()

    def _hook_replied(self, reply: Reply) -> None:
        if self._error is not None:
            if not isinstance(self._error, Exception):
                return  # cancellation and the like cannot be answered
            self.request.state._raised = None
            forget_raise(self._error)
        self._error = None
        self._replace_with(reply)

    def _response_kept(self) -> None:
        """Take note that the app's own response answers the error."""
        if isinstance(self._error, Exception):
            self._error = self.request.state._raised = None
            self._answered = True

    def _replace_with(self, reply: Reply) -> None:
        """Make a reply the response that the outer policies see."""
        response = self.response = self.make_response(reply)
        response.reply = self.complete = True
        self.request.state._replied = True
        if self.request.method == "HEAD":
            response._set_no_body()
        body = response.first_chunk
        self._buffered, self._size, self._filtered_by = [body], len(body), 0

    def _hook_raised(self, raised: BaseException) -> None:
        self.request._app_response = None
        if isinstance(raised, Rerun) and raised.raw is self.request.raw:
            self._discard(raised)
            return
        if isinstance(raised, Problem) and raised is not self._error:
            self._hook_replied(raised.reply(self.request))
            forget_raise(raised)
            return
        if raised is not self._error:
            raised.__context__ = raised.__context__ or self._error
        self._error = raised
        self.response = None

    def _discard(self, rerun: Rerun) -> None:
        """Discard the response, so that the outer policies see that of another attempt."""
        rerun.__traceback__ = rerun.__context__ = rerun.__cause__ = None  # no reference cycle
        if self._error is not None and not isinstance(self._error, Exception):
            return  # a cancellation and the like ends the exchange
        outer = len(tuple(self._pending))  # none of which runs now
        self._error = Discarded(rerun, self.policy_hooks.asking_policy(outer))
        self.response = None

    def _join_buffered(self) -> bytes:
        """Make the buffered chunks one, for a policy that asks for the whole body; return it."""
        body = b"".join(self._buffered or ())
        self._buffered = [body]
        if self.response is not None:
            self.response.is_file = False  # it is read for the policy
            if not self.response.no_body:
                self.response._begin(self._buffered, self._size, self.complete)
        return body

    async def _resume(self, result: bytes | BaseException | None) -> None:
        """Resume the suspended hooks, until they are suspended again or end."""
        wanted = await _run_until_suspended(self._suspended, result)
        while wanted is not None:
            self._limit = wanted
            self.advance(BUFFER_BODY)
            body = self._join_buffered()
            if len(body) > self._limit:
                result = ResponseTooLarge(self._limit)
            elif self.complete:
                result = body
            elif self._app_ended:
                result = self._error or NoResponse("the app ended before its response was complete")
            else:
                return
            wanted = await _run_until_suspended(self._suspended, result)
        self.request.state._body_follows = bool(self._buffered)
        self._send_head()
