"""Detect the media type of a file by its first bytes.

The sources of the table are WHATWG MIME Sniffing, 6 and 7.1, and the specifications named beside
its rows. Only the first bytes are examined, so a file of two kinds can't be detected (a GIF that is
also JavaScript, a PDF after a PNG's first chunk, a ZIP appended to anything): serve files with
their type and ``X-Content-Type-Options: nosniff``, from a host of their own.
"""

import re
from typing import Final

__all__ = ["HEAD", "MARKUP", "canonical_type", "detect", "signature_type"]

#: The number of bytes to examine (WHATWG MIME Sniffing, 5.2: the resource header).
HEAD: Final = 1445

# Types by the first bytes.
_STARTS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\1\0", "image/vnd.microsoft.icon"),
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"{\\rtf", "application/rtf"),
    # PKWARE APPNOTE, 4.3.7 and 4.3.16; OOXML, ODF, EPUB and JAR are ZIP too.
    (b"PK\3\4", "application/zip"),
    (b"PK\5\6", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),  # RFC 8878, 3.1.1
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"OggS\0", "application/ogg"),  # RFC 3533, 6
    (b"fLaC", "audio/flac"),  # RFC 9639, 6
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"OTTO", "font/otf"),
    (b"\0asm", "application/wasm"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"\x7fELF", "application/x-elf"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
)
# Signatures that are too short alone, with further conditions.
_SHAPES: Final = (
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio/wav"),
    (re.compile(rb"BM....\0\0\0\0", re.DOTALL), "image/bmp"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", re.DOTALL), "application/x-bzip2"),
    (re.compile(rb"ID3[\2-\4][^\xff]", re.DOTALL), "audio/mpeg"),
    # RFC 9559, 8: the document's type stands in the EBML header.
    (re.compile(rb"\x1a\x45\xdf\xa3.{0,64}?\x42\x82.webm", re.DOTALL), "video/webm"),
    (re.compile(rb"\x1a\x45\xdf\xa3.{0,64}?\x42\x82.matroska", re.DOTALL), "video/matroska"),
    (re.compile(rb"MZ(?=.{0,62}\0)", re.DOTALL), "application/vnd.microsoft.portable-executable"),
    # A Java class has a version of at least 45 where a fat binary has a few architectures.
    (re.compile(rb"\xca\xfe\xba\xbe\0\0\0[\0-\x2c]", re.DOTALL), "application/x-mach-binary"),
    (re.compile(rb"\xca\xfe\xba\xbe", re.DOTALL), "application/java-vm"),
)
# ISO/IEC 14496-12, 4.3, and the registry of brands (mp4ra.org).
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"3gp4": "video/3gpp",
    b"3gp5": "video/3gpp",
    b"3gp6": "video/3gpp",
    b"isom": "video/mp4",
    b"iso2": "video/mp4",
    b"iso4": "video/mp4",
    b"iso5": "video/mp4",
    b"iso6": "video/mp4",
    b"mp41": "video/mp4",
    b"mp42": "video/mp4",
    b"avc1": "video/mp4",
    b"dash": "video/mp4",
    b"M4V ": "video/mp4",
    b"MSNV": "video/mp4",
}
_IMAGE_BRANDS: Final = (b"mif1", b"msf1")

#: The results of `detect()` for text with markup.
MARKUP: Final = frozenset({"text/html", "text/xml", "image/svg+xml"})
_SPACE: Final = b"\t\n\x0c\r "
_HTML: Final = re.compile(
    rb"<(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P"
    rb"|IMG|META|LINK|OBJECT|EMBED|FORM|INPUT)(?=[\s/>]|\Z)|<!--",
    re.IGNORECASE,
)
_XML: Final = re.compile(rb"<\?xml(?=\s)")
# The root element after the prologue. No part is tried twice.
_SVG: Final = re.compile(
    rb"(?>\s|<\?.*?\?>|<!--.*?-->|<!DOCTYPE\s[^>\[]*+(?:\[[^\]]*+\]\s*+)?>)*+"
    rb"<(?:[A-Za-z_][\w.\-]*+:)?svg(?=[\s/>])",
    re.IGNORECASE | re.DOTALL,
)

