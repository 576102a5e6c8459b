"""Errors of forms."""

from collections.abc import Callable, Container
from typing import TypeVar

from mantlet.guard.errors import ErrorItem, ValidationFailed, pointer
from mantlet.http.forms import MalformedForm
from mantlet.http.media_types import MediaType

__all__ = ["check_form_parameters", "convert_malformed", "error_item", "form_error"]

T = TypeVar("T")


def error_item(code: str, detail: str, *path: str | int) -> ErrorItem:
    """Return an error of a form, or of the field at the beginning of ``path``."""
    return ErrorItem("body", pointer(path), code, detail)


def form_error(status: int, code: str, detail: str, *path: str | int) -> ValidationFailed:
    """Return the exception for a form that is not read any further."""
    return ValidationFailed(status, (error_item(code, detail, *path),))


def convert_malformed(read: Callable[[], T]) -> T:
    """Call a function that reads a form, and convert its exception `MalformedForm`.

    Raises:
        ValidationFailed: the form is malformed: with 400, or 413 if it is only too large.
    """
    try:
        return read()
    except MalformedForm as malformed:
        status = 413 if malformed.too_large else 400
        code, detail = malformed.code, malformed.detail.rstrip(".")
        path = () if malformed.field is None else (malformed.field,)
    # Outside of the clause, so that the exceptions are not chained.
    raise form_error(status, code, detail, *path)


def check_form_parameters(media: MediaType, known: Container[str] = ()) -> None:
    """Reject parameters of a form's or a part's media type that could change how it is read.

    Args:
        media: the media type.
        known: allowed parameters besides ``charset``, which must be UTF-8.

    Raises:
        ValidationFailed: with 415.
    """
    for name, value in media.parameters:
        if name == "charset":
            if value.lower() != "utf-8":
                raise form_error(415, "charset", "The charset of a form must be utf-8")
        elif name not in known:
            raise form_error(415, "media_parameter", "Unsupported media type parameter")
