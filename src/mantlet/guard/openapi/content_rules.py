"""What the specification asks of a ``content``, wherever it stands."""

from typing import Any

from mantlet.guard.openapi.subject import Found, Subject
from mantlet.http.media_types import read_media_type

__all__ = ["content_faults"]


def content_faults(subject: Subject) -> Found:
    """Yield what is wrong with the media types of an object."""
    content = subject.value.get("content")
    known: dict[Any, str] = {}
    for name in content if isinstance(content, dict) else ():
        media = read_media_type(name)
        if media is None or (media.kind.startswith("*/") and media.kind != "*/*"):
            yield ("content", name), "must be a media type or range (RFC 9110, 8.3.1 and 12.5.1)"
            continue
        other = known.setdefault((media.kind, frozenset(media.parameters)), name)
        if other != name:
            yield ("content", name), f"is the same media type as {other!r}"
