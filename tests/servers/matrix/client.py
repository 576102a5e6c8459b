"""A client that asks for JSON, and keeps every byte of what it gets."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPResponse, IncompleteRead
from io import BytesIO
from typing import TYPE_CHECKING

from tests.servers.server import HOST, Server

if TYPE_CHECKING:
    from email.message import Message
    from socket import socket

    from tests.servers.matrix.cells import Fault

ACCEPT = "application/problem+json, application/json;q=0.9"


@dataclass(frozen=True)
class Answer:
    """An answer, as bytes and as what they mean.

    Attributes:
        raw: every byte.
        status: the status code.
        headers: the fields.
        body: the body, as far as it came.
        whole: whether it came to its end.
    """

    raw: bytes
    status: int
    headers: Message
    body: bytes
    whole: bool


class _Received:
    """What `HTTPResponse` needs of a socket: all that came over it."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _: str) -> BytesIO:
        """Return what came."""
        return BytesIO(self._raw)


def ask(server: Server, source: str, fault: Fault) -> Answer:
    """Send the request that a fault is met with, and read what comes until the connection ends."""
    request = (
        f"{fault.method} {fault.path} HTTP/1.1\r\n"
        f"Host: {HOST}\r\n"
        f"Accept: {ACCEPT}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(fault.content)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return _read(server.exchange(source, request.encode() + fault.content))


def _read(raw: bytes) -> Answer:
    connection: socket = _Received(raw)  # type: ignore[assignment]  # all that is asked of it
    answer = HTTPResponse(connection)
    answer.begin()
    try:
        body, whole = answer.read(), True
    except IncompleteRead as broken:
        body, whole = broken.partial, False
    return Answer(raw, answer.status, answer.headers, body, whole)
