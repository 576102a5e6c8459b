"""`OutputSanitizer`: make every response safe to send, whatever the app has written.

It makes the headers safe, escapes JSON, masks fields of JSON, and redacts secrets, keys, tracebacks
and database errors, in responses and in WebSocket messages. Leaks without a recognizable form, such
as another user's data, are not found, nor are those inside of images, archives and PDF files.
Bodies are filtered as they stream; only data that may still become a leak is held back.
"""

from collections import deque
from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import Final, Literal, cast

from mantlet._internal.options import check_int
from mantlet.core.body_filters import SLICE
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Close, Message, MessageResult, Policy
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import ChunkFilter, Reply, Response
from mantlet.http.headers import is_valid_value
from mantlet.http.html import HtmlPolicy
from mantlet.redact.registry import SecretValues, registry_of
from mantlet.redact.scanner import Scanner
from mantlet.sanitize.body import ResponseContext, escape_if_json
from mantlet.sanitize.body_kind import guess_json
from mantlet.sanitize.etags import restore_tags, strengthen_tags
from mantlet.sanitize.headers import (
    REQUEST_HEADERS,
    Cookies,
    HeaderPolicy,
    Preset,
    SecurityHeaders,
)
from mantlet.sanitize.html_routes import HtmlRoutes
from mantlet.sanitize.joined_events import JoinedMessages
from mantlet.sanitize.json_fields import FieldMasker, JsonField
from mantlet.sanitize.leaks import Leaks
from mantlet.sanitize.ranges import drop_range
from mantlet.sanitize.redactor import Redactor
from mantlet.sanitize.reporting import Finding, FindingListener, FindingReporter
from mantlet.sanitize.response_bodies import ResponseBodies

__all__ = ["OutputSanitizer"]

#: RFC 6455, 7.4.1: the endpoint received a message that violates its policy.
_POLICY_VIOLATION: Final = 1008
_LEAKS: Final = Leaks()
_COOKIES: Final = Cookies()
#: Bodies up to this size are copied after the header values, to be scanned together with them.
_SMALL_BODY: Final = 8 * 1024
#: Bodies up to this size are searched in one go: most are clean, and slices take longer.
_MEDIUM_BODY: Final = 128 * 1024
#: Statuses of responses that need a closer look whatever their body: a part, and not modified.
_SPECIAL: Final = frozenset({206, 304})


