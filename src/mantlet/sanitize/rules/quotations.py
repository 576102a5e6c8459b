"""Recognize errors that are only quoted: in documentation, and in source code that handles them.

Quotations are recognized by markup, by the media type, and by the code directly before an opening
quote, since no client can put these around an error of the app. Words before an error are no
evidence, since a client may have sent them.
"""

import re
from typing import Final

from mantlet.redact.open_strings import LOOKBEHIND

__all__ = ["is_quotation"]

#: The media types of source code. No error is sent as one of these.
_SOURCE_CODE: Final = frozenset(
    {
        "application/x-csh", "application/x-perl", "application/x-python", "application/x-ruby",
        "application/x-sh", "application/x-typescript", "text/x-c", "text/x-c++",
        "text/x-c++hdr", "text/x-c++src", "text/x-chdr", "text/x-csrc", "text/x-go", "text/x-h",
        "text/x-haskell", "text/x-java", "text/x-java-source", "text/x-pascal", "text/x-perl",
        "text/x-python", "text/x-rst", "text/x-ruby", "text/x-rust", "text/x-script.python",
        "text/x-scala", "text/x-sh", "text/x-tcl", "text/x-tex", "text/x-typescript",
    }
)  # fmt: skip
_QUOTE: Final = rb"(?:\\{0,3}[\"'`]|\\u002[27]|&(?:quot|apos|\#x2[27]|\#0?3[49]);)"
#: A string literal that a program compares with.
_COMPARED: Final = re.compile(
    rb"\.(?:includes|indexOf|startsWith|endsWith|match|search|test|contains)\(" + _QUOTE + rb"\Z"
)
#: An exception that a script throws.
_THROWN: Final = re.compile(rb"\bthrow[ ]new[ ][A-Za-z_.]{1,60}\(" + _QUOTE + rb"\Z")
_SCRIPTS: Final = frozenset(
    {"application/javascript", "application/x-javascript", "text/ecmascript", "text/javascript"}
)
#: The output of a session as Pygments writes it, and as DocBook does, with the level of a message.
_IN_ELEMENT: Final = re.compile(
    rb"(?:<span[ ]class=\"g[a-z]\">[^<>\n]{0,80}"
    rb"|<code[ ]class=\"computeroutput\">(?:[A-Z]{4,8}:[ ][ ])?)\Z"
)
#: Blocks of DocBook, docutils and Pygments.
_BLOCK: Final = re.compile(
    rb"<pre(?:[ ]class=\"(?:screen|programlisting|literal-block)\"|[^<>]{0,100}><span></span>)"
)
#: How many bytes before an error are read at first.
_NEAR: Final = 200


def is_quotation(data: bytes, start: int, media: str | None) -> bool:
    """Return whether an error is only quoted.

    Args:
        data: the data around the error.
        start: where the error begins.
        media: the media type of the body, if known.
    """
    if media in _SOURCE_CODE:
        return True
    before = data[max(0, start - _NEAR) : start]
    if _COMPARED.search(before) or (media in _SCRIPTS and _THROWN.search(before)):
        return True
    if media is None or not ("html" in media or "xml" in media):
        return False
    if _IN_ELEMENT.search(before):
        return True
    first = max(0, start - LOOKBEHIND)
    block = data.rfind(b"<pre", first, start)
    return (
        block >= 0
        and data.find(b"</pre", block, start) < 0
        and _BLOCK.match(data, block, start) is not None
    )
