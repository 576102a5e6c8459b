"""`OutputSanitizer`: make every response safe to send, whatever the app has written.

It makes the headers safe, escapes JSON, masks fields of JSON, and redacts secrets, keys, tracebacks
and database errors, in responses and in WebSocket messages. Leaks without a recognizable form, such
as another user's data, are not found, nor are those inside of images, archives and PDF files.
Bodies are filtered as they stream; only data that may still become a leak is held back.
"""

from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import Final, Literal

from mantlet._internal.options import check_int
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Close, Message, Policy
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import VALIDATORS, Filter, Reply, Response
from mantlet.exceptions import ResponseTooLarge
from mantlet.http.html import HtmlPolicy
from mantlet.redact.registry import SecretValues, registry_of
from mantlet.redact.scanner import Scanner
from mantlet.sanitize.body import BodyFilter, ResponseContext, escape_if_json
from mantlet.sanitize.body_kind import BodyKind, classify_body, guess_json, looks_like_json
from mantlet.sanitize.compressed import CompressedFilter, supported_codings
from mantlet.sanitize.headers import Cookies, HeaderPolicy, Preset, SecurityHeaders
from mantlet.sanitize.html_routes import CleanHtml, HtmlRoutes, charset_of
from mantlet.sanitize.json_fields import FieldMasker, JsonField
from mantlet.sanitize.leaks import Leaks
from mantlet.sanitize.redactor import Redactor
from mantlet.sanitize.reporting import Finding, FindingListener, FindingReporter

__all__ = ["OutputSanitizer"]

#: Represents a content coding that cannot be decompressed.
_UNSUPPORTED: Final = "?"
_JSON: Final = "application/json"
#: RFC 6455, 7.4.1: the endpoint received a message that violates its policy.
_POLICY_VIOLATION: Final = 1008
#: The kind of a body that cannot be decompressed.
_UNDECODED: Final = classify_body(None, scan_binary=True, cleans_html=False)
_LEAKS: Final = Leaks()
_COOKIES: Final = Cookies()
#: Bodies up to this size are copied after the header values, to be scanned together with them.
_SMALL_BODY: Final = 8 * 1024
#: Maximum number of media types whose kind is cached. An app has a handful.
_MAX_KINDS: Final = 256


