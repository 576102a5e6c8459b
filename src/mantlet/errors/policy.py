"""`ErrorEnvelope`: whatever goes wrong inside, nothing internal leaves.

It answers an exception that the app, or a policy further in, raised before the head was sent, with
a problem (RFC 9457): the one that was raised, if it is a `Problem`; the one that its map, a
framework's HTTP exception or a database's code makes of it; else a bare 500. The client sees what
the problem states and the id of the request, in a form that it accepts. The exception is logged
once under that id, with its traceback, on the logger ``mantlet.errors``.

Flask, Quart and Django turn an exception into their own 500 page, Litestar and Falcon into a
document, and Starlette sends a 500 before it raises. The envelope hears of those too and answers in
their place, so that a debug page, or a handler that puts ``str(exc)`` into its answer, does not get
out. Error answers that a framework makes of a request that it can't serve (404, 405, ...) become
problems for clients that ask for JSON, and what it makes of an HTTP exception of 500 and above with
words becomes one without them for all. What the app itself says stays.

An exception raised after the head was sent can't be answered: it is logged with the id, and goes on
to the server, which ends the connection so that the client can tell.

What it does not stop: what the app itself puts into an answer, also of an exception that it caught;
the words of HTTP exceptions below 500 in the JSON that FastAPI and Litestar make of them.

What it costs: an id for each request, and a look at the status of each answer. Error answers of the
app are held until the app has ended, up to 64 KiB of them.
"""

import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from inspect import iscoroutinefunction
from time import perf_counter
from typing import Final, get_args

from mantlet._internal.disconnects import is_disconnect
from mantlet.core.error_log import log, mark_reported
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Policy, Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.errors.conversion import Conversion, ConvertOption, media_type, with_fields
from mantlet.errors.debug import debug_reply, production
from mantlet.errors.mapping import INTERNAL, UNKNOWN, ErrorMap, Target, Verdict
from mantlet.errors.masking import masked
from mantlet.errors.problem_types import Catalogue
from mantlet.errors.rendering import PROBLEM_JSON, Page, render
from mantlet.errors.reporting import Reporting
from mantlet.errors.request_id import enter, leave, request_id
from mantlet.errors.stream_errors import FORMATS, Ending

__all__ = ["ErrorEnvelope"]

HEADER: Final = "X-Request-ID"

Listener = Callable[[BaseException, Request], object]


