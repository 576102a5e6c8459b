"""What is wrong with an input, told so that a client can act on it and without its values."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from mantlet.exceptions import MantletError
from mantlet.http.json_pointer import join_pointer as pointer

__all__ = ["Fault", "Invalid", "Place", "pointer"]

#: A name in a pointer may be the client's, so no more than this of one is told.
_LONGEST_NAME: Final = 64

#: Where in a message a value stands.
Place = Literal["path", "query", "header", "cookie", "body", "message"]


class Fault(NamedTuple):
    """One thing that is wrong.

    Attributes:
        place: where in the message.
        pointer: where in the value that stands there (RFC 6901); ``""`` is all of it. The first
            token of a parameter, or of a form's field, is its name.
        code: what kind of fault, for programs: pydantic's type of error for models, the keyword for
            JSON Schema, or one of the guard's own.
        detail: the same for people. It never has a value of the input in it.
    """

    place: Place
    pointer: str
    code: str
    detail: str

    def as_json(self) -> dict[str, str]:
        """Return the member of ``errors`` that tells of it.

        Names in the pointer are cut at 64 characters, and what can't be printed is replaced.
        """
        return {
            "in": self.place,
            "pointer": "/".join(map(_told, self.pointer.split("/"))),
            "code": self.code,
            "detail": self.detail,
        }


class Invalid(MantletError):
    """An input that its schema, or a limit, does not allow.

    Args:
        status: what a request with it is answered with: 400 for what can't be read in one way
            only, 413 for what is too large, 415 for what is of another type, 422 for what is
            readable and wrong.
        faults: what is wrong, at least one.
        headers: further fields of that answer.
    """

    def __init__(
        self, status: int, faults: Iterable[Fault], headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.faults = tuple(faults)
        self.headers = headers or {}
        super().__init__(f"{status}: {', '.join(fault.code for fault in self.faults)}")


def _told(token: str) -> str:
    """Return a token of a pointer as clients are told it: it may be a name of their own."""
    if len(token) > _LONGEST_NAME:
        token = f"{token[:_LONGEST_NAME]}..."
    if token.isprintable():
        return token
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in token)
