"""`ErrorEnvelope`: answer every exception with a problem that contains nothing internal.

An exception that the app or an inner policy raises before the head is sent is answered with a
problem (RFC 9457): the raised one, if it is a `Problem`; the one that the `exceptions` option, a
framework's HTTP exception or a database's error code maps it to; else a bare 500. The client sees
the problem and the id of the request, in a form that it accepts. The exception is logged once under
that id, with its traceback, on the logger ``mantlet.errors``.

Flask, Quart and Django turn exceptions into their own 500 page, Litestar and Falcon into a
document, and Starlette sends a 500 before it raises. The envelope learns of those exceptions too
and replaces these responses, so that no debug page leaks, nor a handler's ``str(exc)``. Error
responses that a framework makes by itself (404, 405, ...) become problems for clients that ask for
JSON, and its responses to HTTP exceptions of 500 and above with a message become problems without
that message for every client. The app's own responses are left as they are.

An exception raised after the head was sent cannot be answered: it is logged under the id and goes
on to the server, which ends the connection so that the client notices.

What it does not stop: text that the app itself puts into a response, even that of an exception that
it caught; the messages of HTTP exceptions below 500 in the JSON of FastAPI and Litestar.

What it costs: each request gets an id, and the status of each response is checked. Under ASGI, a
complete response of 500 and above is sent only once the app has returned.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from time import perf_counter
from typing import get_args

from mantlet._internal.coroutines import is_plain_function
from mantlet._internal.disconnects import is_disconnect
from mantlet._internal.user_warnings import warn_user
from mantlet.core.context import enter_request, leave_request
from mantlet.core.error_log import log, mark_reported, maskers
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Policy
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Reply, Response
from mantlet.errors.app_responses import MAX_BODY, reveals, shows_debug_output, stays, words_of
from mantlet.errors.conversion import (
    Conversion,
    ConvertOption,
    hidden_detail,
    media_type,
)
from mantlet.errors.debug import debug_reply, development_reason, production_variable
from mantlet.errors.framework_exceptions import is_http_exception
from mantlet.errors.mapping import INTERNAL, UNKNOWN, ErrorMap, ErrorTarget, MappedError
from mantlet.errors.problem_types import Catalogue
from mantlet.errors.rendering import PROBLEM_JSON, Page, render
from mantlet.errors.reporting import ErrorReporter
from mantlet.errors.request_id import RequestId
from mantlet.errors.stream_errors import STREAM_FORMATS, LateErrorWriter
from mantlet.exceptions import ResponseTooLarge
from mantlet.http.headers import HeaderNames

__all__ = ["ErrorEnvelope"]

ExceptionListener = Callable[[BaseException, Request], object]


class ErrorEnvelope(Policy):
    """Answer exceptions with problem details (RFC 9457) that contain nothing internal.

    Every response has the request's id in ``X-Request-ID``, and so has the request that the app
    gets; see `RequestId`. The app also finds it in ``mantlet.state(...).request_id``.

    Args:
        exceptions: the response to each exception, by its class or its dotted name, which is not
            imported: a status, a `Problem`, or a function that takes the exception and returns one
            of these, or None to leave it to the next entry. The entry for the most derived class
            applies.
        expose_details: show clients the messages of frameworks' HTTP exceptions below 500, as in
            ``abort(404, "No such order")``.
        convert: the app's error responses that become problems: ``"auto"``, those that a framework
            made by itself, for clients that ask for JSON; ``"always"``, all that are not problems
            yet; ``"never"``, none, so that messages of frameworks' HTTP exceptions of 500 and above
            reach clients too. The words of other exceptions do not.
        page: makes the HTML page of a problem, in place of the plain one.
        stream_errors: report an error that comes late as the last event of an event stream, or the
            last line of NDJSON.
        on_exception: a function, or several, called with each exception that was not raised for the
            client and with its request, for services that collect exceptions. Their own exceptions
            are logged.
        debug: show the traceback as a page to browsers on this machine. It warns, and is refused if
            the environment is production.
        catalogue: problem types, whose pages are served at their URIs.
        request_id: how each request gets its id; ``RequestId()`` by default.
        mode: ``"enforce"``; ``"report"``, which logs exceptions and changes no response;
            ``"off"``; or a mapping of route patterns to these.

    Raises:
        ValueError: an option has an invalid value; the message names it.
    """

    position = 20
    position_reason = "an exception in {} reaches the server instead of becoming a problem response"
    request_headers: HeaderNames

    def __init__(
        self,
        *,
        exceptions: Mapping[type[Exception] | str, ErrorTarget] | None = None,
        expose_details: bool = False,
        convert: ConvertOption = "auto",
        page: Page | None = None,
        stream_errors: bool = False,
        on_exception: ExceptionListener | Sequence[ExceptionListener] = (),
        debug: bool = False,
        catalogue: Catalogue | None = None,
        request_id: RequestId | None = None,
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        if convert not in get_args(ConvertOption):
            raise ValueError(f'convert must be "auto", "always" or "never", not {convert!r}')
        listeners: object = [on_exception] if callable(on_exception) else on_exception
        if not isinstance(listeners, Sequence) or not all(
            is_plain_function(one) for one in listeners
        ):
            raise ValueError(f"on_exception must be a plain function or several: {on_exception!r}")
        if page is not None and not is_plain_function(page):
            raise ValueError(f"page must be a plain function, not {page!r}")
        if debug:
            variable = production_variable()
            if variable is not None:
                raise ValueError(f"debug must not be True: {variable} says that this is production")
            warn_user("ErrorEnvelope(debug=True) shows tracebacks")
        checked: object = request_id
        if checked is not None and not isinstance(checked, RequestId):
            raise TypeError(f"request_id must be a RequestId, not {checked!r}")
        self._request_id = request_id or RequestId()
        self._choose_id = self._request_id.choose
        self._id_header = self._request_id._name
        self.request_headers = self._request_id._headers
        self.stream_errors = stream_errors
        self.debug = debug
        self.page = page
        self.catalogue = catalogue
        self.listeners = tuple(listeners)
        self.reporter = ErrorReporter()
        self._warned_reasons: set[str] = set()
        self._conversion = (
            None if convert == "never" else Conversion(convert, expose_details=expose_details)
        )
        self._map = ErrorMap(exceptions or {}, expose_details=expose_details)
        if stream_errors:
            self.min_status = 0
        else:
            self.min_status = 400

    def on_request(self, request: Request) -> Reply | None:
        """Give the exchange its id."""
        state = request.state
        own = state._request_id
        if own is None:
            given = request.declared_headers(self.request_headers)
            own = state._request_id = self._choose_id(request, given)
        else:  # an outer envelope has chosen it
            request._add_header(self._id_header, own)
        if state._envelope is None:
            state._envelope = self
            state._began = perf_counter()
            state._context = enter_request(own, request)
        catalogue = self.catalogue
        if catalogue is not None and request.method in ("GET", "HEAD"):
            return catalogue.reply(request.path)
        return None

    def on_finish(self, request: Request) -> None:
        """Remove the exchange's id from the context."""
        state = request.state
        if state._envelope is self:
            state._envelope = None
            leave_request(state._context)

    def on_error(
        self, request: Request, error: BaseException
    ) -> Reply | Response | Awaitable[Reply | Response] | None:
        """Answer the error, and report it."""
        if not isinstance(error, Exception) or is_disconnect(error):
            return None
        response = request.app_response
        if response is not None:
            self._request_id.adopt(request, response)
        mapped = self.map_error(error, request)
        if mark_reported(request, error):
            outermost: ErrorEnvelope = request.state._envelope or self
            would = "would be " if self._reports_only(request) else ""
            outermost.report(request, error, f"{would}answered with {mapped.status}", mapped)
        if not isinstance(error, Problem) and not mapped.by_user:
            # Frameworks raise their HTTP exceptions where a developer has told them to.
            is_crash = mapped.status >= 500 or mapped.for_client
            is_shown = is_crash and self._is_development(request)
            answers_and_raises = request.is_async and request.protocol == "http"
            if is_shown and response is None and not answers_and_raises:
                return None
            if response is not None and mapped.status >= 500:
                body = response.full_body
                if body is None:
                    return self._answer_when_whole(request, response, error, mapped)
                if stays(response, body, error, shows_all=request.state._in_development):
                    return response
        return self._problem_reply(request, error, mapped, response)

    async def _answer_when_whole(
        self, request: Request, response: Response, error: Exception, mapped: MappedError
    ) -> Reply | Response:
        try:
            body = await response.body(MAX_BODY)
        except ResponseTooLarge:
            return self._problem_reply(request, error, mapped, response)
        if stays(response, body, error, shows_all=request.state._in_development):
            return response
        return self._problem_reply(request, error, mapped, response)

    def _problem_reply(
        self, request: Request, error: Exception, mapped: MappedError, response: Response | None
    ) -> Reply:
        """Return the problem for an exception, with the headers of the app's own response."""
        if self.debug and mapped.status >= 500:
            page = self._debug_reply(request, error, mapped.status)
            if page is not None:
                return _masked(request, page)
        problem = mapped.problem
        reply = Reply(mapped.status) if problem is None else problem.reply(request)
        if mapped.headers:
            reply = reply.keep_headers(mapped.headers)
        if response is None:
            return reply
        return reply.keep_headers(words_of(error, response).clean_headers(response))

    def _is_development(self, request: Request) -> bool:
        """Return whether a developer on this machine is to see exceptions and debug pages."""
        reason = development_reason(request)
        if reason is None:
            return False
        request.state._in_development = True
        if reason not in self._warned_reasons:
            self._warned_reasons.add(reason)
            log.warning(
                "ErrorEnvelope: exceptions and debug pages reach clients on this machine: %s",
                reason,
            )
        return True

    def refused_classes(self) -> set[type]:
        """Return the classes of exceptions that may be answered with a status below 500."""
        return self._map.refused_classes()

    def refuses(self, error: BaseException) -> bool:
        """Return whether an exception is a refusal: a `Problem`, or has an entry, below 500."""
        try:
            return self._map.refuses(error)
        except Exception:  # noqa: BLE001  # of a user's function; logged where it is answered
            return False

    def _reports_only(self, request: Request) -> bool:
        """Return whether the policy is in report mode for this request."""
        mode = self.mode
        return (mode if isinstance(mode, str) else mode.find(request)) == "report"

    def _debug_reply(self, request: Request, error: Exception, status: int) -> Reply | None:
        try:
            return debug_reply(request, error, status)
        except Exception as failure:  # noqa: BLE001  # the exception has no printable traceback
            self.reporter.failed(request, "debug", failure)
            return None

    def on_response(
        self, request: Request, response: Response
    ) -> Reply | Awaitable[Reply | None] | None:
        """Convert an error response, or prepare a stream for late errors."""
        if response.status < 400:
            self._watch_stream(request, response)
            return None
        self._request_id.adopt(request, response)
        state = request.state
        if state.problem is not None:
            return None
        handled = state._handled
        if (
            handled is None
            or response.status < 500
            or response.reply
            or (self._conversion is None and is_http_exception(handled))
        ):
            return self._convert(request, response)
        body = response.full_body
        if body is None:
            return self._check_when_whole(request, response, handled)
        if reveals(response, body, handled):
            return self._hide(request, response, handled)
        return self._convert(request, response)

    def _convert(
        self, request: Request, response: Response
    ) -> Reply | Awaitable[Reply | None] | None:
        """Convert an error response that the framework made by itself."""
        if shows_debug_output(response) and not self._is_development(request):
            return self._converted(request, response, Problem(response.status))
        conversion = self._conversion
        if conversion is None:
            return None
        body = response.full_body
        if body is None and not response.first_chunk:
            return None  # frameworks do not stream their own error responses
        guess = response.first_chunk if body is None else body
        problem = conversion.convert(request, response, guess)
        if problem is None:
            return None
        if body is None:
            return self._convert_when_whole(request, response, conversion)
        self._note_hidden(request, response, body)
        return self._converted(request, response, problem)

    async def _convert_when_whole(
        self, request: Request, response: Response, conversion: Conversion
    ) -> Reply | None:
        """Convert a response whose beginning is that of a framework's own."""
        body = b""
        with suppress(ResponseTooLarge):
            body = await response.body(MAX_BODY)
        problem = conversion.convert(request, response, body or b"...")
        if problem is None:
            return None
        self._note_hidden(request, response, body)
        return self._converted(request, response, problem)

    def _note_hidden(self, request: Request, response: Response, body: bytes) -> None:
        """Log the message of an HTTP exception that the framework's own response has."""
        detail = hidden_detail(response.status, body)
        if detail is not None:
            envelope: ErrorEnvelope = request.state._envelope or self
            envelope.reporter.withheld(request, response.status, detail)

    def _converted(self, request: Request, response: Response, problem: Problem) -> Reply:
        """Return a problem in a response's place, with its other headers."""
        reply = problem.reply(request)
        if "Cache-Control" in response.headers:  # the same response in another form
            own = [header for header in reply.headers if header[0].lower() != "cache-control"]
            reply = Reply(reply.status, own, reply.body)
        return reply.keep_headers((*response.headers, ("Vary", "Accept")))

    async def _check_when_whole(
        self, request: Request, response: Response, handled: BaseException
    ) -> Reply | None:
        with suppress(ResponseTooLarge):
            body = await response.body(MAX_BODY)
            if not reveals(response, body, handled):
                return None
        return self._hide(request, response, handled)

    def _hide(self, request: Request, response: Response, handled: BaseException) -> Reply:
        """Replace the app's response to an exception whose words it contains."""
        status = min(response.status, 599)
        if mark_reported(request, handled):
            outcome = f"answered with {status}, without the message that the response had"
            mapped = MappedError(status, None)
            (request.state._envelope or self).report(request, handled, outcome, mapped)
        headers = words_of(handled, response).clean_headers(response)
        return Problem(status).reply(request).keep_headers(headers)

    def _watch_stream(self, request: Request, response: Response) -> None:
        """Have a stream that breaks off end with a problem."""
        kind = media_type(response)
        headers = response.headers
        if (
            kind not in STREAM_FORMATS
            or "Content-Length" in headers
            or "Content-Encoding" in headers
        ):
            return
        writer = LateErrorWriter(response, kind)
        response.on_late_error = lambda error: writer.last_chunk(
            self.map_error(error, request).problem or INTERNAL, request
        )

    def map_error(self, error: BaseException, request: Request) -> MappedError:
        """Return the response to an exception; a bare 500 if a user's function fails."""
        try:
            return self._map.find(error)
        except Exception as failure:  # noqa: BLE001  # mostly of a user's function
            self.reporter.failed(request, "exceptions", failure)
            return UNKNOWN

    def render(self, problem: Problem, request: Request) -> Reply:
        """Return the response with a problem, in a form that the client accepts."""
        state = request.state
        state.problem = problem
        try:
            reply = render(problem, request, self.page)
        except Exception as failure:  # noqa: BLE001  # mostly of a user's page
            self.reporter.failed(request, "page", failure)
            reply = self._render_plainly(problem, request)
        return _masked(request, reply) if state._maskers else reply

    def _render_plainly(self, problem: Problem, request: Request) -> Reply:
        """Return the response with a problem that could not be rendered, in JSON."""
        with suppress(Exception):  # raised again if one of the problem's own texts raises
            return problem.with_body(PROBLEM_JSON, problem.as_json(request))
        return INTERNAL.with_body(PROBLEM_JSON, INTERNAL.as_json(request))

    def report(
        self,
        request: Request,
        error: BaseException,
        outcome: str,
        mapped: MappedError | None = None,
    ) -> None:
        """Log an exception, and call the listeners.

        Args:
            request: its request.
            error: the exception.
            outcome: the end of the log message, such as "answered with 500".
            mapped: the response; None if it came too late to be answered.
        """
        for_client = mapped is not None and mapped.for_client and mapped.status < 500
        status = None if mapped is None else mapped.status
        state = request.state
        try:
            if state._recorded is not error:  # else the framework's record shows it
                self.reporter.report(
                    request,
                    error,
                    outcome,
                    status=status,
                    for_client=for_client,
                    began=state._began,
                )
        except Exception as failure:  # noqa: BLE001  # of a log handler or filter
            self.reporter.failed(request, f"the log of {type(error).__qualname__}", failure)
        if for_client:
            return
        for listener in self.listeners:
            try:
                listener(error, request)
            except Exception as failure:  # noqa: BLE001  # the response does not depend on it
                self.reporter.failed(request, "on_exception", failure)


def _masked(request: Request, reply: Reply) -> Reply:
    """Mask the app's secrets in the headers and the body of a reply, if a policy knows them."""
    for masker in maskers(request):
        media = next((v for n, v in reply.headers if n.lower() == "content-type"), "")
        reply.headers = tuple((name, masker.text(value)) for name, value in reply.headers)
        reply.body = masker.body(reply.body, media.partition(";")[0].strip().lower())
    return reply
