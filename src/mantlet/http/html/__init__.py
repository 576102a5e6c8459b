"""Helpers for apps that put text of others into HTML.

`clean()` keeps the markup of a fragment that an allow-list names, and nothing else. It parses the
fragment as a browser does (HTML, 13.2) and serializes it anew, with nh3, the Rust crate ammonia; it
is an extra: ``pip install "mantlet[html]"``. `escape()` turns any text into harmless text.
`json_script()` passes data to the scripts of a page.

The presets of `clean()`:

- ``text``: no elements, only their text.
- ``strict``: formatting within a line (``b``, ``em``, ``code``, ``br``), no attributes except
  ``title`` of ``abbr``, no links, no images.
- ``ugc``: the markup that sites such as GitHub let their users write: paragraphs, headings, lists,
  tables, quotes, code, images, and links with ``rel="noopener noreferrer nofollow ugc"``. URLs are
  relative, or use http, https or mailto. There is no ``id``, ``name``, ``class`` or ``style``: with
  these, a user's text could pose as a part of the page, or cover it.

When it is unsafe: a cleaned fragment is safe as the content of an element such as ``<p>`` or
``<div>``. It is not safe in an attribute, a ``<script>``, a ``<style>``, a comment, or in ``<svg>``
or ``<math>``, nor if it is changed afterwards. Images may come from any site, which learns of each
visitor, and relative ones send a GET to this one: a GET must change nothing.

What it costs: the whole fragment in memory several times, and some 10 us for 80 bytes and 20 ms for
80 kilobytes. A fragment that would take a parser far longer than others of its size, such as
thousands of nested elements, is returned as text.
"""

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from mantlet.http.html.policy import HtmlPolicy, word_set

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["HtmlPolicy", "clean", "escape", "html_policy", "json_script"]

_INLINE: Final = word_set(
    "abbr b bdi bdo br cite code del dfn em i ins kbd mark q rp rt ruby s samp small strong sub "
    "sup time tt u var wbr"
)
_BLOCKS: Final = word_set(
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
#: Escapes that a JSON parser undoes. ``json.dumps()`` escapes U+2028 and U+2029 itself.
_IN_SCRIPT: Final = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def html_policy(preset: str | HtmlPolicy) -> HtmlPolicy:
    """Return the policy of a preset, or the given policy.

    Raises:
        ImportError: nh3 is not installed.
        TypeError: the preset is neither a name nor a policy.
        ValueError: the preset is unknown.
    """
    if isinstance(preset, HtmlPolicy):
        return preset
    if not isinstance(preset, str):
        raise TypeError(f'a preset must be "text", "strict", "ugc" or HtmlPolicy(), not {preset!r}')
    if preset not in ("text", "strict", "ugc"):
        raise ValueError(f'preset must be "text", "strict" or "ugc", not {preset!r}')
    return _preset(preset)


@cache  # three entries, made at first use, since nh3 may be missing
def _preset(name: str) -> HtmlPolicy:
    if name == "text":
        return HtmlPolicy()
    if name == "strict":
        return HtmlPolicy(tags=_INLINE, attributes={"abbr": {"title"}})
    return HtmlPolicy(tags=_INLINE | _BLOCKS, attributes=_UGC_ATTRIBUTES)


def escape(value: Any) -> "Markup":
    """Return text as HTML that displays it; markup, such as `Markup`, stays as it is.

    Args:
        value: the text, or an object with ``__html__()`` or ``__str__()``.
    """
    from markupsafe import escape as made  # not needed by the sanitizer

    return made(value)


def clean(fragment: str, preset: str | HtmlPolicy = "ugc") -> "Markup":
    """Return a fragment of HTML without markup that could do harm.

    Args:
        fragment: text that somebody wrote, never a whole page.
        preset: ``"text"``, ``"strict"``, ``"ugc"``, or an allow-list of your own.

    Returns:
        Markup, which escaping templates insert as it is.

    Raises:
        ImportError: nh3 is not installed.
        TypeError: the fragment is not text.
        ValueError: the preset is unknown.
    """
    if not isinstance(fragment, str):
        raise TypeError(f"fragment must be text, not {type(fragment).__name__}")
    return html_policy(preset).clean(fragment)


def json_script(value: object, id: str | None = None) -> "Markup":
    """Return data for the scripts of a page, as JSON in an element that is not executed.

    A script reads it with ``JSON.parse(document.getElementById(id).textContent)``. Nothing in the
    data can end the element or begin a comment in it (HTML, 4.12.1.3).

    Args:
        value: any value that `json.dumps` accepts.
        id: the id of the element, if it has one.

    Raises:
        TypeError: the value, or a part of it, is not JSON-serializable.
        ValueError: a number is not finite, the value contains itself, or the id is empty or
            contains white space.
    """
    from markupsafe import Markup  # not needed by the sanitizer

    attribute = ""
    if id is not None:
        if not isinstance(id, str):
            raise TypeError(f'id must be text such as "user-data", not {id!r}')
        if not id or _BLANK.search(id):
            raise ValueError(f'id must be text without white space such as "user-data", not {id!r}')
        attribute = f' id="{escape(id)}"'
    data = json.dumps(value, allow_nan=False).translate(_IN_SCRIPT)
    return Markup(f'<script type="application/json"{attribute}>{data}</script>')  # noqa: S704  # escaped
