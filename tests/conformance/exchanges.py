"""One script of what an app does, played under either protocol, seen as a client would see it."""

from __future__ import annotations

import asyncio
import io
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from wsgiref.util import setup_testing_defaults

from tests.conformance.checkers import check_asgi, check_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

WsgiApp = Any


class AppError(Exception):
    """What a scripted app raises."""


@dataclass(frozen=True)
class Script:
    """What an app does with a request.

    Attributes:
        status: of its answer.
        headers: of its answer, ``Content-Length`` apart.
        chunks: of its body.
        raises_at: how many chunks it sends before it raises; -1 is before the head; None is never.
        declares_length: whether it sends a true ``Content-Length``.
        wsgi_style: how it does so under WSGI.
        ends_with_last: under ASGI, whether the last chunk says that it is the last.
        raises_behind: under ASGI, whether it says so though the app then raises, as Starlette does:
            it sends that chunk while it handles the exception.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/plain"),)
    chunks: tuple[bytes, ...] = (b"hello",)
    raises_at: int | None = None
    declares_length: bool = False
    wsgi_style: Literal["list", "generator", "late", "write"] = "generator"
    ends_with_last: bool = True
    raises_behind: bool = False

    @property
    def goes_first(self) -> bool:
        """Whether the head goes out before the first chunk under ASGI: that of a stream."""
        kind = dict(self.headers).get("content-type")
        return not self.declares_length and self.status < 400 and kind != "text/html"

    def fields(self) -> list[tuple[str, str]]:
        """Return the header fields that the app sends."""
        length = [("content-length", str(sum(map(len, self.chunks))))]
        return [*self.headers, *(length if self.declares_length else [])]


@dataclass
class Outcome:
    """What became of an exchange.

    Attributes:
        status: of the answer; None where the server had nothing to send, and makes its own 500.
        headers: of the answer, names in lower case.
        chunks: what was sent of the body, piece by piece.
        error: what reached the server.
        calls: how often the app was called.
    """

    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    error: BaseException | None = None
    calls: int = 0

    @property
    def body(self) -> bytes:
        """All of the body that was sent."""
        return b"".join(self.chunks)

    def seen(self) -> tuple[int | None, list[tuple[str, str]], bytes, str | None]:
        """Return what a client can tell, and what reached the server."""
        error = None if self.error is None else f"{type(self.error).__name__}: {self.error}"
        return self.status, self.headers, self.body, error


def asgi_app(script: Script, outcome: Outcome | None = None) -> ASGIApp:
    """Return an ASGI app that plays ``script``."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if outcome is not None:
            outcome.calls += 1
        if script.raises_at == -1:
            raise AppError("at -1")
        fields = [(name.encode(), value.encode()) for name, value in script.fields()]
        await send(
            {"type": "http.response.start", "status": script.status, "headers": fields},
        )
        last = len(script.chunks) - 1
        for index, chunk in enumerate(script.chunks):
            if script.raises_at == index:
                raise AppError(f"at {index}")
            behind = script.raises_behind and script.raises_at == index + 1 > last
            final = script.ends_with_last and index == last
            final = final and (script.raises_at is None or behind)
            message = {"type": "http.response.body", "body": chunk, "more_body": not final}
            try:
                if behind:
                    raise AppError(f"at {script.raises_at}")
                await send(message)
            except AppError:
                await send(message)
                raise
        if script.raises_at is not None:
            raise AppError(f"at {script.raises_at}")
        if not script.ends_with_last or not script.chunks:
            await send({"type": "http.response.body", "body": b""})

    return app


def wsgi_app(script: Script, outcome: Outcome | None = None) -> WsgiApp:
    """Return a WSGI app that plays ``script``."""

    def chunks() -> Iterator[bytes]:
        for index, chunk in enumerate(script.chunks):
            if script.raises_at == index:
                raise AppError(f"at {index}")
            yield chunk
        if script.raises_at is not None:
            raise AppError(f"at {script.raises_at}")

    def late(start_response: Any) -> Iterator[bytes]:
        start_response(f"{script.status} Status", script.fields())
        yield from chunks()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if outcome is not None:
            outcome.calls += 1
        if script.raises_at == -1:
            raise AppError("at -1")
        if script.wsgi_style == "late":
            return late(start_response)
        write = start_response(f"{script.status} Status", script.fields())
        if script.wsgi_style == "write":
            for chunk in chunks():
                write(chunk)
            return []
        if script.wsgi_style == "list" and script.raises_at is None:
            return list(script.chunks)
        return chunks()

    return app


def play_asgi(
    make: Callable[[ASGIApp], ASGIApp],
    script: Script,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
) -> Outcome:
    """Play a script under ASGI, as a server that sends nothing before it has a body event."""
    outcome = Outcome()
    app = asgi_app(script, outcome)
    app = check_asgi(make(check_asgi(app)))
    head: Message = {}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not head, "the head was sent twice"
            head.update(message)
        elif message["type"] == "http.response.body":
            assert head, "a body came before its head"
            chunk, more = message.get("body", b""), message.get("more_body", False)
            if outcome.status is None and (chunk or not more):
                outcome.status = head["status"]
                outcome.headers = [
                    (name.decode().lower(), value.decode()) for name, value in head["headers"]
                ]
            outcome.chunks.append(chunk)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/items",
        "raw_path": b"/items",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"example.org"),
            *((name.lower().encode(), value.encode()) for name, value in headers),
        ],
        "client": ("192.0.2.1", 50000),
        "server": ("127.0.0.1", 80),
        "extensions": {},
    }
    try:
        asyncio.run(_run(app, scope, receive, send))
    except Exception as error:
        outcome.error = error
    return outcome


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def play_wsgi(
    make: Callable[[WsgiApp], WsgiApp],
    script: Script,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
) -> Outcome:
    """Play a script under WSGI, as a server that sends the head with the first bytes."""
    outcome = Outcome()
    app = wsgi_app(script, outcome)
    raises = script.raises_at is not None
    app = check_wsgi(app, cut=raises or script.declares_length)
    app = check_wsgi(make(app), cut=raises)
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if exc_info:
            if outcome.status is not None:
                raise exc_info[1].with_traceback(exc_info[2])
        elif head:
            raise AssertionError("the head was given twice")
        assert type(headers) is list
        head[:] = [int(status[:3]), headers]
        return write

    def commit() -> None:
        if outcome.status is None:
            assert head, "a body came before its head"
            outcome.status = head[0]
            outcome.headers = [(name.lower(), value) for name, value in head[1]]

    def write(chunk: bytes) -> None:
        assert type(chunk) is bytes
        if chunk:
            commit()
        outcome.chunks.append(chunk)

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/items",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers},
    }
    try:
        body = app(environ, start_response)
        try:
            for chunk in body:
                assert head, "iteration yielded before start_response"
                write(chunk)
            commit()
        finally:
            if hasattr(body, "close"):
                body.close()
    except Exception as error:
        outcome.error = error
    return outcome