class OutputSanitizer(Policy):
    """Make every response safe to send: its headers, its body, and its WebSocket messages.

    The defaults change nothing that an app depends on: they remove headers that reveal the server
    software or would break the protocol, add security headers that cannot break an app, make JSON
    safe inside HTML, and redact private keys, keys of providers, tracebacks and database errors.

    Args:
        headers: the security headers: ``"safe"``, ``"api"``, ``"web"``, ``"docs"`` or your own;
            None to add none.
        escape_json: write ``<``, ``>``, ``&``, U+2028 and U+2029 in JSON as escapes. The document
            stays the same to a parser, and becomes harmless inside a page.
        leaks: the leaks to search for, and the action to take; None to only search for
            ``secrets``.
        secrets: values that must not be sent in any encoding: a `SecretLoader`, or several values
            of text or bytes. Values of less than 8 bytes, or easy to guess, are left out with a
            warning.
        mask: fields of JSON to mask, at any depth: names, globs or JSON Pointers, or a `JsonField`
            to drop one or to limit it to a route.
        html: routes whose HTML is cleaned, each with a preset of `mantlet.http.html` or an
            allow-list. Other documents there, such as SVG, are sent with a policy that has browsers
            run no scripts in them.
        cookies: the attributes to add to cookies; None to leave them unchanged.
        routes: security headers by route, in place of ``headers``.
        trusted_proxies: networks of proxies that forward the scheme of the client's connection, in
            ``X-Forwarded-Proto`` or ``Forwarded``: as in `keys.client_address()` of the limiter,
            such as ``["10.0.0.0/8", "unix"]``. Headers from any other peer are ignored.
        unsafe_headers: ``"drop"`` headers that must not be sent as they are, or ``"refuse"`` the
            response with a 500.
        json_as_html: for JSON sent as HTML: ``"report"`` it, or ``"fix"`` its type. Its fields are
            masked in both cases.
        undecodable: for a body that cannot be decompressed: ``"report"`` or ``"block"`` it.
        scan_binary: scan ``application/octet-stream`` too.
        scan_files: read files of scanned types that the server would send by itself
            (``wsgi.file_wrapper``, ``http.response.pathsend``), to scan them; False to leave them
            to the server. On routes with ``html`` they are always read.
        max_html_size: maximum size of HTML that is cleaned, in bytes; a larger page is a 500.
        max_decoded_size: maximum size of a compressed body when decompressed, in bytes; a larger
            one is undecodable.
        on_finding: called with each `Finding` and its request.
        mode: ``"enforce"``, ``"report"`` to change nothing and report what would be changed, or
            ``"off"``; for all requests, or by route. To only report leaks while the rest is
            enforced, use ``Leaks("report")``.

    Raises:
        ValueError: an option has an invalid value; the message names it.
        TypeError: an option has a wrong type.
    """

    position = 10
    position_reason = "the responses of {} are sent without being sanitized"
    request_headers = REQUEST_HEADERS

    def __init__(
        self,
        *,
        headers: Preset | SecurityHeaders | None = "safe",
        escape_json: bool = True,
        leaks: Leaks | None = _LEAKS,
        secrets: SecretValues = (),
        mask: Iterable[str | JsonField] = (),
        html: Mapping[str, str | HtmlPolicy] | None = None,
        cookies: Cookies | None = _COOKIES,
        routes: Mapping[str, Preset | SecurityHeaders | None] | None = None,
        trusted_proxies: Iterable[str] = (),
        unsafe_headers: Literal["drop", "refuse"] = "drop",
        json_as_html: Literal["report", "fix"] = "report",
        undecodable: Literal["report", "block"] = "report",
        scan_binary: bool = False,
        scan_files: bool = True,
        max_html_size: int = 1024 * 1024,
        max_decoded_size: int = 256 * 1024 * 1024,
        on_finding: FindingListener | None = None,
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        _check("json_as_html", json_as_html, "report", "fix")
        _check("undecodable", undecodable, "report", "block")
        check_int("max_html_size", max_html_size, unit="bytes")
        check_int("max_decoded_size", max_decoded_size, unit="bytes")
        self._reporter = FindingReporter(on_finding)
        self._registry = registry_of(secrets)
        self._redactor = None
        if leaks is not None or self._registry is not None:
            leaks = Leaks(detect=()) if leaks is None else leaks
            self._redactor = Redactor(leaks, self._registry, self._reporter)
        self._masker = FieldMasker(mask) if mask else None
        self._escapes = escape_json
        self._bodies = ResponseBodies(
            redactor=self._redactor,
            masker=self._masker,
            html=HtmlRoutes(html) if html else None,
            escapes=escape_json,
            fixes_type=json_as_html == "fix",
            blocks_undecodable=undecodable == "block",
            scan_binary=scan_binary,
            scan_files=scan_files,
            max_html_size=max_html_size,
            max_decoded_size=max_decoded_size,
            report=self._report,
        )
        self._headers = HeaderPolicy(
            headers=headers,
            cookies=cookies,
            unsafe_headers=unsafe_headers,
            routes=routes or {},
            trusted_proxies=trusted_proxies,
            classify=self._bodies.classify,
            denies_ranges=self._bodies.filters,
            report=self._report,
        )
        self.trusted_headers = self._headers.trusted_headers
        self._filters_bodies = self._bodies.filters
        self._isolates = bool(html)
        disabled = set()
        self._needs_nonce = self._headers.needs_request
        if not self._needs_nonce and not self._filters_bodies:
            disabled.add("on_request")
        if self._redactor is None:
            disabled |= {"on_message", "on_text"}
        if self._redactor is None or not self._redactor.across:
            disabled.add("on_close")
        self.disabled_hooks = frozenset(disabled)
        blocks_leaks = self._redactor is not None and self._redactor.blocks
        self.needs_first_chunk = blocks_leaks or undecodable == "block"

    def on_request(self, request: Request) -> None:
        """Create the nonce that the app puts into its scripts, if a policy needs one."""
        if self._needs_nonce:
            self._headers.on_request(request)
        if self._filters_bodies:
            found = request.declared_headers(REQUEST_HEADERS)
            if "If-Match" in found or "Range" in found:
                strengthen_tags(request)
                drop_range(request)

    def on_response(  # noqa: C901  # a call for each step costs every response more
        self, request: Request, response: Response
    ) -> Reply | Awaitable[Reply | None] | None:
        """Make the headers safe, and register the filters of the body."""
        kind, coding, values = self._headers.apply(request, response)
        scanner = None
        if self._redactor is not None:
            if self._registry is not None and self._registry.has_replaced:
                self._registry.expire()
            scanner = self._redactor.scanner
        if response.has_trailers:
            self._filter_trailers(request, response, scanner)
        if self._isolates:
            self._bodies.isolate(request, response, kind)
        body = response.first_chunk
        status = response.status
        if (
            response.complete
            and kind.plain
            and coding is None
            and status not in _SPECIAL
            and (size := len(body)) <= _MEDIUM_BODY
            and not (0 in body or body >= b"\xfe")  # else it may be UTF-16 or UTF-32
            and (
                scanner is None
                or (
                    scanner.is_clean(values + body)  # one search takes less time than two
                    if size <= _SMALL_BODY
                    else scanner.is_clean(values) and scanner.is_clean(body)
                )
            )
        ):  # the usual case
            if not kind.json:
                if not (kind.html or kind.guessed) or not guess_json(body, more=False):
                    return None
            elif self._masker is None or not self._masker.prefilter.find(body):
                if self._escapes:
                    escaped = escape_if_json(body)
                    if escaped is not body:
                        response.transform(_replace_by(escaped), keeps_etag=True)
                return None
        if status == 304 and self._filters_bodies:
            restore_tags(request, response)
        return self._inspect(ResponseContext(request, response, scanner, kind, coding), values)

    def _inspect(
        self, context: ResponseContext, values: bytes
    ) -> Reply | Awaitable[Reply | None] | None:
        """Redact leaks in the headers, and register the filters of the body."""
        request, response, scanner, *_ = context
        if self._redactor is not None and request.state._in_development:
            # A debug page for a developer on this machine, who may see all but secrets.
            scanner = self._redactor.secrets_scanner
            context = context._replace(scanner=scanner)
        if self._redactor is not None and scanner is not None and not scanner.is_clean(values):
            response.raw = self._redactor.redact_headers(request, scanner, response.raw)
        return self._bodies.register(context)

    def _filter_trailers(
        self, request: Request, response: Response, scanner: Scanner | None
    ) -> None:
        """Register the filters of the trailers."""
        response.transform_trailers(partial(self._headers.trailers, request))
        if self._redactor is not None and scanner is not None:
            response.transform_trailers(partial(self._redactor.redact_trailers, request, scanner))

    def on_message(
        self, request: Request, message: Message
    ) -> MessageResult | Awaitable[MessageResult]:
        """Redact leaks in a WebSocket message of the app."""
        redactor = self._redactor
        if redactor is None or message.direction == "in":
            return message
        if self._registry is not None:
            self._registry.expire()
        if len(message.data) > SLICE or request.local(self).get("turns"):
            return self._redact_in_turn(redactor, request, message)
        try:
            data = redactor.redact_message(request, redactor.scanner, message.data)
            return self._redacted(redactor, request, message, data)
        except Problem:
            return self._blocked(request)

    async def _redact_in_turn(
        self, redactor: Redactor, request: Request, message: Message
    ) -> MessageResult:
        """Redact leaks in a message that is long, or that follows one which is still searched.

        The app may send from several tasks; messages leave in the order in which they were sent.
        """
        turns: deque[object] = request.local(self).setdefault("turns", deque())
        own = object()
        turns.append(own)
        try:
            while turns[0] is not own:
                await request.checkpoint()
            data = await redactor.redact_long_message(request, redactor.scanner, message.data)
            return self._redacted(redactor, request, message, data)
        except Problem:
            return self._blocked(request)
        finally:
            turns.remove(own)

    def _redacted(
        self, redactor: Redactor, request: Request, message: Message, data: str | bytes
    ) -> Message | tuple[Message, ...]:
        redacted = message if data is message.data else Message(data, "out")
        return self._messages(request).add(redacted) if redactor.across else redacted

    def _blocked(self, request: Request) -> Close:
        request.local(self).pop("messages", None)  # a leak may begin in those that are held
        return Close(_POLICY_VIOLATION)

    def on_close(self, request: Request) -> tuple[Message, ...]:
        """Return the messages of the app that were held back."""
        try:
            return self._messages(request).end()
        except Problem:
            return ()

    def _messages(self, request: Request) -> JoinedMessages:
        own = request.local(self)
        messages: JoinedMessages | None = own.get("messages")
        if messages is None and self._redactor is not None:
            joiner = self._redactor.joiner(request, self._redactor.scanner, "joined messages")
            messages = own["messages"] = JoinedMessages(joiner)
        return cast("JoinedMessages", messages)

    def on_text(self, request: Request, text: str, place: str) -> str | None:
        """Redact leaks in a text outside of headers, bodies and messages."""
        redactor = self._redactor
        if redactor is None:
            return text
        if place != "close reason" and not is_valid_value(text):
            self._report(request, "header-injection", place)
            return None
        if self._registry is not None:
            self._registry.expire()
        try:
            return redactor.redact_text(request, redactor.scanner, text, place)
        except Problem:
            return None

    def _report(self, request: Request, rule: str, place: str) -> None:
        self._reporter.report(request, Finding(rule, place))


def _replace_by(body: bytes) -> ChunkFilter:
    """Return a filter that replaces a whole body."""
    return lambda _chunk, _more: body


def _check(option: str, value: object, *choices: str) -> None:
    if value not in choices:
        raise ValueError(f"{option} must be one of {choices}, not {value!r}")
