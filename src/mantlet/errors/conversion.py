"""Error answers of the app, and whether a problem takes their place."""

import json
import re
import sys
from collections.abc import Awaitable
from contextlib import suppress
from html import unescape
from http import HTTPStatus
from typing import Any, Final, Literal

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.error_log import log
from mantlet.core.policy import Reply
from mantlet.core.problem import Problem, phrase
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.errors.framework_exceptions import Fields, invalid_input, kept_fields
from mantlet.errors.rendering import ACCEPT, PROBLEM_JSON, PROBLEM_XML, asks_for_json
from mantlet.exceptions import ResponseTooLarge

__all__ = [
    "LARGEST",
    "MEDIA_TYPES",
    "Conversion",
    "ConvertOption",
    "document_problem",
    "document_words",
    "failure_words",
    "framework_problem",
    "is_phrase",
    "media_type",
    "with_fields",
]

ConvertOption = Literal["auto", "always", "never"]


class Conversion:
    """Puts a problem in the place of an error answer of the app.

    Args:
        option: ``"auto"`` converts a framework's own error pages for clients that ask for JSON, and
            its pages for HTTP exceptions of 500 and above with a message for every client;
            ``"always"`` converts every error response that is not a problem yet.
        expose_details: keep the words of HTTP exceptions below 500.
    """

    def __init__(self, option: ConvertOption, *, expose_details: bool) -> None:
        self._always = option == "always"
        self._expose_details = expose_details

    def look_at(self, request: Request, response: Response) -> Awaitable[Reply | None] | None:
        """Return what is to take the place of an error answer, if anything may have to."""
        kind = media_type(response)
        if response.status > 599 or request.protocol != "http" or request.method == "HEAD":
            return None
        if kind in (PROBLEM_JSON, PROBLEM_XML):
            return None
        if not self._always and (
            kind not in MEDIA_TYPES
            or "Content-Encoding" in response.headers
            or not (response.status >= 500 or _asks_for_json(request))
        ):
            return None
        return self._replace(request, response, kind)

    async def _replace(self, request: Request, response: Response, kind: str) -> Reply | None:
        problem = Problem(response.status) if self._always else None
        if kind in MEDIA_TYPES:
            with suppress(ResponseTooLarge):
                body = await response.body(LARGEST)
                problem = self._find(request, response.status, kind, body) or problem
        if problem is None:
            return None
        fields = (*kept_fields(response.headers), ("Vary", "Accept"))
        return with_fields(problem.reply(request), fields)

    def _find(self, request: Request, status: int, kind: str, body: bytes) -> Problem | None:
        """Return the problem that a framework's own error answer is to become, if any."""
        words = failure_words(status, body) if status >= 500 else None
        if words is not None:
            request_id = request.state._request_id or "-"
            log.error(
                "What the app says with %d in request %s is left out: %.1000r",
                status,
                request_id,
                words,
                extra={"request_id": request_id, "status": status},
            )
            return Problem(status)
        if not self._always and not _asks_for_json(request):
            return None
        return framework_problem(status, kind, body, expose_details=self._expose_details)


def _asks_for_json(request: Request) -> bool:
    return asks_for_json(request.get_headers(ACCEPT).get("accept"))


def with_fields(reply: Reply, fields: Fields) -> Reply:
    """Return a reply with further fields, which take the place of its own."""
    if not fields:
        return reply
    names = {name.lower() for name, _ in fields}
    own = [pair for pair in reply.headers if pair[0].lower() not in names]
    return Reply(reply.status, [*own, *fields], reply.body)


def media_type(response: Response) -> str:
    """Return an answer's media type without its parameters, "" where it has none."""
    return (response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


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


#: Phrases that frameworks have beside those of today's RFC 9110, and of the standard library.
_PHRASES: Final = {
    400: ("Validation Error",),
    413: ("Request Entity Too Large", "Payload Too Large"),
    414: ("Request-URI Too Long", "Request URI Too Long"),
    416: ("Requested Range Not Satisfiable",),
    422: ("Unprocessable Entity",),
}


def document_problem(status: int, body: bytes, *, expose_details: bool) -> Problem | None:
    """Return the problem that a framework's own JSON document is, or None for an app's.

    Args:
        status: 400 to 599.
        body: the document.
        expose_details: keep the words that an app has given a framework's HTTP exception below 500.
    """
    found = _parsed(body)
    match found:
        case {"detail": str(said), **rest} if rest.keys() <= {"status_code"}:
            return _stated(
                status, said, expose_details=expose_details
            )  # FastAPI, Litestar, REST framework
        case {"detail": list(errors), **rest} if status == 422 and not rest:
            return _refused_by_fastapi(errors)
        case {"detail": str(said), "extra": list(errors)} if status == 400:
            return _refused_by_litestar(said, errors)
        case {"title": str(said), **rest} if not rest and is_phrase(status, said):
            return Problem(status)  # Falcon
    return None


def document_words(body: bytes) -> str | None:
    """Return what an HTTP exception says in a framework's own JSON document, if it is one."""
    match _parsed(body):
        case {"detail": str(said), **rest} if rest.keys() <= {"status_code", "extra"}:
            return said  # FastAPI, Litestar, REST framework
        case {"title": str(), "description": str(said), **rest} if rest.keys() <= {"code", "link"}:
            return said  # Falcon
    return None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def is_phrase(status: int, text: str) -> bool:
    """Return whether a text says no more than a status does."""
    text = text.strip().rstrip(".").removeprefix(f"{status} ").casefold()
    known = [phrase(status), *_PHRASES.get(status, ())]
    if status in set(HTTPStatus):
        known.append(HTTPStatus(status).phrase)
    return text in {one.casefold() for one in known}


def _stated(status: int, detail: str, *, expose_details: bool) -> Problem | None:
    if is_phrase(status, detail):
        return Problem(status)
    return Problem(status, detail=detail) if expose_details and status < 500 else None


def _refused_by_fastapi(errors: list[Any]) -> Problem | None:
    """Return the problem that FastAPI's list of errors is; it repeats the input."""
    known = {"type", "loc", "msg"}
    if all(isinstance(error, dict) and known <= error.keys() for error in errors):
        return invalid_input(errors)
    return None


def _refused_by_litestar(said: str, errors: list[Any]) -> Problem | None:
    """Return the problem that Litestar's list of errors is; beside it, it repeats the query."""
    if not said.startswith("Validation failed for ") or not all(
        isinstance(error, dict) and "key" in error for error in errors
    ):
        return None
    places = ((str(error.get("source", "body")), str(error["key"])) for error in errors)
    return invalid_input(
        ({"type": "invalid", "loc": [place, *key.split(".")]} for place, key in places), 400
    )
