"""Read the exceptions of frameworks and of pydantic, without importing any of them.

Classes are known by their dotted names. For refused input, the errors are listed with their places
and without any value of the input; a member that the client should not have sent is named, since
that is the place of its error.

Sources: pydantic 2 "Validation Errors"; JSON Pointer, RFC 6901.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from mantlet._internal.exception_chain import class_names, safe_getattr
from mantlet._internal.pydantic_errors import public_error
from mantlet.core.problem import Problem, phrase
from mantlet.http.json_pointer import join_pointer

__all__ = [
    "HTTP_EXCEPTIONS",
    "INVALID_INPUT",
    "HeaderPairs",
    "declared_response",
    "input_problem",
    "is_http_exception",
    "public_detail",
    "validation_problem",
]

# Any: frameworks keep values of other types than text as well.
HeaderPairs = tuple[tuple[Any, Any], ...]

# -- HTTP exceptions ------------------------------------------------------------------------------

#: The names of HTTP exception classes, with the attribute that has the status, or the status.
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


def is_http_exception(error: BaseException) -> bool:
    """Return whether an exception is one that a framework answers with a status of its own."""
    return not HTTP_EXCEPTIONS.keys().isdisjoint(class_names(type(error)))


def declared_response(error: BaseException, status: str | int) -> tuple[int, HeaderPairs]:
    """Return the status and the headers that a framework's HTTP exception declares.

    Args:
        error: the exception.
        status: the value in `HTTP_EXCEPTIONS` for its class.
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
    return int(code), tuple(_pairs(headers))


def _pairs(headers: Any) -> Iterator[tuple[Any, Any]]:
    """Yield headers as pairs, from any of the forms that frameworks keep them in."""
    if not headers or isinstance(headers, (str, bytes)):
        return
    items = safe_getattr(headers, "items")
    for name, value in headers if items is None else items():
        for one in value if isinstance(value, (list, tuple)) else (value,):
            yield name, one


def public_detail(error: BaseException, status: int) -> str | None:
    """Return an HTTP exception's message to the client, if it says more than its status."""
    if status >= 500:
        return None
    for name in ("detail", "description", "text"):
        text = safe_getattr(error, name)
        if isinstance(text, str) and text.strip() and text != phrase(status):
            return text
    return None


# -- refused input --------------------------------------------------------------------------------

#: The names of the exception classes for refused input.
INVALID_INPUT: Final = frozenset(
    {
        "fastapi.exceptions.RequestValidationError",
        "pydantic.error_wrappers.ValidationError",
        "pydantic.v1.error_wrappers.ValidationError",
        "pydantic_core._pydantic_core.ValidationError",
    }
)

#: The most errors that are listed.
_MAX_ERRORS: Final = 100
#: The places that FastAPI names for values.
_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie"})


def validation_problem(error: BaseException) -> Problem:
    """Return the problem for a pydantic or FastAPI exception about refused input."""
    errors: Any = error.errors  # type: ignore[attr-defined]  # a method of theirs
    try:
        found = errors(include_url=False, include_context=False, include_input=False)
    except TypeError:  # pydantic 1 and FastAPI take no options
        found = errors()
    return input_problem(found)


def input_problem(errors: Iterable[Any], status: int = 422) -> Problem:
    """Return the problem for a list of pydantic's errors.

    Args:
        errors: pydantic's errors, with ``loc``, ``msg`` and ``type``. At most 100 are listed.
        status: the status of the problem.
    """
    listed = [_item(error) for error, _ in zip(errors, range(_MAX_ERRORS), strict=False)]
    return Problem(status, extensions={"errors": listed})


def _item(error: Mapping[str, Any]) -> dict[str, str]:
    code, message = public_error(error)
    where = [str(part) for part in error.get("loc", ())]
    item = {}
    if where and where[0] in _PLACES:
        item["in"] = where.pop(0)
    if code == "json_invalid":
        where = []  # pydantic and FastAPI give the position in the text
    item["pointer"] = join_pointer(where)
    item["code"] = code
    if message is not None:
        item["detail"] = message
    return item