class OutputSanitizer(Policy):
    """Make every response safe to send: its headers, its body, and its WebSocket messages.

    The defaults change nothing that an app depends on: they remove headers that reveal the server
    software or would break the protocol, add security headers that cannot break an app, make JSON
    safe inside HTML, and redact private keys, keys of providers, tracebacks and database errors.

    Args:
        headers: the security headers: ``"safe"``, ``"api"``, ``"web"`` or your own; None to add
            none.
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
            allow-list.
        cookies: the attributes to add to cookies; None to leave them unchanged.
        routes: security headers by route, in place of ``headers``.
        trusted_proxies: networks of proxies that forward the scheme of the client's connection, in
            ``X-Forwarded-Proto`` or ``Forwarded``: as in `keys.client_address()` of the limiter,
            such as ``["10.0.0.0/8", "unix"]``. Headers from any other peer count for nothing.
        unsafe_headers: ``"drop"`` headers that must not be sent as they are, or ``"refuse"`` the
            response with a 500.
        json_as_html: for JSON sent as HTML: ``"report"`` it, or ``"fix"`` its type. Its fields are
            masked in both cases.
        undecodable: for a body that cannot be decompressed: ``"report"`` or ``"block"`` it.
        scan_binary: scan ``application/octet-stream`` too.
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
        self._headers = HeaderPolicy(
            headers=headers,
            cookies=cookies,
            unsafe_headers=unsafe_headers,
            routes=routes or {},
            trusted_proxies=trusted_proxies,
            report=self._report,
        )
        self.trusted_headers = self._headers.trusted_headers
        self._registry = registry_of(secrets)
        self._redactor = None
        if leaks is not None or self._registry is not None:
            leaks = Leaks(detect=()) if leaks is None else leaks
            self._redactor = Redactor(leaks, self._registry, self._reporter)
        self._masker = FieldMasker(mask) if mask else None
        self._html = HtmlRoutes(html) if html else None
        self._escapes = escape_json
        self._fixes_type = json_as_html == "fix"
        self._blocks_undecodable = undecodable == "block"
        self._scan_binary = scan_binary
        self._max_html_size = max_html_size
        self._max_decoded_size = max_decoded_size
        self._kinds: dict[str | None, BodyKind] = {}
        disabled = set()
        if not self._headers.needs_request:
            disabled.add("on_request")
        if self._redactor is None:
            disabled.add("on_message")
        self.disabled_hooks = frozenset(disabled)
        blocks_leaks = self._redactor is not None and self._redactor.blocks
        self.needs_first_chunk = blocks_leaks or self._blocks_undecodable

    def on_request(self, request: Request) -> None:
        """Create the nonce that the app puts into its scripts, if a policy needs one."""
        self._headers.on_request(request)

    def on_response(self, request: Request, response: Response) -> Awaitable[Reply | None] | None:
        """Make the headers safe, and register the filters of the body."""
        media, coding, values = self._headers.apply(request, response)
        kind = self._kinds.get(media) or self._classify(media)
        scanner = None
        if self._redactor is not None:
            if self._registry is not None and self._registry.has_replaced:
                self._registry.expire()
            scanner = self._redactor.scanner
        if response.has_trailers:
            self._filter_trailers(request, response, scanner)
        if response.complete and coding is None and kind.plain:  # the usual case
            body = response.first_chunk
            if self._is_clean(values, body, scanner, kind):
                escaped = escape_if_json(body) if kind.json and self._escapes else body
                if escaped is not body:
                    response.transform(lambda _chunk, _more: escaped)
                return None
        return self._inspect(ResponseContext(request, response, scanner, kind, coding), values)

    def _is_clean(
        self, values: bytes, body: bytes, scanner: Scanner | None, kind: BodyKind
    ) -> bool:
        """Return whether a response needs nothing but its JSON to be escaped."""
        if scanner is not None:
            if len(body) <= _SMALL_BODY:  # one search takes less time than two
                if not scanner.is_clean(b"%b\n%b" % (values, body), kind.media):
                    return False
            elif not (scanner.is_clean(values) and scanner.is_clean(body, kind.media)):
                return False
        if kind.html or kind.guessed:
            return not looks_like_json(body, complete=True)
        return not (kind.json and self._masker is not None and self._masker.prefilter.find(body))

    def _inspect(self, context: ResponseContext, values: bytes) -> Awaitable[Reply | None] | None:
        """Redact leaks in the headers, and register the filters of the body."""
        request, response, scanner, kind, _ = context
        if self._redactor is not None and request.state._in_development:
            # A debug page for a developer on this machine, who may see all but secrets.
            scanner = self._redactor.secrets_scanner
            context = context._replace(scanner=scanner)
        if self._redactor is not None and scanner is not None and not scanner.is_clean(values):
            response.raw = self._redactor.redact_headers(request, scanner, response.raw)
        if not kind.scanned or response.is_file or response.status == 206:
            return None
        if kind.html:
            cleaner = None if self._html is None else self._html.for_request(request)
            if cleaner is not None:
                return self._clean_html(context, cleaner)
            if looks_like_json(response.first_chunk, complete=response.full_body is not None):
                self._filter_json_as_html(context)
                return None
        elif kind.guessed and context.coding is None and response.first_chunk:
            is_json = guess_json(response.first_chunk, more=response.full_body is None)
            if is_json is not None:
                context = context.guessed(is_json)
        # A stream without a type keeps a length or a validator, until it turns out to be JSON.
        described = context.kind.guessed and _is_described(response)
        self._filter_body(context, escapes=self._escapes and not described)
        return None

    def _filter_trailers(
        self, request: Request, response: Response, scanner: Scanner | None
    ) -> None:
        """Register the filters of the trailers."""
        response.transform_trailers(partial(self._headers.trailers, request))
        if self._redactor is not None and scanner is not None:
            response.transform_trailers(partial(self._redactor.redact_trailers, request, scanner))

    def _filter_json_as_html(self, context: ResponseContext) -> None:
        """Report JSON that is sent as HTML, mask it, and fix its type if that is wanted."""
        self._report(context.request, "json-as-html", "header content-type")
        if self._fixes_type:
            context.response.headers.set("Content-Type", _JSON)
            context = context._replace(kind=self._classify(_JSON))
        else:
            context = context.guessed(True)
        self._filter_body(context, escapes=self._escapes and self._fixes_type)

    async def _clean_html(self, context: ResponseContext, cleaner: CleanHtml) -> None:
        """Clean HTML, which takes the whole body."""
        request, response = context.request, context.response
        try:
            await response.body(self._max_html_size)
        except ResponseTooLarge:
            self._report(request, "html-too-large", "body")
            raise Problem(500) from None
        charset = charset_of(response.headers.get("Content-Type"))

        def clean(page: bytes, _more: bool) -> bytes:
            return cleaner(page, charset)

        coding = self._coding(context, blocks=True)
        response.transform(
            clean
            if coding is None
            else self._compressed(context, coding, clean, self._max_html_size, fallback=None)
        )
        response.headers.set("Content-Type", f"{context.kind.media}; charset=utf-8")
        self._filter_body(context, escapes=False)

    def _filter_body(self, context: ResponseContext, *, escapes: bool) -> None:
        """Register the filters of the body."""
        _, response, scanner, kind, _ = context
        structured = kind.json or kind.events or kind.guessed
        escapes = escapes and structured
        masker = self._masker if structured else None
        if scanner is None and masker is None and not escapes:
            return
        coding = self._coding(context, blocks=self._blocks_undecodable)
        body_filter = BodyFilter(context, self._redactor, masker, escapes=escapes)
        if coding is None:
            response.transform(body_filter, keeps_length=not escapes and masker is None)
            return
        # A body that cannot be decompressed may not be compressed at all: scan it as it is.
        as_sent = context._replace(kind=_UNDECODED)
        undecoded = BodyFilter(as_sent, self._redactor, None, escapes=False)
        if coding is _UNSUPPORTED:
            response.transform(undecoded, keeps_length=True)
            return
        fallback = None if self._blocks_undecodable else undecoded
        response.transform(
            self._compressed(
                context, coding, body_filter, self._max_decoded_size, fallback=fallback
            )
        )

    def _compressed(
        self,
        context: ResponseContext,
        coding: str,
        inner: Filter,
        limit: int,
        *,
        fallback: Filter | None,
    ) -> CompressedFilter:
        on_undecodable = partial(self._report, context.request, "undecodable-body", "body")
        return CompressedFilter(coding, inner, limit, on_undecodable, fallback=fallback)

    def _coding(self, context: ResponseContext, *, blocks: bool) -> str | None:
        """Return the coding of a body; None if it has none, `_UNSUPPORTED` for an unknown one.

        Raises:
            Problem: the coding is unknown, and the body is to be blocked.
        """
        coding = context.coding
        if not coding or coding == "identity":
            return None
        if coding in supported_codings():
            return coding
        self._report(context.request, "unknown-encoding", "header content-encoding")
        if blocks:
            raise Problem(502)
        return _UNSUPPORTED

    def on_message(self, request: Request, message: Message) -> Message | Close:
        """Redact leaks in a WebSocket message of the app."""
        redactor = self._redactor
        if redactor is None or message.direction == "in":
            return message
        if self._registry is not None:
            self._registry.expire()
        try:
            data = redactor.redact_message(request, redactor.scanner, message.data)
        except Problem:
            return Close(_POLICY_VIOLATION)
        return message if data is message.data else Message(data, "out")

    def _classify(self, media: str | None) -> BodyKind:
        cleans_html = self._html is not None
        kind = classify_body(media, scan_binary=self._scan_binary, cleans_html=cleans_html)
        if len(self._kinds) < _MAX_KINDS:
            self._kinds[media] = kind
        return kind

    def _report(self, request: Request, rule: str, place: str) -> None:
        self._reporter.report(request, Finding(rule, place))


def _is_described(response: Response) -> bool:
    """Return whether headers describe the exact bytes of the body."""
    return any(map(response.headers.getall, ("Content-Length", *VALIDATORS)))


def _check(option: str, value: object, *choices: str) -> None:
    if value not in choices:
        raise ValueError(f"{option} must be one of {choices}, not {value!r}")