class ErrorEnvelope(Policy):
    """Answer exceptions with problem details (RFC 9457) that hold nothing internal.

    Every answer carries the request's id in ``X-Request-ID``: a valid one that the request came
    with, else the trace id of its ``traceparent``, else a new one. The app finds it in
    ``mantlet.state(...).request_id``.

    Args:
        exceptions: the response to each exception, by its class or its dotted name, which is not
            imported: a status, a `Problem`, or a function that takes the exception and returns one
            of these, or None to leave it to the next entry. The entry for the most derived class
            applies.
        expose_details: let clients see the words of frameworks' HTTP exceptions below 500, as in
            ``abort(404, "No such order")``, in the problems made of them.
        convert: which error answers of the app become problems: with ``"auto"`` those that a
            framework made by itself, for clients that ask for JSON; with ``"always"`` all that are
            no problems already; with ``"never"`` none.
        page: makes the HTML page of a problem, in place of the plain one.
        stream_errors: say an error that comes late as the last event of an event stream, or the
            last line of NDJSON.
        on_exception: called with each exception that was not made for the client, and its request,
            for services that collect them. What it raises is logged.
        debug: show the traceback, as a page, to browsers on this machine. It warns, and is refused
            where the environment says that this is production.
        catalogue: problem types whose pages are answered for the app.
        mode: ``"enforce"``; ``"report"``, which logs exceptions and changes no response;
            ``"off"``; or a mapping of route patterns to these.

    Raises:
        ValueError: an option that can't be; the message says which.
    """

    position = 20
    position_reason = "an exception in {} reaches the server instead of becoming a problem response"

    def __init__(
        self,
        *,
        exceptions: Mapping[type[Exception] | str, Target] | None = None,
        expose_details: bool = False,
        convert: ConvertOption = "auto",
        page: Page | None = None,
        stream_errors: bool = False,
        on_exception: Listener | Sequence[Listener] = (),
        debug: bool = False,
        catalogue: Catalogue | None = None,
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        if convert not in get_args(ConvertOption):
            raise ValueError(f'convert must be "auto", "always" or "never", not {convert!r}')
        listeners: object = [on_exception] if callable(on_exception) else on_exception
        if not isinstance(listeners, Sequence) or not all(_is_plain(one) for one in listeners):
            raise ValueError(f"on_exception must be a plain function or several: {on_exception!r}")
        if page is not None and not _is_plain(page):
            raise ValueError(f"page must be a plain function, not {page!r}")
        if debug:
            live = production()
            if live is not None:
                raise ValueError(f"debug must not be True: {live} says that this is production")
            warnings.warn("ErrorEnvelope(debug=True) shows tracebacks", stacklevel=2)
        self.stream_errors = stream_errors
        self.debug = debug
        self.page = page
        self.catalogue = catalogue
        self.listeners = tuple(listeners)
        self.reporting = Reporting()
        self._conversion = (
            None if convert == "never" else Conversion(convert, expose_details=expose_details)
        )
        self._map = ErrorMap(exceptions or {}, expose_details=expose_details)
        if stream_errors:
            self.min_status = 0
        else:
            self.min_status = 400
            if convert == "never":
                self.disabled_hooks = frozenset({"on_response"})

    def on_request(self, request: Request) -> Reply | None:
        """Give the exchange its id."""
        state = request.state
        own = state._request_id
        if own is None:  # else an outer envelope gave it
            own = state._request_id = request_id(request)
        request.add_response_header(HEADER, own)
        if state._envelope is None:
            state._envelope = self
            state._began = perf_counter()
            state._context = enter(own)
        catalogue = self.catalogue
        if catalogue is not None and request.method in ("GET", "HEAD"):
            return catalogue.answer(request.path)
        return None

    def on_finish(self, request: Request) -> None:
        """Take the exchange's id out of the context."""
        state = request.state
        if state._envelope is self:
            state._envelope = None
            leave(state._context)

    def on_error(self, request: Request, error: BaseException) -> Reply | None:
        """Answer the error, and report it."""
        if not isinstance(error, Exception) or is_disconnect(error):
            return None
        verdict = self.judge(error)
        if mark_reported(request, error):
            outermost: ErrorEnvelope = request.state._envelope or self
            would = "would be " if self._reports_only(request) else ""
            outcome = f"{would}answered with {verdict.status}"
            outermost.report(request, error, outcome, verdict)
        if self.debug and verdict.status >= 500:
            shown = self._debug(request, error, verdict.status)
            if shown is not None:
                return masked(request, shown)
        if verdict.problem is None:
            return Reply(verdict.status, verdict.fields)
        return with_fields(verdict.problem.reply(request), verdict.fields)

    def _reports_only(self, request: Request) -> bool:
        """Return whether no response to this request may change."""
        mode = self.mode
        return (mode if isinstance(mode, str) else mode.find(request)) == "report"

    def _debug(self, request: Request, error: Exception, status: int) -> Reply | None:
        try:
            return debug_reply(request, error, status)
        except Exception as failure:  # noqa: BLE001  # of an exception that has no traceback's text
            _log_failure("debug", failure)
            return None

    def on_response(self, request: Request, response: Response) -> Awaitable[Reply | None] | None:
        """Look for an error answer that a framework made, and for a stream that may break off."""
        if response.status < 400:
            self._watch_stream(request, response)
            return None
        if self._conversion is None or request.state.problem is not None:
            return None
        return self._conversion.look_at(request, response)

    def _watch_stream(self, request: Request, response: Response) -> None:
        """See to it that a stream that breaks off says so."""
        kind = media_type(response)
        headers = response.headers
        if kind not in FORMATS:
            return
        if "Content-Length" in headers or "Content-Encoding" in headers:
            return
        ending = Ending(response, kind)
        response.on_late_error = lambda error: ending.words(
            self.judge(error).problem or INTERNAL, request
        )

    def judge(self, error: BaseException) -> Verdict:
        """Return the answer that an exception gets; a bare 500 where finding it fails."""
        try:
            return self._map.judge(error)
        except Exception as failure:  # noqa: BLE001  # of a function of the map, most likely
            _log_failure("exceptions", failure)
            return UNKNOWN

    def render(self, problem: Problem, request: Request) -> Reply:
        """Return the answer that states a problem, in a form that the client accepts."""
        request.state.problem = problem
        return masked(request, self._render(problem, request))

    def _render(self, problem: Problem, request: Request) -> Reply:
        try:
            return render(problem, request, self.page)
        except Exception as failure:  # noqa: BLE001  # of a page of the user's, most likely
            _log_failure("page", failure)
        with suppress(Exception):  # the same, where a text of the problem's own fails
            return problem.with_body(PROBLEM_JSON, problem.as_json(request))
        return INTERNAL.with_body(PROBLEM_JSON, INTERNAL.as_json(request))

    def report(
        self, request: Request, error: BaseException, outcome: str, verdict: Verdict | None = None
    ) -> None:
        """Log an exception, and tell those who listen.

        Args:
            request: the request it belongs to.
            error: the exception.
            outcome: what became of it, in words.
            verdict: what it is answered with; None where it came too late to be answered.
        """
        meant = verdict is not None and verdict.meant and verdict.status < 500
        status = None if verdict is None else verdict.status
        began = request.state._began
        seconds = 0.0 if began is None else perf_counter() - began
        try:
            self.reporting.report(
                request, error, outcome, status=status, meant=meant, seconds=seconds
            )
        except Exception as failure:  # noqa: BLE001  # of a handler or a filter
            _log_failure(f"the log of {type(error).__qualname__}", failure)
        if meant:
            return
        for listener in self.listeners:
            try:
                listener(error, request)
            except Exception as failure:  # noqa: BLE001  # the answer does not depend on it
                _log_failure("on_exception", failure)


def _is_plain(function: object) -> bool:
    """Return whether this can be called; what a coroutine function does nobody would wait for."""
    return callable(function) and not iscoroutinefunction(function)


def _log_failure(option: str, failure: Exception) -> None:
    """Log that what a user has given for an option, or the log itself, has failed."""
    for told in (failure, None):  # a failure may be one that no handler can write
        with suppress(Exception):
            log.error(
                "ErrorEnvelope: %s failed with %s",
                option,
                type(failure).__qualname__,
                exc_info=told,
            )
            return
