"""The header fields of one part of a form (RFC 7578, 4.2 to 4.8), read where all read them alike.

``filename*`` is refused, unless leniently, where files don't matter: RFC 7578, 4.2 forbids it, some
frameworks read it and some don't. So are backslashes and percent-encoded quotes and line ends in
names, which are undone by some: a browser writes a quote as ``%22`` (WHATWG HTML, "Multipart form
data"), others put a backslash before it.
"""

import re
from typing import Final, NamedTuple

from mantlet.http.forms.malformed import Malformed
from mantlet.http.forms.texts import read_text
from mantlet.http.headers import TOKEN
from mantlet.http.media_types import MediaType, read_media_type

__all__ = ["PartHead", "is_field_name", "read_head"]

_KNOWN: Final = frozenset(
    {"content-disposition", "content-type", "content-transfer-encoding", "content-length"}
)
_AS_IT_IS: Final = frozenset({"7bit", "8bit", "binary"})
# C1 among them; tabs not, which are looked at where they matter.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_VALUE: Final = rf'({TOKEN}|"[^"]*")'
# Spaces, since there are parsers that read no parameter behind a tab.
_DISPOSITION: Final = re.compile(
    rf"form-data; *name={_VALUE}(?:; *filename={_VALUE})?", re.IGNORECASE | re.ASCII
)
# RFC 6266, 4.3 has it last, or alone.
_LENIENT: Final = re.compile(
    rf"{_DISPOSITION.pattern}(?:; *filename\*=({TOKEN}))?", re.IGNORECASE | re.ASCII
)
_EXTENDED: Final = re.compile(r"; *(?:file)?name\*", re.IGNORECASE | re.ASCII)
# What is no content field has no meaning in a part (RFC 2046, 5.1).
_MEANINGLESS: Final = re.compile(rf"(?!content-){TOKEN}")
# Percent-encoded quotes and line ends.
_ESCAPE: Final = re.compile("%(?:22|0[AaDd])")
# Django strips white space, aiohttp slashes at the beginning, and cuts at semicolons.
_NAME: Final = re.compile(
    rf'(?![/\s])(?!.*{_ESCAPE.pattern})[^;"\\\x00-\x1f\x7f-\x9f]+(?<!\s)', re.DOTALL
)
#: RFC 7578, 4.6: it would change how the other fields are read.
_CHARSET_FIELD: Final = "_charset_"


class PartHead(NamedTuple):
    """What a part says of itself.

    Attributes:
        name: of the field.
        filename: of the file, not yet known to be safe, or undecoded from ``filename*``; None where
            it is no file.
        media: its type, or None.
        length: bytes that it says it has, or None.
    """

    name: str
    filename: str | None
    media: MediaType | None
    length: int | None


def read_head(block: bytes, longest_name: int, *, lenient: bool = False) -> PartHead:
    """Return what the header fields of a part say.

    Args:
        block: the fields, without the blank line behind them.
        longest_name: bytes of the name.
        lenient: whether a part may have ``filename*``, and header fields that are unknown and don't
            begin with ``Content-``. They change how no other part is read.

    Raises:
        Malformed: they are not read alike by all, or over one of the bounds.
    """
    fields = _fields(block, lenient=lenient)
    disposition = fields.get("content-disposition")
    name, filename = _disposition(disposition, longest_name, lenient=lenient)
    encoding = fields.get("content-transfer-encoding")
    if encoding is not None and encoding.lower() not in _AS_IT_IS:
        detail = "A part can't be encoded (RFC 7578, 4.7)."
        raise Malformed("transfer_encoding", detail, name)
    length = fields.get("content-length")
    if length is not None and not (length.isascii() and length.isdigit() and len(length) < 20):
        raise Malformed("part_length", "The Content-Length of a part is malformed.", name)
    return PartHead(
        name,
        filename,
        _media(fields.get("content-type"), name),
        None if length is None else int(length),
    )


def is_field_name(name: str) -> bool:
    """Return whether the name of a field is one that all parsers read alike in a part's head."""
    return _NAME.fullmatch(name) is not None and name != _CHARSET_FIELD


def _fields(block: bytes, *, lenient: bool) -> dict[str, str]:
    text = read_text(block)
    fields: dict[str, str] = {}
    for line in ("" if text is None else text).split("\r\n"):
        name, colon, value = line.partition(":")
        # Unicode has letters beside ASCII whose lower case is ASCII, such as the Kelvin sign.
        key = name.lower() if name.isascii() else ""
        value = value.lstrip(" ")
        # Only spaces and tabs would remain to be stripped.
        if not colon or not value or value != value.strip() or _CONTROL.search(value):
            raise Malformed("part_header", "A header field of a part is malformed.")
        if key not in _KNOWN and not (lenient and _MEANINGLESS.fullmatch(key)):
            raise Malformed("part_header", "A part has an unknown header field.")
        if key in fields:
            raise Malformed("part_header", "A header field of a part comes twice.")
        fields[key] = value
    return fields


def _disposition(value: str | None, longest_name: int, *, lenient: bool) -> tuple[str, str | None]:
    pattern = _LENIENT if lenient else _DISPOSITION
    read = None if value is None else pattern.fullmatch(value)
    if read is None:
        if value is not None and _EXTENDED.search(value):
            raise Malformed("filename_ext", "A form can't have filename* (RFC 7578, 4.2).")
        detail = "A part must have Content-Disposition: form-data with a name, a filename or none."
        raise Malformed("disposition", detail)
    name = _unquoted(read[1])
    if len(name.encode()) > longest_name:
        detail = f"The name of a field has more than {longest_name} bytes."
        raise Malformed("name_too_long", detail)
    if name == _CHARSET_FIELD:
        raise Malformed("charset_field", "A form's charset can only be utf-8.")
    if not is_field_name(name):
        raise Malformed("field_name", "The name of a field is empty, or can be read in two ways.")
    filename = None if read[2] is None else _unquoted(read[2])
    if filename is not None and not _is_plain(filename):
        raise Malformed("filename", "The name of a file can be read in two ways.", name)
    if filename is None and lenient:
        filename = read[3]
    return name, filename


def _unquoted(value: str) -> str:
    return value[1:-1] if value.startswith('"') else value


def _is_plain(name: str) -> bool:
    return "\\" not in name and "\t" not in name and not _ESCAPE.search(name)


def _media(value: str | None, name: str) -> MediaType | None:
    if value is None:
        return None
    media = read_media_type(value) if value.isascii() else None
    if media is None:
        raise Malformed("part_type", "The Content-Type of a part is malformed.", name)
    if media.kind.startswith("multipart/"):
        raise Malformed("nested_multipart", "A form's part can't have parts itself.", name)
    return media
