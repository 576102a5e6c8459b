"""`ErrorEnvelope`: whatever goes wrong inside, nothing internal leaves.

It answers an exception that the app, or a policy further in, raised before the head was sent: with
the problem that was raised, if it is a `Problem`, else with a bare 500. The client sees what the
problem states and the id of the request; the exception is logged once under that id, with its
traceback, on the logger ``mantlet.errors``.

An exception raised after the head was sent can't be answered: it is logged with the id, and goes on
to the server, which ends the connection so that the client can tell.

Flask, Quart and Django turn an exception into their own 500 page, and Starlette sends one before it
raises. The envelope hears of those too and answers in their place, so that a debug page or a
handler that puts ``str(exc)`` into its answer does not get out.
"""

from mantlet.errors.ids import request_id
from mantlet.exceptions import ClientDisconnected
from mantlet.logs import log_error
from mantlet.policy import Policy, Reply
from mantlet.problem import Problem
from mantlet.request import Request

__all__ = ["ErrorEnvelope"]

HEADER = "X-Request-ID"


class ErrorEnvelope(Policy):
    """Answer exceptions with problem details (RFC 9457) that hold nothing internal.

    Every answer carries the request's id in ``X-Request-ID``: a valid one that the request came
    with, else the trace id of its ``traceparent``, else a new one. The app finds it in
    ``mantlet.state(...)["request_id"]``.
    """

    def on_request(self, request: Request) -> None:
        """Give the exchange its id."""
        state = request.state
        if "request_id" not in state:  # else it is another envelope's, further out
            state["request_id"] = request_id(request)
        request.add_answer_field(HEADER, state["request_id"])

    def on_error(self, request: Request, error: BaseException) -> Reply | None:
        """Answer the error, and log it unless it is a problem that the client is at fault for."""
        if not isinstance(error, Exception) or isinstance(error, ClientDisconnected):
            return None
        problem = error if isinstance(error, Problem) else Problem(500)
        if problem.status >= 500:
            log_error(request, error, f"answered with {problem.status}")
        return problem.reply(request)
