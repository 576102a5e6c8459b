"""Tracebacks, and the error pages of frameworks.

The literals are the fixed words of what the frameworks write, as of Flask 3.1, Werkzeug 3.1, Django
5.2, Starlette 0.50 and rich 14, and of PHP, Java, Node, Ruby, Go and .NET, which may be behind a
proxy.
"""

from typing import Final

from mantlet.sanitize.rules.rule import PAGE, Rule, to_end_of_text
from mantlet.sanitize.rules.shape import any_of, run, text

__all__ = ["ERRORS"]

#: A line's end and the indentation behind it, also as JSON has them. Not two: an event that ends
#: there is not held back for what may follow.
_NEW_LINE: Final = any_of(b"\n", b"\r\n", rb"\n", rb"\r\n")
_INDENTED: Final = run(rb" \t\\|+", 1, 20)
_QUOTE: Final = any_of(b'"', b"&quot;", b"&#34;", b'\\"', b"\\u0022")
_NOT_TYPED_IN: Final = (b"<", b"&lt;", b"\\u003c")
_NUMBER: Final = run(rb"0-9", 1, 6)


def _is_code(matched: bytes) -> bool:
    """Return whether a frame is of a file, and not of what a document shows from a console."""
    file = matched.partition(b"File ")[2]
    for quote in (b'\\"', b"&quot;", b"&#34;", b"\\u0022", b'"'):
        if file.startswith(quote):
            return not file[len(quote) :].startswith(_NOT_TYPED_IN)
    return False


_JAVA: Final = (
    run(rb"A-Za-z0-9_.$", 0, 80),
    any_of(b"Exception", b"Error"),
    run(rb"^\r\n\\<", 0, 300),
    _NEW_LINE,
    run(rb" \t\\t", 1, 10),
    text(b"at "),
)

ERRORS: Final = (
    Rule(
        "python-traceback",
        [b"Traceback (most recent call last)"],
        run(rb":", 0, 1),
        _NEW_LINE,
        _INDENTED,
        text(b"File "),
        _QUOTE,
        run(rb'^"&\\\n', 1, 300),
        check=_is_code,
        extent=to_end_of_text,
    ),
    Rule(
        "rich-traceback",
        [
            b"Traceback (most recent call last) \xe2\x94\x80",
            b"Traceback (most recent call last) --",
        ],
        extent=to_end_of_text,
    ),
    Rule(
        "werkzeug-debugger",
        [b"<html lang=en>\n  <head>\n    <title>"],
        run(rb"^<", 0, 2000),
        text(b"// Werkzeug Debugger</title>"),
        extent=PAGE,
    ),
    Rule("werkzeug-debugger", [b"?__debugger__=yes"], extent=PAGE),
    Rule("starlette-debug-page", [b"<title>Starlette Debugger</title>"], extent=PAGE),
    Rule(
        "django-debug-page",
        [b'content="NONE,NOARCHIVE">'],
        run(rb"\r\n\t ", 0, 12),
        text(b"<title>"),
        run(rb"^<", 0, 500),
        text(b"\n          at /"),
        extent=PAGE,
    ),
    Rule(
        "django-debug-page",
        [b"<title>Page not found at "],
        run(rb"^<", 0, 2000),
        text(b"</title>"),
        run(rb"\r\n\t ", 0, 12),
        text(b'<meta name="robots" content="NONE,NOARCHIVE">'),
        extent=PAGE,
    ),
    Rule(
        "django-debug-page",
        [b"Request Method: "],
        run(rb"A-Z", 3, 8),
        run(rb"\r\n\\rn", 1, 4),
        text(b"Request URL: "),
        extent=PAGE,
    ),
    # Behind a proxy.
    Rule(
        "php-error",
        [b"<b>Fatal error</b>: ", b"<b>Warning</b>: "],
        run(rb"^\n", 1, 600),
        text(b" on line <b>"),
        run(rb"0-9", 1, 6),
        extent=to_end_of_text,
    ),
    Rule(
        "php-error",
        [b"Fatal error: Uncaught "],
        run(rb"A-Za-z0-9_\\", 1, 100),
        extent=to_end_of_text,
    ),
    Rule(
        "java-stack-trace",
        [b"java.lang.", b"java.io.", b"java.sql.", b"javax.", b"jakarta.", b"org.springframework."],
        *_JAVA,
        not_before=rb"A-Za-z0-9_.$",
        extent=to_end_of_text,
    ),
    Rule(
        "java-stack-trace",
        [b'Exception in thread "'],
        run(rb'^"\n', 1, 80),
        text(b'" '),
        extent=to_end_of_text,
    ),
    Rule(
        "node-stack-trace",
        [b"(node:internal/", b"at Object.<anonymous> (/", b"at Module._compile ("],
        run(rb"^)\n", 1, 200),
        text(b")"),
        extent=to_end_of_text,
    ),
    Rule(
        "node-stack-trace",
        [b"<br> &nbsp; &nbsp;at "],
        run(rb"^<\n", 1, 300),
        extent=to_end_of_text,
    ),
    Rule(
        "ruby-stack-trace",
        [b".rb:"],
        _NUMBER,
        any_of(b":in `", b":in '", b":in &#39;"),
        extent=to_end_of_text,
    ),
    Rule("rails-error-page", [b"<title>Action Controller: Exception caught</title>"], extent=PAGE),
    Rule(
        "go-stack-trace",
        [b"goroutine "],
        _NUMBER,
        text(b" [running]:"),
        extent=to_end_of_text,
    ),
    Rule("dotnet-error-page", [b"<title>Runtime Error</title>"], extent=PAGE),
    Rule(
        "dotnet-stack-trace",
        [b"--- End of inner exception stack trace ---"],
        extent=to_end_of_text,
    ),
)
