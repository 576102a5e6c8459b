"""Detect HTML with super-linear parsing cost.

The standard's algorithm takes more than linear time: closing an element searches the open ones, and
an unclosed ``<b>`` is reopened in each following paragraph (HTML, 13.2.4.3). With html5ever, a
megabyte of ``<div>`` takes minutes. So the tags are tokenized first, as the standard does (13.2.5),
in linear time and without a tree.

The measured depth is never less than the parser's. It may be greater if tags are closed in another
order than they were opened, and in ``<svg>`` and ``<math>``.
"""

import re
from collections.abc import Iterator
from html.entities import html5
from typing import Final

__all__ = ["escape_bare_ampersands", "is_too_complex"]

#: Shorter fragments take 20 ms at worst, and are not examined.
SMALL: Final = 4096
#: The most nested elements, not counting those that close the previous one, such as ``<li>``.
DEEPEST: Final = 256
#: The most attributes of a tag.
MOST_ATTRIBUTES: Final = 512
#: The most ampersands: for each, the parser copies some of the following text.
MOST_AMPERSANDS: Final = 50_000
#: The most tags: each takes some 2 µs here and in the parser, so that cleaning takes 0.1 s at most.
MOST_TAGS: Final = 50_000
#: The most ampersands that are not examined.
MOST_REFERENCES: Final = 1000

# An attribute may begin with "=", its value needs no quotes, and quotes cannot be escaped.
_ATTRIBUTE: Final = (
    r"""[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s>"'][^\s>]*+|))?"""
)
_TOKEN: Final = re.compile(
    r"<(?:!--(?:-?>|.*?(?:--!?>|\Z))"  # a comment
    r"|[!?][^>]*+>?|/[^a-zA-Z][^>]*+>?"  # parsed as one
    r"|(?P<end>/)?(?P<name>[a-zA-Z][^\s/>]*+)(?P<rest>(?:[\s/]++|" + _ATTRIBUTE + r")*)>?)",
    re.DOTALL,
)
_REFERENCE: Final = re.compile(r"&(?:(#[0-9]{1,9};|#[xX][0-9a-fA-F]{1,8};)|([a-zA-Z0-9]{1,40};)?)")

_FORMATTING: Final = frozenset(
    "a b big code em font i nobr s small strike strong tt u".split()  # noqa: SIM905  # far shorter
)
_VOID: Final = frozenset(
    (  # noqa: SIM905  # far shorter
        "area base basefont bgsound br col command embed hr image img input keygen link meta param "
        "source track wbr"
    ).split()
)
#: Elements that close the previous one of their kind, or occur only in tables.
_ALIKE: Final = frozenset(
    "caption colgroup dd dt li option p tbody td tfoot th thead tr".split()  # noqa: SIM905  # as above
)
#: Elements whose content has no tags except their own end.
_RAW: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
} | {"plaintext": re.compile(r"(?!)")}
_FOREIGN: Final = frozenset(("math", "svg"))


def is_too_complex(fragment: str) -> bool:
    """Return whether a fragment costs a parser far more than others of its size."""
    if len(fragment) < SMALL:
        return False
    if fragment.count("&") > MOST_AMPERSANDS or fragment.count("<") > MOST_TAGS:
        return True
    return _is_deep(fragment)


def _is_deep(fragment: str) -> bool:
    open_tags: list[str] = []
    formatting = work = 0
    foreign = False
    limit = len(fragment) + 50_000
    for token in _tags(fragment):
        name = token["name"].lower()
        work += formatting
        if token["end"]:
            if open_tags and open_tags[-1] == name and not foreign:
                open_tags.pop()
                formatting -= name in _FORMATTING
            continue
        foreign = foreign or name in _FOREIGN
        if foreign or not (name in _VOID or name in _ALIKE):
            open_tags.append(name)
            formatting += name in _FORMATTING
        if len(open_tags) > DEEPEST or work > limit or _is_crowded(token["rest"]):
            return True
    return False


def _tags(fragment: str) -> Iterator[re.Match[str]]:
    """Iterate over the tags outside of comments, attributes and raw text."""
    pos = fragment.find("<")
    raw = True  # not in <svg> and <math>, where all elements are parsed alike
    while pos >= 0:
        token = _TOKEN.match(fragment, pos)
        pos = token.end() if token else pos + 1
        if token and token["name"]:
            yield token
            name = "" if token["end"] else token["name"].lower()
            raw = raw and name not in _FOREIGN
            if raw and name in _RAW:
                end = _RAW[name].search(fragment, pos)
                pos = end.start() if end else len(fragment)
        pos = fragment.find("<", pos)


def _is_crowded(attributes: str) -> bool:
    return len(attributes) > 2 * MOST_ATTRIBUTES and len(attributes.split()) > MOST_ATTRIBUTES


def escape_bare_ampersands(fragment: str) -> str:
    """Escape the ampersands that begin no character reference, if there are many ampersands.

    A reference without its semicolon is escaped as well then.
    """
    if fragment.count("&") <= MOST_REFERENCES:
        return fragment
    return _REFERENCE.sub(_reference, fragment)


def _reference(found: re.Match[str]) -> str:
    known = found[1] or (found[2] and found[2] in html5)
    return found[0] if known else "&amp;" + found[0][1:]
