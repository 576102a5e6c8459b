"""Errors that are quoted: in documentation, and in source code that handles them.

An error of the app stands by itself in its response. What only markup or the media type can tell is
told here, since no client can put either around an error of the app.
"""

import re
from typing import Final

from mantlet.redact.contexts import LOOKBEHIND

__all__ = ["is_quotation"]

#: Source code: no error has such a type.
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
#: A text that a program looks for, or an exception that it raises; or a text that introduces one.
_IN_CODE: Final = re.compile(
    rb"(?:\.(?:includes|indexOf|startsWith|endsWith|match|search|test|contains)"
    rb"|\b(?:new|raise|throw)[ ][A-Za-z_.]{1,60})\(" + _QUOTE + rb"\Z"
    rb"|\bfollowing[ ](?:error|exception|message)(?:[ ]message)?:[ ]{1,2}\Z"
)
#: The output of a session as Pygments writes it, and an element for code, with the level of a
#: message of PostgreSQL.
_IN_ELEMENT: Final = re.compile(
    rb"(?:<span[ ]class=\"g[a-z]\">|<code\b[^<>]{0,100}>)[^<>\n]{0,80}\Z"
    rb"|\b(?:the|this)[ ](?:error|message)[ ]<(?:b|em|i|q|strong|tt)>\Z"
)
#: Blocks of DocBook, docutils and Pygments.
_BLOCK: Final = re.compile(
    rb"<pre(?:[ ]class=\"(?:screen|programlisting|literal-block)\"|[^<>]{0,100}><span></span>)"
)
#: How much before an error is read at first.
_NEAR: Final = 200


def is_quotation(data: bytes, start: int, media: str | None) -> bool:
    """Return whether an error is quoted.

    Args:
        data: the data.
        start: where the error begins.
        media: the media type of the body, if known.
    """
    if media in _SOURCE_CODE:
        return True
    before = data[max(0, start - _NEAR) : start]
    if _IN_CODE.search(before):
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
