"""Filter bodies in UTF-16 and UTF-32.

They are recognized by their charset, their byte order mark, or the zero bytes of ASCII characters.
Filters expect UTF-8, so the text is decoded, filtered, and encoded again; unchanged text stays the
same, byte for byte. Other data may begin like wide text. So that whoever chooses the first bytes of
a body can't turn the search off, the body is also filtered as it is.
"""

import codecs
import re
from typing import Final

from mantlet.core.response import ChunkFilter

__all__ = ["WideText", "wide_encoding"]

#: Byte order marks (Unicode 15, 23.8); that of UTF-32 begins with that of UTF-16.
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: By which of the first four bytes are zero: the encoding of text that begins with ASCII
#: (RFC 4627, 3).
_PATTERNS: Final = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
#: By the letters and digits of the name of a charset: its encoding (Encoding, 4.2; IANA).
_LABELS: Final = {
    "csunicode": "utf-16-le",
    "csutf16": "utf-16-le",
    "csutf16be": "utf-16-be",
    "csutf16le": "utf-16-le",
    "csutf32": "utf-32-le",
    "csutf32be": "utf-32-be",
    "csutf32le": "utf-32-le",
    "iso10646ucs2": "utf-16-le",
    "ucs2": "utf-16-le",
    "ucs4": "utf-32-le",
    "unicode": "utf-16-le",
    "unicodefffe": "utf-16-be",
    "utf16": "utf-16-le",
    "utf16be": "utf-16-be",
    "utf16le": "utf-16-le",
    "utf32": "utf-32-le",
    "utf32be": "utf-32-be",
    "utf32le": "utf-32-le",
}
#: The error handler that keeps lone surrogates.
_LONE: Final = "surrogatepass"
_MASKED: Final = re.compile(rb"\*+")
#: How many bytes are read to recognize the encoding.
_BEGINNING: Final = 4
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE | re.ASCII)


def needs_more(first: bytes) -> bool:
    """Return whether more bytes are needed to recognize wide text."""
    size = len(first)
    return size < 2 or (size < _BEGINNING and (0 in first or first[:1] >= b"\xfe"))


def wide_encoding(first: bytes, content_type: str = "") -> str | None:
    """Return the encoding of a body in UTF-16 or UTF-32, by Python's name; None for any other.

    Args:
        first: its first four bytes, or as many as it has.
        content_type: its type, which may declare a charset.
    """
    for bom, encoding in _BOMS:
        if first.startswith(bom):
            return encoding
    if 0 in first[:_BEGINNING]:
        zeros = tuple(byte == 0 for byte in first[:_BEGINNING])
        for pattern, encoding in _PATTERNS.items():
            if zeros == pattern[: len(zeros)]:
                return encoding
    found = _CHARSET.search(content_type)
    return _LABELS.get("".join(filter(str.isalnum, found[1].lower()))) if found else None


class WideText:
    """A filter of UTF-8, applied to a body in UTF-16 or UTF-32.

    Args:
        encoding: the encoding of the body.
        inner: the filter, which need not wait.
        keeps_length: whether the filter keeps the length, and only masks. Then so does this one:
            each character of which a byte is masked becomes asterisks of its size.
    """

    __slots__ = (
        "_after", "_before", "_broken", "_decoder", "_encoding", "_inner", "_keeps_length", "_unit",
    )  # fmt: skip

    def __init__(self, encoding: str, inner: ChunkFilter, *, keeps_length: bool) -> None:
        self._encoding = encoding
        self._unit = 4 if encoding.startswith("utf-32") else 2
        self._decoder = codecs.getincrementaldecoder(encoding)(_LONE)
        self._inner = inner
        self._keeps_length = keeps_length
        # UTF-8 that went into the filter, and that came out of it, as far as it was not sent yet.
        self._before = self._after = b""
        self._broken = False

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data to send in its place."""
        if self._broken:
            return chunk
        rest = b""
        try:
            text = self._decoder.decode(chunk)
            if not more:
                rest = self._decoder.getstate()[0]  # less than a character
        except UnicodeDecodeError as error:
            # Other data that begins like wide text: the rest of it is left as it is.
            self._broken, more = True, False
            text = error.object[: error.start].decode(self._encoding, _LONE)
            rest = error.object[error.start :]
        data = text.encode(errors=_LONE)
        sent = self._inner(data, more)
        text = self._align(data, sent) if self._keeps_length else self._decode(sent, more)
        return text.encode(self._encoding, _LONE) + rest

    def _decode(self, sent: bytes, more: bool) -> str:
        """Return the output of the filter as text."""
        data = self._after + sent
        size = len(data)
        if more:  # not within a character
            size = next(
                (at for at in range(size - 1, max(0, size - 4), -1) if data[at] >= 0xC0), size
            )
        self._after = data[size:]
        try:
            return data[:size].decode(errors=_LONE)
        except UnicodeDecodeError:
            return data[:size].decode(errors="replace")

    def _align(self, data: bytes, sent: bytes) -> str:
        """Return the output of a filter that keeps the length as text."""
        before, after = self._before + data, self._after + sent
        size = len(after)
        while size < len(before) and before[size] & 0xC0 == 0x80:  # within a character
            size -= 1
        self._before, self._after = before[size:], after[size:]
        before, after = before[:size], after[:size]
        if before == after:
            return before.decode(errors=_LONE)
        parts: list[str] = []
        at = 0
        for run in _MASKED.finditer(after):
            start, end = run.span()
            if before[start:end] == run[0]:
                continue
            while before[start] & 0xC0 == 0x80:
                start -= 1
            while end < size and before[end] & 0xC0 == 0x80:
                end += 1
            leak = before[start:end].decode(errors=_LONE).encode(self._encoding, _LONE)
            parts += (before[at:start].decode(errors=_LONE), "*" * (len(leak) // self._unit))
            at = end
        parts.append(before[at:].decode(errors=_LONE))
        return "".join(parts)
