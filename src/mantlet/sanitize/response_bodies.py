"""Choose the filters of a response body, by its kind, its content coding and its range."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

from mantlet.core.body_filters import SLICE
from mantlet.core.problem import Problem
from mantlet.core.ranges import PARTS, Extent, refused_range, send_whole
from mantlet.core.request import Request
from mantlet.core.response import DIGESTS, Filter, Reply, Response, without_digests
from mantlet.exceptions import ResponseTooLarge
from mantlet.sanitize.body import BodyFilter, ResponseContext
from mantlet.sanitize.body_kind import BodyKind, Classify, classify_body, guess_json
from mantlet.sanitize.compressed import CompressedFilter, read_codings
from mantlet.sanitize.etags import weaken_tag
from mantlet.sanitize.html_routes import CleanHtml, HtmlRoutes, charset_of
from mantlet.sanitize.json_fields import FieldMasker
from mantlet.sanitize.ranges import BeginningFilter, check_part, media_of_parts
from mantlet.sanitize.redactor import Redactor
from mantlet.sanitize.wide_text import wide_encoding

__all__ = ["ResponseBodies"]

#: Called with the request, the id of a finding, and its place.
Report = Callable[[Request, str, str], None]

_JSON: Final = "application/json"
#: The kind of a body that cannot be decompressed.
_UNDECODED: Final = classify_body(None, scan_binary=True, inspects_html=False)
#: Maximum number of media types whose kind is cached. An app has a handful.
_MAX_KINDS: Final = 256
#: Compressed bodies that declare at most this many bytes are filtered as a whole.
_MAX_WHOLE: Final = 1024 * 1024
_CSP: Final = "Content-Security-Policy"
#: No origin, no scripts, no forms, no plugins; pictures, styles and text stay.
_SANDBOX: Final = "script-src 'none'; sandbox"
#: Types of documents that can run scripts, in any of several types of a response.
_RUNS_SCRIPTS: Final = re.compile(r"html|xml|xsl|svg|mixed-replace|mhtml", re.IGNORECASE)
#: Headers that have a proxy send a file in place of the body.
_SENDFILE: Final = ("X-Sendfile", "X-Accel-Redirect", "X-LIGHTTPD-send-file", "X-Reproxy-URL")


class ResponseBodies:
    """Registers the filters of response bodies. The options are those of `OutputSanitizer`.

    Args:
        redactor: redacts leaks; None to search for none.
        masker: masks fields of JSON, if any.
        html: the routes whose HTML is cleaned, if any.
        escapes: whether JSON is escaped.
        fixes_type: whether JSON that is sent as HTML gets its own type.
        blocks_undecodable: whether a body that cannot be decompressed is refused.
        scan_binary: whether ``application/octet-stream`` is searched.
        scan_files: whether files that the server would send are searched.
        max_html_size: maximum size of HTML that is cleaned, in bytes.
        max_decoded_size: maximum size of a decompressed body, in bytes.
        report: called with each finding.

    Attributes:
        classify: returns the kind of a body by its media type.
        filters: whether an option requires that bodies are filtered.
    """

    def __init__(
        self,
        *,
        redactor: Redactor | None,
        masker: FieldMasker | None,
        html: HtmlRoutes | None,
        escapes: bool,
        fixes_type: bool,
        blocks_undecodable: bool,
        scan_binary: bool,
        scan_files: bool,
        max_html_size: int,
        max_decoded_size: int,
        report: Report,
    ) -> None:
        self._redactor = redactor
        self._masker = masker
        self._html = html
        self._escapes = escapes
        self._fixes_type = fixes_type
        self._blocks_undecodable = blocks_undecodable
        self._scan_files = scan_files
        self._max_html_size = max_html_size
        self._max_decoded_size = max_decoded_size
        self._report = report
        inspects_html = fixes_type or html is not None
        self.classify: Classify = lru_cache(_MAX_KINDS)(
            partial(classify_body, scan_binary=scan_binary, inspects_html=inspects_html)
        )
        self.filters = escapes or any(part is not None for part in (redactor, masker, html))

    def register(self, context: ResponseContext) -> Reply | Awaitable[Reply | None] | None:
        """Register the filters of the body of a response.

        Raises:
            Problem: the body can't be sent.
        """
        request, response, _, kind, _ = context
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
        is_json = None
        first = response.first_chunk
        if (kind.guessed or kind.html) and context.coding is None and not wide_encoding(first):
            is_partly_seen = _is_bodiless(response) or response.full_body is None
            is_json = guess_json(first, more=is_partly_seen)
        if kind.html:
            return self._filter_html(context, is_json)
        if kind.guessed and is_json is not None:
            context = context.guessed(is_json)
        return self._filter_body(context, escapes=self._escapes)

    def isolate(self, request: Request, response: Response, kind: BodyKind) -> None:
        """Stop browsers from running scripts of other documents on routes whose HTML is cleaned.

        Documents such as SVG can run scripts, as HTML can. They keep their content, but are shown
        in a sandbox (CSP 3, 6.4.1), without an origin and without scripts.
        """
        if self._html is None or self._html.for_request(request) is None:
            return
        if response.status == 304:  # a cache takes over its headers (RFC 9111, 3.2)
            response.headers.remove(_CSP)
        elif not kind.html and (
            kind.guessed or any(map(_RUNS_SCRIPTS.search, response.headers.getall("Content-Type")))
        ):
            response.headers.append(_CSP, _SANDBOX)

    def _filter_part(
        self, context: ResponseContext, cleaner: CleanHtml | None
    ) -> Reply | Awaitable[Reply | None] | None:
        """Register the filters of a partial body (206).

        Raises:
            Problem: the part can't be sent.
        """
        request, response, scanner, kind, coding = context
        has_parts = kind.media == PARTS
        if has_parts:
            kind = self.classify(media_of_parts(response.first_chunk))
            if kind.html and self._html is not None:
                cleaner = self._html.for_request(request)
        structured = kind.json or kind.events or kind.guessed
        # HTML may turn out to be JSON, which can't be seen in a part.
        masks = cleaner is not None or (self._masker is not None and (structured or kind.html))
        changes = masks or (self._escapes and structured) or (self._fixes_type and kind.html)
        if not kind.scanned or (scanner is None and not changes):
            return None
        extent = None if has_parts else Extent.of(response)
        if extent is not None and extent.is_whole:
            send_whole(response)
            return self.register(context)
        if has_parts or masks or read_codings(coding or "") != ():
            raise refused_range(extent)
        is_beginning = check_part(request, response, extent, changes=changes)
        response.headers.remove(*DIGESTS)
        if scanner is not None:
            search: Filter = BodyFilter(context, self._redactor, None, escapes=False)
            if is_beginning and self._redactor is not None and self._redactor.masks:
                search = BeginningFilter(search)
            response.transform(search, keeps_length=True, keeps_etag=True)
        return None

    def _filter_html(
        self, context: ResponseContext, is_json: bool | None
    ) -> Reply | Awaitable[Reply | None] | None:
        """Report and mask JSON that is sent as HTML, and fix its type with ``json_as_html="fix"``.

        Args:
            context: the response.
            is_json: whether its body is JSON; None if that is unknown.
        """
        request, response = context.request, context.response
        if self._fixes_type:
            # Whether the type is fixed depends on the body, which a response to HEAD does not have.
            reply = weaken_tag(request, response)
            if reply is not None:
                return reply
            if _is_bodiless(response):
                response.headers.remove("Content-Type", *DIGESTS)
        if is_json:
            self._report(request, "json-as-html", "header content-type")
        is_fixed = bool(is_json) and self._fixes_type
        if is_fixed:
            response.headers.set("Content-Type", _JSON)
            context = context._replace(kind=self.classify(_JSON))
        elif is_json is not None:
            context = context.guessed(is_json)
        elif self._masker is not None:
            context = context._replace(kind=replace(context.kind, guessed=True))
        return self._filter_body(context, escapes=self._escapes and is_fixed)

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

        def clean(page: bytes, _more: bool) -> bytes | Awaitable[bytes]:
            if len(page) <= SLICE:
                return cleaner(page, charset)
            # Cleaning can't be sliced, but it releases the GIL.
            return request.run_in_thread(cleaner, page, charset)

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
            is_held: whether the whole body is buffered.
        """
        _, response, scanner, kind, _ = context
        structured = kind.json or kind.events or kind.guessed
        escapes = escapes and structured
        masker = self._masker if structured else None
        if scanner is None and masker is None and not escapes:
            return None
        if _is_bodiless(response) or response.full_body is None:
            response.headers.remove(*DIGESTS)  # they may be those of the unfiltered body
        if response.has_trailers:
            response.transform_trailers(without_digests)
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

        A body whose declared length is small enough is buffered: if it is clean, it is sent as it
        was. Any other is compressed again in pieces, so its ``ETag`` has to be weak.
        """
        request, response = context.request, context.response
        length = response.headers.get("Content-Length") or ""
        reply = None
        if not _is_buffered(length):
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
        request = context.request
        return CompressedFilter(
            codings, inner, limit, on_undecodable, fallback=fallback, request=request
        )

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


def _is_bodiless(response: Response) -> bool:
    """Return whether a response has headers of a body, but not the body."""
    return response.no_body or response.status == 304


def _is_buffered(length: str) -> bool:
    """Return whether a compressed body is buffered, by its ``Content-Length``."""
    return length.isascii() and length.isdigit() and len(length) < 9 and int(length) <= _MAX_WHOLE
