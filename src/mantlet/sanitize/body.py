r"""The body of a response: its kind, and the filters that it passes, JSON escaping among them.

JSON is escaped so that it is safe inside HTML: the same document to a JSON parser, and harmless to
a browser. ``<``, ``>``, ``&``, U+2028 and U+2029 become ``\u003c``, ``\u003e``, ``\u0026``,
``\u2028`` and ``\u2029``. In JSON these five occur only in strings, where an escape means the same
(RFC 8259, 7). A browser that is tricked into reading the response as HTML, or a page that has it in
a ``<script>``, then finds no tag and no comment in it (HTML, 4.12.1.3), and U+2028 and U+2029 end
no line of a script (as they did until ECMAScript 2019). Existing escapes are kept.

The bytes are replaced wherever they occur. Invalid JSON is changed by that, to the better: it no
longer contains ``<script>``. A document in UTF-16 or UTF-32, detected by its byte order mark or by
a NUL among its first two bytes (JSON begins with an ASCII character), is left unchanged.
"""

import json
import re
from typing import Final, NamedTuple

from mantlet.core.request import Request
from mantlet.core.response import Filter, Response
from mantlet.redact.scanner import Scanner
from mantlet.sanitize.event_stream import EventStreamFilter
from mantlet.sanitize.json_fields import FieldMasker
from mantlet.sanitize.redactor import Redactor

__all__ = [
    "BodyFilter",
    "BodyKind",
    "EventEscape",
    "JsonEscape",
    "ResponseContext",
    "classify_body",
    "escape_json",
    "looks_like_json",
]

_EVENTS: Final = "text/event-stream"
#: JSON types without the suffix "+json": older names, JSON lines and sequences (RFC 7464).
_JSON: Final = frozenset(
    {
        "application/json",
        "application/json-seq",
        "application/jsonl",
        "application/jsonlines",
        "application/ndjson",
        "application/x-ndjson",
        "text/json",
    }
)
#: Types that show no leak until they are unpacked or rendered. They are not scanned.
_OPAQUE_TYPES: Final = frozenset({"image", "video", "audio", "font"})
_TEXT_IMAGES: Final = frozenset({"image/svg+xml"})
_OPAQUE: Final = frozenset(
    {
        "application/gzip",
        "application/java-archive",
        "application/pdf",
        "application/vnd.rar",
        "application/wasm",
        "application/x-7z-compressed",
        "application/x-bzip2",
        "application/x-gzip",
        "application/x-rar-compressed",
        "application/x-tar",
        "application/x-xz",
        "application/zip",
        "application/zstd",
        "multipart/byteranges",
    }
)
_BINARY: Final = "application/octet-stream"

#: JSON begins within this many bytes, after whitespace and the byte order mark that some send.
_BEGINNING: Final = 64
_BOM: Final = b"\xef\xbb\xbf"
_JSON_BEGINNING: Final = re.compile(
    rb'\s*(?:\{\s*(?:\}|"(?:[^"\\\x00-\x1f]|\\.)*"\s*:)|\[\s*[\[{"\d\]])'
)

# Numbers, since in Python 3.11 only a search for an int, not for bytes of length one, is a
# memchr().
_LESS: Final = 0x3C
_GREATER: Final = 0x3E
_AND: Final = 0x26
#: The first byte of U+2028 and U+2029 in UTF-8, and of dashes and typographic quotes.
_SEPARATOR: Final = 0xE2
_LINE: Final = 0xA8
_PARAGRAPH: Final = 0xA9
_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_JSON_STARTS: Final = (b"{", b"[", b'"')


# -- the kind of a body ---------------------------------------------------------------------------


class BodyKind(NamedTuple):
    """The consequences of a media type.

    Attributes:
        media: the media type; None if the response has none.
        scanned: whether the body is looked at.
        json: whether it is JSON, or a sequence of JSON documents.
        events: whether it is an event stream.
        html: whether it is HTML.
        plain: whether it is scanned, and neither an event stream nor HTML that may be cleaned.
    """

    media: str | None
    scanned: bool
    json: bool
    events: bool
    html: bool
    plain: bool


def classify_body(media: str | None, *, scan_binary: bool, cleans_html: bool) -> BodyKind:
    """Return the kind of a body.

    Args:
        media: the media type in lower case, without parameters.
        scan_binary: whether to scan ``application/octet-stream``.
        cleans_html: whether the HTML of some routes is cleaned.
    """
    if media is None:
        return BodyKind(None, scanned=True, json=False, events=False, html=False, plain=True)
    opaque = media in _OPAQUE or (
        media.partition("/")[0] in _OPAQUE_TYPES and media not in _TEXT_IMAGES
    )
    scanned = not opaque and (scan_binary or media != _BINARY)
    is_json = media.endswith("+json") or media in _JSON
    html = media in ("text/html", "application/xhtml+xml")
    events = media == _EVENTS
    plain = scanned and not (events or (html and cleans_html))
    return BodyKind(media, scanned, is_json, events, html, plain)


def looks_like_json(first: bytes, *, complete: bool) -> bool:
    """Return whether a body that claims to be HTML is JSON.

    Args:
        first: the first bytes of the body.
        complete: whether they are the whole body.
    """
    if first[:_BEGINNING].removeprefix(_BOM).lstrip()[:1] not in (b"{", b"["):
        return False
    first = first.removeprefix(_BOM)
    if not complete:
        return _JSON_BEGINNING.match(first) is not None
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


# -- filters --------------------------------------------------------------------------------------


