"""The kind of a body: what its media type, and where that says nothing its beginning, make of it.

A media type tells JSON, HTML and event streams from data that shows no leak until it is unpacked or
rendered: images, office files, archives, binary serializations. Such bodies are left alone. A body
without a type, or with one that says nothing, is JSON if it looks like it.
"""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

__all__ = [
    "HTML",
    "BodyKind",
    "Classify",
    "JsonBeginning",
    "classify_body",
    "guess_json",
    "strictest_type",
]

HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_EVENTS: Final = "text/event-stream"
_BINARY: Final = "application/octet-stream"
#: JSON types without a suffix: other names of it, JSON lines and sequences (RFC 7464).
_JSON: Final = frozenset(
    {
        "application/csp-report",
        "application/json",
        "application/json-rpc",
        "application/json-seq",
        "application/jsonl",
        "application/jsonlines",
        "application/jsonrequest",
        "application/ndjson",
        "application/x-json",
        "application/x-jsonlines",
        "application/x-ndjson",
        "text/json",
        "text/x-json",
    }
)
#: The suffixes of JSON (RFC 6839, 3.1, and RFC 8091).
_JSON_SUFFIXES: Final = ("+json", "+json-seq")
#: Types that say nothing about a body (WHATWG MIME Sniffing, 7).
_SILENT: Final = frozenset({"*/*", "application/unknown", "unknown/unknown"})

# -- opaque types ---------------------------------------------------------------------------------
#
# "IANA" is https://www.iana.org/assignments/media-types, "suffixes" its registry
# media-type-structured-suffix. The other names are unregistered, and in common use.

#: Whole top-level types: IANA.
_OPAQUE_KINDS: Final = frozenset({"audio", "font", "haptics", "image", "video"})
#: Suffixes of binary formats: IANA, suffixes.
_OPAQUE_SUFFIXES: Final = (
    "+ber", "+cbor", "+cbor-seq", "+cose", "+cwt", "+der", "+fastinfoset", "+gzip", "+sqlite3",
    "+tlv", "+wbxml", "+zip", "+zstd",
)  # fmt: skip
#: Formats of text within these families.
_TEXT_SUFFIXES: Final = ("+xml", "+json", "-flat-xml", "+yaml")
_OPAQUE_PREFIXES: Final = (
    "application/font-",  # fonts before RFC 8081
    "application/vnd.apache.arrow",  # IANA: columns in memory
    "application/vnd.apache.thrift",  # IANA: serialized structures
    "application/vnd.ms-",  # IANA: Office files before 2007, macros, cabinets, fonts
    "application/vnd.oasis.opendocument",  # IANA: OpenDocument
    "application/vnd.openxmlformats-officedocument",  # IANA: Office Open XML
    "application/vnd.stardivision",  # files of StarOffice
    "application/vnd.sun.xml",  # IANA: files of OpenOffice 1
    "application/x-font",
)
#: Messages with their lengths before them: nothing in them may change, even in JSON.
_FRAMED_PREFIXES: Final = (
    "application/connect+",  # https://connectrpc.com/docs/protocol
    "application/grpc",  # https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
)
_OPAQUE: Final = frozenset(
    [
        # Archives and compressed files. IANA:
        "application/gzip",
        "application/java-archive",
        "application/vnd.android.package-archive",
        "application/vnd.debian.binary-package",
        "application/vnd.google-earth.kmz",
        "application/vnd.rar",
        "application/zip",
        "application/zlib",
        "application/zstd",
        "application/x-7z-compressed",
        "application/x-apple-diskimage",
        "application/x-archive",
        "application/x-brotli",
        "application/x-bzip",
        "application/x-bzip2",
        "application/x-compress",
        "application/x-compressed",
        "application/x-compressed-tar",
        "application/x-cpio",
        "application/x-gtar",
        "application/x-gtar-compressed",
        "application/x-gzip",
        "application/x-iso9660-image",
        "application/x-java-archive",
        "application/x-lz4",
        "application/x-lzip",
        "application/x-lzma",
        "application/x-rar",
        "application/x-rar-compressed",
        "application/x-rpm",
        "application/x-tar",
        "application/x-tgz",
        "application/x-xz",
        "application/x-zip",
        "application/x-zip-compressed",
        "application/x-zstd",
        "multipart/x-zip",
        # Office files, books and documents. IANA:
        "application/msword",
        "application/pdf",
        "application/vnd.amazon.ebook",
        "application/vnd.visio",
        "application/x-mobipocket-ebook",
        "application/x-pdf",
        # Binary serializations and data sets. IANA:
        "application/cbor",
        "application/cbor-seq",
        "application/cose",
        "application/dns-message",
        "application/exi",
        "application/protobuf",
        "application/vnd.apache.parquet",
        "application/vnd.google.protobuf",
        "application/vnd.msgpack",
        "application/vnd.sqlite3",
        "application/avro",
        "application/bson",
        "application/msgpack",
        "application/vnd.apache.avro",
        "application/vnd.apache.avro+binary",
        "application/vnd.apache.orc",
        "application/vnd.confluent.avro",
        "application/x-avro",
        "application/x-bson",
        "application/x-hdf",
        "application/x-hdf5",
        "application/x-jackson-smile",
        "application/x-msgpack",
        "application/x-netcdf",
        "application/x-npy",
        "application/x-parquet",
        "application/x-pickle",
        "application/x-protobuf",
        "application/x-sqlite3",
        "application/x-thrift",
        "avro/binary",
        "model/gltf-binary",
        # Programs and media. IANA:
        "application/mp4",
        "application/ogg",
        "application/vnd.microsoft.portable-executable",
        "application/wasm",
        "application/x-dosexec",
        "application/x-elf",
        "application/x-executable",
        "application/x-mach-binary",
        "application/x-msdownload",
        "application/x-msi",
        "application/x-sharedlib",
        "application/x-shockwave-flash",
        # Certificates and signatures. IANA:
        "application/ocsp-response",
        "application/pkix-cert",
        "application/pkix-crl",
        # Parts of another body, which mean nothing without the rest (RFC 9110, 14.6).
        "multipart/byteranges",
    ]
)

