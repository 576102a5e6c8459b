"""Validation errors: what is wrong with a request, without any of its values."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from mantlet.core.problem import Problem
from mantlet.exceptions import MantletError
from mantlet.http.json_pointer import join_pointer as pointer

__all__ = ["ErrorItem", "Place", "ValidationFailed", "pointer", "to_problem", "too_complex"]

#: A name in a pointer may come from the client, so longer ones are cut.
_LONGEST_NAME: Final = 64

#: The part of a message that a value stands in.
Place = Literal["path", "query", "header", "cookie", "body", "message"]

_DETAILS: Final = {
    400: "The request is malformed or ambiguous.",
    401: "Valid credentials are required.",
    404: "The API does not declare this path.",
    405: "The path does not support this method.",
    413: "The request is too large.",
    414: "The request target is too long.",
    415: "The media type or content encoding is not supported.",
    422: "The request failed validation.",
    501: "The declaration of this operation is invalid, so it is closed.",
}


class ErrorItem(NamedTuple):
    """One validation error.

    Attributes:
        place: the part of the message.
        pointer: a JSON Pointer into that part (RFC 6901); ``""`` is all of it. For a parameter or a
            form field, the first token is its name.
        code: the kind of error, for programs: pydantic's error type for models, the keyword for
            JSON Schema, or one of the guard's own.
        detail: the same for people. It never contains a value of the input.
    """

    place: Place
    pointer: str
    code: str
    detail: str

    def as_json(self) -> dict[str, str]:
        """Return the item of the problem's ``errors`` member.

        Names in the pointer are cut at 64 characters, and unprintable characters are replaced.
        """
        return {
            "in": self.place,
            "pointer": "/".join(map(_printable, self.pointer.split("/"))),
            "code": self.code,
            "detail": self.detail,
        }


class ValidationFailed(MantletError):
    """An input that its schema, or a limit, does not allow.

    Args:
        status: the status code of the response: 400 for a malformed or ambiguous input, 413 for one
            that is too large, 415 for an unsupported type, 422 for one that is readable but wrong.
        errors: one item or more.
        headers: additional headers of the response.
        values: the values that were read, by place. Only their shapes are ever reported.
    """

    # Any: values of JSON.
    def __init__(
        self,
        status: int,
        errors: Iterable[ErrorItem],
        headers: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.errors = tuple(errors)
        self.headers = headers or {}
        self.values = values or {}
        super().__init__(f"{status}: {', '.join(error.code for error in self.errors)}")


def too_complex(place: Place) -> ValidationFailed:
    """Return the failure of a value that needs more work than `BodyLimits.checks` allows."""
    return ValidationFailed(400, [ErrorItem(place, "", "json_checks", "Needs too many checks")])


def to_problem(failure: ValidationFailed, status: int | None = None, note: str = "") -> Problem:
    """Return the problem document that lists the errors (RFC 9457).

    Args:
        failure: the errors.
        status: the status, if it is not the failure's own.
        note: is added to the detail.
    """
    detail = _DETAILS.get(failure.status)
    return Problem(
        status or failure.status,
        detail=detail and detail + note,
        headers=failure.headers,
        extensions={"errors": [error.as_json() for error in failure.errors]},
    )


def _printable(token: str) -> str:
    """Return a token of a pointer for the client: shortened, without unprintable characters."""
    if len(token) > _LONGEST_NAME:
        token = f"{token[:_LONGEST_NAME]}..."
    if token.isprintable():
        return token
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in token)
