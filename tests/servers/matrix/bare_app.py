"""A bare WSGI app and a bare ASGI app, with a route for each fault."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import ErrorEnvelope
from tests.servers.matrix import faults
from tests.servers.matrix.records import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication

    from mantlet._internal.asgi_types import Receive, Scope, Send

log_to_stderr()
TEXT = ("Content-Type", "text/plain")
#: Of the streams: under ASGI, the head of plain text would not wait for the first chunk.
CSV = ("Content-Type", "text/csv")


def _status(method: str, path: str) -> HTTPStatus:
    """Return what a request of a path that has no failing route is answered with."""
    if path in ("/refuse/413", "/refuse/422"):
        return HTTPStatus(int(path[-3:]))
    if path not in ("/", "/background"):
        return HTTPStatus.NOT_FOUND
    return HTTPStatus.OK if method == "GET" else HTTPStatus.METHOD_NOT_ALLOWED


def _answer(method: str, path: str) -> tuple[HTTPStatus, list[tuple[str, str]], bytes]:
    """Return the status, the fields and the body of an answer, or fail as the path says."""
    match path.split("/")[1:]:
        case ["raise", fault]:
            faults.RAISED[fault]()
        case ["dependency"]:
            faults.fail("dependency")
        case ["template"]:
            faults.render()
    status = _status(method, path)
    fields = [TEXT]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        fields.append(("Allow", "GET"))
    return status, fields, (faults.HELLO if status == HTTPStatus.OK else status.phrase).encode()


def _wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path.startswith("/stream/"):
        start_response("200 OK", [CSV])
        return faults.stream(path.rpartition("/")[2])
    status, fields, body = _answer(environ["REQUEST_METHOD"], path)
    start_response(f"{status.value} {status.phrase}", fields)
    return faults.ClosedLoudly() if path == "/background" else [body]


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    path = scope["path"]
    if path.startswith("/stream/"):
        await _send_head(send, 200, [CSV])
        async for chunk in faults.stream_async(path.rpartition("/")[2]):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    status, fields, body = _answer(scope["method"], path)
    await _send_head(send, status, fields)
    await send({"type": "http.response.body", "body": body})
    if path == "/background":
        await faults.fail_in_background_async()


async def _send_head(send: Send, status: int, fields: list[tuple[str, str]]) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in fields]
    await send({"type": "http.response.start", "status": status, "headers": headers})


def _failing(app: WSGIApplication) -> WSGIApplication:
    """Fail for one of the paths."""

    def failing(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        faults.fail_in_middleware(environ["PATH_INFO"])
        return app(environ, start_response)

    return failing


wsgi = mantlet.wrap(_failing(_wsgi), ErrorEnvelope(), baseline=False)
asgi = mantlet.wrap(faults.AsgiMiddleware(_asgi), ErrorEnvelope(), baseline=False)
