"""Helpers for apps that put what others wrote into HTML.

`clean()` keeps the markup of a fragment that an allow-list names, and nothing else. It parses the
fragment as a browser does (HTML, 13.2) and writes it anew, by nh3, which is the Rust crate ammonia;
it is an extra: ``pip install "mantlet[html]"``. `escape()` makes text of everything.
`json_script()` hands data to a page's scripts.

The presets of `clean()`:

- ``text``: no elements, their text alone.
- ``strict``: formatting within a line (``b``, ``em``, ``code``, ``br``), no attributes but
  ``title`` of ``abbr``, no links, no images.
- ``ugc``: what sites such as GitHub let their users write: paragraphs, headings, lists, tables,
  quotes, code, images, and links with ``rel="noopener noreferrer nofollow ugc"``. URLs are those of
  http, https and mailto, and relative ones. There is no ``id``, ``name``, ``class`` or ``style``:
  with these, what a user writes can stand for a part of the page, or cover it.

When it is unsafe: a cleaned fragment is safe where an element's content stands, in ``<p>`` or
``<div>``. It is not in an attribute, a ``<script>``, a ``<style>``, a comment, or in ``<svg>`` or
``<math>``, nor if it is changed afterwards. Images may be of any site, which learns of each
visitor, and relative ones send a GET to this one: a GET must change nothing.

What it costs: the whole fragment in memory several times, and some 10 us for 80 bytes and 20 ms for
80 kilobytes. A fragment that would take a parser far longer than others of its size, such as
thousands of elements within each other, is returned as text.
"""

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from mantlet.http.html.policy import HtmlPolicy, words

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["HtmlPolicy", "clean", "escape", "html_policy", "json_script"]

_INLINE: Final = words(
    "abbr b bdi bdo br cite code del dfn em i ins kbd mark q rp rt ruby s samp small strong sub "
    "sup time tt u var wbr"
)
_BLOCKS: Final = words(
    "a blockquote caption col colgroup dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr "
    "img li ol p pre span summary table tbody td tfoot th thead tr ul"
)
_UGC_ATTRIBUTES: Final = {
    "*": {"dir", "lang", "title"},
    "a": {"href"},
    "col": {"span"},
    "colgroup": {"span"},
    "del": {"datetime"},
    "details": {"open"},
    "img": {"alt", "height", "src", "width"},
    "ins": {"datetime"},
    "li": {"value"},
    "ol": {"reversed", "start", "type"},
    "td": {"align", "colspan", "headers", "rowspan"},
    "th": {"abbr", "align", "colspan", "headers", "rowspan", "scope"},
    "time": {"datetime"},
}

_BLANK: Final = re.compile(r"[\t\n\f\r ]")
#: As in a document: the same to a JSON parser. ``json.dumps()`` escapes U+2028 and U+2029 itself.
_IN_SCRIPT: Final = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def html_policy(preset: str | HtmlPolicy) -> HtmlPolicy:
    """Return the policy that a preset's name means, or the one that was given.

    Raises:
        ImportError: nh3 is not installed.
        TypeError: it is neither.
        ValueError: there is no such preset.
    """
    if isinstance(preset, HtmlPolicy):
        return preset
    if not isinstance(preset, str):
        raise TypeError(f'a preset must be "text", "strict", "ugc" or HtmlPolicy(), not {preset!r}')
    if preset not in ("text", "strict", "ugc"):
        raise ValueError(f'preset must be "text", "strict" or "ugc", not {preset!r}')
    return _preset(preset)


@cache  # three entries, made when first wanted, as nh3 may be missing
def _preset(name: str) -> HtmlPolicy:
    if name == "text":
        return HtmlPolicy()
    if name == "strict":
        return HtmlPolicy(tags=_INLINE, attributes={"abbr": {"title"}})
    return HtmlPolicy(tags=_INLINE | _BLOCKS, attributes=_UGC_ATTRIBUTES)


def escape(value: Any) -> "Markup":
    """Return text as HTML that shows it; what is markup already, such as `Markup`, stays.

    Args:
        value: the text, or an object that ``str()`` or its ``__html__()`` makes text of.
    """
    from markupsafe import escape as made  # noqa: PLC0415  # not needed by the sanitizer

    return made(value)


def clean(fragment: str, preset: str | HtmlPolicy = "ugc") -> "Markup":
    """Return a fragment of HTML without what could do harm.

    Args:
        fragment: what somebody wrote, never a whole page.
        preset: ``"text"``, ``"strict"``, ``"ugc"``, or an allow-list of one's own.

    Returns:
        Text that templates which escape take as it is.

    Raises:
        ImportError: nh3 is not installed.
        TypeError: the fragment is no text.
        ValueError: there is no such preset.
    """
    if not isinstance(fragment, str):
        raise TypeError(f"fragment must be text, not {type(fragment).__name__}")
    return html_policy(preset).clean(fragment)


def json_script(value: object, id: str | None = None) -> "Markup":
    """Return data for a page's scripts, as JSON in an element that is not run.

    A script reads it by ``JSON.parse(document.getElementById(id).textContent)``. Nothing in the
    data can end the element or begin a comment in it (HTML, 4.12.1.3).

    Args:
        value: what `json.dumps` takes.
        id: the element's, if it has one.

    Raises:
        TypeError: the value, or a part of it, has no form in JSON.
        ValueError: it is not finite or refers to itself; or the id is empty or has a blank in it.
    """
    from markupsafe import Markup  # noqa: PLC0415  # not needed by the sanitizer

    attribute = ""
    if id is not None:
        if not isinstance(id, str):
            raise TypeError(f'id must be text such as "user-data", not {id!r}')
        if not id or _BLANK.search(id):
            raise ValueError(f'id must be text without blanks such as "user-data", not {id!r}')
        attribute = f' id="{escape(id)}"'
    data = json.dumps(value, allow_nan=False).translate(_IN_SCRIPT)
    return Markup(f'<script type="application/json"{attribute}>{data}</script>')  # noqa: S704  # escaped
