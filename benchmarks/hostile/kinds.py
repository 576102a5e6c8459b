"""A hostile input, and how a policy gets to read it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mantlet import Policy

__all__ = ["MB", "Fields", "Hostile", "Stack", "repeated", "shown"]

MB: Final = 1_000_000

Fields = tuple[tuple[str, str], ...]
#: Makes the policies that read an input.
Stack = Callable[[], tuple[Policy, ...]]
Response = tuple[int, Fields, bytes]

_OK: Final[Response] = (200, (("content-type", "text/plain"),), b"ok")


@dataclass(frozen=True)
class Hostile:
    """An input that could cost much for its size.

    Attributes:
        text: what it is, and who reads it.
        stack: makes the policies that read it.
        size: its bytes, in one request.
        method: of the request.
        path: of the request.
        query: of the request.
        headers: of the request.
        body: of the request.
        chunk: bytes of one event of the request's body, or of the response's.
        response: the app's response: status, headers and body.
        messages: the client's messages over a WebSocket, in place of a request.
        known: the rate, in seconds of CPU time a megabyte, of one that is known to miss the target:
            it is linear, and its work is in objects of Python for every few bytes.
    """

    text: str
    stack: Stack
    size: int
    method: str = "GET"
    path: str = "/"
    query: bytes = b""
    headers: Fields = ()
    body: bytes = b""
    chunk: int = 64 * 1024
    response: Response = _OK
    messages: tuple[str, ...] = ()
    known: float | None = None


def repeated(before: bytes, unit: bytes, after: bytes = b"", size: int = MB) -> bytes:
    """Return a text of about this size: a unit repeated between two others."""
    return before + unit * ((size - len(before) - len(after)) // len(unit)) + after


def shown(*texts: str | bytes) -> str:
    """Return the beginning of a text, as it stands in the table."""
    whole = "".join(text if isinstance(text, str) else text.decode("latin-1") for text in texts)
    return ascii(whole)[1:-1][-60:] + "..."


Inputs = Iterator[Hostile]
