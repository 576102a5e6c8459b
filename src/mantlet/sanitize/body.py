r"""The filters that the body of a response passes, JSON escaping among them.

JSON is escaped so that it is safe inside HTML: the same document to a JSON parser, and harmless to
a browser. ``<``, ``>``, ``&``, U+2028 and U+2029 become ``\u003c``, ``\u003e``, ``\u0026``,
``\u2028`` and ``\u2029``. In JSON these five occur only in strings, where an escape means the same
(RFC 8259, 7). A browser that is tricked into reading the response as HTML, or a page that has it in
a ``<script>``, then finds no tag and no comment in it (HTML, 4.12.1.3), and U+2028 and U+2029 end
no line of a script (as they did until ECMAScript 2019). Existing escapes are kept.

The bytes are replaced wherever they occur in a body that begins as JSON does. One that only claims
to be JSON is left unchanged, and so is a document in UTF-16 or UTF-32, detected by its byte order
mark or by a NUL among its first two bytes (JSON begins with an ASCII character).
"""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Final, NamedTuple

from mantlet.core.body_filters import SLICE, filter_in_slices
from mantlet.core.request import Request
from mantlet.core.response import ChunkFilter, Filtered, Response
from mantlet.redact.scanner import Scanner
from mantlet.sanitize.body_kind import BodyKind, JsonBeginning, guess_json
from mantlet.sanitize.event_stream import EventStreamFilter, without_names
from mantlet.sanitize.joined_events import JoinedEvents
from mantlet.sanitize.json_fields import FieldMasker
from mantlet.sanitize.redactor import Redactor
from mantlet.sanitize.wide_text import WideText, needs_more, wide_encoding

__all__ = [
    "BodyFilter",
    "EventEscape",
    "JsonEscape",
    "ResponseContext",
    "escape_if_json",
    "escape_json",
]

#: JSON types of which each line is a document.
_LINES: Final = frozenset(
    {
        "application/jsonl",
        "application/jsonlines",
        "application/ndjson",
        "application/x-ndjson",
    }
)
#: The size of slices where fields may be masked, which takes up to 0.6 s a megabyte.
_MASKED_SLICE: Final = 16 * 1024
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


# -- filters --------------------------------------------------------------------------------------


class ResponseContext(NamedTuple):
    """A response, with the properties of its body.

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

    def guessed(self, is_json: bool) -> "ResponseContext":
        """Return a copy for a body whose beginning has shown whether it is JSON."""
        media = "application/json" if is_json else self.kind.media
        return self._replace(kind=replace(self.kind, media=media, guessed=False, json=is_json))


class BodyFilter:
    """A filter of a decoded body: masks fields, redacts leaks, escapes JSON.

    Args:
        context: the response.
        redactor: redacts leaks; None to skip that.
        masker: masks fields of JSON; None to skip that.
        escapes: whether to escape JSON.
        may_be_wide: whether the body may be in UTF-16 or UTF-32.
    """

    __slots__ = (
        "_context",
        "_escapes",
        "_filters",
        "_held",
        "_masker",
        "_may_be_wide",
        "_redactor",
    )

    def __init__(
        self,
        context: ResponseContext,
        redactor: Redactor | None,
        masker: FieldMasker | None,
        *,
        escapes: bool,
        may_be_wide: bool = True,
    ) -> None:
        self._context = context
        self._redactor = redactor
        self._masker = masker
        self._escapes = escapes
        self._may_be_wide = may_be_wide and not context.kind.events
        self._filters: list[ChunkFilter] | None = None
        self._held = b""

    def __call__(self, chunk: bytes, more: bool) -> bytes | Awaitable[Filtered]:
        """Take a chunk; return the data to send in its place."""
        if len(chunk) > SLICE:
            size = SLICE if self._masker is None else _MASKED_SLICE
            return filter_in_slices(self._filter, chunk, more, self._context.request, size)
        return self._filter(chunk, more)

    def _filter(self, chunk: bytes, more: bool) -> bytes:
        filters = self._filters
        if filters is None:
            chunk = self._held + chunk if self._held else chunk
            filters = self._begin(chunk, more)
            if filters is None:
                self._held = chunk
                return b""
            self._filters, self._held = filters, b""
        for fn in filters:
            chunk = fn(chunk, more)
        return chunk

    def _begin(self, first: bytes, more: bool) -> list[ChunkFilter] | None:
        """Return the filters, or None if more of the body is needed to choose them."""
        filters: list[ChunkFilter] = []
        if self._may_be_wide:
            if more and needs_more(first):
                return None
            types = self._context.response.headers.getall("Content-Type")
            encoding = wide_encoding(first, ", ".join(types))
            if encoding is not None:
                inner = BodyFilter(
                    self._context, self._redactor, self._masker, escapes=False, may_be_wide=False
                )
                filters.append(WideText(encoding, inner._filter, keeps_length=self._masker is None))
        if self._context.kind.guessed:
            is_json = guess_json(first, more=more)
            if is_json is None:
                return None
            self._context = self._context.guessed(is_json)
        return filters + self._make_filters()

    def _make_filters(self) -> list[ChunkFilter]:
        filters: list[ChunkFilter] = []
        request, _, scanner, kind, _ = self._context
        structured = kind.json or kind.events
        if self._masker is not None and structured:
            mask = self._masker.filter_for(request, events=kind.events)
            if mask is not None:
                filters.append(mask)
        if self._redactor is not None and scanner is not None:
            filters.append(self._redactor.body_filter(request, scanner, kind.media))
            if self._redactor.across and (kind.events or kind.media in _LINES):
                joiner = self._redactor.joiner(request, scanner, "joined events")
                filters.append(JoinedEvents(joiner, events=kind.events))
        if self._escapes and structured:
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


def escape_if_json(body: bytes) -> bytes:
    """Return `escape_json()` of a body that claims to be JSON, or the body if it is not.

    Args:
        body: the whole body.
    """
    if not (_LESS in body or _GREATER in body or _AND in body or _SEPARATOR in body):
        return body  # the usual case, without a call
    return escape_json(body) if JsonBeginning().feed(body) else body


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

    __slots__ = ("_beginning", "_held", "_is_ready", "_wide")

    def __init__(self) -> None:
        self._held = b""
        self._is_ready = False  # the body has begun, is in UTF-8, and nothing is held back
        self._wide: bool | None = None  # None before the body has begun; then not escaped if True
        self._beginning: JsonBeginning | None = JsonBeginning()  # None once it is known

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
        if self._beginning is not None and not self._wide:
            self._held = b""
            is_json = self._beginning.feed(data)
            if is_json is None:
                return data
            self._wide = not is_json
            self._beginning = None
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

    The data of an event is taken for JSON if it begins as JSON does. Other data (numbers contain
    none of the five characters; text, HTML) and other fields are sent byte for byte.
    """

    __slots__ = ("_beginning", "_held", "_is_json")

    def __init__(self) -> None:
        super().__init__()
        self._held = b""
        self._is_json: bool | None = None  # None until the data of the event has begun
        self._beginning: JsonBeginning | None = None

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
            if self._beginning is None:
                self._beginning = JsonBeginning()
            self._is_json = self._beginning.feed(without_names(piece))
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
        self._is_json = self._beginning = None
