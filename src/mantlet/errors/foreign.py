"""Error answers that frameworks make by themselves, told apart from what an app says.

An answer is a framework's own if its body says no more than the framework says of every request
with that status: it is empty, it is the status's phrase alone, or it has exactly the form of a
framework's built-in page or document. Everything else is the app's.
"""

import json
import re
from http import HTTPStatus
from typing import Any, Final

from mantlet.errors.validation import invalid_input
from mantlet.problem import Problem, phrase

__all__ = ["LARGEST", "MEDIA_TYPES", "framework_problem"]

#: The largest body that is looked at, in bytes; frameworks' own are a few hundred.
LARGEST: Final = 16 * 1024
#: What frameworks' own answers are; those without a type are looked at too.
MEDIA_TYPES: Final = frozenset({"", "text/html", "text/plain", "application/json"})

#: Phrases that frameworks have beside those of today's RFC 9110, and of the standard library.
_PHRASES: Final = {
    400: ("Validation Error",),
    413: ("Request Entity Too Large", "Payload Too Large"),
    414: ("Request-URI Too Long", "Request URI Too Long"),
    416: ("Requested Range Not Satisfiable",),
    422: ("Unprocessable Entity",),
}

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


def framework_problem(status: int, media_type: str, body: bytes) -> Problem | None:
    """Return the problem that a framework's own error answer is, or None for an app's.

    Args:
        status: 400 to 599.
        media_type: without its parameters, in lower case; "" where there is none.
        body: the whole body.
    """
    if media_type == "application/json":
        return _document(status, body) if body else Problem(status)
    if not body.strip() or _is_phrase(status, body.decode("utf-8", "replace")):
        return Problem(status)
    found = _WERKZEUG.fullmatch(body)
    if found is not None and int(found["status"]) == status:
        return Problem(status)
    django = _DJANGO.fullmatch(body) or _DJANGO_DEBUG in body
    if django or all(mark in body for mark in _DJANGO_CSRF):
        return Problem(status)
    return None


def _is_phrase(status: int, text: str) -> bool:
    text = text.strip().rstrip(".").removeprefix(f"{status} ").casefold()
    return text in {known.casefold() for known in _phrases(status)}


def _phrases(status: int) -> list[str]:
    known = [phrase(status), *_PHRASES.get(status, ())]
    try:
        known.append(HTTPStatus(status).phrase)
    except ValueError:
        return known
    return known


def _document(status: int, body: bytes) -> Problem | None:
    """Judge a JSON document: FastAPI's, Litestar's, Falcon's, Django REST framework's."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if found.get("status_code") == status:  # Litestar
        del found["status_code"]
    said = found.get("detail", found.get("title"))
    if len(found) != 1 or said is None:
        return None
    if isinstance(said, str):
        return Problem(status) if _is_phrase(status, said) else None
    if status == 422 and isinstance(said, list) and all(_is_entry(entry) for entry in said):
        return invalid_input(said)
    return None


def _is_entry(entry: object) -> bool:
    """Return whether this is one of FastAPI's errors, which hold the input."""
    return isinstance(entry, dict) and {"type", "loc", "msg"} <= entry.keys()
