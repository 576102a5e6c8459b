"""Error answers that frameworks make by themselves, told apart from what an app says.

An answer is a framework's own if its body says no more than the framework says of every request
with that status: it is empty, it is the status's phrase alone, or it has exactly the form of a
framework's built-in page or document. Everything else is the app's.
"""

import re
import sys
from html import unescape
from typing import Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.problem import Problem
from mantlet.errors.documents import document_problem, document_words, is_phrase

__all__ = ["LARGEST", "MEDIA_TYPES", "failure_words", "framework_problem"]

#: The largest body that is looked at, in bytes; frameworks' own are a few hundred.
LARGEST: Final = 16 * 1024
#: What frameworks' own answers are; those without a type are looked at too.
MEDIA_TYPES: Final = frozenset({"", "text/html", "text/plain", "application/json"})

# Werkzeug, HTTPException.get_body(); Flask and Quart answer with it.
_WERKZEUG: Final = re.compile(
    rb"<!doctype html>\s*<html lang=en>\s*<title>(?P<status>\d{3}) [^<]{1,99}</title>\s*"
    rb"<h1>[^<]{1,99}</h1>\s*(?:<p>(?P<words>[^<]*(?:<br>[^<]*)*)</p>\s*)?",
    re.IGNORECASE,
)
# Django, views/defaults.py and views/csrf.py.
_DJANGO: Final = re.compile(
    rb'\s*<!doctype html>\s*<html lang="en">\s*<head>\s*<title>'
    rb"(?:Bad Request \(400\)|403 Forbidden|Not Found|Server Error \(500\))"
    rb"</title>\s*</head>\s*<body>\s*<h1>[^<]*</h1><p>[^<]*</p>\s*</body>\s*</html>\s*",
    re.IGNORECASE,
)
_DJANGO_CSRF: Final = (b"<title>403 Forbidden</title>", b'content="NONE,NOARCHIVE"')
# Django with DEBUG, views/templates/technical_404.html.
_DJANGO_DEBUG: Final = b"<code>DEBUG = True</code>"


def framework_problem(
    status: int, media_type: str, body: bytes, *, expose_details: bool = False
) -> Problem | None:
    """Return the problem that a framework's own error answer is, or None for an app's.

    Args:
        status: 400 to 599.
        media_type: without its parameters, in lower case; "" where there is none.
        body: the whole body.
        expose_details: keep the words that an app has given a framework's HTTP exception below 500.
    """
    if body.startswith(b"{"):  # Litestar calls its document what the route would have answered
        return document_problem(status, body, expose_details=expose_details)
    if media_type == "application/json":
        return None if body else Problem(status)
    if not body.strip() or is_phrase(status, body.decode("utf-8", "replace")):
        return Problem(status)
    found = _WERKZEUG.fullmatch(body)
    if found is not None and int(found["status"]) == status:
        words = found["words"] if expose_details and status < 500 else None
        return Problem(status, detail=_unescaped(words) if words else None)
    django = _DJANGO.fullmatch(body) or _DJANGO_DEBUG in body
    if django or all(mark in body for mark in _DJANGO_CSRF):
        return Problem(status)
    return None


def failure_words(status: int, body: bytes) -> str | None:
    """Return what an HTTP exception says in a framework's own answer of 500 and above.

    Such words are most often another exception's: ``abort(500, str(error))``. None where there are
    none beside what the framework itself says of the status, or the answer is the app's own.
    """
    found = _WERKZEUG.fullmatch(body)
    if found is None:
        said = document_words(body) if body.startswith(b"{") else None
    else:
        said = _unescaped(found["words"] or b"")
    if said is None or not said.strip() or is_phrase(status, said):
        return None
    known = safe_getattr(sys.modules.get("werkzeug.exceptions"), "default_exceptions") or {}
    return None if said == safe_getattr(known.get(status), "description") else said


def _unescaped(words: bytes) -> str:
    return unescape(words.replace(b"<br>", b"\n").decode("utf-8", "replace"))
