"""The JSON documents that frameworks answer errors with by themselves."""

import json
from http import HTTPStatus
from typing import Any, Final

from mantlet.core.problem import Problem, phrase
from mantlet.errors.validation import invalid_input

__all__ = ["document_problem", "document_words", "is_phrase"]

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
