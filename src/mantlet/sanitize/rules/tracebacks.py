"""Tracebacks and stack traces: Python, rich, Node, Java, .NET, PHP, Ruby, Go and Rust.

A traceback of Python is one of code that runs here if its first file has an absolute path, as every
installed file has, or a relative one in a folder, as files that were compiled elsewhere have. That
one has to be as Python writes it, from the beginning of a line on. Documentation shows frames of
``<stdin>`` and of files without a folder. A trace in Markdown's fences or in ``<code>`` is a
quotation.
"""

import re
from collections.abc import Sequence
from typing import Final

from mantlet.redact.matches import NO_MATCH, MatchEnd, MatchFound, MatchResult
from mantlet.sanitize.rules.incremental_regex import PatternPart, literal, one_of, repeat
from mantlet.sanitize.rules.message_patterns import (
    QUOTE,
    ErrorRule,
    MessageRule,
    any_of,
    begins_text,
)
from mantlet.sanitize.rules.rule import to_end_of_text

__all__ = ["TRACEBACKS"]

#: A line end: raw, escaped up to three times, or in HTML. Not two of them: an event that ends there
#: is not held back for data that may follow.
_NEW_LINE: Final = one_of(
    b"\n", b"\r\n", rb"\n", rb"\r\n", rb"\\n", rb"\\r\\n", rb"\\\\n",
    b"<br>", b"<br>\n", b"\r<br>\n", b"<br/>", b"<br/>\n", b"<br />", b"<br />\n", b"&#10;",
)  # fmt: skip
_INDENTED: Final = repeat(rb" \t\\|+>", 0, 24)
_NUMBER: Final = repeat(rb"0-9", 1, 6)
#: A message of one line, with quotes and characters that are escaped in JSON. A quote before a
#: comma ends the item of an array.
_MESSAGE: Final = PatternPart(
    rb"[^\r\n\\<\"]{0,300}+(?:(?:\\+[\"'u/]|\")(?!,)[^\r\n\\<\"]{0,120}+){0,8}+",
    rb"[^\r\n\\<\"]{0,300}(?:(?:\\+[\"'u/]?|\")[^\r\n\\<\"]{0,120}){0,8}",
    1300,
)
#: The beginning of a path on the server, or of a file of Python's own.
_PATH: Final = one_of(
    b"/", b"A:\\", *(bytes([drive]) + b":\\" for drive in b"BCDEFG"), b"\\\\", b"<frozen ",
    b"&lt;frozen ", b"\\u003cfrozen ",
)  # fmt: skip
#: A fence of Markdown, an element for code, or the prompt in an indented block.
_QUOTATION: Final = re.compile(
    rb"(?:```[a-z]{0,10}(?:\n|\r\n|\\n|\\r\\n)|<code[^<>]{0,60}>"
    rb"|\n[ ]{3,8}>>>[ ][^\n]{1,60}\n[ ]{3,8})\Z"
)
#: A file in a folder.
_RELATIVE_PATH: Final = PatternPart(
    rb"[A-Za-z0-9_.\-]{1,60}(?:/|\\{1,4})[A-Za-z0-9_.\-/\\]{0,160}?\.pyx?",
    rb"[A-Za-z0-9_.\-/\\]{0,224}",
    228,
)
#: The beginning of the repr() of a text, which is a text itself.
_REPR: Final = re.compile(rb"[\"(]'\Z")
#: Between two lines that are items of a JSON array, which may be in a string of JSON itself.
_NEXT_ITEM: Final = PatternPart(
    rb"(?:\\+r)?+(?:\\+n)?+(?:\",\s{0,40}\"|\\\",(?:\\[nrt]|[ ]){0,40}\\\")",
    rb"[\\rn]{0,8}(?:\\?\"(?:,[\s\\nrt]{0,80}\"?)?)?",
    100,
)
_LINE_END: Final = any_of([(_NEW_LINE,), (_NEXT_ITEM,)])
_SEPARATOR: Final = re.compile(rb"(\\?)\",(?:\\[nrt]|\s){0,40}\\?\"")
_END_OF_ARRAY: Final = MatchEnd(re.compile(rb"(?<!\\)(?:\\\\)*+\"\s{0,40}\]"), 44)
_END_OF_ARRAY_IN_STRING: Final = MatchEnd(re.compile(rb"(?<!\\)\\\"(?:\\[nrt]|[ ]){0,40}\]"), 84)