class ResponseContext(NamedTuple):
    """A response, with what is known about its body.

    Attributes:
        request: the request.
        response: the response.
        scanner: the scanner for its body, if leaks are searched for.
        kind: the kind of the body.
        coding: the content coding of the body, according to the headers.
    """

    request: Request
    response: Response
    scanner: Scanner | None
    kind: BodyKind
    coding: str | None


class BodyFilter:
    """A filter of a decoded body: masks fields, redacts leaks, escapes JSON.

    Args:
        context: the response.
        redactor: redacts leaks; None to skip that.
        masker: masks fields of JSON; None to skip that.
        escapes: whether to escape JSON.
    """

    __slots__ = ("_context", "_escapes", "_filters", "_masker", "_redactor")

    def __init__(
        self,
        context: ResponseContext,
        redactor: Redactor | None,
        masker: FieldMasker | None,
        *,
        escapes: bool,
    ) -> None:
        self._context = context
        self._redactor = redactor
        self._masker = masker
        self._escapes = escapes
        self._filters: list[Filter] | None = None

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data to send in its place."""
        filters = self._filters
        if filters is None:
            filters = self._filters = self._make_filters()
        for fn in filters:
            chunk = fn(chunk, more)
        return chunk

    def _make_filters(self) -> list[Filter]:
        filters: list[Filter] = []
        request, _, scanner, kind, _ = self._context
        if self._masker is not None:
            mask = self._masker.filter_for(request, events=kind.events)
            if mask is not None:
                filters.append(mask)
        if self._redactor is not None and scanner is not None:
            filters.append(self._redactor.body_filter(request, scanner, kind.media))
        if self._escapes:
            filters.append(EventEscape() if kind.events else JsonEscape())
        return filters


# -- escaping -------------------------------------------------------------------------------------


def escape_json(body: bytes) -> bytes:
    """Return a JSON document without ``<``, ``>``, ``&``, U+2028 and U+2029.

    Args:
        body: the whole document.

    Returns:
        The same object if it has none of them.
    """
    if _LESS in body or _GREATER in body or _AND in body or _SEPARATOR in body:
        return body if _is_wide(body) else _escape(body)
    return body


def _escape(chunk: bytes) -> bytes:
    if _LESS in chunk:
        chunk = chunk.replace(b"<", b"\\u003c")
    if _GREATER in chunk:
        chunk = chunk.replace(b">", b"\\u003e")
    if _AND in chunk:
        chunk = chunk.replace(b"&", b"\\u0026")
    if _SEPARATOR in chunk:
        if _LINE in chunk:
            chunk = chunk.replace(b"\xe2\x80\xa8", b"\\u2028")
        if _PARAGRAPH in chunk:
            chunk = chunk.replace(b"\xe2\x80\xa9", b"\\u2029")
    return chunk


def _is_wide(data: bytes) -> bool:
    """Return whether a document is in UTF-16 or UTF-32."""
    start = data[:2]
    return 0 in start or start in _WIDE_BOMS


def _partial_separator(data: bytes) -> int:
    """Return how many bytes at the end may begin U+2028 or U+2029: 0, 1 or 2."""
    last = data[-1:]
    if last == b"\xe2":
        return 1
    return 2 if last == b"\x80" and data[-2:] == b"\xe2\x80" else 0


class JsonEscape:
    """`escape_json()` as a filter: for JSON, NDJSON or a JSON text sequence in chunks.

    It holds back at most two bytes: those of a split character, or a single first byte.
    """

    __slots__ = ("_held", "_is_ready", "_wide")

    def __init__(self) -> None:
        self._held = b""
        self._is_ready = False  # the body has begun, is in UTF-8, and nothing is held back
        self._wide: bool | None = None  # None before the body has begun

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        if self._is_ready and not (
            _LESS in chunk or _GREATER in chunk or _AND in chunk or _SEPARATOR in chunk
        ):
            return chunk
        return self._escape_chunk(chunk, more)

    def _escape_chunk(self, chunk: bytes, more: bool) -> bytes:
        data = self._held + chunk if self._held else chunk
        if self._wide is None:
            if more and len(data) < 2:
                self._held = data
                return b""
            self._wide = _is_wide(data)
        if self._wide:
            self._held = b""
            return data
        tail = _partial_separator(data) if more else 0
        if tail:
            self._held = data[-tail:]
            data = data[:-tail]
        else:
            self._held = b""
        self._is_ready = not tail
        return _escape(data)


class EventEscape(EventStreamFilter):
    """`escape_json()` for the JSON data of Server-Sent Events.

    The data of an event is taken for JSON if it begins with ``{``, ``[`` or ``"`` after whitespace.
    Other data (numbers contain none of the five characters; text, HTML) and other fields are sent
    byte for byte.
    """

    __slots__ = ("_held", "_is_json")

    def __init__(self) -> None:
        super().__init__()
        self._held = b""
        self._is_json: bool | None = None  # None until the data of the event has begun

    def passes(self, chunk: bytes) -> bool:
        """Return whether a chunk has none of the characters to escape."""
        return not (
            self._held
            or _LESS in chunk
            or _GREATER in chunk
            or _AND in chunk
            or _SEPARATOR in chunk
        )

    def on_data(self, piece: bytes, ends: bool) -> bytes:
        """Return a piece of data, escaped if the event has JSON."""
        if self._is_json is None:
            start = piece.lstrip(b" \t")[:1]
            if not start:
                return piece
            self._is_json = start in _JSON_STARTS
        if not self._is_json:
            return piece
        if self._held:
            piece = self._held + piece
            self._held = b""
        tail = 0 if ends else _partial_separator(piece)
        if tail:
            self._held = piece[-tail:]
            piece = piece[:-tail]
        return _escape(piece)

    def on_event_end(self) -> None:
        """Begin a new event."""
        self._is_json = None
