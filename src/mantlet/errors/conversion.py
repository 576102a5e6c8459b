"""Convert error responses of the app and of its framework to problems.

A response is the framework's own if its body says no more than the framework says for every request
with that status: it is empty, it is the reason phrase alone, or it has exactly the form of the
framework's built-in page or JSON document. Any other response is the app's.
"""

import json
import re
import sys
from html import unescape
from http import HTTPStatus
from typing import Any, Final, Literal

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.problem import Problem, phrase
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.errors.framework_exceptions import input_problem
from mantlet.errors.rendering import ACCEPT, PROBLEM_JSON, PROBLEM_XML, prefers_json

__all__ = [
    "MAX_BODY",
    "MEDIA_TYPES",
    "Conversion",
    "ConvertOption",
    "framework_problem",
    "framework_texts",
    "hidden_detail",
    "media_type",
    "server_error_detail",
]

ConvertOption = Literal["auto", "always", "never"]

#: The largest body that is examined, in bytes; frameworks' own are a few hundred.
MAX_BODY: Final = 16 * 1024
#: The media types of frameworks' own responses; those without a type are examined as well.
MEDIA_TYPES: Final = frozenset({"", "text/html", "text/plain", "application/json"})


class Conversion:
    """Replaces error responses by problems.

    Args:
        option: ``"auto"`` converts a framework's own error responses for clients that ask for JSON,
            and its responses to HTTP exceptions of 500 and above with a message for every client;
            ``"always"`` converts every error response that is not a problem yet.
        expose_details: keep the messages of HTTP exceptions below 500.
    """

    def __init__(self, option: ConvertOption, *, expose_details: bool) -> None:
        self._always = option == "always"
        self._expose_details = expose_details

    def convert(self, request: Request, response: Response, body: bytes) -> Problem | None:
        """Return the problem for an error response, or None if the response stays.

        Args:
            request: the request.
            response: the response.
            body: its body; or the beginning, for a guess from it.
        """
        kind = media_type(response)
        status = response.status
        if (
            status > 599
            or request.protocol != "http"
            or request.method == "HEAD"
            or kind in (PROBLEM_JSON, PROBLEM_XML)
        ):
            return None
        found = Problem(status) if self._always else None
        if (
            # Litestar labels its document with the route's media type.
            (kind not in MEDIA_TYPES and not body.startswith(b'{"status_code":'))
            or len(body) > MAX_BODY
            or "Content-Encoding" in response.headers
        ):
            return found
        if hidden_detail(status, body) is not None:
            return Problem(status)
        if self._always or _prefers_json(request):
            own = framework_problem(status, kind, body, expose_details=self._expose_details)
            return own or found
        return None


def _prefers_json(request: Request) -> bool:
    return prefers_json(request.get_headers(ACCEPT).get("accept"))