# Obsolete names of types, which clients still send.
_OBSOLETE: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/x-ms-bmp": "image/bmp",
    "image/x-bmp": "image/bmp",
    "image/x-icon": "image/vnd.microsoft.icon",
    "application/x-pdf": "application/pdf",
    "text/rtf": "application/rtf",
    "application/x-zip-compressed": "application/zip",
    "application/x-gzip": "application/gzip",
    "application/x-bzip": "application/x-bzip2",
    "application/x-rar-compressed": "application/vnd.rar",
    "audio/mp3": "audio/mpeg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "video/x-m4v": "video/mp4",
    "video/x-matroska": "video/matroska",
    "application/font-woff": "font/woff",
    "application/x-sqlite3": "application/vnd.sqlite3",
    "application/x-executable": "application/x-elf",
    "application/x-sharedlib": "application/x-elf",
    "application/x-msdownload": "application/vnd.microsoft.portable-executable",
    "application/x-dosexec": "application/vnd.microsoft.portable-executable",
    "application/xml": "text/xml",
}
# Types that share their first bytes with others.
_SHARED: Final = {
    "application/java-archive": "application/zip",
    "application/vnd.android.package-archive": "application/zip",
    "audio/ogg": "application/ogg",
    "video/ogg": "application/ogg",
    "audio/webm": "video/webm",
}
_FAMILIES: Final = (
    ("application/vnd.openxmlformats-officedocument.", "application/zip"),
    ("application/vnd.oasis.opendocument.", "application/zip"),
)
_SUFFIXES: Final = (
    ("+zip", "application/zip"),
    ("+xml", "text/xml"),
    ("+gzip", "application/gzip"),
)
_DETECTED: Final = (
    frozenset(kind for _, kind in (*_STARTS, *_SHAPES))
    | frozenset(_BRANDS.values())
    | MARKUP
    | {"image/heif"}
)


def detect(head: bytes) -> str | None:
    """Return the media type of a file, or None if its first bytes are unknown.

    Args:
        head: its first bytes: `HEAD` of them, or all.
    """
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    for shape, kind in _SHAPES:
        if shape.match(head):
            return kind
    if head[4:8] == b"ftyp":
        return _branded(head)
    if _is_frame(head):
        return "audio/mpeg"
    return _marked_up(head[:HEAD])


def canonical_type(kind: str) -> str:
    """Return the current name of a type."""
    return _OBSOLETE.get(kind, kind)


def signature_type(kind: str) -> str | None:
    """Return the result of `detect()` for files of a type, or None if they have no signature.

    Args:
        kind: type and subtype, in lower case.
    """
    kind = canonical_type(kind)
    if kind in _DETECTED:
        return kind
    for prefix, magic in _FAMILIES:
        if kind.startswith(prefix):
            return magic
    for suffix, magic in _SUFFIXES:
        if kind.endswith(suffix):
            return magic
    return _SHARED.get(kind)


def _branded(head: bytes) -> str | None:
    brand = head[8:12]
    if brand in _IMAGE_BRANDS:
        # The first compatible brand with a codec.
        end = min(int.from_bytes(head[:4]), len(head))
        kinds = (_BRANDS.get(head[at : at + 4]) for at in range(16, end, 4))
        return next((kind for kind in kinds if kind in {"image/avif", "image/heic"}), "image/heif")
    return _BRANDS.get(brand)


def _is_frame(head: bytes) -> bool:
    """Return whether the bytes begin an MP3 without a tag (ISO/IEC 11172-3, 2.4.1.3).

    It begins with the sync word, layer III, and a valid version, bit rate and frequency.
    """
    return (
        len(head) > 3
        and head[0] == 0xFF
        and head[1] & 0xE6 == 0xE2
        and head[1] & 0x18 != 0x08
        and 0x10 <= head[2] < 0xF0
        and head[2] & 0x0C != 0x0C
    )


def _marked_up(head: bytes) -> str | None:
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE)
    if not head.startswith(b"<"):
        return None
    if _SVG.match(head):
        return "image/svg+xml"
    if _XML.match(head):
        return "text/xml"
    return "text/html" if _HTML.match(head) else None
