"""Debug pages of frameworks, which are masked to the end of the body.

The literals are fixed parts of the pages of Werkzeug 3.1, Django 5.2 and Starlette 0.50, and of
Rails and ASP.NET, which may run behind a proxy.
"""

from typing import Final

from mantlet.sanitize.rules.incremental_regex import literal, repeat
from mantlet.sanitize.rules.rule import LeakRule, to_end_of_body

__all__ = ["PAGES"]

PAGES: Final = (
    LeakRule(
        "werkzeug-debugger",
        [b"<html lang=en>\n  <head>\n    <title>"],
        repeat(rb"^<", 0, 2000),
        literal(b"// Werkzeug Debugger</title>"),
        extent=to_end_of_body,
    ),
    LeakRule("werkzeug-debugger", [b"?__debugger__=yes"], extent=to_end_of_body),
    LeakRule("starlette-debug-page", [b"<title>Starlette Debugger</title>"], extent=to_end_of_body),
    LeakRule(
        "django-debug-page",
        [b'content="NONE,NOARCHIVE">'],
        repeat(rb"\r\n\t ", 0, 12),
        literal(b"<title>"),
        repeat(rb"^<", 0, 500),
        literal(b"\n          at /"),
        extent=to_end_of_body,
    ),
    LeakRule(
        "django-debug-page",
        [b"<title>Page not found at "],
        repeat(rb"^<", 0, 2000),
        literal(b"</title>"),
        repeat(rb"\r\n\t ", 0, 12),
        literal(b'<meta name="robots" content="NONE,NOARCHIVE">'),
        extent=to_end_of_body,
    ),
    LeakRule(
        "django-debug-page",
        [b"Request Method: "],
        repeat(rb"A-Z", 3, 8),
        repeat(rb"\r\n\\rn", 1, 4),
        literal(b"Request URL: "),
        extent=to_end_of_body,
    ),
    LeakRule(
        "rails-error-page",
        [b"<title>Action Controller: Exception caught</title>"],
        extent=to_end_of_body,
    ),
    LeakRule("dotnet-error-page", [b"<title>Runtime Error</title>"], extent=to_end_of_body),
)