def media_type(response: Response) -> str:
    """Return the media type of a response without its parameters, "" if it has none."""
    return (response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


# -- pages ----------------------------------------------------------------------------------------

# Werkzeug, HTTPException.get_body(); Flask and Quart answer with it.
_WERKZEUG: Final = re.compile(
    rb"<!doctype html>\s*<html lang=en>\s*<title>(?P<status>\d{3}) [^<]{1,99}</title>\s*"
    rb"<h1>[^<]{1,99}</h1>\s*(?:<p>(?P<message>[^<]*(?:<br>[^<]*)*)</p>\s*)?",
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
#: The text of a2wsgi's own 500.
_A2WSGI: Final = b"Server got itself in trouble"
# Django with DEBUG, views/templates/technical_404.html.
_DJANGO_DEBUG: Final = b"<code>DEBUG = True</code>"


def framework_problem(
    status: int, media_type: str, body: bytes, *, expose_details: bool = False
) -> Problem | None:
    """Return the problem for a framework's own error response, or None for the app's.

    Args:
        status: 400 to 599.
        media_type: without its parameters, in lower case; "" without one.
        body: the whole body.
        expose_details: keep the message of a framework's HTTP exception below 500.
    """
    if body.startswith(b"{"):  # Litestar labels its document with the route's media type
        return _json_problem(status, body, expose_details=expose_details)
    if media_type == "application/json":
        return None if body else Problem(status)
    if not body.strip() or body == _A2WSGI or _is_phrase(status, body.decode("utf-8", "replace")):
        return Problem(status)
    found = _WERKZEUG.fullmatch(body)
    if found is not None and int(found["status"]) == status:
        message = found["message"] if expose_details and status < 500 else None
        return Problem(status, detail=_unescaped(message) if message else None)
    django = _DJANGO.fullmatch(body) or _DJANGO_DEBUG in body
    if django or all(mark in body for mark in _DJANGO_CSRF):
        return Problem(status)
    return None


def server_error_detail(status: int, body: bytes) -> str | None:
    """Return the message of an HTTP exception in a framework's own response of 500 and above.

    Such a message is mostly another exception's text: ``abort(500, str(error))``. None if there is
    only the framework's own text for the status, or if the response is the app's own.
    """
    if not body.startswith(b"{"):
        return _werkzeug_detail(status, body)
    detail = _json_detail(body)
    return None if detail is None or _is_said(status, detail) else detail


def _werkzeug_detail(status: int, body: bytes) -> str | None:
    """Return the message in Werkzeug's page, whose form no page of an app has by chance."""
    found = _WERKZEUG.fullmatch(body)
    detail = _unescaped(found["message"] or b"") if found else ""
    return None if _is_said(status, detail) else detail


def _is_said(status: int, detail: str) -> bool:
    """Return whether a message says no more than the status does."""
    return not detail.strip() or _is_phrase(status, detail) or detail in framework_texts(status)


def hidden_detail(status: int, body: bytes) -> str | None:
    """Return the message in a framework's own response of 500 and above that is replaced."""
    return _werkzeug_detail(status, body) if status >= 500 else None


def framework_texts(status: int) -> list[str]:
    """Return the texts that frameworks send with a status of their own accord."""
    texts = [phrase(status), *_PHRASES.get(status, ())]
    if status in set(HTTPStatus):
        texts += [HTTPStatus(status).phrase, HTTPStatus(status).description]
    known = safe_getattr(sys.modules.get("werkzeug.exceptions"), "default_exceptions") or {}
    texts.append(str(safe_getattr(known.get(status), "description")))
    return [form for text in texts for form in (text, f"{status} {text}", f"{status}: {text}")]


def _unescaped(message: bytes) -> str:
    return unescape(message.replace(b"<br>", b"\n").decode("utf-8", "replace"))


# -- JSON documents -------------------------------------------------------------------------------

#: Reason phrases of frameworks that are neither RFC 9110's nor the standard library's.
_PHRASES: Final = {
    400: ("Validation Error",),
    413: ("Request Entity Too Large", "Payload Too Large"),
    414: ("Request-URI Too Long", "Request URI Too Long"),
    416: ("Requested Range Not Satisfiable",),
    422: ("Unprocessable Entity",),
}


def _json_problem(status: int, body: bytes, *, expose_details: bool) -> Problem | None:
    """Return the problem for a framework's own JSON document, or None for the app's."""
    match _parsed(body):
        case {"detail": str(detail), **rest} if rest.keys() <= {"status_code"}:
            # FastAPI, Litestar, Django REST framework
            return _detail_problem(status, detail, expose_details=expose_details)
        case {"detail": list(errors), **rest} if status == 422 and not rest:
            return _fastapi_problem(errors)
        case {"detail": str(detail), "extra": list(errors)} if status == 400:
            return _litestar_problem(detail, errors)
        case {"title": str(title), **rest} if not rest and _is_phrase(status, title):
            return Problem(status)  # Falcon
    return None


def _json_detail(body: bytes) -> str | None:
    """Return the message of an HTTP exception in a framework's own JSON document, else None."""
    match _parsed(body):
        case {"detail": str(detail), **rest} if rest.keys() <= {"status_code", "extra"}:
            return detail  # FastAPI, Litestar, Django REST framework
        case {"title": str(), "description": str(detail), **rest} if rest.keys() <= {
            "code",
            "link",
        }:
            return detail  # Falcon
    return None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _is_phrase(status: int, text: str) -> bool:
    """Return whether a text is only the reason phrase of a status."""
    text = text.strip().rstrip(".").removeprefix(f"{status} ").casefold()
    known = [phrase(status), *_PHRASES.get(status, ())]
    if status in set(HTTPStatus):
        known.append(HTTPStatus(status).phrase)
    return text in {one.casefold() for one in known}


def _detail_problem(status: int, detail: str, *, expose_details: bool) -> Problem | None:
    if _is_phrase(status, detail):
        return Problem(status)
    return Problem(status, detail=detail) if expose_details and status < 500 else None


def _fastapi_problem(errors: list[Any]) -> Problem | None:
    """Return the problem for FastAPI's list of errors, which repeats the input."""
    known = {"type", "loc", "msg"}
    if all(isinstance(error, dict) and known <= error.keys() for error in errors):
        return input_problem(errors)
    return None


def _litestar_problem(detail: str, errors: list[Any]) -> Problem | None:
    """Return the problem for Litestar's list of errors, whose detail repeats the query."""
    if not detail.startswith("Validation failed for ") or not all(
        isinstance(error, dict) and "key" in error for error in errors
    ):
        return None
    places = ((str(error.get("source", "body")), str(error["key"])) for error in errors)
    return input_problem(
        ({"type": "invalid", "loc": [place, *key.split(".")]} for place, key in places), 400
    )
