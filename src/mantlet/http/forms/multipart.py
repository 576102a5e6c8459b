"""Multipart bodies (RFC 2046, 5.1; RFC 7578), parsed only where every parser reads the same.

Nothing may stand before the first delimiter or after the last one, except for one line end. Lines
end with CRLF. ``--boundary`` may only occur in a delimiter: Django takes it for one anywhere, and
Werkzeug after a bare CR or LF. The result is the same however the body is split into chunks.

In the headers of a part (RFC 7578, 4.2 to 4.8), ``filename*`` is rejected, unless leniently, where
files do not matter: RFC 7578, 4.2 forbids it, and only some frameworks read it. So are backslashes
and percent-encoded quotes and line ends in names, which some parsers decode: a browser writes a
quote as ``%22`` (WHATWG HTML, "Multipart form data"), other clients put a backslash before it.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from mantlet.http.forms.text import MalformedForm, decode_text
from mantlet.http.headers import TOKEN
from mantlet.http.media_types import MediaType, read_media_type

__all__ = ["Event", "MultipartParser", "PartHead", "is_field_name", "parse_part_head"]

# -- headers of a part ----------------------------------------------------------------------------

_KNOWN: Final = frozenset(
    {"content-disposition", "content-type", "content-transfer-encoding", "content-length"}
)
_IDENTITY: Final = frozenset({"7bit", "8bit", "binary"})
# C1 included; not tabs, which are checked where they matter.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_VALUE: Final = rf'({TOKEN}|"[^"]*")'
# Only spaces, because some parsers read no parameter after a tab.
_DISPOSITION: Final = re.compile(
    rf"form-data; *name={_VALUE}(?:; *filename={_VALUE})?", re.IGNORECASE | re.ASCII
)
# RFC 6266, 4.3 puts filename* last, or has it alone.
_LENIENT: Final = re.compile(
    rf"{_DISPOSITION.pattern}(?:; *filename\*=({TOKEN}))?", re.IGNORECASE | re.ASCII
)
_EXTENDED: Final = re.compile(r"; *(?:file)?name\*", re.IGNORECASE | re.ASCII)
# A header without "Content-" has no meaning in a part (RFC 2046, 5.1).
_MEANINGLESS: Final = re.compile(rf"(?!content-){TOKEN}")
# Percent-encoded quotes and line ends.
_ESCAPE: Final = re.compile("%(?:22|0[AaDd])")
# Django strips white space, aiohttp leading slashes, and both cut at semicolons.
_NAME: Final = re.compile(
    rf'(?![/\s])(?!.*{_ESCAPE.pattern})[^;"\\\x00-\x1f\x7f-\x9f]+(?<!\s)', re.DOTALL
)
#: RFC 7578, 4.6: a field that changes how the other fields are decoded.
_CHARSET_FIELD: Final = "_charset_"


class PartHead(NamedTuple):
    """The headers of a part.

    Attributes:
        name: the name of the field.
        filename: the name of the file, not yet known to be safe, or not decoded if it comes from
            ``filename*``; None if the part is not a file.
        media: the media type, or None.
        length: the ``Content-Length``, or None.
    """

    name: str
    filename: str | None
    media: MediaType | None
    length: int | None


def parse_part_head(block: bytes, max_name_size: int, *, lenient: bool = False) -> PartHead:
    """Parse the headers of a part.

    Args:
        block: the headers, without the blank line after them.
        max_name_size: the largest name of a field, in bytes.
        lenient: allow ``filename*``, and unknown headers that do not begin with ``Content-``. They
            do not change how other parts are read.

    Raises:
        MalformedForm: parsers read the headers differently, or a limit is exceeded.
    """
    fields = _headers(block, lenient=lenient)
    disposition = fields.get("content-disposition")
    name, filename = _disposition(disposition, max_name_size, lenient=lenient)
    encoding = fields.get("content-transfer-encoding")
    if encoding is not None and encoding.lower() not in _IDENTITY:
        detail = "A part must not have a transfer encoding (RFC 7578, 4.7)."
        raise MalformedForm("transfer_encoding", detail, name)
    length = fields.get("content-length")
    if length is not None and not (length.isascii() and length.isdigit() and len(length) < 20):
        raise MalformedForm("part_length", "Invalid Content-Length of a part.", name)
    return PartHead(
        name,
        filename,
        _media_type(fields.get("content-type"), name),
        None if length is None else int(length),
    )


def is_field_name(name: str) -> bool:
    """Return whether all parsers read this name of a field alike."""
    return _NAME.fullmatch(name) is not None and name != _CHARSET_FIELD


def _headers(block: bytes, *, lenient: bool) -> dict[str, str]:
    text = decode_text(block)
    headers: dict[str, str] = {}
    for line in ("" if text is None else text).split("\r\n"):
        name, colon, value = line.partition(":")
        # Some letters outside ASCII have a lower case in ASCII, such as the Kelvin sign.
        key = name.lower() if name.isascii() else ""
        value = value.lstrip(" ")
        # Only spaces and tabs would remain to be stripped.
        if not colon or not value or value != value.strip() or _CONTROL.search(value):
            raise MalformedForm("part_header", "Malformed header in a part.")
        if key not in _KNOWN and not (lenient and _MEANINGLESS.fullmatch(key)):
            raise MalformedForm("part_header", "Unknown header in a part.")
        if key in headers:
            raise MalformedForm("part_header", "Duplicate header in a part.")
        headers[key] = value
    return headers


def _disposition(value: str | None, max_name_size: int, *, lenient: bool) -> tuple[str, str | None]:
    pattern = _LENIENT if lenient else _DISPOSITION
    found = None if value is None else pattern.fullmatch(value)
    if found is None:
        if value is not None and _EXTENDED.search(value):
            raise MalformedForm("filename_ext", "filename* is not allowed (RFC 7578, 4.2).")
        detail = (
            "A part needs Content-Disposition: form-data with a name and, for a file, a filename."
        )
        raise MalformedForm("disposition", detail)
    name = _unquoted(found[1])
    if len(name.encode()) > max_name_size:
        detail = f"The name of a field is longer than {max_name_size} bytes."
        raise MalformedForm("name_too_long", detail)
    if name == _CHARSET_FIELD:
        raise MalformedForm("charset_field", "The only charset of a form is UTF-8.")
    if not is_field_name(name):
        raise MalformedForm("field_name", "The name of a field is empty or ambiguous.")
    filename = None if found[2] is None else _unquoted(found[2])
    if filename is not None and not _is_plain(filename):
        raise MalformedForm("filename", "Ambiguous filename.", name)
    if filename is None and lenient:
        filename = found[3]
    return name, filename


def _unquoted(value: str) -> str:
    return value[1:-1] if value.startswith('"') else value


def _is_plain(name: str) -> bool:
    return "\\" not in name and "\t" not in name and not _ESCAPE.search(name)


def _media_type(value: str | None, name: str) -> MediaType | None:
    if value is None:
        return None
    media = read_media_type(value) if value.isascii() else None
    if media is None:
        raise MalformedForm("part_type", "Invalid Content-Type of a part.", name)
    if media.kind.startswith("multipart/"):
        raise MalformedForm("nested_multipart", "Nested multipart parts are not allowed.", name)
    return media


# -- the body -------------------------------------------------------------------------------------

#: The head of a part; a piece of its content; None at its end.
Event = PartHead | bytes | None

# RFC 2046, 5.1.1, without the space. A boundary of hyphens alone could overlap itself.
_BOUNDARY: Final = re.compile(r"(?!-*\Z)[0-9A-Za-z'()+_,\-./:=?]{1,70}")
_NO_BOUNDARY: Final = "The boundary is missing or invalid (RFC 2046, 5.1.1)."
_CRLF: Final = b"\r\n"
_LAST: Final = b"--"


class MultipartParser:
    """Parses one body, chunk by chunk.

    Args:
        boundary: the boundary parameter of the body's media type.
        max_head_size: the largest headers of one part, in bytes.
        max_name_size: the largest name of a field, in bytes.
        lenient: allow the headers that `parse_part_head()` allows if lenient.

    Raises:
        MalformedForm: the boundary is missing or invalid.
    """

    def __init__(
        self,
        boundary: str | None,
        *,
        max_head_size: int,
        max_name_size: int,
        lenient: bool = False,
    ) -> None:
        if boundary is None or not _BOUNDARY.fullmatch(boundary):
            raise MalformedForm("boundary", _NO_BOUNDARY)
        self._dashes = f"--{boundary}".encode()
        self._delimiter = _CRLF + self._dashes
        self._max_head_size = max_head_size
        self._max_name_size = max_name_size
        self._lenient = lenient
        self._state: Literal["start", "delimiter", "head", "content", "end"] = "start"
        # Bytes that are not consumed yet begin at `_at`. The buffer is cut once per chunk: cutting
        # it once per part would copy a large chunk as often as it has parts.
        self._buffer = b""
        self._at = 0
        # The part that has begun and not ended yet.
        self._part: PartHead | None = None
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events of a chunk; take all of them before the next chunk.

        Raises:
            MalformedForm: the body cannot be split in one way only.
        """
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        waiting = False
        while not waiting:
            if self._state == "content":
                data, waiting = self._content()
                if data:
                    self._size += len(data)
                    yield data
            elif self._state == "head":
                head = self._head()
                waiting = head is None
                if head is not None:
                    yield head
            elif self._state == "delimiter":
                waiting = not self._take_delimiter()
                if self._part is not None and not waiting:
                    self._check_length(self._part)
                    self._part = None
                    yield None
            elif self._state == "start":
                waiting = not self._start()
            else:
                waiting = True
                if not _CRLF.startswith(self._buffer[self._at : self._at + 3]):
                    raise _malformed("Unexpected data after the last delimiter.")

    def finish(self) -> None:
        """Check that the body is complete.

        Raises:
            MalformedForm: it is not.
        """
        if self._state != "end" or self._buffer[self._at :] not in (b"", _CRLF):
            raise _malformed("The form is incomplete.")

    def _start(self) -> bool:
        if len(self._buffer) < len(_CRLF):
            return False
        # The first delimiter has no line end before it, except for one from some clients.
        if self._buffer.startswith(_LAST):
            self._buffer = _CRLF + self._buffer
        self._state = "delimiter"
        return True

    def _take_delimiter(self) -> bool:
        """Consume a delimiter; return whether it was complete."""
        tail = self._at + len(self._delimiter)
        if len(self._buffer) < tail + 2:
            return False
        if not self._buffer.startswith(self._delimiter, self._at):
            raise _malformed("Unexpected data before the first delimiter.")
        self._at = tail + 2
        ending = self._buffer[tail : self._at]
        if ending == _CRLF:
            self._state = "head"
        elif ending == _LAST:
            self._state = "end"
        else:
            raise _malformed("A delimiter must be followed by a line end.")
        return True

    def _head(self) -> PartHead | None:
        # With the blank line, of which all but the last byte may have come already.
        most = self._at + self._max_head_size + 4
        end = self._buffer.find(b"\r\n\r\n", self._at, most)
        if end < 0:
            if len(self._buffer) < most:
                return None
            detail = f"The headers of a part are larger than {self._max_head_size} bytes."
            raise MalformedForm("part_headers_too_large", detail)
        block = self._buffer[self._at : end]
        if self._dashes in block:
            raise _misplaced_boundary()
        self._at = end + 4
        self._state = "content"
        self._size = 0
        self._part = parse_part_head(block, self._max_name_size, lenient=self._lenient)
        return self._part

    def _check_length(self, head: PartHead) -> None:
        # Litestar rejects such a part, other parsers ignore the header.
        if head.length is not None and head.length != self._size:
            detail = "The Content-Length of a part differs from its size."
            raise MalformedForm("part_length", detail, head.name)

    def _content(self) -> tuple[bytes, bool]:
        """Consume content; return it, and whether more of the body is needed first."""
        found = self._buffer.find(self._dashes, self._at)
        if found < 0:
            # The bytes after this may be the beginning of a delimiter.
            end = max(self._at, len(self._buffer) - len(self._delimiter) + 1)
        elif self._buffer[max(self._at, found - 2) : found] == _CRLF:
            end = found - 2
            self._state = "delimiter"
        elif found > self._at:
            end = found  # the content before it is an event first, as with smaller chunks
        else:
            raise _misplaced_boundary()
        data = self._buffer[self._at : end]
        self._at = end
        return data, found < 0


def _malformed(detail: str) -> MalformedForm:
    return MalformedForm("multipart", detail)


def _misplaced_boundary() -> MalformedForm:
    return _malformed("The boundary occurs outside of a delimiter.")
