"""Requests with bodies that are made while they are read, and apps that tell what they got."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.drive import Adapter, Answer, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mantlet import Policy
    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

PIECE = 64 * 1024


@dataclass
class Body:
    """A body that a client sends piece by piece.

    Attributes:
        source: the pieces.
        gone: whether the client goes away behind them, before its body is complete.
        served: how many bytes of it the server has handed out.
    """

    source: Iterable[bytes]
    gone: bool = False
    served: int = 0

    def events(self) -> Iterator[AsgiMessage]:
        """Yield it as ASGI has it."""
        for piece in self.source:
            self.served += len(piece)
            yield {"type": "http.request", "body": piece, "more_body": True}
        if not self.gone:
            yield {"type": "http.request", "body": b"", "more_body": False}
            return
        while True:
            yield {"type": "http.disconnect"}

    def stream(self) -> io.RawIOBase:
        """Return it as WSGI has it."""
        return _Stream(self)


class _Stream(io.RawIOBase):
    def __init__(self, body: Body) -> None:
        self._body = body
        self._pieces = iter(body.source)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "it is read in pieces"
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = piece
        piece, self._rest = self._rest[:size], self._rest[size:]
        self._body.served += len(piece)
        return piece

    def readinto(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


@dataclass
class App:
    """An app for both protocols.

    Attributes:
        limit: how many bytes of the body it reads, as far as there are so many.
        calls: how often it was called.
        pieces: the body as it came.
        fields: the header fields, by their names in lower case.
        ended: whether the body was complete.
    """

    limit: int = 2**40
    calls: int = 0
    pieces: list[bytes] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body to its end, as an ASGI app."""
        self.calls += 1
        self.fields = {}
        for name, value in scope["headers"]:
            known = self.fields.get(name.decode())
            text = value.decode("latin-1")
            self.fields[name.decode()] = text if known is None else f"{known}, {text}"
        left = self.limit
        while left > 0:
            event = await receive()
            if event["type"] != "http.request":
                break
            self.pieces.append(event["body"])
            left -= len(event["body"])
            if not event["more_body"]:
                self.ended = True
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Read the body to its end, as a WSGI app."""
        self.calls += 1
        self.fields = {
            key.removeprefix("HTTP_").replace("_", "-").lower(): value
            for key, value in environ.items()
            if key.startswith("HTTP_") or key in {"CONTENT_TYPE", "CONTENT_LENGTH"}
        }
        stream = environ["wsgi.input"]
        left = self.limit
        while left > 0:
            piece = stream.read(min(PIECE, left))
            if not piece:
                self.ended = True
                break
            self.pieces.append(piece)
            left -= len(piece)
        start_response("200 OK", [])
        return []

    def behind(self, adapter: Adapter, *policies: Policy) -> Any:
        """Return a stack of the policies around it."""
        return adapter.module.wrap(
            self.asgi if adapter.name == "asgi" else self.wsgi, *policies, baseline=False
        )


def upload(
    adapter: Adapter,
    app: Any,  # Any: of either protocol
    body: Body | bytes | Iterable[bytes],
    *,
    length: int | str | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> Answer:
    """Send a body; without a length it is a chunked one."""
    if isinstance(body, bytes):
        body = Body([body[at : at + PIECE] for at in range(0, len(body), PIECE)])
    elif not isinstance(body, Body):
        body = Body(body)
    if length is not None:
        headers = [*headers, ("content-length", str(length))]
    if adapter.name == "asgi":
        return drive_asgi(app, "POST", headers=headers, events=body.events())
    environ: dict[str, Any] = {"wsgi.input": body.stream(), "wsgi.input_terminated": True}
    return drive_wsgi(app, "POST", headers=headers, environ=environ)
