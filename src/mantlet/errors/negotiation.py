"""Which form of an answer a client takes (RFC 9110, 12.5.1)."""

import re
from typing import Final

__all__ = ["FORMS", "HTML", "JSON", "PROBLEM_JSON", "PROBLEM_XML", "TEXT", "asks_for_json", "form"]

PROBLEM_JSON: Final = "application/problem+json"
JSON: Final = "application/json"
PROBLEM_XML: Final = "application/problem+xml"
HTML: Final = "text/html"
TEXT: Final = "text/plain"

#: What is offered, the preferred first.
FORMS: Final = (PROBLEM_JSON, JSON, PROBLEM_XML, HTML, TEXT)

#: A longer field is not read; nothing that a client sends by itself is as long.
_LONGEST: Final = 4096
#: What lies between separators, quoted strings and all.
_PIECES: Final = {
    separator: re.compile(rf'(?:[^{separator}"]|"(?:[^"\\]|\\.)*")+', re.DOTALL)
    for separator in ",;"
}
# RFC 9110, 12.4.2: a weight has at most three digits behind its point.
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")

Ranges = dict[str, float]


def form(accept: str | None) -> str:
    """Return the form that a client likes best; where it takes none of them, the preferred one.

    Args:
        accept: the request's ``Accept``, its values joined by a comma.
    """
    if accept is None or accept == "*/*" or len(accept) > _LONGEST:
        return PROBLEM_JSON
    if accept in FORMS:  # the one thing that it takes
        return accept
    ranges = _ranges(accept)
    best = max(FORMS, key=lambda offered: _weight(ranges, offered))  # the first of equals
    return best if _weight(ranges, best) > 0 else PROBLEM_JSON


def asks_for_json(accept: str | None) -> bool:
    """Return whether a client names a form of JSON, and likes none of the others better."""
    if accept is None or "json" not in accept.lower() or len(accept) > _LONGEST:
        return False
    ranges = _ranges(accept)
    named = [weight for name, weight in ranges.items() if name == JSON or name.endswith("+json")]
    json = max(named, default=0.0)
    return json > 0 and json >= max(_weight(ranges, HTML), _weight(ranges, TEXT))


def _ranges(accept: str) -> Ranges:
    """Return each media range's weight.

    One with parameters speaks of a variant that is not offered (RFC 9110, 12.5.1). It counts where
    the type is not named without them, since clients write ``application/json;charset=utf-8``.
    """
    bare: Ranges = {}
    variants: Ranges = {}
    for part in _split(accept.lower(), ","):
        media, *pieces = (piece.strip(" \t") for piece in _split(part, ";"))
        parameters = {
            name.rstrip(): value.strip()
            for name, _, value in (piece.partition("=") for piece in pieces if piece)
        }
        weight = parameters.pop("q", "1")
        if media and _WEIGHT.fullmatch(weight):
            ranges = variants if parameters else bare
            ranges[media] = max(float(weight), ranges.get(media, 0.0))
    return variants | bare


def _split(text: str, separator: str) -> list[str]:
    """Split a text at a separator, but not within quoted strings (RFC 9110, 5.6.4)."""
    if '"' not in text:
        return text.split(separator)
    return _PIECES[separator].findall(text)


def _weight(ranges: Ranges, offered: str) -> float:
    """Return a media type's weight: that of the most specific range that it is in."""
    for media in (offered, f"{offered.partition('/')[0]}/*", "*/*"):
        if media in ranges:
            return ranges[media]
    return 0.0