def _not_followed_by(words: Sequence[bytes]) -> bytes:
    """Return an expression for the beginning of a line that begins with none of the words."""
    beginnings = {word[:size] for word in words for size in range(len(word))}
    others = []
    for beginning in sorted(beginnings):
        following = {word[len(beginning)] for word in words if word.startswith(beginning)}
        expected = b"".join(re.escape(bytes([char])) for char in sorted(following))
        others.append(re.escape(beginning) + b"[^" + expected + rb"\s|+]")
    return b"|".join(others)


#: A blank line, after which neither a frame nor the traceback of another exception follows.
_END_OF_TRACE: Final = MatchEnd(
    re.compile(
        rb"\r?\n[ \t]{0,8}\r?\n(?=%b)"
        % _not_followed_by([b"During handling", b"The above exception", b"Traceback (", b"Stack ("])
    ),
    34,
)
#: A response that begins with a traceback is nothing else.
_END_OF_RESPONSE: Final = MatchEnd(re.compile(rb"(?!)"), 1)


class _TraceRule(ErrorRule):
    """A traceback that is not a quotation. It may go on over the items of a JSON array."""

    __slots__ = ()

    def __init__(
        self,
        id: str,
        literals: Sequence[bytes],
        *parts: PatternPart,
        not_preceded_by: bytes = b"",
    ) -> None:
        super().__init__(
            id, literals, *parts, not_preceded_by=not_preceded_by, extent=to_end_of_text
        )
        # Logs and lists have many, which are given up at the end of their lines.
        self.cost = 2 if not_preceded_by else 1

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where its literal was found."""
        found = super().match(data, start, end, more, media)
        if found is NO_MATCH or _QUOTATION.search(data, max(0, start - 100), start):
            return NO_MATCH
        if not isinstance(found, MatchFound):
            return found
        separator = _SEPARATOR.search(data, end, found.end)
        if separator is not None:
            until = _END_OF_ARRAY_IN_STRING if separator[1] else _END_OF_ARRAY
            return MatchFound(start, found.end, until, crosses=True)
        if media in (None, "text/plain"):
            return MatchFound(start, found.end, _END_OF_TRACE if start else _END_OF_RESPONSE)
        return found


class _RelativeTraceRule(_TraceRule):
    """A traceback that begins a line, a string or an element."""

    __slots__ = ()

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where its literal was found."""
        if not (begins_text(data, start) or _REPR.search(data, max(0, start - 8), start)):
            return NO_MATCH
        return super().match(data, start, end, more, media)


#: The first frame of Java or .NET, below the message.
_AT: Final = (
    _MESSAGE,
    _LINE_END,
    PatternPart(
        rb"(?:[ \t]|\\+t|&nbsp;|&\#9;){1,12}", rb"(?:[ \t\\]|\\+t|&[nbsp#9;]{0,5}){0,12}", 72
    ),
    literal(b"at "),
)
_FRAME: Final = (
    *_AT,
    repeat(rb"A-Za-z0-9_.$/<>@&;\-", 1, 160),
    literal(b"("),
)
#: That of Node: in a file, or in a module that reads files or connects.
_NODE_FRAME: Final = (
    *_AT,
    repeat(rb"A-Za-z0-9_.$<>\[\]&; ", 0, 120),
    one_of(b"(", b""),
    one_of(
        b"/", b"file:///", b"C:\\", b"D:\\", b"node:fs", b"node:net", b"node:dns", b"node:_http",
        b"node:events", b"node:child_process", b"webpack",
    ),
)  # fmt: skip

