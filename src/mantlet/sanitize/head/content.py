"""What the ``Content-Type`` says of a body, and what it leaves out (RFC 9110, 8.3)."""

import json
import re
from typing import Final, NamedTuple

from mantlet.http.headers import TOKEN

__all__ = ["ContentType", "content_type", "looks_like_json"]

#: RFC 9110, 8.3.1, with the blanks that apps put around it.
_MEDIA_TYPE: Final = re.compile(rf"\s*({TOKEN}/{TOKEN})")
#: One that names something: browsers pass over an empty one (WHATWG MIME Sniffing, 4.4).
_CHARSET: Final = re.compile(r";[ \t]*charset=\"?[^\";, \t]", re.IGNORECASE)
#: Types of text that browsers guess the charset of where none is stated (WHATWG Encoding, HTML).
#: JSON and event streams are UTF-8 by definition, and XML says it itself.
_WITHOUT_CHARSET: Final = frozenset({"text/event-stream", "text/xml"})
_UTF_8: Final = "; charset=utf-8"
#: Within so many bytes JSON begins, behind its blanks and the mark that some put before it.
_BEGINNING: Final = 64
_MARK: Final = b"\xef\xbb\xbf"
_JSON_BEGINNING: Final = re.compile(
    rb'\s*(?:\{\s*(?:\}|"(?:[^"\\\x00-\x1f]|\\.)*"\s*:)|\[\s*[\[{"\d\]])'
)


class ContentType(NamedTuple):
    """What was read of a value.

    Attributes:
        media: in lower case, without parameters; None where there is none.
        mended: the value with a charset, where it lacks one; else None.
    """

    media: str | None
    mended: str | None


def content_type(value: str) -> ContentType:
    """Read the value of a ``Content-Type``."""
    found = _MEDIA_TYPE.match(value)
    if found is None:
        return ContentType(None, None)
    media = found[1].lower()
    lacks = media.startswith("text/") and media not in _WITHOUT_CHARSET
    if lacks and not _CHARSET.search(value):
        return ContentType(media, value.rstrip("; \t") + _UTF_8)
    return ContentType(media, None)


def looks_like_json(first: bytes, *, complete: bool) -> bool:
    """Return whether a body that is said to be HTML is JSON.

    Args:
        first: the first bytes of the body.
        complete: whether they are all.
    """
    if first[:_BEGINNING].removeprefix(_MARK).lstrip()[:1] not in (b"{", b"["):
        return False
    first = first.removeprefix(_MARK)
    if not complete:
        return _JSON_BEGINNING.match(first) is not None
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True
