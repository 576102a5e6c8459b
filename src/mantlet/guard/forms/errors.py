"""What forms refuse, in the words that all of their readers share."""

from collections.abc import Callable, Container
from typing import TypeVar

from mantlet.guard.errors import Fault, Invalid, pointer
from mantlet.http.forms import MalformedForm
from mantlet.http.media_types import MediaType

__all__ = ["check_parameters", "fault", "outcome", "refusal"]

T = TypeVar("T")


def fault(code: str, detail: str, *path: str | int) -> Fault:
    """Return one thing that is wrong with a form, or with its field that is named first."""
    return Fault("body", pointer(path), code, detail)


def refusal(status: int, code: str, detail: str, *path: str | int) -> Invalid:
    """Return what a form is refused with that is not read any further."""
    return Invalid(status, (fault(code, detail, *path),))


def outcome(read: Callable[[], T]) -> T:
    """Return what reads a form, whose malformed forms are refused: with 400, or 413 for size alone.

    Raises:
        Invalid: it has raised `MalformedForm`.
    """
    try:
        return read()
    except MalformedForm as malformed:
        status = 413 if malformed.too_large else 400
        said = malformed.code, malformed.detail
        path = () if malformed.field is None else (malformed.field,)
    # Not in the clause, where the other would be its context.
    raise refusal(status, *said, *path)


def check_parameters(media: MediaType, known: Container[str] = ()) -> None:
    """Refuse a form's, or a part's, media type if it has parameters that could change its reading.

    Args:
        media: what is declared.
        known: parameters that it may have besides ``charset``, which may only be UTF-8.

    Raises:
        Invalid: with 415.
    """
    for name, value in media.parameters:
        if name == "charset":
            if value.lower() != "utf-8":
                raise refusal(415, "charset", "A form's charset can only be utf-8.")
        elif name not in known:
            raise refusal(415, "media_parameter", "The media type has an unknown parameter.")