TRACEBACKS: Final = (
    _TraceRule(
        "python-traceback",
        [b"Traceback (most recent call last)", b"Stack (most recent call last)"],
        any_of([(repeat(rb":", 0, 1), _LINE_END), (one_of(b":\n\n", b":\r\n\r\n"),)]),
        _INDENTED,
        literal(b"File "),
        any_of([(QUOTE, _PATH), (literal(b"/"),)]),  # by IPython without quotes
    ),
    _RelativeTraceRule(
        "python-traceback",
        [b"Traceback (most recent call last):"],
        _LINE_END,
        literal(b"  File "),
        QUOTE,
        _RELATIVE_PATH,
        QUOTE,
        literal(b", line "),
        _NUMBER,
        literal(b", in "),
    ),
    ErrorRule(
        "rich-traceback",
        [
            b"Traceback (most recent call last) \xe2\x94\x80",
            b"Traceback (most recent call last) \\u2500",
            b"Traceback (most recent call last) --",
        ],
        extent=to_end_of_text,
    ),
    # From servers behind a proxy.
    ErrorRule(
        "php-error",
        [
            b"<b>Fatal error</b>: ", b"<b>Warning</b>: ", b"<b>Notice</b>: ",
            b"<b>Deprecated</b>: ", b"<b>Parse error</b>: ",
        ],
        repeat(rb"^\n", 1, 600),
        literal(b" on line <b>"),
        _NUMBER,
        extent=to_end_of_text,
    ),
    ErrorRule(
        "php-error",
        [b"Fatal error: "],
        one_of(b"Uncaught ", b" Uncaught "),
        repeat(rb"A-Za-z0-9_\\", 1, 100),
        extent=to_end_of_text,
    ),
    ErrorRule("php-error", [b".php on line "], _NUMBER, extent=to_end_of_text),
    _TraceRule(
        "php-error",
        [b"Stack trace:"],
        _NEW_LINE,
        literal(b"#0 "),
        one_of(b"/", b"\\/", b"[internal function]", b"{main}"),
    ),
    _TraceRule(
        "java-stack-trace",
        [b"java.lang.", b"java.io.", b"java.sql.", b"javax.", b"jakarta.", b"org.springframework."],
        repeat(rb"A-Za-z0-9_.$", 0, 80),
        one_of(b"Exception", b"Error"),
        *_FRAME,
        not_preceded_by=rb"A-Za-z0-9_.$",
    ),
    _TraceRule("java-stack-trace", [b"Exception: "], *_FRAME),
    _TraceRule(
        "java-stack-trace",
        [b"Exception in thread "],
        QUOTE,
        repeat(rb'^"\n&\\', 1, 80),
        QUOTE,
        literal(b" "),
        *_FRAME,
    ),
    _TraceRule("node-stack-trace", [b"Error: "], *_NODE_FRAME),
    MessageRule(
        "node-stack-trace",
        [b"at Object.<anonymous> (/", b"at Module._compile ("],
        repeat(rb"^)\n", 1, 200),
        literal(b")"),
        extent=to_end_of_text,
    ),
    ErrorRule(
        "node-stack-trace",
        [b"<br> &nbsp; &nbsp;at "],
        repeat(rb"^<\n", 1, 300),
        extent=to_end_of_text,
    ),
    ErrorRule(
        "ruby-stack-trace",
        [b".rb:"],
        _NUMBER,
        literal(b":in "),
        one_of(b"`", b"'", b"&#39;", b"&#x27;"),
        repeat(rb"^\r\n'\\", 1, 120),
        one_of(*(quote + end for quote in (b"'", b"&#39;", b"&#x27;")
                 for end in (b": ", b"\n", b"\\n", b'"', b"<"))),
        extent=to_end_of_text,
    ),
    _TraceRule(
        "go-stack-trace",
        [b"goroutine "],
        _NUMBER,
        one_of(b" [running]:", b" [running, locked to thread]:"),
        _NEW_LINE,
    ),
    MessageRule("go-stack-trace", [b"panic: runtime error: "], extent=to_end_of_text),
    ErrorRule(
        "rust-panic",
        [b"panicked at "],
        repeat(rb"^\r\n<", 1, 300),
        one_of(b".rs:"),
        _NUMBER,
        literal(b":"),
        _NUMBER,
        extent=to_end_of_text,
    ),
    _TraceRule(
        "dotnet-stack-trace",
        [b"System.%c" % letter for letter in range(ord("A"), ord("Z") + 1)],
        repeat(rb"A-Za-z0-9_.", 0, 80),
        one_of(b"Exception: "),
        *_FRAME,
        not_preceded_by=rb"A-Za-z0-9_.$",
    ),
    ErrorRule(
        "dotnet-stack-trace",
        [b"--- End of inner exception stack trace ---"],
        extent=to_end_of_text,
    ),
    ErrorRule("dotnet-stack-trace", [b".cs:line "], _NUMBER, extent=to_end_of_text),
)  # fmt: skip
