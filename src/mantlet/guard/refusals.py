"""The responses to invalid requests: problems (RFC 9457), or FastAPI's own shape.

A limit of `BodyLimits` that a request exceeds names itself: the option and its value stand in the
detail of the error.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, Literal

from mantlet.core.error_log import maskers
from mantlet.core.problem import BodyTooLarge, Problem, phrase
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.guard.errors import ErrorItem, ValidationFailed, to_problem
from mantlet.guard.limits import BodyLimits
from mantlet.guard.options import check_literal

__all__ = ["InvalidStatus", "Refusals", "Shape", "name_limits", "to_failure"]

#: The status of a request that is readable but wrong.
InvalidStatus = Literal[400, 422]
#: The form of error responses: a problem, or FastAPI's ``{"detail": [...]}``.
Shape = Literal["problem", "fastapi"]

#: The option of `BodyLimits` by the code of its error.
_OPTIONS: Final = {
    "body_too_large": "body",
    "decoded_too_large": "decoded",
    "field_too_large": "field",
    "file_too_large": "file",
    "filename_too_long": "name",
    "form_too_large": "memory",
    "item_too_large": "line",
    "json_checks": "checks",
    "json_depth": "depth",
    "json_digits": "digits",
    "json_items": "items",
    "json_members": "members",
    "json_string": "string",
    "message_too_large": "body",
    "name_too_long": "name",
    "part_headers_too_large": "part_headers",
    "query_too_long": "query",
    "ratio_too_large": "ratio",
    "too_many_fields": "fields",
    "too_many_files": "files",
    "too_many_items": "lines",
    "too_many_parameters": "parameters",
}
#: Where a form is read like a query, these limits are meant.
_FORM_OPTIONS: Final = {"query": "decoded", "parameters": "fields"}

#: FastAPI's codes for the guard's.
_FASTAPI_CODES: Final = dict.fromkeys(
    ("missing_body", "missing_header", "missing_parameter", "required"), "missing"
)
#: Statuses whose errors have a place in the request, and so are listed.
_LISTED: Final = frozenset({400, 422})
#: Statuses whose responses in Starlette have only the reason phrase.
_PHRASES: Final = frozenset({404, 405})


class Refusals:
    """Makes the responses to invalid requests.

    Args:
        status: the status of a request that is readable but wrong.
        shape: the form of the responses.

    Raises:
        ValueError: an option has another value.
    """

    __slots__ = ("_shape", "_status")

    def __init__(self, status: InvalidStatus, shape: Shape) -> None:
        if isinstance(status, bool) or status not in (400, 422):
            raise ValueError(
                f"status must be 400 or 422, not {status!r}: it is that of requests that are "
                "readable but wrong"
            )
        check_literal("shape", shape, Shape)
        self._status = status
        self._shape = shape

    def status(self, failure: ValidationFailed) -> int:
        """Return the status of the response to an invalid request."""
        return self._status if failure.status == 422 else failure.status

    def reply(
        self, error: ValidationFailed | Problem, request: Request, limits: BodyLimits
    ) -> Reply:
        """Return the response to an invalid request.

        Args:
            error: the reason; a problem is one of a credential check, or of the server's.
            request: the request.
            limits: those of its operation.
        """
        problem = error if isinstance(error, Problem) else self._problem(error, limits)
        if self._shape == "problem":
            return problem.reply(request)
        request.state.problem = problem
        errors = () if isinstance(error, Problem) else error.errors
        body = json.dumps({"detail": _detail(problem, errors)}).encode()
        media = "application/json"
        for masker in maskers(request):
            body = masker.body(body, media)
        own = {name.lower() for name in problem.headers}
        headers = [("Content-Type", media), ("Cache-Control", "no-store")]
        headers = [pair for pair in headers if pair[0].lower() not in own]
        return Reply(problem.status, [*headers, *problem.headers.items()], body)

    def _problem(self, failure: ValidationFailed, limits: BodyLimits) -> Problem:
        note = ""
        if len(failure.errors) >= limits.errors and failure.status == 422:
            note = f" More may follow these {limits.errors}{_named('errors', limits.errors)}."
        return to_problem(failure, self.status(failure), note)


def _detail(problem: Problem, errors: tuple[ErrorItem, ...]) -> Any:
    """Return FastAPI's ``detail``: a list of errors, or a text."""
    if errors and problem.status in _LISTED:
        return [
            {
                "type": _FASTAPI_CODES.get(error.code, error.code),
                "loc": list(_location(error)),
                "msg": error.detail,
            }
            for error in errors
        ]
    if problem.status in _PHRASES:
        return phrase(problem.status)
    return "; ".join(error.detail for error in errors) or problem.detail or problem.title


def _location(error: ErrorItem) -> Iterator[str | int]:
    yield error.place
    for token in error.as_json()["pointer"].split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        is_index = error.place == "body" and name.isascii() and name.isdigit() and len(name) < 10
        yield int(name) if is_index else name


def to_failure(error: ValidationFailed | Problem) -> ValidationFailed:
    """Return the errors of an invalid request, also for a body that can't be read."""
    if isinstance(error, ValidationFailed):
        return error
    if isinstance(error, BodyTooLarge):
        detail = f"The body is larger than {error.limit} bytes"
        return ValidationFailed(413, [ErrorItem("body", "", "body_too_large", detail)])
    item = ErrorItem("body", "", "unreadable_body", error.detail or error.title)
    return ValidationFailed(error.status, [item], error.headers)


def name_limits(failure: ValidationFailed, limits: BodyLimits) -> ValidationFailed:
    """Return a failure whose errors name the limits that they are about.

    Args:
        failure: the failure.
        limits: those of the operation.
    """
    for error in failure.errors:
        if error.code in _OPTIONS:
            break
    else:
        return failure
    errors = [_with_limit(error, limits) for error in failure.errors]
    return ValidationFailed(failure.status, errors, failure.headers, failure.values)


def _with_limit(error: ErrorItem, limits: BodyLimits) -> ErrorItem:
    option = _OPTIONS.get(error.code)
    if option is None or (option == "lines" and error.pointer):  # of a `File`
        return error
    if error.place == "body":
        option = _FORM_OPTIONS.get(option, option)
    value = getattr(limits, option)
    if option == "file" and str(value) not in error.detail:
        return error._replace(detail=f"{error.detail}; the limit is File(max_size=)")
    return error._replace(detail=error.detail + _named(option, value))


def _named(option: str, value: int) -> str:
    return f"; the limit is BodyLimits({option}={value})"
