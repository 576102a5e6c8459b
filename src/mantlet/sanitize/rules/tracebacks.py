"""Tracebacks and stack traces: Python, rich, PHP, Java, Node, Ruby, Go and .NET."""

from typing import Final

from mantlet.sanitize.rules.incremental_regex import literal, one_of, repeat
from mantlet.sanitize.rules.message_patterns import NEW_LINE, QUOTE
from mantlet.sanitize.rules.rule import LeakRule, to_end_of_text

__all__ = ["TRACEBACKS"]

_INDENTED: Final = repeat(rb" \t\\|+", 1, 20)
_NOT_A_FILE: Final = (b"<", b"&lt;", b"\\u003c")
_NUMBER: Final = repeat(rb"0-9", 1, 6)


def _is_code(matched: bytes) -> bool:
    """Return whether a frame is in a file, and not from a console session shown in a document."""
    file = matched.partition(b"File ")[2]
    for quote in (b'\\"', b"&quot;", b"&#34;", b"\\u0022", b'"'):
        if file.startswith(quote):
            return not file[len(quote) :].startswith(_NOT_A_FILE)
    return False


_JAVA: Final = (
    repeat(rb"A-Za-z0-9_.$", 0, 80),
    one_of(b"Exception", b"Error"),
    repeat(rb"^\r\n\\<", 0, 300),
    NEW_LINE,
    repeat(rb" \t\\t", 1, 10),
    literal(b"at "),
)

TRACEBACKS: Final = (
    LeakRule(
        "python-traceback",
        [b"Traceback (most recent call last)"],
        repeat(rb":", 0, 1),
        NEW_LINE,
        _INDENTED,
        literal(b"File "),
        QUOTE,
        repeat(rb'^"&\\\n', 1, 300),
        check=_is_code,
        extent=to_end_of_text,
    ),
    LeakRule(
        "rich-traceback",
        [
            b"Traceback (most recent call last) \xe2\x94\x80",
            b"Traceback (most recent call last) --",
        ],
        extent=to_end_of_text,
    ),
    LeakRule(
        "php-error",
        [b"<b>Fatal error</b>: ", b"<b>Warning</b>: "],
        repeat(rb"^\n", 1, 600),
        literal(b" on line <b>"),
        repeat(rb"0-9", 1, 6),
        extent=to_end_of_text,
    ),
    LeakRule(
        "php-error",
        [b"Fatal error: Uncaught "],
        repeat(rb"A-Za-z0-9_\\", 1, 100),
        extent=to_end_of_text,
    ),
    LeakRule(
        "java-stack-trace",
        [b"java.lang.", b"java.io.", b"java.sql.", b"javax.", b"jakarta.", b"org.springframework."],
        *_JAVA,
        not_preceded_by=rb"A-Za-z0-9_.$",
        extent=to_end_of_text,
    ),
    LeakRule(
        "java-stack-trace",
        [b'Exception in thread "'],
        repeat(rb'^"\n', 1, 80),
        literal(b'" '),
        extent=to_end_of_text,
    ),
    LeakRule(
        "node-stack-trace",
        [b"(node:internal/", b"at Object.<anonymous> (/", b"at Module._compile ("],
        repeat(rb"^)\n", 1, 200),
        literal(b")"),
        extent=to_end_of_text,
    ),
    LeakRule(
        "node-stack-trace",
        [b"<br> &nbsp; &nbsp;at "],
        repeat(rb"^<\n", 1, 300),
        extent=to_end_of_text,
    ),
    LeakRule(
        "ruby-stack-trace",
        [b".rb:"],
        _NUMBER,
        one_of(b":in `", b":in '", b":in &#39;"),
        extent=to_end_of_text,
    ),
    LeakRule(
        "go-stack-trace",
        [b"goroutine "],
        _NUMBER,
        literal(b" [running]:"),
        extent=to_end_of_text,
    ),
    LeakRule(
        "dotnet-stack-trace",
        [b"--- End of inner exception stack trace ---"],
        extent=to_end_of_text,
    ),
)