# -- the beginning of JSON ------------------------------------------------------------------------

_BOM: Final = b"\xef\xbb\xbf"
#: JSON begins within this many bytes, after whitespace and the byte order mark that some send.
_BEGINNING: Final = 64
#: Maximum number of bytes that are held back to recognize JSON in a body without a type.
_MOST_HELD: Final = 256
_SPACE: Final = b" \t\r\n"
#: The same, with the record separator of JSON text sequences (RFC 7464, 2.2).
_SEPARATORS: Final = _SPACE + b"\x1e"
_VALUE: Final = rb"true|false|null|-?[0-9][0-9.eE+-]*+"
_STRING: Final = rb'"(?:[^"\\\x00-\x1f]|\\.)*+"'
_OBJECT: Final = rb"\{\s*+" + _STRING + rb"\s*+:"
#: JSON that can hardly be anything else, for bodies that do not claim to be JSON: an object with a
#: name, or a list with a comma or with such an object.
_UNMISTAKABLE: Final = re.compile(
    rb"\s*+(?:" + _OBJECT + rb"|(?:\[\s*+){1,8}+"
    rb"(?:" + _OBJECT + rb"|(?:\{\s*+\}|\[\s*+\]|" + _STRING + rb"|" + _VALUE + rb")\s*+,))"
)
#: Values as Python's ``json`` writes them.
_CLAIMED_VALUE: Final = _VALUE + rb"|NaN|-?Infinity"
#: JSON as it begins in bodies that claim to be JSON.
_JSON_BEGINS: Final = re.compile(
    rb'\{[ \t\r\n]*["}]|\[[ \t\r\n]*(?:[\[\]{"]|' + _CLAIMED_VALUE + rb')|"|'
    rb"(?:" + _CLAIMED_VALUE + rb")[ \t]*[\r\n\x1e]"
)
_PARTIAL_VALUE: Final = (
    rb"t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?|N(?:aN?)?|"
    rb"-?(?:[0-9][0-9.eE+-]*|I(?:n(?:f(?:i(?:n(?:i(?:ty?)?)?)?)?)?)?)?"
)
#: What may still become such a beginning.
_MAY_BEGIN: Final = re.compile(
    rb"(?:\{|\[[ \t\r\n]*(?:" + _PARTIAL_VALUE + rb")|" + _PARTIAL_VALUE + rb")?[ \t\r\n]*"
)
#: What some apps send before JSON, so that no page of another site can load it as a script.
_GUARDS: Final = (b")]}',", b")]}'", b")]}", b"while(1);", b"while (1);", b"for(;;);",
                  b"for (;;);", b"throw 1;")  # fmt: skip


