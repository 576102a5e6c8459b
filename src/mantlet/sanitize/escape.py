r"""JSON that is safe inside HTML: the same document to a JSON parser, harmless to a browser.

``<``, ``>``, ``&``, U+2028 and U+2029 become ``\u003c``, ``\u003e``, ``\u0026``, ``\u2028`` and
``\u2029``. In JSON the five stand in strings alone, where an escape means the same (RFC 8259, 7):
an answer that a browser is made to take for HTML, or that a page has in a ``<script>``, opens no
element, closes none and begins no comment (HTML, 4.12.1.3), and U+2028 and U+2029 end no line of a
script (they did until ECMAScript 2019). What the app has escaped already stays as it is.

The bytes are replaced wherever they stand. In a document that is no JSON that changes what it says,
to the good: ``<script>`` in it is not one any more. A document in UTF-16 or UTF-32, told by its
byte order mark or by a NUL among its first two bytes (JSON begins with a character of ASCII),
passes as it is.
"""

from typing import Final

from mantlet.sanitize.event_stream import EventStreamFilter

__all__ = ["EventEscape", "JsonEscape", "escape_json"]

# Numbers: a look for one byte is a memchr(), and a look for bytes of length one is not, in Python
# 3.11.
_LESS: Final = 0x3C
_GREATER: Final = 0x3E
_AND: Final = 0x26
#: The first byte of U+2028 and U+2029 in UTF-8, of dashes and of typographic quotes.
_SEPARATOR: Final = 0xE2
_LINE: Final = 0xA8
_PARAGRAPH: Final = 0xA9
_WIDE_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_JSON_STARTS: Final = (b"{", b"[", b'"')


def escape_json(body: bytes) -> bytes:
    """Return a JSON document without ``<``, ``>``, ``&``, U+2028 and U+2029.

    Args:
        body: the whole document.

    Returns:
        The same object where it has none of them.
    """
    if _LESS in body or _GREATER in body or _AND in body or _SEPARATOR in body:
        return body if _is_wide(body) else _escaped(body)
    return body


def _escaped(chunk: bytes) -> bytes:
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
    return 0 in start or start in _WIDE_MARKS


def _incomplete(data: bytes) -> int:
    """Return how many bytes at the end may be the beginning of U+2028 or U+2029: 0, 1 or 2."""
    last = data[-1:]
    if last == b"\xe2":
        return 1
    return 2 if last == b"\x80" and data[-2:] == b"\xe2\x80" else 0


class JsonEscape:
    """`escape_json()` for a body that comes in chunks: JSON, NDJSON or a JSON text sequence.

    It holds back two bytes at most: of a character that is cut, and the very first one alone.
    """

    __slots__ = ("_held", "_ready", "_wide")

    def __init__(self) -> None:
        self._held = b""
        self._ready = False  # the body has begun, it is in UTF-8, and nothing is held back
        self._wide: bool | None = None  # None: it has not begun

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return what may be sent of it and of those before."""
        if self._ready and not (
            _LESS in chunk or _GREATER in chunk or _AND in chunk or _SEPARATOR in chunk
        ):
            return chunk
        return self._look(chunk, more)

    def _look(self, chunk: bytes, more: bool) -> bytes:
        data = self._held + chunk if self._held else chunk
        if self._wide is None:
            if more and len(data) < 2:
                self._held = data
                return b""
            self._wide = _is_wide(data)
        if self._wide:
            self._held = b""
            return data
        tail = _incomplete(data) if more else 0
        if tail:
            self._held = data[-tail:]
            data = data[:-tail]
        else:
            self._held = b""
        self._ready = not tail
        return _escaped(data)


class EventEscape(EventStreamFilter):
    """`escape_json()` for the JSON that is in Server-Sent Events' data.

    An event's data is JSON if it begins, behind any blanks, with ``{``, ``[`` or ``"``; other data
    (numbers have none of the five characters; text, HTML) goes out byte for byte, as do other
    fields.
    """

    __slots__ = ("_held", "_json")

    def __init__(self) -> None:
        super().__init__()
        self._held = b""
        self._json: bool | None = None  # None: nothing of the event's data has come but blanks

    def passes(self, chunk: bytes) -> bool:
        """Return whether a chunk holds none of the characters."""
        return not (
            self._held
            or _LESS in chunk
            or _GREATER in chunk
            or _AND in chunk
            or _SEPARATOR in chunk
        )

    def on_data(self, piece: bytes, ends: bool) -> bytes:
        """Return a piece of data, escaped if its event's is JSON."""
        if self._json is None:
            start = piece.lstrip(b" \t")[:1]
            if not start:
                return piece
            self._json = start in _JSON_STARTS
        if not self._json:
            return piece
        if self._held:
            piece = self._held + piece
            self._held = b""
        tail = 0 if ends else _incomplete(piece)
        if tail:
            self._held = piece[-tail:]
            piece = piece[:-tail]
        return _escaped(piece)

    def on_event_end(self) -> None:
        """Take note that an event ends."""
        self._json = None
