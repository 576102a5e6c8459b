"""Frameworks' own HTTP exceptions: their status, and the header fields that they declare.

They are known by the dotted names of their classes; no framework is imported.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet._internal.pydantic_errors import public_error
from mantlet.core.problem import Problem, phrase
from mantlet.http.headers import text_field
from mantlet.http.json_pointer import join_pointer

__all__ = [
    "HTTP_EXCEPTIONS",
    "INVALID_INPUT",
    "Fields",
    "declared",
    "invalid_input",
    "kept_fields",
    "validation_problem",
    "words",
]

Fields = tuple[tuple[str, str], ...]

#: The names of their classes, with the attribute that has the status, or with the status.
HTTP_EXCEPTIONS: Final[Mapping[str, str | int]] = {
    "aiohttp.web_exceptions.HTTPException": "status",
    "django.core.exceptions.BadRequest": 400,
    "django.core.exceptions.PermissionDenied": 403,
    "django.core.exceptions.SuspiciousOperation": 400,
    "django.http.multipartparser.MultiPartParserError": 400,
    "django.http.response.Http404": 404,
    "falcon.http_error.HTTPError": "status_code",
    "litestar.exceptions.http_exceptions.HTTPException": "status_code",
    "rest_framework.exceptions.APIException": "status_code",
    "starlette.exceptions.HTTPException": "status_code",
    "werkzeug.exceptions.HTTPException": "code",
}

#: Fields that are true of a body that is not sent, or of the connection.
_LOST: Final = frozenset(
    {
        "accept-ranges",
        "connection",
        "content-digest",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-md5",
        "content-range",
        "content-type",
        "digest",
        "etag",
        "keep-alive",
        "last-modified",
        "repr-digest",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_MOST_FIELDS: Final = 64


def declared(error: BaseException, status: str | int) -> tuple[int, Fields]:
    """Return the status and the header fields that a framework's HTTP exception declares.

    Args:
        error: the exception.
        status: what `HTTP_EXCEPTIONS` has for its class.
    """
    given = safe_getattr(error, status) if isinstance(status, str) else status
    response = safe_getattr(error, "response")  # Werkzeug's abort() takes a whole response
    if given is None and response is not None:
        given = safe_getattr(response, "status_code")
    code = given if isinstance(given, int) and 300 <= given <= 599 else 500
    headers = safe_getattr(error, "headers")
    own: Callable[[], Any] | None = safe_getattr(error, "get_headers")
    if response is not None:
        headers = safe_getattr(response, "headers")
    elif headers is None and own is not None:
        headers = own()
    return int(code), kept_fields(_pairs(headers), lost=_LOST - {"content-range"})


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    """Return header fields as pairs, from the forms that frameworks have them in."""
    if not headers or isinstance(headers, (str, bytes)):
        return ()
    items = safe_getattr(headers, "items")
    pairs: Iterable[tuple[Any, Any]] = headers if items is None else items()
    return pairs


def kept_fields(pairs: Iterable[tuple[Any, Any]], lost: frozenset[str] = _LOST) -> Fields:
    """Return the fields that stay true when a problem takes the place of the body.

    Those that must not stand in a header (RFC 9110, 5) are left out.
    """
    kept: list[tuple[str, str]] = []
    for name, value in pairs:
        for one in value if isinstance(value, (list, tuple)) else (value,):
            try:
                field = text_field(str(name), str(one))
            except ValueError:
                continue
            if field[0].lower() not in lost and len(kept) < _MOST_FIELDS:
                kept.append(field)
    return tuple(kept)


def words(error: BaseException, status: int) -> str | None:
    """Return what an HTTP exception says to the client beyond its status, if anything."""
    if status >= 500:
        return None
    for name in ("detail", "description", "text"):
        said = safe_getattr(error, name)
        if isinstance(said, str) and said.strip() and said != phrase(status):
            return said
    return None


#: The exceptions, by the dotted names of their classes.
INVALID_INPUT: Final = frozenset(
    {
        "fastapi.exceptions.RequestValidationError",
        "pydantic.error_wrappers.ValidationError",
        "pydantic.v1.error_wrappers.ValidationError",
        "pydantic_core._pydantic_core.ValidationError",
    }
)

#: The most errors that are listed.
_MOST: Final = 100
#: Where FastAPI says that a value came from.
_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie"})


def validation_problem(error: BaseException) -> Problem:
    """Return the problem that a pydantic or FastAPI exception for refused input is."""
    errors: Any = error.errors  # type: ignore[attr-defined]  # theirs
    try:
        found = errors(include_url=False, include_context=False, include_input=False)
    except TypeError:  # pydantic 1 and FastAPI take no options
        found = errors()
    return invalid_input(found)


def invalid_input(errors: Iterable[Any], status: int = 422) -> Problem:
    """Return the problem that a list of pydantic's errors is.

    Args:
        errors: pydantic's, with ``loc``, ``msg`` and ``type``. At most 100 are listed.
        status: the problem's.
    """
    listed = [_entry(error) for error, _ in zip(errors, range(_MOST), strict=False)]
    return Problem(status, extensions={"errors": listed})


def _entry(error: Mapping[str, Any]) -> dict[str, str]:
    code, words = public_error(error)
    where = [str(part) for part in error.get("loc", ())]
    entry = {}
    if where and where[0] in _PLACES:
        entry["in"] = where.pop(0)
    if code == "json_invalid":
        where = []  # pydantic and FastAPI give the place in the text
    entry["pointer"] = join_pointer(where)
    entry["code"] = code
    if words is not None:
        entry["detail"] = words
    return entry
