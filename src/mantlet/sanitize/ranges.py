"""Partial responses (RFC 9110, 14) whose bodies are searched.

A part can't be searched by itself: a client that requests ``bytes=0-9``, ``bytes=10-19`` and so on
would get every leak in pieces, none of which is recognizable. So if the path names a text file, the
app does not get ``Range``, and sends the whole file. Of any other body that is searched, only these
parts are sent:

- the whole body in one part, which becomes an ordinary 200;
- a part from the first byte on, which is searched like the beginning of a stream. Its last bytes
  are masked if they may begin a leak.

Any other part is refused with a 416, after which clients ask for the whole. Bodies that are not
searched, such as videos and archives, keep their ranges. Data of an unknown type that is not text
is searched part by part.
"""

import re
from typing import Final

from mantlet.core.body_filters import join_pieces
from mantlet.core.ranges import Extent, refused_range
from mantlet.core.request import Request
from mantlet.core.response import Filter, Response
from mantlet.http.headers import HeaderNames

__all__ = [
    "BeginningFilter",
    "check_part",
    "drop_range",
    "is_text_type",
    "media_of_parts",
]

_RANGE: Final = HeaderNames("Range")
#: The endings of files that are text, whatever the server's table of media types says.
_TEXT_FILES: Final = frozenset(
    {
        "atom", "bat", "bib", "c", "cfg", "cjs", "conf", "cpp", "css", "csv", "diff", "env",
        "geojson", "gpx", "h", "htm", "html", "ics", "ini", "java", "js", "json", "json5",
        "jsonl", "jsonld", "kml", "log", "map", "markdown", "md", "mdx", "mjs", "ndjson",
        "patch", "php", "pl", "po", "properties", "ps1", "py", "rb", "rss", "rst", "rtf", "sh",
        "sql", "srt", "svg", "tex", "text", "toml", "ts", "tsv", "tsx", "txt", "vcf", "vtt",
        "webmanifest", "xhtml", "xml", "xsd", "xsl", "xslt", "yaml", "yml",
    }
)  # fmt: skip
#: The type of the first of several parts, in its headers.
_PART_TYPE: Final = re.compile(
    rb"^content-type:[ \t]*([^\s;]{1,100})", re.IGNORECASE | re.MULTILINE
)
#: The headers of a part begin within this many bytes, and end within as many.
_PART_HEAD: Final = 2048
#: Media types besides ``text/*`` that are text.
_TEXTS: Final = re.compile(
    r"(?:application|image|model)/(?:.*\+(?:json|xml|yaml)|"
    r"(?:x-)?(?:json.*|ndjson|xml.*|yaml|toml|sql|sh|csh|perl|python|ruby|php|httpd-php|tex|latex|"
    r"javascript|ecmascript|typescript|graphql|rtf|pem-file|x509-.*-cert|www-form-urlencoded|"
    r"trig|n-triples|n-quads|sparql-query|node|log|subrip))"
)
#: Text has none of these control characters.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BEGINNING: Final = 1024


class BeginningFilter:
    """Search the beginning of a body, and mask the last bytes if they may begin a leak.

    Args:
        search: searches and masks a body, and never changes its length.
    """

    __slots__ = ("_held", "_search")

    def __init__(self, search: Filter) -> None:
        self._search = search
        self._held = 0

    async def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        found = self._search(chunk, True)
        out = join_pieces(found if isinstance(found, bytes) else await found)
        self._held += len(chunk) - len(out)
        return out if more else out + b"*" * self._held


def drop_range(request: Request) -> None:
    """Remove ``Range`` if the path names a text file, so that the app sends the whole of it."""
    if request.get_headers(_RANGE):
        name, dot, ending = request.path.rpartition(".")
        if dot and name and ending.lower() in _TEXT_FILES:
            request.replace_header("Range", None)
            request.replace_header("If-Range", None)


def media_of_parts(first: bytes) -> str | None:
    """Return the media type of the parts of ``multipart/byteranges``, if it is known.

    All parts of a response are parts of the same body, so only the first one is read.

    Args:
        first: the first bytes of the body.
    """
    head, separator, _ = first[:_PART_HEAD].replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")
    found = _PART_TYPE.search(head) if separator else None
    return found[1].decode("latin-1").lower() if found else None


def check_part(
    request: Request, response: Response, extent: Extent | None, *, changes: bool
) -> bool:
    """Check whether a part of a body can be searched.

    Args:
        request: the request.
        response: the part.
        extent: its place in the body, if it has a valid one.
        changes: whether the body is also changed in another way than by masks of equal length.

    Returns:
        Whether it is the beginning of the body.

    Raises:
        Problem: it can't be searched.
    """
    if extent is None and not request.get_headers(_RANGE):
        return False  # the app's own status, for a body that is not a part of anything
    if extent is not None and extent.first == 0 and not changes:
        return True
    media = (response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    # Under ASGI the head may come before any data, which would show whether it is text.
    if changes or is_text_type(media) or not _CONTROL.search(response.first_chunk[:_BEGINNING]):
        raise refused_range(extent)
    return False


def is_text_type(media: str | None) -> bool:
    """Return whether a media type is one of text."""
    return media is not None and (media.startswith("text/") or bool(_TEXTS.fullmatch(media)))
