"""One answer's body on its way through everything that looks at it."""

from collections.abc import Callable
from typing import Final, NamedTuple

from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.redact.scanner import Scanner
from mantlet.sanitize.escape import EventEscape, JsonEscape
from mantlet.sanitize.json_fields import FieldMasker
from mantlet.sanitize.search import Search

__all__ = ["Answer", "Body", "Kind", "Stage", "kind_of"]

Stage = Callable[[bytes, bool], bytes]

_EVENTS: Final = "text/event-stream"
#: JSON without "+json" in its type: by its older name, and in lines and sequences (RFC 7464).
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
#: What no one can read a leak in before it is unpacked or drawn: it is left alone.
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


class Kind(NamedTuple):
    """What a media type means for a body.

    Attributes:
        media: the media type, or None where the answer names none.
        looked_at: whether it is looked at at all.
        json: whether it is JSON, or several documents of it.
        events: whether it is an event stream.
        html: whether it is HTML.
        plain: whether it is looked at, and as it is: without a structure, or as one document.
    """

    media: str | None
    looked_at: bool
    json: bool
    events: bool
    html: bool
    plain: bool


def kind_of(media: str | None, *, scan_binary: bool, cleans: bool) -> Kind:
    """Return what a media type means for a body.

    Args:
        media: in lower case, without parameters.
        scan_binary: whether ``application/octet-stream`` is looked at.
        cleans: whether HTML of some routes is cleaned.
    """
    if media is None:
        return Kind(None, looked_at=True, json=False, events=False, html=False, plain=True)
    opaque = media in _OPAQUE or (
        media.partition("/")[0] in _OPAQUE_TYPES and media not in _TEXT_IMAGES
    )
    looked_at = not opaque and (scan_binary or media != _BINARY)
    json = media.endswith("+json") or media in _JSON
    html = media in ("text/html", "application/xhtml+xml")
    events = media == _EVENTS
    return Kind(
        media, looked_at, json, events, html, looked_at and not (events or (html and cleans))
    )


class Answer(NamedTuple):
    """An answer on its way out, and what is known of its body.

    Attributes:
        request: which is answered.
        response: the answer.
        scanner: what the body is searched with, if it is.
        kind: what the body is.
        coding: what it is said to be encoded in.
    """

    request: Request
    response: Response
    scanner: Scanner | None
    kind: Kind
    coding: str | None


class Body:
    """The way of one decoded body: a filter.

    Args:
        answer: which has the body.
        search: the search for leaks, or None.
        members: what masks members of JSON, or None.
        escapes: whether JSON in it is made safe inside of HTML.
    """

    __slots__ = ("_escapes", "_kind", "_members", "_request", "_scanner", "_search", "_stages")

    def __init__(
        self, answer: Answer, search: Search | None, members: FieldMasker | None, *, escapes: bool
    ) -> None:
        self._request, _, self._scanner, self._kind, _ = answer
        self._search = search
        self._members = members
        self._escapes = escapes
        self._stages: list[Stage] | None = None

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return what is sent in its place."""
        stages = self._stages
        if stages is None:
            stages = self._stages = self._make()
        for stage in stages:
            chunk = stage(chunk, more)
        return chunk

    def _make(self) -> list[Stage]:
        stages: list[Stage] = []
        events = self._kind.events
        if self._members is not None:
            members = self._members.filter_for(self._request, events=events)
            if members is not None:
                stages.append(members)
        if self._search is not None and self._scanner is not None:
            stages.append(self._search.body(self._request, self._scanner, self._kind.media))
        if self._escapes:
            stages.append(EventEscape() if events else JsonEscape())
        return stages
