"""Debug pages of frameworks, which are masked to the end of the body.

The literals are fixed parts of the pages of Werkzeug 3.1, Django 5.2 and Starlette 0.50, and of
Rails and ASP.NET, which may run behind a proxy.
"""

from typing import Final

from mantlet.sanitize.rules.incremental_regex import PatternPart, literal, one_of, repeat
from mantlet.sanitize.rules.message_patterns import ErrorRule
from mantlet.sanitize.rules.rule import to_end_of_body

__all__ = ["PAGES"]

#: Not the frameworks' own files, from which they make the pages.
_NOT_A_TEMPLATE: Final = PatternPart(rb"(?!\{\{ request\.path_info|%\(title\)s)", b"", 0)

PAGES: Final = (
    ErrorRule(
        "werkzeug-debugger",
        [b"<html lang=en>\n  <head>\n    <title>"],
        _NOT_A_TEMPLATE,
        repeat(rb"^<", 0, 2000),
        literal(b"// Werkzeug Debugger</title>"),
        extent=to_end_of_body,
    ),
    ErrorRule(
        "werkzeug-debugger",
        [b"?__debugger__=yes&"],
        one_of(b"", b"amp;"),
        literal(b"cmd=resource&"),
        one_of(b"", b"amp;"),
        one_of(b"f=style.css", b"f=debugger.js", b"f=console.png"),
        extent=to_end_of_body,
    ),
    ErrorRule(
        "starlette-debug-page", [b"<title>Starlette Debugger</title>"], extent=to_end_of_body
    ),
    ErrorRule(
        "django-debug-page",
        [b'content="NONE,NOARCHIVE">'],
        repeat(rb"\r\n\t ", 0, 12),
        literal(b"<title>"),
        repeat(rb"^<", 0, 500),
        literal(b"\n          at /"),
        extent=to_end_of_body,
    ),
    ErrorRule(
        "django-debug-page",
        [b"<title>Page not found at "],
        _NOT_A_TEMPLATE,
        repeat(rb"^<", 0, 2000),
        literal(b"</title>"),
        repeat(rb"\r\n\t ", 0, 12),
        literal(b'<meta name="robots" content="NONE,NOARCHIVE">'),
        extent=to_end_of_body,
    ),
    ErrorRule(
        "django-debug-page",
        [b"Request Method: "],
        repeat(rb"A-Z", 3, 8),
        repeat(rb"\r\n\\rn", 1, 4),
        literal(b"Request URL: "),
        extent=to_end_of_body,
    ),
    ErrorRule(
        "rails-error-page",
        [b"<title>Action Controller: Exception caught</title>"],
        extent=to_end_of_body,
    ),
    ErrorRule("dotnet-error-page", [b"<title>Runtime Error</title>"], extent=to_end_of_body),
)
