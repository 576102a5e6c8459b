"""`OutputSanitizer`: make every response safe to send, whatever the app has written.

It makes the headers safe, escapes JSON, masks fields of JSON, and redacts secrets, keys, tracebacks
and database errors, in responses and in WebSocket messages. Leaks without a recognizable form, such
as another user's data, are not found, nor are those inside of images, archives and PDF files.
Bodies are filtered as they stream; only data that may still become a leak is held back.
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, Literal, cast

from mantlet._internal.options import check_int
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Close, Message, Policy
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import DIGESTS, VALIDATORS, Filter, Reply, Response
from mantlet.exceptions import ResponseTooLarge
from mantlet.http.headers import is_valid_value
from mantlet.http.html import HtmlPolicy
from mantlet.redact.registry import SecretValues, registry_of
from mantlet.redact.scanner import Scanner
from mantlet.sanitize.across import JoinedMessages
from mantlet.sanitize.body import BodyFilter, ResponseContext, escape_if_json
from mantlet.sanitize.body_kind import BodyKind, classify_body, guess_json, looks_like_json
from mantlet.sanitize.compressed import CompressedFilter, read_codings
from mantlet.sanitize.etags import restore_tags, strengthen_tags, weaken_tag
from mantlet.sanitize.headers import Cookies, HeaderPolicy, Preset, SecurityHeaders
from mantlet.sanitize.html_routes import CleanHtml, HtmlRoutes, charset_of
from mantlet.sanitize.json_fields import FieldMasker, JsonField
from mantlet.sanitize.leaks import Leaks
from mantlet.sanitize.partial import (
    PARTS,
    BeginningFilter,
    Extent,
    check_part,
    deny_ranges,
    drop_range,
    media_of_parts,
    refused_range,
)
from mantlet.sanitize.redactor import Redactor
from mantlet.sanitize.reporting import Finding, FindingListener, FindingReporter

__all__ = ["OutputSanitizer"]

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
#: Statuses of responses that need a closer look whatever their body: a part, and not modified.
_SPECIAL: Final = (206, 304)
#: Compressed bodies that declare at most this many bytes are looked at as a whole.
_MAX_WHOLE: Final = 1024 * 1024
#: Headers that have a proxy send a file in place of the body.
_SENDFILE: Final = ("X-Sendfile", "X-Accel-Redirect", "X-LIGHTTPD-send-file", "X-Reproxy-URL")


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
        self._scan_files = scan_files
        self._max_html_size = max_html_size
        self._max_decoded_size = max_decoded_size
        self._kinds: dict[str | None, BodyKind] = {}
        disabled = set()
        self._filters_bodies = (
            self._redactor is not None
            or self._masker is not None
            or self._html is not None
            or escape_json
        )
        self._needs_nonce = self._headers.needs_request
        if not self._needs_nonce and not self._filters_bodies:
            disabled.add("on_request")
        if self._redactor is None:
            disabled |= {"on_message", "on_text"}
        if self._redactor is None or not self._redactor.across:
            disabled.add("on_close")
        self.disabled_hooks = frozenset(disabled)
        blocks_leaks = self._redactor is not None and self._redactor.blocks
        self.needs_first_chunk = blocks_leaks or self._blocks_undecodable

    def on_request(self, request: Request) -> None:
        """Create the nonce that the app puts into its scripts, if a policy needs one."""
        if self._needs_nonce:
            self._headers.on_request(request)
        if self._filters_bodies:
            strengthen_tags(request)
            drop_range(request)

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
        status = response.status
        if b"bytes" in values and kind.scanned and self._filters_bodies:
            deny_ranges(response, media)
        if response.complete and coding is None and kind.plain and status not in _SPECIAL:
            # The usual case.
            body = response.first_chunk
            if self._is_clean(values, body, scanner, kind):
                escaped = escape_if_json(body) if kind.json and self._escapes else body
                if escaped is not body:
                    response.transform(lambda _chunk, _more: escaped, keeps_etag=True)
                return None
        if status == 304 and self._filters_bodies:
            restore_tags(request, response)
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
        cleaner = None
        if kind.html and self._html is not None:
            cleaner = self._html.for_request(request)
        if response.status == 206:
            return self._filter_part(context, cleaner)
        if not kind.scanned:
            return None
        if cleaner is not None:
            return self._clean_html(context, cleaner)
        if response.is_file and not self._scan_files:
            return None
        if kind.html and looks_like_json(
            response.first_chunk, complete=response.full_body is not None
        ):
            return self._filter_json_as_html(context)
        if kind.guessed:
            context = _look_for_json(context)
        # A stream without a type keeps a length or a validator, until it turns out to be JSON.
        described = context.kind.guessed and _is_described(response)
        return self._filter_body(context, escapes=self._escapes and not described)

    def _filter_part(
        self, context: ResponseContext, cleaner: CleanHtml | None
    ) -> Awaitable[Reply | None] | None:
        """Register the filters of a partial body (206).

        Raises:
            Problem: the part can't be sent.
        """
        request, response, scanner, kind, coding = context
        has_parts = kind.media == PARTS
        if has_parts:
            kind = self._classify(media_of_parts(response.first_chunk))
            if kind.html and self._html is not None:
                cleaner = self._html.for_request(request)
        structured = kind.json or kind.events or kind.guessed
        masks = cleaner is not None or (self._masker is not None and structured)
        changes = masks or (self._escapes and structured)
        if not kind.scanned or (scanner is None and not changes):
            return None
        extent = None if has_parts else Extent.of(response)
        if extent is not None and extent.is_whole:
            response.status = 200
            response.headers.remove("Content-Range")
            return self._inspect(context, b"")
        if has_parts or masks or read_codings(coding or "") != ():
            raise refused_range(extent)
        is_beginning = check_part(request, response, extent, changes=changes)
        if scanner is not None:
            search: Filter = BodyFilter(context, self._redactor, None, escapes=False)
            if is_beginning and self._redactor is not None and self._redactor.masks:
                search = BeginningFilter(search)
            response.transform(search, keeps_length=True, keeps_etag=True)
        return None

    def _filter_trailers(
        self, request: Request, response: Response, scanner: Scanner | None
    ) -> None:
        """Register the filters of the trailers."""
        response.transform_trailers(partial(self._headers.trailers, request))
        if self._redactor is not None and scanner is not None:
            response.transform_trailers(partial(self._redactor.redact_trailers, request, scanner))

    def _filter_json_as_html(self, context: ResponseContext) -> Awaitable[Reply | None] | None:
        """Report JSON that is sent as HTML, mask it, and fix its type if that is wanted."""
        self._report(context.request, "json-as-html", "header content-type")
        if self._fixes_type:
            context.response.headers.set("Content-Type", _JSON)
            context = context._replace(kind=self._classify(_JSON))
        else:
            context = context.guessed(True)
        return self._filter_body(context, escapes=self._escapes and self._fixes_type)

    async def _clean_html(self, context: ResponseContext, cleaner: CleanHtml) -> None:
        """Clean HTML, which takes the whole body."""
        request, response = context.request, context.response
        if any(name in response.headers for name in _SENDFILE):
            self._report(request, "html-unread-file", "header")
            raise Problem(500)
        try:
            await response.body(self._max_html_size)
        except ResponseTooLarge:
            self._report(request, "html-too-large", "body")
            raise Problem(500) from None
        charset = charset_of(response.headers.get("Content-Type"))

        def clean(page: bytes, _more: bool) -> bytes:
            return cleaner(page, charset)

        codings = self._codings(context, blocks=True)
        response.transform(
            clean
            if not codings
            else self._compressed(context, codings, clean, self._max_html_size, fallback=None),
            keeps_etag=True,
        )
        response.headers.set("Content-Type", f"{context.kind.media}; charset=utf-8")
        self._filter_body(context, escapes=False, is_held=True)

    def _filter_body(
        self, context: ResponseContext, *, escapes: bool, is_held: bool = False
    ) -> Awaitable[Reply | None] | None:
        """Register the filters of the body.

        Args:
            context: the response.
            escapes: whether to escape JSON.
            is_held: whether the whole body is there.
        """
        _, response, scanner, kind, _ = context
        structured = kind.json or kind.events or kind.guessed
        escapes = escapes and structured
        masker = self._masker if structured else None
        if scanner is None and masker is None and not escapes:
            return None
        if response.no_body or response.full_body is None:
            response.headers.remove(*DIGESTS)  # known to be true only for a body that is there
        codings = self._codings(context, blocks=self._blocks_undecodable)
        body_filter = BodyFilter(context, self._redactor, masker, escapes=escapes)
        if codings == ():
            keeps_length = not escapes and masker is None
            response.transform(body_filter, keeps_length=keeps_length, keeps_etag=True)
            return None
        # A body that cannot be decompressed may not be compressed at all: scan it as it is.
        as_sent = context._replace(kind=_UNDECODED)
        undecoded = BodyFilter(as_sent, self._redactor, None, escapes=False)
        if codings is None:
            response.transform(undecoded, keeps_length=True, keeps_etag=True)
            return None
        fallback = None if self._blocks_undecodable else undecoded
        limit = self._max_decoded_size
        decoded = self._compressed(context, codings, body_filter, limit, fallback=fallback)
        if is_held:
            response.transform(decoded, keeps_etag=True)
            return None
        return self._filter_compressed(context, decoded)

    async def _filter_compressed(
        self, context: ResponseContext, decoded: CompressedFilter
    ) -> Reply | None:
        """Register the filter of a compressed body.

        A body that declares a length that can be held is waited for: clean, it is sent as it was.
        Any other is compressed again in pieces, so that its tag has to be weak.
        """
        request, response = context.request, context.response
        length = response.headers.get("Content-Length") or ""
        reply = None
        if not _is_held(length):
            reply = weaken_tag(request, response)
        elif not response.no_body:
            try:
                await response.body(_MAX_WHOLE)
            except ResponseTooLarge:
                reply = weaken_tag(request, response)
        response.transform(decoded, keeps_etag=True)
        return reply

    def _compressed(
        self,
        context: ResponseContext,
        codings: Sequence[str],
        inner: Filter,
        limit: int,
        *,
        fallback: Filter | None,
    ) -> CompressedFilter:
        on_undecodable = partial(self._report, context.request, "undecodable-body", "body")
        return CompressedFilter(codings, inner, limit, on_undecodable, fallback=fallback)

    def _codings(self, context: ResponseContext, *, blocks: bool) -> tuple[str, ...] | None:
        """Return the content codings of a body; None for unknown ones.

        Raises:
            Problem: a coding is unknown, and the body is to be blocked.
        """
        codings = read_codings(context.coding or "")
        if codings is None:
            self._report(context.request, "unknown-encoding", "header content-encoding")
            if blocks:
                raise Problem(502)
        return codings

    def on_message(
        self, request: Request, message: Message
    ) -> Message | Close | tuple[Message, ...]:
        """Redact leaks in a WebSocket message of the app."""
        redactor = self._redactor
        if redactor is None or message.direction == "in":
            return message
        if self._registry is not None:
            self._registry.expire()
        try:
            data = redactor.redact_message(request, redactor.scanner, message.data)
            redacted = message if data is message.data else Message(data, "out")
            if redactor.across:
                return self._messages(request).add(redacted)
        except Problem:
            request.local(self).pop("messages", None)  # a leak may begin in those that are held
            return Close(_POLICY_VIOLATION)
        return redacted

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

    def _classify(self, media: str | None) -> BodyKind:
        cleans_html = self._html is not None
        kind = classify_body(media, scan_binary=self._scan_binary, cleans_html=cleans_html)
        if len(self._kinds) < _MAX_KINDS:
            self._kinds[media] = kind
        return kind

    def _report(self, request: Request, rule: str, place: str) -> None:
        self._reporter.report(request, Finding(rule, place))


def _look_for_json(context: ResponseContext) -> ResponseContext:
    """Return the context with what the beginning of a body without a type tells about it."""
    response = context.response
    if context.coding is None and response.first_chunk:
        is_json = guess_json(response.first_chunk, more=response.full_body is None)
        if is_json is not None:
            return context.guessed(is_json)
    return context


def _is_described(response: Response) -> bool:
    """Return whether headers describe the exact bytes of the body."""
    return any(map(response.headers.getall, ("Content-Length", *VALIDATORS)))


def _is_held(length: str) -> bool:
    """Return whether a compressed body of a declared length is waited for."""
    return length.isascii() and length.isdigit() and len(length) < 9 and int(length) <= _MAX_WHOLE


def _check(option: str, value: object, *choices: str) -> None:
    if value not in choices:
        raise ValueError(f"{option} must be one of {choices}, not {value!r}")
