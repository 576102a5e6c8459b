"""Requests as the app received them, and responses as the client did."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mantlet.core.state import State
from mantlet.http.headers import Headers

__all__ = ["AppRequest", "ReceivedHeaders", "ReceivedResponse", "WebSocketSession"]


class ReceivedHeaders(Headers):
    """Headers as they were received.

    Args:
        pairs: names and values, in order.
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def getall(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for other, value in self._pairs if other.lower() == name.lower()]


@dataclass(frozen=True)
class AppRequest:
    """A request as the app received it, with the changes that policies made.

    Attributes:
        method: the request method.
        path: the path, decoded, within the app.
        query: the query string as sent.
        headers: the headers, by name without regard to case.
        body: the whole body.
        state: the exchange's `mantlet.State`.
    """

    method: str
    path: str
    query: str
    headers: ReceivedHeaders
    body: bytes
    state: State


@dataclass(frozen=True)
class ReceivedResponse:
    """A response as the client received it.

    Attributes:
        status: the status code.
        headers: the headers, by name without regard to case.
        chunks: the chunks of the body, in the order they were sent.
    """

    status: int
    headers: ReceivedHeaders
    chunks: tuple[bytes, ...] = ()

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The body decoded as UTF-8; invalid bytes become U+FFFD."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body parsed as JSON.

        Raises:
            ValueError: the body is not JSON.
        """
        return json.loads(self.body)


@dataclass
class WebSocketSession:
    """The outcome of a WebSocket connection.

    Attributes:
        accepted: whether the handshake was accepted.
        messages: the messages that the client received.
        close_code: the code with which the server closed the connection; None if it did not close
            it.
        response: the HTTP response to a refused handshake, if the server sent one.
    """

    accepted: bool = False
    messages: list[str | bytes] = field(default_factory=list)
    close_code: int | None = None
    response: ReceivedResponse | None = None