# Not a NamedTuple, whose attributes take longer to read.
@dataclass(frozen=True, slots=True)
class BodyKind:
    """The consequences of a media type.

    Attributes:
        media: the media type; None if the response has none.
        scanned: whether the body is searched.
        json: whether it is JSON, or a sequence of JSON documents.
        events: whether it is an event stream.
        html: whether it is HTML.
        guessed: whether its beginning decides whether it is JSON.
        plain: whether it is scanned, and neither an event stream, nor HTML that is inspected, nor
            declared to be wide text.
    """

    media: str | None
    scanned: bool
    json: bool
    events: bool
    html: bool
    guessed: bool
    plain: bool


#: Returns the kind of a body by its media type.
Classify = Callable[[str | None], BodyKind]


def classify_body(media: str | None, *, scan_binary: bool, inspects_html: bool) -> BodyKind:
    """Return the kind of a body.

    Args:
        media: the media type in lower case, without parameters; None without a usable one.
        scan_binary: whether to scan ``application/octet-stream``.
        inspects_html: whether HTML may get other headers, or be cleaned.
    """
    guessed = media is None or media in _SILENT or (media == _BINARY and scan_binary)
    if media is None:
        return BodyKind(None, True, False, False, False, guessed, True)
    scanned = not _is_opaque(media) and (scan_binary or media != _BINARY)
    html = media in HTML
    events = media == _EVENTS
    plain = scanned and not (events or (html and inspects_html))
    return BodyKind(media, scanned, scanned and _is_json(media), events, html, guessed, plain)


def strictest_type(types: Collection[str]) -> str | None:
    """Return which of several types of one body it is taken for.

    JSON comes first, since its fields may have to be masked; then event streams, HTML, any other
    type that is scanned, and last those that are not. Of two that are alike the first counts.

    Args:
        types: media types in lower case, without parameters.
    """
    return min(types, key=_rank, default=None)


def _rank(media: str) -> int:
    if _is_opaque(media) or media == _BINARY:
        return 4
    if _is_json(media):
        return 0
    return 1 if media == _EVENTS else 2 if media in HTML else 3


def _is_json(media: str) -> bool:
    return media in _JSON or media.endswith(_JSON_SUFFIXES)


def _is_opaque(media: str) -> bool:
    if media.startswith(_FRAMED_PREFIXES) or media in _OPAQUE:
        return True
    if media.endswith(_TEXT_SUFFIXES):
        return False
    return (
        media.partition("/")[0] in _OPAQUE_KINDS
        or media.startswith(_OPAQUE_PREFIXES)
        or media.endswith(_OPAQUE_SUFFIXES)
    )


def guess_json(first: bytes, *, more: bool) -> bool | None:
    """Return whether a body that does not claim to be JSON is JSON; None if more has to be seen.

    The result depends on the first 256 bytes of the body alone, however it is split into chunks.

    Args:
        first: the first bytes of the body.
        more: whether more will follow.
    """
    start = first[:_BEGINNING].removeprefix(_BOM).lstrip()[:1]
    if start not in (b"", b"{", b"["):
        # More than a part of a byte order mark.
        return None if more and _BOM.startswith(first) else False
    if start and _UNMISTAKABLE.match(first[:_MOST_HELD].removeprefix(_BOM)):
        return True
    if len(first) > _MOST_HELD:
        return False
    if more:
        return None
    try:
        json.loads(first.removeprefix(_BOM))
    except (ValueError, RecursionError):
        return False
    return bool(start)


class JsonBeginning:
    """Recognizes by its beginning whether a body that claims to be JSON is JSON.

    Until that is decided, the data has no character that must be escaped.
    """

    __slots__ = ("_is_first", "_start")

    def __init__(self) -> None:
        self._start = b""
        self._is_first = True

    def feed(self, data: bytes) -> bool | None:
        """Take the next bytes; return whether the body is JSON, or None if more are needed."""
        start = self._start + data
        if self._is_first:
            if _BOM.startswith(start):
                self._start = start
                return None
            self._is_first = False
            start = start.removeprefix(_BOM)
        start = start.lstrip(_SEPARATORS)
        for guard in _GUARDS:
            if start.startswith(guard):
                start = start[len(guard) :].lstrip(_SPACE)
                break
            if guard.startswith(start):
                self._start = start
                return None
        if _JSON_BEGINS.match(start):
            return True
        self._start = start.rstrip(_SPACE)
        if not _MAY_BEGIN.fullmatch(start) or len(self._start) > _MOST_HELD:
            return False
        return None
